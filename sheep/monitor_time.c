/* SPDX-License-Identifier: MIT */
#include "sheep/monitor.h"

#include <stdio.h>
#include <string.h>
#include <sys/timex.h>

static const double FREQUENCY_PER_PPM = 65536.0; /* adjtimex(2): 2^-16 ppm */

void monitor_time_describe(const struct timex *state, char *text, size_t size)
{
    long long unit_ns = (state->status & STA_NANO) != 0 ? 1 : 1000;

    snprintf(text, size,
             "kernel clock: %s, offset %lld ns, frequency %+.3f ppm, estimated error %lld us, "
             "maximum error %lld us",
             (state->status & STA_UNSYNC) != 0 ? "not disciplined" : "disciplined",
             state->offset * unit_ns, (double)state->freq / FREQUENCY_PER_PPM,
             (long long)state->esterror, (long long)state->maxerror);
}

void monitor_time_sample(const struct monitor_out *out)
{
    struct timex state;
    char text[256];

    memset(&state, 0, sizeof(state));
    if (adjtimex(&state) >= 0) {
        monitor_time_describe(&state, text, sizeof(text));
        monitor_text(out, RLOG_STREAM_NTP, 0, clock_utc(&out->clock), text, strlen(text));
    }
}
