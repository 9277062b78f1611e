/* SPDX-License-Identifier: MIT */
#include "tests/support/vsource_ref.h"

#include <math.h>
#include <string.h>

static const double DT_s = 10e-6;

static double curve(const double p[6], double s)
{
    return p[0] * exp(-p[1] * s) + p[2] + p[3] * s - p[4] * s * s + p[5] * s * s * s;
}

static double open_V(const struct vsource_ref *r)
{
    return curve(r->config.storage.p_VOC, r->soc);
}

double vsource_ref_energy(const struct storage_config *storage, double soc)
{
    enum {
        STEPS = 2000
    };
    double sum = 0;

    for (int i = 0; i < STEPS; i++) {
        sum += curve(storage->p_VOC, soc * (i + 0.5) / STEPS);
    }
    return sum / STEPS * soc * storage->q_As;
}

static void derive_thresholds(struct vsource_ref *r)
{
    const struct source_config *c = &r->config;
    double V_out = c->V_output_mV / 1000;
    double lowest = V_out + c->V_buck_drop_mV / 1000;
    double C_store = r->has_store ? c->storage.q_As / curve(c->storage.p_VOC, 1) : 0;
    double ratio = C_store > 0 ? c->C_output_uF * 1e-6 / C_store : 0;

    r->enable_V = c->V_intermediate_enable_output_threshold_mV / 1000;
    r->disable_V = c->V_intermediate_disable_output_threshold_mV / 1000;
    if (c->enable_buck) {
        if (r->enable_V <= lowest) {
            r->enable_V = lowest + (ratio < 1 ? V_out * (1 - sqrt(1 - ratio)) : 0);
        }
        r->disable_V = fmax(r->disable_V, lowest);
    }
}

void vsource_ref_init(struct vsource_ref *ref, const struct source_config *config,
                      bool has_curves)
{
    memset(ref, 0, sizeof(*ref));
    ref->config = *config;
    source_config_finish(&ref->config);
    ref->has_store = ref->config.storage.is_present;
    ref->has_boost = ref->config.enable_boost && ref->has_store;
    ref->has_feedback =
        ref->config.enable_feedback_to_hrv && ref->has_store && !ref->has_boost && has_curves;
    derive_thresholds(ref);
    ref->soc = ref->has_store ? ref->config.storage.SoC_init : 0;
    ref->V_mid = ref->has_store ? open_V(ref) : 0;
    ref->startup_n = lround(config->interval_startup_delay_drain_ms * 100);
    ref->check_count = -1; /* the first sample is a check */
}

/* Where on an axis of bins, from the middle of the first one: 0..11. */
static double on_axis(double bins)
{
    return fmin(11, fmax(0, bins - 0.5));
}

/* Bins of a current: each power of two is one, linear within. */
static double current_bins(double I_nA, unsigned log2_nA)
{
    double base = ldexp(1, (int)log2_nA - 1); /* the lower edge of bin 0 */
    double octave = 0;

    if (I_nA < base) {
        return 0;
    }
    octave = floor(log2(I_nA / base));
    return octave + I_nA / (base * exp2(octave)) - 1;
}

static double at(const double *table, double position)
{
    int low = (int)fmin(10, floor(position));

    return table[low] + (table[low + 1] - table[low]) * (position - low);
}

static double input_efficiency(const struct source_config *c, double V_uV, double I_nA)
{
    double row = V_uV / ldexp(1, (int)c->LUT_input_V_min_log2_uV);
    double column = current_bins(I_nA, c->LUT_input_I_min_log2_nA);
    double between[12];

    if (!c->interpolate_LUT) {
        int v = (int)fmin(11, floor(row));
        int i = (int)fmin(11, floor(column));

        return c->LUT_input_efficiency[v * 12 + i];
    }
    for (int v = 0; v < 12; v++) {
        between[v] = at(&c->LUT_input_efficiency[(size_t)v * 12], on_axis(column));
    }
    return at(between, on_axis(row));
}

