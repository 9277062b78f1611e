/* SPDX-License-Identifier: MIT */
/* The cell against its own equation, solved here by bisection, and against physics. */
#include "common/attrs.h"
#include "pru/sim/solar.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const double THERMAL_V_AT_25C = 8.617333262e-5 * 298.15;

/* An amorphous cell for indoors, a single crystalline one, one with a poor contact. */
static const struct world_transducer CELLS[] = {
    {.Isc_mA = 4,
     .Voc_V = 2.6,
     .n_cells = 4,
     .ideality = 1.5,
     .Rs_Ohm = 8,
     .Rsh_Ohm = 100e3,
     .temperature_C = 25,
     .Isc_per_K = 5e-4,
     .Voc_V_per_K = -0.008,
     .irradiance_W_per_m2 = 1000 },
    { .Isc_mA = 50,
     .Voc_V = 0.6,
     .n_cells = 1,
     .ideality = 1.1,
     .Rs_Ohm = 0.2,
     .Rsh_Ohm = 1e3,
     .temperature_C = 25,
     .Voc_V_per_K = -0.002,
     .irradiance_W_per_m2 = 1000 },
    { .Isc_mA = 1,
     .Voc_V = 4.5,
     .n_cells = 8,
     .ideality = 2,
     .Rs_Ohm = 200,
     .Rsh_Ohm = 20e3,
     .temperature_C = 25,
     .irradiance_W_per_m2 = 1000    },
};
static const double SUNS[] = { 1e-4, 0.01, 0.2, 1, 1.2 };

/* What the equation leaves at (V, I); falls with I, at 25 C. */
static double residue(const struct world_transducer *cell, double sun, double V, double I)
{
    double slope = cell->ideality * cell->n_cells * THERMAL_V_AT_25C;
    double Isc = cell->Isc_mA * 1e-3;
    double Iph = Isc * (1 + cell->Rs_Ohm / cell->Rsh_Ohm);
    double I0 = (Iph - cell->Voc_V / cell->Rsh_Ohm) / expm1(cell->Voc_V / slope);
    double Vd = V + I * cell->Rs_Ohm;

    return Iph * sun - I0 * expm1(Vd / slope) - Vd / cell->Rsh_Ohm - I;
}

