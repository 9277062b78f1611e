/* SPDX-License-Identifier: MIT */
/* Harvesters for recording (adc_harvester) and emulation (curve_harvester, pair_harvester) on a
 * simulated solar cell. That their integers are the incumbent's is shown by vsource_vectors. */
#include "common/vsource_derive.h"
#include "pru/core/adc_harvester.h"
#include "pru/core/calib.h"
#include "pru/core/pair_harvester.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const double ISC_A = 0.01;
static const double VOC_V = 4.0;

/* One diode: current at a voltage, and the voltage that a DAC's code leads to. */
static double cell_A(double V, double light)
{
    double Voc = VOC_V + 0.25 * log(light);

    return V >= Voc ? 0 : light * ISC_A * (1 - exp((V - Voc) / 0.25));
}

static double peak_W(double light)
{
    double best = 0;

    for (int mV = 0; mV < 1000 * VOC_V; mV += 2) {
        double V = mV / 1000.0;

        best = fmax(best, V * cell_A(V, light));
    }
    return best;
}

struct recorder {
    struct vsource_params params;
    struct adc_harvester harvester;
    uint32_t dac_code;
    struct adc_output output;
    double power_W;
};

static void begin(struct recorder *r, enum harvester_algorithm algorithm)
{
    struct harvester_config config;
    struct err err = { 0 };

    schema_defaults(&harvester_schema, &config);
    config.algorithm = algorithm;
    config.samples_n = 101;
    config.setpoint_n = 0.76;
    config.interval_ms = algorithm == HARVESTER_MPPT_VOC ? 100 : 1;
    config.duration_ms = 1;
    config.voltage_step_mV = algorithm == HARVESTER_MPPT_PO ? 10 : 50;
    config.voltage_mV = 2000;
    config.wait_cycles = algorithm == HARVESTER_ISC_VOC ? 4 : 0;
    config.cutout_cycles = algorithm == HARVESTER_IVCURVE ? 3 : 0;
    memset(r, 0, sizeof(*r));
    vsource_derive_defaults(&r->params);
    if (vsource_derive_harvester(&config, NULL, &r->params, &err) < 0) {
        fail_msg("%s", err.text);
    }
    adc_harvester_init(&r->harvester, &r->params);
    r->dac_code = CALIB_DAC_MAX;
}

static void take(struct recorder *r, double light)
{
    double Voc = VOC_V + 0.25 * log(light);
    double V = fmin(r->dac_code * 5.0 / 65536, Voc);
    double I = cell_A(V, light);
    struct adc_codes codes = { (uint32_t)lround(V * 51200), (uint32_t)lround(I * 4915200) };

    adc_harvester_step(&r->harvester, codes, &r->output);
    r->dac_code = r->output.has_dac ? r->output.dac_code : r->dac_code;
    r->power_W =
        r->output.recorded.voltage / 51200.0 * (r->output.recorded.current / 4915200.0);
}

static void test_cv_holds_its_voltage(void **state)
{
    struct recorder r;

    (void)state;
    begin(&r, HARVESTER_CV);
    for (int k = 0; k < 100; k++) {
        take(&r, 1);
        assert_int_equal(r.output.has_dac, k == 0);
    }
    assert_true(fabs(r.output.recorded.voltage / 51200.0 - 2.0) < 1e-4);
}

static void test_ivcurve_covers_the_range_again_and_again(void **state)
{
    struct recorder r;

    (void)state;
    begin(&r, HARVESTER_IVCURVE);
    for (int k = 0; k < 1010; k++) {
        int step = (k + 100) % 101; /* what is recorded belongs to the step before */

        take(&r, 1);
        assert_true(r.output.has_dac);
        if (k > 0 && step < 3) {
            assert_int_equal(r.output.recorded.voltage, 0); /* cut out, rising */
        } else if (k > 0 && step * 0.05 < 3.9) {
            assert_true(fabs(r.output.recorded.voltage / 51200.0 - step * 0.05) < 1e-4);
        }
    }
}

static void test_automatic_cut_out_ends_when_the_ramp_is_followed(void **state)
{
    struct recorder r;
    uint32_t cut = 0;

    (void)state;
    begin(&r, HARVESTER_IVCURVE);
    r.params.harvester.flags |= VSOURCE_HARVESTER_AUTO_CUTOUT;
    r.params.harvester.cutout_cycles_n = 50;
    for (int k = 0; k < 101 * 5; k++) {
        take(&r, 1);
        cut += r.output.recorded.voltage == 0;
    }
    /* the reading of the jump itself and the one before the voltage has moved on */
    assert_true(cut > 0 && cut <= 5 * 3);
}

