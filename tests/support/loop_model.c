/* SPDX-License-Identifier: MIT */
#include "tests/support/loop_model.h"

#include <math.h>

static const double SAMPLE_S = 1e-5;

/* Where on an axis of middles a position in bins lies: entry and way to the next. */
static int place(double bins, double *way)
{
    double at = fmin(fmax(bins - 0.5, 0), VSOURCE_LUT_SIZE - 1);
    int entry = (int)fmin(floor(at), VSOURCE_LUT_SIZE - 2);

    *way = at - entry;
    return entry;
}

/* Bins of a current: bin 0 ends at 2^log2 nA, each further one at twice the last; linear
 * inside. */
static double current_bins(double I_A, unsigned log2_nA)
{
    double ratio = I_A * 1e9 / ldexp(1, (int)log2_nA - 1);

    if (ratio < 1) {
        return 0;
    }
    return floor(log2(ratio)) + ratio / exp2(floor(log2(ratio))) - 1;
}

static double input_efficiency(const struct source_config *s, double V_V, double I_A)
{
    double x = 0;
    double y = 0;
    int row = place(V_V * 1e6 / ldexp(1, (int)s->LUT_input_V_min_log2_uV), &y);
    int column = place(current_bins(I_A, s->LUT_input_I_min_log2_nA), &x);
    const double *low = &s->LUT_input_efficiency[row * VSOURCE_LUT_SIZE + column];
    const double *high = low + VSOURCE_LUT_SIZE;

    return (low[0] * (1 - x) + low[1] * x) * (1 - y) + (high[0] * (1 - x) + high[1] * x) * y;
}

/* The losses' factor is what lies between two entries, not the efficiency. */
static double output_loss(const struct source_config *s, double I_A)
{
    double x = 0;
    int entry = place(current_bins(I_A, s->LUT_output_I_min_log2_nA), &x);

    return (1 - x) / s->LUT_output_efficiency[entry] + x / s->LUT_output_efficiency[entry + 1];
}

static double full_V(const struct source_config *s)
{
    return storage_curve(s->storage.p_VOC, 1);
}

void loop_model_init(struct loop_model *model, const struct source_config *source)
{
    *model = (struct loop_model){ .source = source };
    model->Q_As = source->storage.SoC_init * source->storage.q_As;
    model->V_mid_V = source->storage.SoC_init * full_V(source);
    model->check_count = ~0u >> 1;
}

static double input_power(const struct loop_model *m, double V_V, double I_A)
{
    const struct source_config *s = m->source;

    V_V = fmin(fmax(V_V - s->V_input_drop_mV / 1e3, 0), s->V_input_max_mV / 1e3);
    I_A = fmin(I_A, s->I_input_max_mA / 1e3);
    if (V_V < s->V_input_boost_threshold_mV / 1e3
        || m->V_mid_V >= s->V_intermediate_max_mV / 1e3) {
        return 0;
    }
    return input_efficiency(s, V_V, I_A) * V_V * I_A;
}

static double output_power(const struct loop_model *m, double I_A)
{
    double power_W = m->V_out_V * I_A * output_loss(m->source, I_A);

    /* What only passes through takes at least the target's current from the store. */
    return m->V_out_V < m->source->V_output_mV / 1e3 ? fmax(power_W, m->V_mid_V * I_A)
                                                     : power_W;
}

static void move_charge(struct loop_model *m, double power_W)
{
    const struct storage_config *store = &m->source->storage;
    double C_F = store->q_As / full_V(m->source);
    double leak_A = store->R_leak_Ohm > 0 ? m->V_mid_V / store->R_leak_Ohm : 0;
    double energy_Ws = m->Q_As * m->Q_As / (2 * C_F) + power_W * SAMPLE_S;

    m->Q_As = energy_Ws > 0 ? sqrt(2 * C_F * energy_Ws) : 0;
    m->Q_As = fmax(m->Q_As - leak_A * SAMPLE_S, 0);
    m->V_mid_V = m->Q_As / C_F;
}

static void switch_output(struct loop_model *m)
{
    const struct source_config *s = m->source;
    double lowest_V = (s->V_output_mV + s->V_buck_drop_mV) / 1e3;

    m->check_count++;
    if (m->check_count >= s->interval_check_thresholds_ms * 100) {
        m->check_count = 0;
        if (m->is_on) {
            m->is_on = m->V_mid_V
                       >= fmax(s->V_intermediate_disable_output_threshold_mV / 1e3, lowest_V);
        } else if (m->V_mid_V >= s->V_intermediate_enable_output_threshold_mV / 1e3) {
            double V_out_V = s->V_output_mV / 1e3;

            m->is_on = true;
            move_charge(m, -s->C_output_uF * 1e-6 * V_out_V * V_out_V / 2 / SAMPLE_S);
        }
    }
    m->V_out_V = fmax(m->V_mid_V - s->V_buck_drop_mV / 1e3, 0);
    m->V_out_V = m->V_mid_V > lowest_V ? s->V_output_mV / 1e3 : m->V_out_V;
    m->V_out_V = m->is_on ? m->V_out_V : 0;
}

void loop_model_step(struct loop_model *model, double V_in_V, double I_in_A, double I_target_A)
{
    double in_W = input_power(model, V_in_V, I_in_A);
    double out_W = output_power(model, I_target_A);

    model->in_Ws += in_W * SAMPLE_S;
    model->out_Ws += out_W * SAMPLE_S;
    move_charge(model, in_W - out_W);
    switch_output(model);
}