static double bisect_current(const struct world_transducer *cell, double sun, double V)
{
    double low = -1;
    double high = 1;

    for (int i = 0; i < 80; i++) {
        double middle = (low + high) / 2;

        if (residue(cell, sun, V, middle) > 0) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

static double bisect_Voc(const struct world_transducer *cell, double sun)
{
    double low = 0;
    double high = 10;

    for (int i = 0; i < 80; i++) {
        double middle = (low + high) / 2;

        if (residue(cell, sun, middle, 0) > 0) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

static void test_points_solve_the_equation(void **state)
{
    (void)state;
    for (size_t c = 0; c < ARRAY_LEN(CELLS) * ARRAY_LEN(SUNS); c++) {
        const struct world_transducer *cell = &CELLS[c % ARRAY_LEN(CELLS)];
        double sun = SUNS[c / ARRAY_LEN(CELLS)];
        double Voc = bisect_Voc(cell, sun);
        struct solar solar;

        solar_init(&solar, cell);
        solar_set(&solar, 1000 * sun, 25);
        /* Jumps of all sizes, since every solution begins at the last one. */
        for (int i = 0; i < 500; i++) {
            double setpoint = 5.0 * ((i * 197) % 500) / 500;
            double V = -1;
            double I = -1;

            solar_point(&solar, setpoint, &V, &I);
            if (setpoint < Voc - 1e-6) {
                assert_true(V == setpoint);
                assert_true(fabs(I - bisect_current(cell, sun, setpoint)) < 1e-11);
                assert_true(I > 0);
            } else if (setpoint > Voc + 1e-6) {
                assert_true(fabs(V - Voc) < 1e-7);
                assert_true(I == 0);
            }
        }
    }
}

static void test_standard_conditions_give_the_data_sheet(void **state)
{
    (void)state;
    for (size_t c = 0; c < ARRAY_LEN(CELLS); c++) {
        struct solar solar;
        double V = 0;
        double I = 0;

        solar_init(&solar, &CELLS[c]);
        solar_point(&solar, 10, &V, &I);
        assert_true(I == 0);
        assert_true(fabs(V - CELLS[c].Voc_V) < 1e-6);
        solar_point(&solar, 0, &V, &I);
        assert_true(V == 0);
        assert_true(fabs(I - CELLS[c].Isc_mA * 1e-3) < 1e-4 * CELLS[c].Isc_mA * 1e-3);
    }
}

static void brute_force_peak(struct solar *solar, double *V_peak, double *P_peak)
{
    *P_peak = 0;
    for (int i = 0; i < 5000; i++) {
        double V = 0;
        double I = 0;

        solar_point(solar, i * 1e-3, &V, &I);
        if (V * I > *P_peak) {
            *P_peak = V * I;
            *V_peak = V;
        }
    }
}

static void test_peak_is_where_the_equation_has_it(void **state)
{
    (void)state;
    for (size_t c = 0; c < ARRAY_LEN(CELLS); c++) {
        struct solar solar;
        double Voc = bisect_Voc(&CELLS[c], 1);
        double V_peak = 0;
        double P_peak = 0;
        double P_best = 0;
        double V_best = 0;

        solar_init(&solar, &CELLS[c]);
        brute_force_peak(&solar, &V_peak, &P_peak);
        for (int i = 0; i < 2000; i++) {
            double V = Voc * i / 2000;
            double P = V * bisect_current(&CELLS[c], 1, V);

            V_best = P > P_best ? V : V_best;
            P_best = fmax(P, P_best);
        }
        assert_true(fabs(P_peak - P_best) < 1e-4 * P_best);
        assert_true(fabs(V_peak - V_best) < 0.01);
        assert_true(V_peak > 0.5 * Voc && V_peak < 0.95 * Voc);
    }
}

static void test_current_follows_the_light(void **state)
{
    struct solar solar;
    double V = 0;
    double I_full = 0;
    double I_half = 0;

    (void)state;
    solar_init(&solar, &CELLS[0]);
    solar_point(&solar, 0, &V, &I_full);
    solar_set(&solar, 500, 25);
    solar_point(&solar, 0, &V, &I_half);
    assert_true(fabs(I_half / I_full - 0.5) < 1e-4);
}

static void test_open_circuit_falls_with_the_temperature(void **state)
{
    struct solar solar;
    double V = 0;
    double I = 0;

    (void)state;
    solar_init(&solar, &CELLS[0]);
    solar_set(&solar, 1000, 45);
    solar_point(&solar, 10, &V, &I);
    assert_true(fabs(V - (2.6 - 20 * 0.008)) < 1e-6);
    solar_point(&solar, 0, &V, &I);
    assert_true(fabs(I - 4e-3 * 1.01) < 1e-6);
    solar_set(&solar, 1000, 25);
    solar_point(&solar, 10, &V, &I);
    assert_true(fabs(V - 2.6) < 1e-6);
}

static void test_night_gives_nothing_and_ends(void **state)
{
    struct solar solar;
    double V = 1;
    double I = 1;

    (void)state;
    solar_init(&solar, &CELLS[0]);
    solar_set(&solar, 0, 25);
    solar_point(&solar, 1, &V, &I);
    assert_true(V == 0 && I == 0);
    solar_set(&solar, 1000, 25);
    solar_point(&solar, 1, &V, &I);
    assert_true(V == 1 && fabs(I - bisect_current(&CELLS[0], 1, 1)) < 1e-11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_points_solve_the_equation),
        cmocka_unit_test(test_standard_conditions_give_the_data_sheet),
        cmocka_unit_test(test_peak_is_where_the_equation_has_it),
        cmocka_unit_test(test_current_follows_the_light),
        cmocka_unit_test(test_open_circuit_falls_with_the_temperature),
        cmocka_unit_test(test_night_gives_nothing_and_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