static double output_inverse(const struct source_config *c, double I_nA)
{
    double column = current_bins(I_nA, c->LUT_output_I_min_log2_nA);
    double inverse[12];

    for (int i = 0; i < 12; i++) {
        inverse[i] = fmin(16384, 1 / fmax(c->LUT_output_efficiency[i], 1.0 / 16384));
    }
    return c->interpolate_LUT ? at(inverse, on_axis(column))
                              : inverse[(int)fmin(11, floor(column))];
}

struct flows {
    double P; /* net power into the store */
    double I; /* net current into the store */
};

/* What stands against a current into the store: voltage and resistance of this sample. */
static double terminal(const struct vsource_ref *r, double I, double *R)
{
    const struct storage_config *s = &r->config.storage;
    double low = fmax(0, r->soc - 1e-3);
    double high = fmin(1, r->soc + 1e-3);
    double slope = (curve(s->p_VOC, high) - curve(s->p_VOC, low)) / (high - low);

    I -= r->config.I_intermediate_leak_nA * 1e-9;
    I -= s->R_leak_Ohm > 0 ? open_V(r) / s->R_leak_Ohm : 0;
    *R = curve(s->p_Rs, r->soc) + fmax(0, slope) * DT_s / s->q_As / 2;
    return fmax(0, open_V(r) + I * *R);
}

static void add_input(struct vsource_ref *r, double V, double I, struct flows *flows)
{
    const struct source_config *c = &r->config;
    double R_in = c->R_input_mOhm / 1000;
    double R = 0;
    double V_store = r->has_store ? terminal(r, flows->I, &R) : 0;

    V = fmin(fmax(0, V - c->V_input_drop_mV / 1000), c->V_input_max_mV / 1000);
    I = fmin(I, c->I_input_max_mA / 1000);
    if (r->has_boost) {
        if (V >= c->V_input_boost_threshold_mV / 1000 && I > 0) {
            flows->P += V * I * input_efficiency(c, V * 1e6, I * 1e9);
            r->E_input += V * I * input_efficiency(c, V * 1e6, I * 1e9) * DT_s;
        }
    } else if (r->has_feedback) {
        double behind = fmax(0, V - I * R_in);

        if (behind >= V_store + I * R) {
            flows->I += I;
        } else {
            flows->P += behind * I;
        }
        r->E_input += fmin(behind, V_store) * I * DT_s;
    } else if (r->has_store) {
        I = V > V_store ? fmin(I, (V - V_store) / fmax(R_in + R, 1e-12)) : 0;
        flows->I += I;
        r->E_input += (V - I * R_in) * I * DT_s;
    } else {
        r->V_mid = V;
    }
}

static void add_output(struct vsource_ref *r, double I_out, struct flows *flows)
{
    if (r->startup_n > 0) {
        r->startup_n--;
        return;
    }
    if (!(r->V_out > 0)) {
        return;
    }
    r->E_output += r->V_out * I_out * DT_s;
    if (!r->config.enable_buck) {
        flows->I -= I_out;
    } else {
        double P = r->V_out * I_out * output_inverse(&r->config, I_out * 1e9);

        flows->P -= r->is_regulated ? P : fmax(P, r->V_mid * I_out);
    }
}

/* What the output capacitor takes while it is charged. */
static void add_output_capacitor(struct vsource_ref *r, struct flows *flows)
{
    const struct source_config *c = &r->config;
    double C_out = c->C_output_uF * 1e-6;
    double C_store = c->storage.q_As / curve(c->storage.p_VOC, 1);

    if (r->charge_n <= 0 || !r->is_on) {
        return;
    }
    if (c->enable_buck) {
        double V = c->V_output_mV / 1000;

        flows->P -= C_out * V * V / 2 / DT_s / (double)r->charge_total_n;
    } else {
        flows->I -= C_out * C_store / (C_out + C_store) * r->charge_V / DT_s
                    / (double)r->charge_total_n;
    }
}

