/* SPDX-License-Identifier: MIT */
/* Lines of kmsg, and their UTC across drift, steps and suspends. */
#include "sheep/kmsg_time.h"

#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const int64_t UTC_NS = INT64_C(1800000000) * 1000000000;

/* A machine: what its clocks show after it was awake for awake_ns, of which its kernel's clock
 * has counted drift less. */
struct machine {
    struct kmsg_time time;
    int64_t awake_ns;
    int64_t slept_ns;
    int64_t step_ns; /* of UTC */
    double drift_ppm;
};

static struct kmsg_now clocks(const struct machine *machine)
{
    return (struct kmsg_now){ .utc_ns = UTC_NS + machine->awake_ns + machine->slept_ns
                                        + machine->step_ns,
                              .mono_ns = machine->awake_ns,
                              .slept_ns = machine->slept_ns };
}

static void look(struct machine *machine)
{
    struct kmsg_now now = clocks(machine);

    kmsg_time_look(&machine->time, &now);
}

/* What the kernel stamps now. */
static struct kmsg_line say(const struct machine *machine, const char *text)
{
    int64_t stamp_ns =
        machine->awake_ns - (int64_t)((double)machine->awake_ns * machine->drift_ppm / 1e6);

    return (struct kmsg_line){ .since_boot_us = stamp_ns / NS_PER_US,
                               .text = text,
                               .size = strlen(text) };
}

static int64_t true_utc(const struct machine *machine)
{
    return clocks(machine).utc_ns;
}

static void expect(struct machine *machine, const struct kmsg_line *line, int64_t utc_ns,
                   int64_t bound_ns)
{
    struct kmsg_now now = clocks(machine);

    assert_in_range(kmsg_time_utc(&machine->time, &now, line) - utc_ns + bound_ns, 0,
                    2 * bound_ns);
}

static void test_kmsg_lines_are_parsed(void **state)
{
    static const char good[] = "30,1234,98765432,-;usb 1-1: new device\n SUBSYSTEM=usb\n";
    static const char flags[] = "6,7,8,-,caller=T1;hi";
    static const char *const bad[] = {
        "", "x", "1,2", "1,2,3", ";", "a,1,2;t", "1;2,3,4", "99999999999999999999999,1,2,-;x"
    };
    struct kmsg_line line;

    (void)state;
    assert_true(kmsg_parse(good, sizeof(good) - 1, &line));
    assert_int_equal(line.level, 6);
    assert_int_equal(line.sequence, 1234);
    assert_int_equal(line.since_boot_us, 98765432);
    assert_int_equal(line.size, strlen("usb 1-1: new device"));
    assert_memory_equal(line.text, "usb 1-1: new device", line.size);
    assert_true(kmsg_parse(flags, sizeof(flags) - 1, &line));
    assert_int_equal(line.size, 2);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(kmsg_parse(bad[i], strlen(bad[i]), &line));
    }
}

static void test_a_line_read_late_keeps_its_time(void **state)
{
    struct machine machine = { .awake_ns = 1000 * NS_PER_S };
    struct kmsg_line line;
    int64_t utc_ns = 0;

    (void)state;
    look(&machine);
    line = say(&machine, "read at once");
    expect(&machine, &line, true_utc(&machine), NS_PER_US);
    machine.awake_ns += 60 * NS_PER_S;
    line = say(&machine, "read late");
    utc_ns = true_utc(&machine);
    machine.awake_ns += 3 * NS_PER_S;
    look(&machine);
    /* 500 ppm since the line before are allowed for */
    expect(&machine, &line, utc_ns, 32 * NS_PER_MS);
}

/* 50 ppm for 30 days are 130 s: by as much the kernel's clock is behind, or ahead. */
static void test_the_kernels_clock_may_drift(void **state)
{
    (void)state;
    for (int sign = -1; sign <= 1; sign++) {
        struct machine machine = { .awake_ns = INT64_C(30) * 86400 * NS_PER_S,
                                   .drift_ppm = 50 * sign };

        for (int i = 0; i < 3600; i++) {
            struct kmsg_line line = say(&machine, "tick");
            int64_t utc_ns = true_utc(&machine);

            machine.awake_ns += 200 * NS_PER_US; /* until it is read */
            look(&machine);
            expect(&machine, &line, utc_ns, 201 * NS_PER_US);
            machine.awake_ns += NS_PER_S;
        }
    }
}

static void test_a_step_dates_by_the_new_scale(void **state)
{
    struct machine machine = { .awake_ns = 50 * NS_PER_S };
    struct kmsg_line line = say(&machine, "before the step");

    (void)state;
    expect(&machine, &line, true_utc(&machine), NS_PER_US);
    machine.awake_ns += NS_PER_S;
    line = say(&machine, "read after the step");
    machine.step_ns = 37 * NS_PER_S;
    expect(&machine, &line, true_utc(&machine), NS_PER_US);
    machine.awake_ns += NS_PER_S;
    machine.step_ns = -3600 * NS_PER_S;
    line = say(&machine, "behind");
    machine.awake_ns += NS_PER_MS / 2;
    expect(&machine, &line, true_utc(&machine), NS_PER_MS);
}

static void test_lines_around_a_suspend_are_on_their_side_of_it(void **state)
{
    static const char *const TEXTS[] = {
        "PM: suspend entry (deep)", "Freezing user space processes",
        "printk: Suspending console(s) (use no_console_suspend to debug)",
        "OOM killer enabled.", "PM: suspend exit"
    };
    struct machine machine = { .awake_ns = 50 * NS_PER_S };
    struct kmsg_line lines[5];
    int64_t utc_ns[5];
    struct kmsg_line line;

    (void)state;
    look(&machine);
    line = say(&machine, "awake");
    expect(&machine, &line, true_utc(&machine), NS_PER_US);
    for (size_t i = 0; i < 5; i++) {
        machine.awake_ns += 100 * NS_PER_MS;
        lines[i] = say(&machine, TEXTS[i]);
        utc_ns[i] = true_utc(&machine);
        if (i == 2) {
            machine.slept_ns += 3600 * NS_PER_S;
        }
    }
    machine.awake_ns += 10 * NS_PER_MS;
    look(&machine);
    for (size_t i = 0; i < 5; i++) {
        expect(&machine, &lines[i], utc_ns[i], NS_PER_MS);
    }
    machine.awake_ns += 5 * NS_PER_S;
    look(&machine);
    line = say(&machine, "long after");
    expect(&machine, &line, true_utc(&machine), NS_PER_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kmsg_lines_are_parsed),
        cmocka_unit_test(test_a_line_read_late_keeps_its_time),
        cmocka_unit_test(test_the_kernels_clock_may_drift),
        cmocka_unit_test(test_a_step_dates_by_the_new_scale),
        cmocka_unit_test(test_lines_around_a_suspend_are_on_their_side_of_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
