/* SPDX-License-Identifier: MIT */
/* What a node claims of its clock, and which claims an experiment accepts. */
#include "sheep/clock_claim.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const int64_t NOW_NS = INT64_C(1000) * 1000000000;

static struct clock_claim claim_of(enum clock_daemon source, bool is_locked, double bound_us)
{
    struct sheep_config config;
    struct clock_claim claim;

    memset(&config, 0, sizeof(config));
    memset(&claim, 0xA5, sizeof(claim));
    config.clock.source = (int)source;
    config.clock.locked = is_locked;
    config.clock.claimed_bound_us = bound_us;
    clock_claim_read(&claim, &config);
    return claim;
}

static void test_a_simulated_clock_claims_what_its_config_says(void **state)
{
    struct clock_claim claim = claim_of(CLOCK_SIM, true, 12.5);

    (void)state;
    assert_string_equal(claim.source, "sim");
    assert_true(claim.is_locked);
    assert_int_equal(claim.bound_ns, 12500);
    assert_int_equal(claim.offset_ns, 0);
    claim = claim_of(CLOCK_SIM, false, 0.25);
    assert_false(claim.is_locked);
    assert_int_equal(claim.bound_ns, 250);
    claim = claim_of(CLOCK_ANY, true, 1e12); /* the schema's maximum */
    assert_string_equal(claim.source, "any");
    assert_int_equal(claim.bound_ns, INT64_C(1000000000000000));
}

/* What sheep.yaml says of a daemon is no claim of that daemon's. */
static void test_a_daemon_claims_nothing_by_config(void **state)
{
    static const enum clock_daemon SOURCES[] = { CLOCK_AUTO, CLOCK_PTP4L, CLOCK_CHRONY,
                                                 CLOCK_TIMESYNCD, CLOCK_NONE };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(SOURCES); i++) {
        struct clock_claim claim = claim_of(SOURCES[i], true, 5.0);

        assert_string_equal(claim.source, "none");
        assert_false(claim.is_locked);
        assert_int_equal(claim.bound_ns, 0);
    }
}

/* ---- daemons ---- */

static struct clock_daemons nobody(void)
{
    return (struct clock_daemons){ .timesyncd_age_ns = -1 };
}

static struct clock_daemons with_ptp4l(void)
{
    struct clock_daemons daemons = nobody();

    daemons.ptp_ns = NOW_NS - NS_PER_S;
    daemons.is_gm_present = true;
    daemons.slave_ns = NOW_NS - NS_PER_S;
    daemons.ptp_offsets[0] = 300;
    daemons.ptp_offsets[1] = -100;
    daemons.ptp_offsets[2] = 120;
    daemons.n_ptp_offsets = 3;
    return daemons;
}

static struct clock_daemons with_chrony(void)
{
    struct clock_daemons daemons = nobody();

    daemons.chrony_ns = NOW_NS;
    daemons.chrony = (struct chrony_tracking){
        .stratum = 2, .offset_s = -3e-6, .root_delay_s = 200e-6, .root_dispersion_s = 50e-6
    };
    return daemons;
}

static struct clock_claim ask(const struct clock_daemons *daemons, enum clock_daemon source)
{
    struct clock_claim claim;

    memset(&claim, 0xA5, sizeof(claim));
    clock_claim_of_daemons(&claim, daemons, source, NOW_NS);
    return claim;
}

static void expect_unlocked(const struct clock_daemons *daemons, enum clock_daemon source,
                            const char *why)
{
    struct clock_claim claim = ask(daemons, source);
    char refusal[PROTO_NAME_SIZE] = "";
    char wanted[PROTO_NAME_SIZE + 64];

    assert_false(claim.is_locked);
    assert_string_equal(claim.why, why);
    assert_false(clock_claim_is_good(&claim, CLOCK_SOURCE_DAEMON, refusal));
    snprintf(wanted, sizeof(wanted), "clock: %s (clock_source: any would accept it)", why);
    assert_string_equal(refusal, wanted);
    assert_true(clock_claim_is_good(&claim, CLOCK_SOURCE_ANY, refusal));
}

static void test_ptp4l_is_locked_while_it_follows_a_master(void **state)
{
    struct clock_daemons daemons = with_ptp4l();
    struct clock_claim claim = ask(&daemons, CLOCK_PTP4L);

    (void)state;
    assert_true(claim.is_locked);
    assert_string_equal(claim.source, "ptp4l");
    assert_int_equal(claim.offset_ns, 120);
    assert_int_equal(claim.bound_ns, 220);
    daemons.is_gm_present = false;
    expect_unlocked(&daemons, CLOCK_PTP4L, "ptp4l follows no master");
    daemons = with_ptp4l();
    daemons.slave_ns = NOW_NS - 4 * NS_PER_S; /* its port is not a slave any more */
    expect_unlocked(&daemons, CLOCK_PTP4L, "ptp4l follows no master");
    daemons = with_ptp4l();
    daemons.ptp_ns = NOW_NS - 6 * NS_PER_S;
    expect_unlocked(&daemons, CLOCK_PTP4L, "ptp4l is not heard");
    daemons = nobody();
    expect_unlocked(&daemons, CLOCK_PTP4L, "ptp4l is not heard");
}