static void test_isc_voc_gives_both(void **state)
{
    struct recorder r;

    (void)state;
    begin(&r, HARVESTER_ISC_VOC);
    for (int k = 0; k < 100; k++) {
        take(&r, 1);
        if (k > 12) {
            assert_true(fabs(r.output.recorded.voltage / 51200.0 - VOC_V) < 1e-4);
            assert_true(fabs(r.output.recorded.current / 4915200.0 - ISC_A) < 1e-6);
        }
    }
}

static void test_trackers_find_the_peak(void **state)
{
    static const enum harvester_algorithm algorithms[] = { HARVESTER_MPPT_VOC,
                                                           HARVESTER_MPPT_PO };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct recorder r;
        double harvested = 0;
        double possible = 0;

        begin(&r, algorithms[i]);
        for (int k = 0; k < 200000; k++) {
            double light = 0.6 + 0.4 * sin(k * 1e-5 * 6.2832 / 2);

            take(&r, light);
            if (k > 20000) {
                harvested += r.power_W;
                possible += k % 100 == 0 ? 100 * peak_W(light) : 0;
            }
        }
        if (harvested < 0.95 * possible || harvested > possible) {
            fail_msg("algorithm %d: %.1f %%", (int)algorithms[i], 100 * harvested / possible);
        }
    }
}

/* While the power rises each step is twice the one before, 300 mV at most. */
static void test_perturb_and_observe_speeds_up(void **state)
{
    static const uint32_t steps_mV[] = { 10, 20, 40, 80, 160, 300, 300 };
    struct recorder r;
    uint32_t last_uV = 0;

    (void)state;
    begin(&r, HARVESTER_MPPT_PO);
    r.harvester.set_uV = 500000;
    for (uint32_t i = 0; i < sizeof(steps_mV) / sizeof(steps_mV[0]); i++) {
        /* a source that gives what it is asked for, more with every step */
        struct adc_codes codes = { (uint32_t)(r.harvester.set_uV * 51200e-6), 1000 };

        adc_harvester_step(&r.harvester, codes, &r.output);
        if (i > 0) {
            assert_int_equal(r.harvester.set_uV - last_uV, steps_mV[i] * 1000);
        }
        last_uV = r.harvester.set_uV;
        for (int k = 1; k < 100; k++) {
            adc_harvester_step(&r.harvester, codes, &r.output);
            assert_false(r.output.has_dac);
        }
    }
}

static void test_a_sweep_holds_each_voltage_for_an_interval(void **state)
{
    struct recorder r;
    uint32_t writes = 0;

    (void)state;
    begin(&r, HARVESTER_SWEEP);
    assert_int_equal(r.params.harvester.algorithm, VSOURCE_SWEEP);
    r.params.harvester.voltage_min_uV = 1000000;
    r.params.harvester.voltage_max_uV = 2000000;
    r.params.harvester.voltage_step_uV = 300000;
    r.params.harvester.interval_n = 100;
    for (uint32_t k = 0; k < 1000; k++) {
        static const uint32_t set_uV[] = { 1000000, 1300000, 1600000, 1900000, 2000000 };

        take(&r, 1);
        writes += r.output.has_dac;
        assert_int_equal(r.harvester.set_uV, set_uV[k / 100 % 5]);
    }
    assert_int_equal(writes, 10);
}

struct emulated {
    struct vsource_params params;
    struct curve_harvester harvester;
};

static void begin_emulation(struct emulated *e, enum harvester_algorithm algorithm,
                            bool is_isc_voc)
{
    struct vsource_input input = { 501, 10000, is_isc_voc };
    struct harvester_config config;
    struct err err = { 0 };

    schema_defaults(&harvester_schema, &config);
    config.algorithm = algorithm;
    config.voltage_mV = 2000;
    config.interval_ms = algorithm == HARVESTER_MPPT_VOC ? 100 : 18;
    config.duration_ms = 2;
    config.current_limit_uA = 50;
    config.setpoint_n = 0.8;
    vsource_derive_defaults(&e->params);
    if (vsource_derive_harvester(&config, &input, &e->params, &err) < 0) {
        fail_msg("%s", err.text);
    }
    curve_harvester_init(&e->harvester, &e->params);
}

