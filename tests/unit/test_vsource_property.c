/* SPDX-License-Identifier: MIT */
/* Random and extreme parameters of the virtual source; the invariants of vsource_watch hold in
 * every sample. BW_PROPERTY_SETS=10000 in the environment: the whole of it, for nightly runs;
 * otherwise a tenth, from the same seeds. */
#include "common/vsource_derive.h"
#include "tests/support/vsource_random.h"
#include "tests/support/vsource_watch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    N_SAMPLES = 10000
};

static uint32_t n_sets = 1000;
static bool is_whole;

/* -1: refused by the derivation, 0: no threshold crossed, 1: crossed. */
static int run(struct vsource_random *random, const char *what)
{
    static struct vsource_params params;
    static struct vsource_watch watch;
    struct source_config finished = random->config.source;
    uint32_t seed = random->seed;
    struct err err = { 0 };

    source_config_finish(&finished);
    if (vsource_derive(&random->config, &random->cal, &params, &err) < 0) {
        return -1;
    }
    /* A curve's bend within a sample is not seen by its slope at the start. */
    vsource_watch_init(&watch, &params, finished.storage.q_As,
                       finished.storage.p_VOC[4] > 0 ? 1e-4 : 1e-6);
    for (uint32_t k = 0; k < N_SAMPLES; k++) {
        struct curve_point input = vsource_random_input(random, k);

        if (!vsource_watch_step(&watch, input,
                                watch.source.converter.is_on ? random->code : 0)) {
            fail_msg("%s, seed %u: %s", what, seed, watch.fault);
        }
    }
    return watch.has_crossed ? 1 : 0;
}

static void test_random_parameters(void **state)
{
    static struct vsource_random random;
    uint32_t n_crossed = 0;
    uint32_t n_refused = 0;

    (void)state;
    for (uint32_t set = 1; set <= n_sets; set++) {
        char what[40];
        int crossed = 0;

        vsource_random_all(&random, set * 2654435761u);
        snprintf(what, sizeof(what), "set %u", set);
        crossed = run(&random, what);
        n_crossed += crossed > 0;
        n_refused += crossed < 0;
    }
    print_message("%u sets, %u crossed a threshold, %u refused\n", n_sets, n_crossed,
                  n_refused);
    assert_true(n_refused * 50 <= n_sets);
    assert_true(n_crossed * 10 >= (n_sets - n_refused) * 9);
}

/* A parameter and what it may be set to at most and at least. */
struct extreme {
    const char *name;
    size_t offset;
    double low;
    double high;
};

#define EXTREME(member, low_, high_)                                 \
    {                                                                \
#        member, offsetof(struct source_config, member), low_, high_ \
    }

static const struct extreme extremes[] = {
    EXTREME(interval_startup_delay_drain_ms, 0, 10000),
    EXTREME(V_input_max_mV, 0, 10000),
    EXTREME(I_input_max_mA, 0, 4290),
    EXTREME(V_input_drop_mV, 0, 4.29e6),
    EXTREME(R_input_mOhm, 0, 4.29e6),
    EXTREME(C_intermediate_uF, 0.1, 1e5),
    EXTREME(V_intermediate_init_mV, 0, 10000),
    EXTREME(I_intermediate_leak_nA, 0, 4.29e9),
    EXTREME(V_intermediate_enable_output_threshold_mV, 0, 10000),
    EXTREME(V_intermediate_disable_output_threshold_mV, 0, 10000),
    EXTREME(interval_check_thresholds_ms, 0, 4290),
    EXTREME(V_pwr_good_enable_threshold_mV, 0, 10000),
    EXTREME(V_pwr_good_disable_threshold_mV, 0, 10000),
    EXTREME(C_output_uF, 0, 4.29e6),
    EXTREME(V_output_log_gpio_threshold_mV, 0, 4.29e6),
    EXTREME(V_input_boost_threshold_mV, 0, 10000),
    EXTREME(V_intermediate_max_mV, 0, 10000),
    EXTREME(V_output_mV, 0, 5000),
    EXTREME(V_buck_drop_mV, 0, 5000),
    EXTREME(storage.p_Rs[2], 0, 15000),
    EXTREME(storage.R_leak_Ohm, 4, 1e300),
    EXTREME(storage.SoC_init, 0, 1),
    EXTREME(storage.q_As, 7e-7, 1e6),
};

static void set_extreme(struct source_config *source, size_t which)
{
    const struct extreme *extreme = &extremes[which / 2];

    memcpy((char *)source + extreme->offset, which % 2 == 0 ? &extreme->low : &extreme->high,
           sizeof(double));
}

static void run_extremes(size_t a, size_t b, uint32_t variant)
{
    static struct vsource_random random;
    struct source_config *source = &random.config.source;
    char what[160];

    vsource_random_neutral(&random, (uint32_t)(a * 1000 + b + 1));
    source->storage = storage_capacitor(10, 5, 3);
    source->enable_boost = (variant & 1u) != 0;
    source->enable_buck = (variant & 2u) != 0;
    set_extreme(source, a);
    set_extreme(source, b);
    snprintf(what, sizeof(what), "%s %s, %s %s, variant %u", extremes[a / 2].name,
             a % 2 == 0 ? "low" : "high", extremes[b / 2].name, b % 2 == 0 ? "low" : "high",
             variant);
    (void)run(&random, what);
}

static void test_extremes_alone_and_in_pairs(void **state)
{
    size_t count = 2 * sizeof(extremes) / sizeof(extremes[0]);
    uint32_t number = 0;

    (void)state;
    for (size_t a = 0; a < count; a++) {
        for (size_t b = a; b < count; b++) {
            number++;
            if (a == b) {
                run_extremes(a, b, number % 4);
            } else if (is_whole || number % 10 == 0) {
                run_extremes(a, b, (number / 10) % 4);
            }
        }
    }
}

static int read_environment(void **state)
{
    const char *sets = getenv("BW_PROPERTY_SETS");

    (void)state;
    if (sets != NULL) {
        n_sets = (uint32_t)strtoul(sets, NULL, 10);
        is_whole = true;
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_parameters),
        cmocka_unit_test(test_extremes_alone_and_in_pairs),
    };

    return cmocka_run_group_tests(tests, read_environment, NULL);
}
