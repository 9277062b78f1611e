/* SPDX-License-Identifier: MIT */
#include "sheep/selftest.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const uint32_t ADC_CODE_MAX = (1u << 18) - 1;
static const double SOURCE_MIN_V = 0.1;
/* Converters without calibration stay within. */
static const double LOOP_RELATIVE = 0.05;
static const double LOOP_ABSOLUTE_V = 0.03;
static const double ZERO_LIMIT_A = 200e-6;

void selftest_say(struct selftest *test, enum selftest_result result, const char *name,
                  const char *format, ...)
{
    static const char *const WORDS[] = { "ok", "FAILED", "open" };
    size_t used = strlen(test->bad);
    char text[400];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    buf_printf(test->report, "%-6s %s: %s\n", WORDS[result], name, text);
    test->counts[result]++;
    if (result == SELFTEST_BAD) {
        snprintf(test->bad + used, sizeof(test->bad) - used, "%s%s", used != 0 ? ", " : "",
                 name);
    }
}

int selftest_end(struct selftest *test, struct err *err)
{
    buf_printf(test->report, "%u sound, %u failed, %u not checked\n",
               test->counts[SELFTEST_SOUND], test->counts[SELFTEST_BAD],
               test->counts[SELFTEST_OPEN]);
    return test->counts[SELFTEST_BAD] == 0 ? 0
                                           : err_set(err, ERR_HARDWARE, "%u failed: %s",
                                                     test->counts[SELFTEST_BAD], test->bad);
}

struct selftest_codes selftest_codes(const uint32_t *codes, size_t count)
{
    struct selftest_codes result = { .min = codes[0], .max = codes[0] };
    double squares = 0;

    for (size_t i = 0; i < count; i++) {
        result.mean += codes[i] / (double)count;
        result.min = codes[i] < result.min ? codes[i] : result.min;
        result.max = codes[i] > result.max ? codes[i] : result.max;
    }
    for (size_t i = 0; i < count; i++) {
        squares += (codes[i] - result.mean) * (codes[i] - result.mean);
    }
    result.rms = sqrt(squares / (double)count);
    return result;
}

bool selftest_stands_still(const struct selftest_codes *codes)
{
    return codes->min == codes->max && codes->min != 0 && codes->min != ADC_CODE_MAX;
}

void selftest_zero(struct selftest *test, const char *name, const struct selftest_codes *codes,
                   const struct cal_channel *channel)
{
    double current_A = codes->mean * channel->gain + channel->offset;
    double noise_A = codes->rms * channel->gain;

    if (selftest_stands_still(codes)) {
        selftest_say(test, SELFTEST_BAD, name, "its code does not change: %u", codes->min);
    } else if (fabs(current_A) > ZERO_LIMIT_A) {
        selftest_say(test, SELFTEST_BAD, name, "%+.1f uA without load, more than %.0f",
                     current_A * 1e6, ZERO_LIMIT_A * 1e6);
    } else if (codes->max == 0) {
        selftest_say(test, SELFTEST_OPEN, name,
                     "the ADC is at its lower end: what lies below cannot be seen");
    } else {
        selftest_say(test, SELFTEST_SOUND, name, "%+.2f uA without load, noise %.2f uA rms",
                     current_A * 1e6, noise_A * 1e6);
    }
}

bool selftest_has_source(double open_V)
{
    return open_V >= SOURCE_MIN_V;
}

void selftest_loop(struct selftest *test, const char *name, const struct selftest_loop *loop)
{
    double worst_V = 0;

    if (!selftest_has_source(loop->open_V)) {
        selftest_say(test, SELFTEST_OPEN, name, "no source at the harvester: %.3f V",
                     loop->open_V);
        return;
    }
    for (int i = 0; i < SELFTEST_POINTS; i++) {
        double off_V = loop->seen_V[i] - loop->asked_V[i];

        if (fabs(off_V) > LOOP_ABSOLUTE_V + LOOP_RELATIVE * loop->asked_V[i]) {
            selftest_say(test, SELFTEST_BAD, name, "%.3f V seen, %.3f V asked for, %.3f V open",
                         loop->seen_V[i], loop->asked_V[i], loop->open_V);
            return;
        }
        worst_V = fmax(worst_V, fabs(off_V));
    }
    selftest_say(test, SELFTEST_SOUND, name,
                 "the source is held within %.1f mV from %.2f to %.2f V, %.3f V open",
                 worst_V * 1e3, loop->asked_V[SELFTEST_POINTS - 1], loop->asked_V[0],
                 loop->open_V);
}
