/* SPDX-License-Identifier: MIT */
#include "pru/sim/solar.h"

#include <math.h>

static const double BOLTZMANN_V_PER_K = 8.617333262e-5; /* k / q, CODATA 2018 */
static const double ZERO_C_K = 273.15;
static const double STANDARD_C = 25.0;
static const double STANDARD_W_PER_M2 = 1000.0;

enum {
    MAX_STEPS = 40
};

void solar_init(struct solar *solar, const struct world_transducer *cell)
{
    *solar = (struct solar){ .cell = cell, .irradiance_W_per_m2 = -1 };
    solar_set(solar, cell->irradiance_W_per_m2, cell->temperature_C);
}

/* What makes the short-circuit current, of which Rs and Rsh lose a little, the data sheet's. */
static double standard_Iph_A(const struct world_transducer *cell, double above_K)
{
    return cell->Isc_mA * 1e-3 * (1.0 + cell->Isc_per_K * above_K)
           * (1.0 + cell->Rs_Ohm / cell->Rsh_Ohm);
}

static void set_temperature(struct solar *solar, double temperature_C)
{
    const struct world_transducer *cell = solar->cell;
    double above_K = temperature_C - STANDARD_C;
    double Voc_V = cell->Voc_V + cell->Voc_V_per_K * above_K;
    double Iph_A = standard_Iph_A(cell, above_K);

    solar->temperature_C = temperature_C;
    solar->slope_V =
        cell->ideality * (double)cell->n_cells * BOLTZMANN_V_PER_K * (temperature_C + ZERO_C_K);
    solar->I0_A = (Iph_A - Voc_V / cell->Rsh_Ohm) / expm1(Voc_V / solar->slope_V);
}

void solar_set(struct solar *solar, double irradiance_W_per_m2, double temperature_C)
{
    const struct world_transducer *cell = solar->cell;
    double above_K = temperature_C - STANDARD_C;

    if (irradiance_W_per_m2 == solar->irradiance_W_per_m2
        && temperature_C == solar->temperature_C) {
        return;
    }
    if (temperature_C != solar->temperature_C || solar->slope_V == 0) {
        set_temperature(solar, temperature_C);
    }
    solar->irradiance_W_per_m2 = irradiance_W_per_m2;
    solar->Iph_A = standard_Iph_A(cell, above_K) * irradiance_W_per_m2 / STANDARD_W_PER_M2;
}

/* Newton on f(I) = Iph - I0 expm1(Vd / s) - Vd / Rsh - I, Vd = V + I Rs; f is concave and
 * falls, so it converges from below; a step to where exp would run away is cut. */
static double current_at(struct solar *solar, double voltage_V)
{
    const struct world_transducer *cell = solar->cell;
    double I_A = solar->I_A;

    for (int i = 0; i < MAX_STEPS; i++) {
        double Vd_V = voltage_V + I_A * cell->Rs_Ohm;
        double e = exp(fmin(Vd_V / solar->slope_V, 200.0));
        double f = solar->Iph_A - solar->I0_A * (e - 1.0) - Vd_V / cell->Rsh_Ohm - I_A;
        double slope = -solar->I0_A * e * cell->Rs_Ohm / solar->slope_V
                       - cell->Rs_Ohm / cell->Rsh_Ohm - 1.0;
        double step_A = f / slope;

        I_A -= step_A;
        if (fabs(step_A) < 1e-12) {
            break;
        }
    }
    solar->I_A = I_A;
    return I_A;
}

static double open_circuit(struct solar *solar)
{
    const struct world_transducer *cell = solar->cell;
    double V_V = solar->Voc_V;

    if (solar->Iph_A <= 0) {
        return 0;
    }
    if (V_V <= 0) {
        V_V = solar->slope_V * log1p(solar->Iph_A / solar->I0_A);
    }
    for (int i = 0; i < MAX_STEPS; i++) {
        double e = exp(fmin(V_V / solar->slope_V, 200.0));
        double f = solar->Iph_A - solar->I0_A * (e - 1.0) - V_V / cell->Rsh_Ohm;
        double step_V = f / (-solar->I0_A * e / solar->slope_V - 1.0 / cell->Rsh_Ohm);

        V_V -= fmax(fmin(step_V, 1.0), -1.0);
        if (fabs(step_V) < 1e-9) {
            break;
        }
    }
    solar->Voc_V = V_V;
    return V_V;
}

/* Far beyond it the Newton steps of current_at would be many: each is one slope_V long. */
static bool is_beyond_open_circuit(const struct solar *solar, double V_V)
{
    return solar->Iph_A - solar->I0_A * (exp(fmin(V_V / solar->slope_V, 200.0)) - 1.0)
           <= V_V / solar->cell->Rsh_Ohm;
}

void solar_point(struct solar *solar, double setpoint_V, double *voltage_V, double *current_A)
{
    if (solar->Iph_A <= 0) {
        *voltage_V = 0;
        *current_A = 0;
        return;
    }
    if (is_beyond_open_circuit(solar, setpoint_V)) {
        solar->I_A = 0;
        *voltage_V = open_circuit(solar);
        *current_A = 0;
        return;
    }
    *voltage_V = setpoint_V;
    *current_A = fmax(current_at(solar, setpoint_V), 0);
}