static void step_store(struct vsource_ref *r, struct flows flows)
{
    const struct storage_config *s = &r->config.storage;
    double R = 0;
    double direct = terminal(r, flows.I, &R);
    double soc_max = 1;
    double before = r->soc;

    flows.I -= r->config.I_intermediate_leak_nA * 1e-9;
    flows.I -= s->R_leak_Ohm > 0 ? open_V(r) / s->R_leak_Ohm : 0;
    if (flows.P > 0 || flows.P < 0) {
        double square = direct * direct + 4 * flows.P * R;
        double middle = (direct + sqrt(fmax(0, square))) / 2;

        flows.I += flows.P / fmax(middle, 4e-9);
    }
    r->soc += flows.I * DT_s / s->q_As;
    /* a charge ends where V_oc reaches the limit */
    if (flows.I > 0 && curve(s->p_VOC, r->soc) > r->config.V_intermediate_max_mV / 1000) {
        double low = fmin(before, 1);
        double high = r->soc;

        for (int i = 0; i < 60; i++) {
            double middle = (low + high) / 2;

            if (curve(s->p_VOC, middle) > r->config.V_intermediate_max_mV / 1000) {
                high = middle;
            } else {
                low = middle;
            }
        }
        soc_max = low;
    }
    r->soc = fmin(fmax(0, r->soc), fmax(before, soc_max));
    if (r->soc > 1) {
        r->soc = 1;
    }
    r->I_mid = (r->soc - before) * s->q_As / DT_s;
    r->V_mid = r->soc > 0 ? fmax(0, open_V(r) + flows.I * curve(s->p_Rs, r->soc)) : 0;
    r->V_mid = fmin(r->V_mid, fmax(open_V(r), r->config.V_intermediate_max_mV / 1000));
}

static void begin_charge(struct vsource_ref *r)
{
    const struct source_config *c = &r->config;
    double C_out = c->C_output_uF * 1e-6;
    double C_store = r->has_store ? c->storage.q_As / curve(c->storage.p_VOC, 1) : 0;
    double V = c->V_output_mV / 1000;

    if (!r->has_store || !(C_out > 0)) {
        return;
    }
    r->charge_total_n = (long)ceil(
        fmax(1, c->enable_buck ? C_out * V * V / 2 / DT_s / 30
                               : C_out * C_store / (C_out + C_store) * 16.777215 / 30e-6));
    r->charge_n = r->charge_total_n + 1;
    r->charge_V = fmax(0, r->V_mid - c->V_buck_drop_mV / 1000);
}

static void update(struct vsource_ref *r, bool is_on)
{
    const struct source_config *c = &r->config;
    long interval_n = lround(c->interval_check_thresholds_ms * 100);
    bool is_check = r->check_count < 0 || ++r->check_count >= interval_n;

    r->charge_n -= r->charge_n > 0 ? 1 : 0;
    r->wants_on = r->is_on;
    if (is_check) {
        r->check_count = 0;
        r->wants_on = r->is_on ? r->V_mid >= r->disable_V : r->V_mid >= r->enable_V;
    }
    if (is_on && !r->is_on) {
        begin_charge(r);
        r->charge_n -= r->charge_n > 0 ? 1 : 0;
    }
    r->is_on = is_on;
    if (is_check || c->immediate_pwr_good_signal) {
        bool is_high = r->is_on && r->V_mid >= c->V_pwr_good_enable_threshold_mV / 1000;
        bool is_low = !r->is_on || r->V_mid <= c->V_pwr_good_disable_threshold_mV / 1000;

        r->is_power_good = r->is_power_good ? is_high || !is_low : is_high && !is_low;
    }
    r->is_regulated = false;
    if (!r->is_on && r->startup_n == 0) {
        r->V_out = 0;
    } else if (c->enable_buck && r->V_mid > (c->V_output_mV + c->V_buck_drop_mV) / 1000) {
        r->V_out = c->V_output_mV / 1000;
        r->is_regulated = true;
    } else {
        r->V_out = fmax(0, r->V_mid - c->V_buck_drop_mV / 1000);
    }
}

void vsource_ref_step(struct vsource_ref *ref, double V_harvest, double I_harvest, double I_out,
                      bool is_on)
{
    struct flows flows = { 0, 0 };

    add_output_capacitor(ref, &flows);
    add_output(ref, I_out, &flows);
    add_input(ref, V_harvest, I_harvest, &flows);
    if (ref->has_store) {
        step_store(ref, flows);
    }
    update(ref, is_on);
}
