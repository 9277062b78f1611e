/* SPDX-License-Identifier: MIT */
#include "herd/clock_judge.h"

#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum {
    LIMIT_NS = 100000
};

static const int64_t MEDIAN_NS = -3000000; /* this machine's clock is 3 ms ahead of them all */

struct scene {
    const char *name;
    int64_t offset_ns; /* from the median */
    int64_t bound_ns;
    unsigned n_exchanges;
    bool is_locked;
    int64_t claimed_offset_ns;
    int64_t claimed_bound_ns;
    enum clock_source source;
    enum clock_judgement expected;
};

static const struct scene SCENES[] = {
    {"good",                    20000,       5000,   16, true,  100,       20000,     CLOCK_SOURCE_DAEMON, CLOCK_GOOD      },
    { "off, but not proven",    150000,      60000,  16, true,  0,         0,         CLOCK_SOURCE_DAEMON, CLOCK_GOOD      },
    { "just not proven",        150000,      50000,  16, true,  0,         0,         CLOCK_SOURCE_DAEMON, CLOCK_GOOD      },
    { "just proven",            150001,      50000,  16, true,  0,         0,         CLOCK_SOURCE_DAEMON, CLOCK_PROVEN_OFF},
    { "proven behind",          -150001,     50000,  16, true,  0,         0,         CLOCK_SOURCE_DAEMON, CLOCK_PROVEN_OFF},
    { "proven off, any source", 5000000000,  100000, 16, true,  0,         0,         CLOCK_SOURCE_ANY,
     CLOCK_PROVEN_OFF                                                                                                      },
    { "TAI",                    37000000000, 100000, 16, true,  0,         0,         CLOCK_SOURCE_DAEMON, CLOCK_PROVEN_OFF},
    { "1970",                   INT64_MIN,   100000, 16, true,  0,         0,         CLOCK_SOURCE_ANY,    CLOCK_PROVEN_OFF},
    { "unlocked",               0,           5000,   16, false, 0,         0,         CLOCK_SOURCE_DAEMON, CLOCK_UNLOCKED  },
    { "unlocked, any source",   0,           5000,   16, false, 0,         0,         CLOCK_SOURCE_ANY,    CLOCK_GOOD      },
    { "claims its limit",       0,           5000,   16, true,  60000,     40000,     CLOCK_SOURCE_DAEMON, CLOCK_GOOD      },
    { "claims more",            0,           5000,   16, true,  -60001,    40000,     CLOCK_SOURCE_DAEMON,
     CLOCK_CLAIMS_TOO_MUCH                                                                                                 },
    { "claims nonsense",        0,           5000,   16, true,  INT64_MIN, 0,         CLOCK_SOURCE_DAEMON,
     CLOCK_CLAIMS_TOO_MUCH                                                                                                 },
    { "claims more than fits",  0,           5000,   16, true,  INT64_MAX, INT64_MAX, CLOCK_SOURCE_DAEMON,
     CLOCK_CLAIMS_TOO_MUCH                                                                                                 },
    { "never heard",            0,           0,      0,  true,  0,         0,         CLOCK_SOURCE_ANY,    CLOCK_UNHEARD   },
};

static void test_judgements(void **state)
{
    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(SCENES); k++) {
        const struct scene *scene = &SCENES[k];
        struct clock_evidence evidence = {
            .view = {.n_exchanges = scene->n_exchanges,             .bound_ns = scene->bound_ns},
            .claim = { .source = "ptp4l",
                     .is_locked = scene->is_locked,
                     .claimed_offset_ns = scene->claimed_offset_ns,
                     .claimed_bound_ns = scene->claimed_bound_ns },
        };
        const struct clock_median median = { .offset_ns = MEDIAN_NS };
        char why[CLOCK_WHY_SIZE];
        enum clock_judgement judgement = CLOCK_GOOD;

        evidence.view.offset_ns =
            scene->offset_ns == INT64_MIN ? INT64_MIN : scene->offset_ns + MEDIAN_NS;
        judgement = clock_judge(&evidence, &median, LIMIT_NS, scene->source, why);
        if (judgement != scene->expected) {
            fail_msg("%s: %d (%s)", scene->name, (int)judgement, why);
        }
        assert_int_equal(why[0] == '\0', judgement == CLOCK_GOOD);
        assert_true(why[0] == '\0' || strstr(why, "clock") != NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judgements),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
