/* SPDX-License-Identifier: MIT */
#include "herd/preflight.h"

#include "herd/clock_record.h"

#include "common/clock.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* A node without fault, for tests to spoil. */
struct scene {
    struct body_welcome welcome;
    struct body_state state;
    struct body_clock clock;
    struct node_facts machine;
    struct preflight_facts facts;
};

static void set_scene(struct scene *scene)
{
    memset(scene, 0, sizeof(*scene));
    snprintf(scene->welcome.version, PROTO_NAME_SIZE, "1.2");
    scene->welcome.has_calibration = true;
    snprintf(scene->state.state, PROTO_NAME_SIZE, "idle");
    scene->state.disk_free_bytes = 5000000000;
    scene->clock.is_locked = true;
    scene->clock.claimed_bound_ns = 1000;
    scene->machine.has_realtime = true;
    snprintf(scene->machine.data_filesystem, FACT_TEXT_SIZE, "ext4");
    snprintf(scene->machine.data_options, FACT_OPTIONS_SIZE, "rw,noatime");
    snprintf(scene->machine.governor, FACT_TEXT_SIZE, "performance");
    scene->facts = (struct preflight_facts){
        .is_answered = true,
        .welcome = &scene->welcome,
        .state = &scene->state,
        .clock = &scene->clock,
        .machine = &scene->machine,
        .has_offset = true,
        .version = "1.2",
        .min_free_bytes = 1000000000,
        .clock_error_max_ns = 100 * NS_PER_US,
    };
}

static void expect_one(const struct scene *scene, bool is_fault, const char *text)
{
    struct preflight result;

    preflight_judge(&result, &scene->facts);
    assert_int_equal(result.n_findings, 1);
    assert_int_equal(result.findings[0].is_fault, is_fault);
    assert_int_equal(result.n_faults, is_fault ? 1 : 0);
    if (strstr(result.findings[0].text, text) == NULL) {
        fail_msg("'%s' is not in '%s'", text, result.findings[0].text);
    }
}

static void test_a_good_node_has_no_finding(void **state)
{
    struct preflight result;
    struct scene scene;

    (void)state;
    set_scene(&scene);
    preflight_judge(&result, &scene.facts);
    assert_int_equal(result.n_findings, 0);
}

static void test_every_fault_is_found_alone(void **state)
{
    struct scene scene;

    (void)state;
    set_scene(&scene);
    scene.facts.is_answered = false;
    scene.facts.welcome = NULL;
    expect_one(&scene, true, "no answer");
    set_scene(&scene);
    snprintf(scene.state.state, sizeof(scene.state.state), "running");
    snprintf(scene.state.owner, sizeof(scene.state.owner), "ada");
    expect_one(&scene, true, "in use by ada");
    set_scene(&scene);
    snprintf(scene.state.fault, sizeof(scene.state.fault), "the converter does not answer");
    expect_one(&scene, true, "converter");
    set_scene(&scene);
    scene.clock.is_locked = false;
    expect_one(&scene, true, "not locked (source none)");
    set_scene(&scene);
    scene.clock.claimed_bound_ns = 101 * NS_PER_US;
    expect_one(&scene, true, "bound");
    set_scene(&scene);
    scene.facts.offset_ns = -37 * NS_PER_S;
    expect_one(&scene, true, "proven off");
    set_scene(&scene);
    scene.state.disk_free_bytes = 999999999;
    expect_one(&scene, true, "free for recordings");
    set_scene(&scene);
    snprintf(scene.machine.data_options, FACT_OPTIONS_SIZE, "ro,noatime");
    expect_one(&scene, true, "read-only");
}

static void test_every_warning_is_found_alone(void **state)
{
    struct scene scene;

    (void)state;
    set_scene(&scene);
    scene.facts.version = "1.3";
    expect_one(&scene, false, "version 1.2");
    set_scene(&scene);
    scene.welcome.has_calibration = false;
    expect_one(&scene, false, "no calibration");
    set_scene(&scene);
    scene.state.ring_fill_max = 75;
    expect_one(&scene, false, "75 % full");
    set_scene(&scene);
    snprintf(scene.machine.data_filesystem, FACT_TEXT_SIZE, "tmpfs");
    expect_one(&scene, false, "in memory");
    set_scene(&scene);
    snprintf(scene.machine.data_options, FACT_OPTIONS_SIZE, "rw,sync,relatime");
    expect_one(&scene, false, "sync");
    set_scene(&scene);
    snprintf(scene.machine.data_options, FACT_OPTIONS_SIZE, "rw,errors=remount-ro");
    expect_one(&scene, false, "noatime");
    set_scene(&scene);
    scene.machine.has_realtime = false;
    expect_one(&scene, false, "real-time");
    set_scene(&scene);
    snprintf(scene.machine.governor, FACT_TEXT_SIZE, "ondemand");
    expect_one(&scene, false, "ondemand");
}

static void test_what_cannot_be_proven_is_no_fault(void **state)
{
    struct preflight result;
    struct scene scene;

    (void)state;
    set_scene(&scene);
    scene.facts.offset_ns = 2 * NS_PER_MS;
    scene.facts.bound_ns = 2 * NS_PER_MS;
    preflight_judge(&result, &scene.facts);
    assert_int_equal(result.n_findings, 0);
    scene.facts.offset_ns = 37 * NS_PER_S;
    scene.facts.has_offset = false; /* alone, there is no median */
    preflight_judge(&result, &scene.facts);
    assert_int_equal(result.n_findings, 0);
}

/* ---- herd clock --record ---- */

static void test_a_drift_is_the_slope_whatever_the_noise(void **state)
{
    struct clock_track track = { 0 };

    (void)state;
    for (int64_t s = 0; s < 3600; s += 10) {
        int64_t noise_ns = s / 10 % 2 == 0 ? 500 : -500;

        clock_track_add(&track, INT64_C(1795853763000000000) + s * NS_PER_S,
                        -4000000 + 25 * s + noise_ns, 1000 + s, s != 70);
    }
    assert_int_equal(track.n, 360);
    assert_int_equal(track.n_unlocked, 1);
    assert_int_equal(track.worst_bound_ns, 4590);
    assert_true(fabs(clock_track_drift_ppb(&track) - 25) < 0.1);
    assert_true(fabs(clock_track_mean_ns(&track) - (-4000000 + 25 * 1795)) < 1);
    assert_int_equal(track.least_ns, -4000000 + 250 - 500);
    assert_int_equal(track.most_ns, -4000000 + 25 * 3580 + 500);
}

static void test_one_measurement_has_no_drift(void **state)
{
    struct clock_track track = { 0 };

    (void)state;
    assert_true(clock_track_mean_ns(&track) == 0);
    clock_track_add(&track, 5, 77, 1, true);
    assert_true(clock_track_drift_ppb(&track) == 0 && clock_track_mean_ns(&track) == 77);
    clock_track_add(&track, 5, 79, 1, true); /* at the same instant */
    assert_true(clock_track_drift_ppb(&track) == 0 && clock_track_mean_ns(&track) == 78);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_node_has_no_finding),
        cmocka_unit_test(test_every_fault_is_found_alone),
        cmocka_unit_test(test_every_warning_is_found_alone),
        cmocka_unit_test(test_what_cannot_be_proven_is_no_fault),
        cmocka_unit_test(test_a_drift_is_the_slope_whatever_the_noise),
        cmocka_unit_test(test_one_measurement_has_no_drift),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
