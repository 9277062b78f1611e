/* SPDX-License-Identifier: MIT */
#include "tests/support/vsource_watch.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double DT_s = 10e-6;

void vsource_watch_init(struct vsource_watch *watch, const struct vsource_params *params,
                        double q_As, double tolerance)
{
    double step_As = q_As / (VSOURCE_STORE_KNOTS - 1);

    memset(watch, 0, sizeof(*watch));
    watch->q_As = q_As;
    watch->tolerance = tolerance;
    for (int i = 1; i < VSOURCE_STORE_KNOTS; i++) {
        double V = ((double)params->store.V_oc_uV_n8[i - 1] + params->store.V_oc_uV_n8[i]) / 2;

        watch->E_knots[i] = watch->E_knots[i - 1] + V / 256e6 * step_As;
    }
    vsource_init(&watch->source, params);
    watch->E_start = -1;
}

/* Under the interpolated table, exactly. */
static double store_energy(const struct vsource_watch *w)
{
    const uint32_t *V = w->source.params->store.V_oc_uV_n8;
    double position = (double)w->source.store.soc_n58 / 0x1p51;
    int knot = (int)fmin(VSOURCE_STORE_KNOTS - 2, floor(position));
    double part = position - knot;
    double V_low = V[knot] / 256e6;
    double V_here = V_low + (V[knot + 1] / 256e6 - V_low) * part;

    return w->E_knots[knot] + (V_low + V_here) / 2 * part * w->q_As / (VSOURCE_STORE_KNOTS - 1);
}

static bool report(struct vsource_watch *w, const char *what)
{
    snprintf(w->fault, sizeof(w->fault), "sample %llu: %s (V_mid %u, V_out %u)",
             (unsigned long long)w->k, what, w->output.V_mid_uV, w->output.V_out_uV);
    return false;
}

/* What the target got in this sample: V_out was set in the one before. An output that follows
 * the store falls within the sample; the lower end counts. A store that could not give what
 * was asked for gave less. */
static void add_energies(struct vsource_watch *w, double V_before, bool was_regulated)
{
    const struct vsource_converter *p = &w->source.params->converter;
    double V_in = w->source.converter.V_input_uV * 1e-6;
    double I_in = fmin(w->output.I_harvest_nA, p->I_input_max_nA) * 1e-9;
    double V = V_before;

    w->E_in += V_in * I_in * DT_s;
    if (!was_regulated) {
        V = fmin(V, fmax(0, (double)w->output.V_mid_uV - p->V_buck_drop_uV) * 1e-6);
    }
    if (!w->source.store.is_exhausted && w->source.converter.P_output_fW_n8 > 0) {
        w->E_out += V * w->output.I_out_nA * 1e-9 * DT_s;
    }
}

/* What the store gained and the target got came from the input. The tolerance is of what has
 * moved, so that a large store hides nothing; then what doubles and microvolts round. */
static bool check_energy(struct vsource_watch *w)
{
    double gained = store_energy(w) - w->E_start;
    double moved = w->E_in + w->E_out + fabs(gained);

    return gained + w->E_out <= w->E_in + w->tolerance * moved + (double)w->k * 1e-17 + 1e-12
                                    + w->E_start * 1e-14;
}

static bool check_ranges(const struct vsource_watch *w)
{
    const struct vsource_converter *p = &w->source.params->converter;
    const struct vsource_output *o = &w->output;

    return o->target_code <= CALIB_DAC_MAX && o->aux_code <= CALIB_DAC_MAX
           && w->source.store.soc_n58 <= 1ull << 58
           && (o->V_out_uV <= o->V_mid_uV || o->is_starting)
           && (w->source.converter.V_input_uV <= p->V_input_max_uV);
}

struct before {
    bool is_on;
    bool is_power_good;
    bool is_regulated;
    uint32_t check_count;
    double V_out;
};

static bool check_switching(struct vsource_watch *w, const struct before *before)
{
    const struct vsource_converter *p = &w->source.params->converter;
    const struct vsource_output *o = &w->output;
    bool is_check = before->check_count + 1 >= p->check_interval_n;

    if (o->is_on != before->is_on) {
        w->has_crossed = true;
        if (!is_check || (o->is_on && o->V_mid_uV < p->V_enable_uV)
            || (!o->is_on && o->V_mid_uV >= p->V_disable_uV)) {
            return report(w, "output switched against its thresholds");
        }
    } else if (is_check
               && (o->is_on ? o->V_mid_uV < p->V_disable_uV : o->V_mid_uV >= p->V_enable_uV)) {
        return report(w, "output did not switch");
    }
    if (o->is_power_good != before->is_power_good) {
        w->has_crossed = true;
        if (o->is_power_good ? !o->is_on || o->V_mid_uV < p->V_pwr_good_enable_uV
                             : o->is_on && o->V_mid_uV > p->V_pwr_good_disable_uV
                                   && o->V_mid_uV < p->V_pwr_good_enable_uV) {
            return report(w, "power-good within its hysteresis");
        }
    }
    return true;
}

bool vsource_watch_step(struct vsource_watch *watch, struct curve_point input,
                        uint32_t current_code)
{
    const struct converter *c = &watch->source.converter;
    struct before before = { c->is_on, c->is_power_good, c->is_regulated, c->check_count,
                             c->V_out_uV * 1e-6 };
    bool has_store = (watch->source.params->converter.flags & VSOURCE_HAS_STORE) != 0;

    if (watch->E_start < 0) {
        watch->E_start = has_store ? store_energy(watch) : 0;
    }
    vsource_step(&watch->source, input, current_code, &watch->output);
    watch->k++;
    if (has_store) {
        add_energies(watch, before.V_out, before.is_regulated);
        if (!check_energy(watch)) {
            char text[160];

            snprintf(text, sizeof(text),
                     "energy from nothing: start %g, in %g, store %g, out %g", watch->E_start,
                     watch->E_in, store_energy(watch), watch->E_out);
            return report(watch, text);
        }
    }
    if (!check_ranges(watch)) {
        return report(watch, "out of range");
    }
    return check_switching(watch, &before);
}
