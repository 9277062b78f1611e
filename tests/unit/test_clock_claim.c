/* SPDX-License-Identifier: MIT */
/* What a node claims of its clock, and which claims an experiment accepts. */
#include "sheep/clock_claim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct clock_claim claim_of(const char *source, bool is_locked, double bound_us)
{
    struct sheep_config config;
    struct clock_claim claim;

    memset(&config, 0, sizeof(config));
    memset(&claim, 0xA5, sizeof(claim));
    snprintf(config.clock.source, sizeof(config.clock.source), "%s", source);
    config.clock.locked = is_locked;
    config.clock.claimed_bound_us = bound_us;
    clock_claim_read(&claim, &config);
    return claim;
}

static void test_a_simulated_clock_claims_what_its_config_says(void **state)
{
    struct clock_claim claim = claim_of("sim", true, 12.5);

    (void)state;
    assert_string_equal(claim.source, "sim");
    assert_true(claim.is_locked);
    assert_int_equal(claim.bound_ns, 12500);
    assert_int_equal(claim.offset_ns, 0);
    claim = claim_of("sim", false, 0.25);
    assert_false(claim.is_locked);
    assert_int_equal(claim.bound_ns, 250);
    claim = claim_of("any", true, 1e12); /* the schema's maximum */
    assert_string_equal(claim.source, "any");
    assert_int_equal(claim.bound_ns, INT64_C(1000000000000000));
}

/* No daemon is read yet: to call its clock locked would be a claim that nobody made. */
static void test_a_daemon_that_is_not_read_claims_nothing(void **state)
{
    static const char *const SOURCES[] = { "none", "ptp", "chrony", "", "Sim", "simulated" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(SOURCES); i++) {
        struct clock_claim claim = claim_of(SOURCES[i], true, 5.0);

        assert_string_equal(claim.source, "none");
        assert_false(claim.is_locked);
        assert_int_equal(claim.bound_ns, 0);
    }
}

static void test_only_a_locked_clock_is_good_unless_any_will_do(void **state)
{
    struct clock_claim locked = claim_of("sim", true, 1.0);
    struct clock_claim loose = claim_of("sim", false, 1.0);
    struct clock_claim none = claim_of("none", false, 0.0);
    char why[PROTO_NAME_SIZE] = "untouched";

    (void)state;
    assert_true(clock_claim_is_good(&locked, CLOCK_SOURCE_DAEMON, why));
    assert_true(clock_claim_is_good(&loose, CLOCK_SOURCE_ANY, why));
    assert_true(clock_claim_is_good(&none, CLOCK_SOURCE_ANY, why));
    assert_string_equal(why, "untouched");
    assert_false(clock_claim_is_good(&loose, CLOCK_SOURCE_DAEMON, why));
    assert_string_equal(why, "clock: its daemon says that it is not locked"
                             " (clock_source: any would accept it)");
    assert_false(clock_claim_is_good(&none, CLOCK_SOURCE_DAEMON, why));
    assert_string_equal(why, "clock: no daemon disciplines it"
                             " (clock_source: any would accept it)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_simulated_clock_claims_what_its_config_says),
        cmocka_unit_test(test_a_daemon_that_is_not_read_claims_nothing),
        cmocka_unit_test(test_only_a_locked_clock_is_good_unless_any_will_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
