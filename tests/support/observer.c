/* SPDX-License-Identifier: MIT */
/* An observer on a clock of its own: watches a simulated board's pin and prints between which
 * two instants it rose.
 *
 * Usage: observer PIN_FILE
 *
 * Prints "ready", and at the edge "LOW HIGH": nanoseconds of UTC of this host's clock. The pin
 * was still low at LOW and already high at HIGH, so that the width says how good the look was,
 * whatever the scheduler did in between. Near whole seconds, where every T is, it spins; else
 * it sleeps. */
#include "common/clock.h"

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    PAGE = 64,
    NEAR_MS = 10, /* to a whole second: spins */
    LIMIT_S = 30, /* the pin must have moved */
    PRIORITY = 2  /* above the boards, which spin as well */
};

static bool is_near_second(int64_t utc_ns)
{
    int64_t ms = utc_ns % NS_PER_S / NS_PER_MS;

    return ms < NEAR_MS || ms >= 1000 - NEAR_MS;
}

int main(int argc, char **argv)
{
    struct sched_param param = { .sched_priority = PRIORITY };
    struct timespec pause = { .tv_nsec = 2 * NS_PER_MS };
    struct clock clock = clock_system(0);
    int64_t end_ns = clock_mono_ns() + LIMIT_S * NS_PER_S;
    int64_t low_ns = clock_utc(&clock);
    int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
    const uint8_t *pin = fd < 0 ? MAP_FAILED : mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

    if (pin == MAP_FAILED) {
        fprintf(stderr, "usage: observer PIN_FILE\n");
        return 2;
    }
    if (sched_setscheduler(0, SCHED_FIFO, &param) < 0) {
        fprintf(stderr, "note: the observer has no real-time priority\n");
    }
    printf("ready\n");
    fflush(stdout);
    while (clock_mono_ns() < end_ns) {
        int64_t before_ns = clock_utc(&clock);

        if (__atomic_load_n(pin, __ATOMIC_ACQUIRE) != 0) {
            printf("%lld %lld\n", (long long)low_ns, (long long)clock_utc(&clock));
            return 0;
        }
        low_ns = before_ns;
        if (!is_near_second(before_ns)) {
            nanosleep(&pause, NULL);
        }
    }
    fprintf(stderr, "the pin never moved\n");
    return 1;
}