static void test_a_hardware_clock_is_not_yet_the_systems(void **state)
{
    struct clock_daemons daemons = with_ptp4l();
    struct clock_claim claim;

    (void)state;
    daemons.is_stamped_by_hardware = true;
    expect_unlocked(&daemons, CLOCK_PTP4L, "ptp4l has a hardware clock, and phc2sys is silent");
    daemons.phc2sys_ns = NOW_NS - 2 * NS_PER_S;
    daemons.phc2sys = (struct phc2sys_line){ .offset_ns = -50, .delay_ns = 3000 };
    claim = ask(&daemons, CLOCK_PTP4L);
    assert_true(claim.is_locked);
    assert_string_equal(claim.source, "ptp4l+phc2sys");
    assert_int_equal(claim.offset_ns, 70);
    assert_int_equal(claim.bound_ns, 1720);
}

static void test_only_the_offsets_of_late_count(void **state)
{
    struct clock_daemons daemons = with_ptp4l();
    struct clock_claim claim;

    (void)state;
    for (size_t i = 0; i < CLOCK_OFFSETS; i++) {
        daemons.ptp_offsets[i] = (int64_t)i;
    }
    daemons.n_ptp_offsets = 3 * CLOCK_OFFSETS + 5; /* the last one is at 4 */
    claim = ask(&daemons, CLOCK_PTP4L);
    assert_int_equal(claim.offset_ns, 4);
    assert_int_equal(claim.bound_ns, 11);
    daemons.ptp_offsets[0] = INT64_MAX;
    daemons.ptp_offsets[4] = -2;
    claim = ask(&daemons, CLOCK_PTP4L);
    assert_int_equal(claim.bound_ns, INT64_MAX);
}

static void test_chrony_claims_its_root_distance(void **state)
{
    struct clock_daemons daemons = with_chrony();
    struct clock_claim claim = ask(&daemons, CLOCK_CHRONY);

    (void)state;
    assert_true(claim.is_locked);
    assert_string_equal(claim.source, "chrony");
    assert_in_range(claim.offset_ns + 3001, 0, 2);
    assert_in_range(claim.bound_ns, 149999, 150001);
    daemons.chrony.leap = 3;
    expect_unlocked(&daemons, CLOCK_CHRONY, "chrony is not synchronised");
    daemons = with_chrony();
    daemons.chrony.stratum = 0;
    expect_unlocked(&daemons, CLOCK_CHRONY, "chrony is not synchronised");
    daemons = with_chrony();
    daemons.chrony_ns = NOW_NS - 6 * NS_PER_S;
    expect_unlocked(&daemons, CLOCK_CHRONY, "chrony is not heard");
    daemons = with_chrony();
    daemons.chrony.root_dispersion_s = (double)NAN;
    claim = ask(&daemons, CLOCK_CHRONY);
    assert_int_equal(claim.bound_ns, INT64_MAX);
}

static void test_timesyncd_claims_little(void **state)
{
    struct clock_daemons daemons = nobody();
    struct clock_claim claim;

    (void)state;
    expect_unlocked(&daemons, CLOCK_TIMESYNCD, "timesyncd has not synchronised of late");
    daemons.timesyncd_age_ns = 2048 * NS_PER_S;
    claim = ask(&daemons, CLOCK_TIMESYNCD);
    assert_true(claim.is_locked);
    assert_int_equal(claim.bound_ns, 5 * NS_PER_S);
    daemons.timesyncd_age_ns = 5000 * NS_PER_S;
    expect_unlocked(&daemons, CLOCK_TIMESYNCD, "timesyncd has not synchronised of late");
}

static void test_whoever_is_locked_speaks_for_an_unnamed_daemon(void **state)
{
    struct clock_daemons daemons = with_chrony();

    (void)state;
    daemons.timesyncd_age_ns = 0;
    assert_string_equal(ask(&daemons, CLOCK_AUTO).source, "chrony");
    daemons.chrony_ns = 0;
    assert_string_equal(ask(&daemons, CLOCK_AUTO).source, "timesyncd");
    daemons = with_ptp4l();
    daemons.chrony_ns = NOW_NS;
    daemons.chrony = with_chrony().chrony;
    assert_string_equal(ask(&daemons, CLOCK_AUTO).source, "ptp4l");
    daemons.is_gm_present = false;
    assert_string_equal(ask(&daemons, CLOCK_AUTO).source, "chrony");
    /* who is named speaks alone */
    assert_string_equal(ask(&daemons, CLOCK_PTP4L).source, "ptp4l");
    assert_false(ask(&daemons, CLOCK_PTP4L).is_locked);
    daemons = nobody();
    assert_string_equal(ask(&daemons, CLOCK_AUTO).source, "none");
    expect_unlocked(&daemons, CLOCK_AUTO, "neither ptp4l, chrony nor timesyncd is locked");
}

static void test_only_a_locked_clock_is_good_unless_any_will_do(void **state)
{
    struct clock_claim locked = claim_of(CLOCK_SIM, true, 1.0);
    struct clock_claim loose = claim_of(CLOCK_SIM, false, 1.0);
    struct clock_claim none = claim_of(CLOCK_NONE, false, 0.0);
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
        cmocka_unit_test(test_a_daemon_claims_nothing_by_config),
        cmocka_unit_test(test_ptp4l_is_locked_while_it_follows_a_master),
        cmocka_unit_test(test_a_hardware_clock_is_not_yet_the_systems),
        cmocka_unit_test(test_only_the_offsets_of_late_count),
        cmocka_unit_test(test_chrony_claims_its_root_distance),
        cmocka_unit_test(test_timesyncd_claims_little),
        cmocka_unit_test(test_whoever_is_locked_speaks_for_an_unnamed_daemon),
        cmocka_unit_test(test_only_a_locked_clock_is_good_unless_any_will_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