static void test_emulated_trackers_find_the_peak_of_curves(void **state)
{
    static const struct {
        enum harvester_algorithm algorithm;
        double least;
    } cases[] = {
        {HARVESTER_MPPT_OPT,  0.99},
        { HARVESTER_MPPT_VOC, 0.9 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct emulated e;
        double harvested = 0;

        begin_emulation(&e, cases[i].algorithm, false);
        for (uint32_t k = 0; k < 100000; k++) {
            double V = 5.0 - 0.01 * (k % 501);
            struct curve_point point = { (uint32_t)lround(V * 1e6),
                                         (uint32_t)lround(cell_A(V, 0.8) * 1e9) };
            struct curve_point held = curve_harvester_step(&e.harvester, point);

            harvested += k >= 20000 ? held.voltage_uV * 1e-6 * (held.current_nA * 1e-9) : 0;
        }
        harvested /= 80000;
        if (harvested < cases[i].least * peak_W(0.8) || harvested > 1.001 * peak_W(0.8)) {
            fail_msg("algorithm %d: %.1f %%", (int)cases[i].algorithm,
                     100 * harvested / peak_W(0.8));
        }
    }
}

static void test_pairs_become_a_curve(void **state)
{
    static const struct curve_point pair = { 4000000, 10000000 };
    struct emulated e;
    struct curve_point peak;
    uint32_t last_nA = UINT32_MAX;
    uint64_t best_fW = 0;

    (void)state;
    begin_emulation(&e, HARVESTER_MPPT_OPT, true);
    peak = pair_harvester_step(&e.harvester, pair);
    for (uint32_t V_uV = 0; V_uV <= 4200000; V_uV += 1000) {
        uint32_t I_nA = pair_harvester_current(&e.params, pair, V_uV);
        uint64_t power_fW = (uint64_t)V_uV * I_nA;

        assert_true(I_nA <= last_nA);
        last_nA = I_nA;
        best_fW = power_fW > best_fW ? power_fW : best_fW;
    }
    assert_int_equal(pair_harvester_current(&e.params, pair, 0), 10000000);
    assert_int_equal(last_nA, 0);
    /* the peak that the host derived is the curve's, within its interpolation */
    assert_true(fabs((double)peak.voltage_uV * peak.current_nA / (double)best_fW - 1) < 0.01);
    /* a fill factor that a cell may have */
    assert_true(best_fW > 28000000000000 && best_fW < 34000000000000);
}

static void test_pairs_are_operated_at_voltage_or_fraction(void **state)
{
    static const struct curve_point pair = { 4000000, 10000000 };
    struct emulated e;
    uint32_t open_n = 0;

    (void)state;
    begin_emulation(&e, HARVESTER_CV, true);
    assert_int_equal(pair_harvester_step(&e.harvester, pair).voltage_uV, 2000001);
    e.harvester.set_uV = 5000000;
    assert_int_equal(pair_harvester_step(&e.harvester, pair).current_nA, 0);
    begin_emulation(&e, HARVESTER_MPPT_VOC, true);
    for (uint32_t k = 0; k < 40000; k++) {
        struct curve_point point = pair_harvester_step(&e.harvester, pair);

        if (k < 20000) {
            continue;
        }
        open_n += point.current_nA == 0;
        assert_true(point.current_nA == 0 || point.voltage_uV == (4000000ull * 52429) >> 16);
    }
    assert_int_equal(open_n, 400);
}

static void test_neutral_passes_curves_and_single_samples(void **state)
{
    static const struct curve_point point = { 123, 456 };
    struct emulated e;

    (void)state;
    begin_emulation(&e, HARVESTER_NEUTRAL, false);
    assert_int_equal(curve_harvester_step(&e.harvester, point).current_nA, 456);
    begin_emulation(&e, HARVESTER_MPPT_OPT, false);
    e.params.harvester.window_samples = 0;
    assert_int_equal(curve_harvester_step(&e.harvester, point).voltage_uV, 123);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cv_holds_its_voltage),
        cmocka_unit_test(test_ivcurve_covers_the_range_again_and_again),
        cmocka_unit_test(test_automatic_cut_out_ends_when_the_ramp_is_followed),
        cmocka_unit_test(test_isc_voc_gives_both),
        cmocka_unit_test(test_trackers_find_the_peak),
        cmocka_unit_test(test_perturb_and_observe_speeds_up),
        cmocka_unit_test(test_a_sweep_holds_each_voltage_for_an_interval),
        cmocka_unit_test(test_emulated_trackers_find_the_peak_of_curves),
        cmocka_unit_test(test_pairs_become_a_curve),
        cmocka_unit_test(test_pairs_are_operated_at_voltage_or_fraction),
        cmocka_unit_test(test_neutral_passes_curves_and_single_samples),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
