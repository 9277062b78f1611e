/* SPDX-License-Identifier: MIT */
#include "common/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_ns(clockid_t id)
{
    struct timespec now = { 0 };

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t clock_utc_ns(void)
{
    return read_ns(CLOCK_REALTIME);
}

int64_t clock_mono_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

static int64_t system_utc(const struct clock *clock)
{
    return clock_utc_ns() + clock->utc_offset_ns;
}

static int64_t system_mono(const struct clock *clock)
{
    (void)clock;
    return clock_mono_ns();
}

static int64_t stepped_utc(const struct clock *clock)
{
    return clock->stepped_utc_ns + clock->utc_offset_ns;
}

static int64_t stepped_mono(const struct clock *clock)
{
    return clock->stepped_mono_ns;
}

struct clock clock_system(int64_t utc_offset_ns)
{
    return (struct clock){ system_utc, system_mono, utc_offset_ns, 0, 0 };
}

struct clock clock_stepped(int64_t utc_ns, int64_t mono_ns)
{
    return (struct clock){ stepped_utc, stepped_mono, 0, utc_ns, mono_ns };
}

static struct tm split(int64_t utc_ns)
{
    int64_t seconds = utc_ns / NS_PER_S;
    time_t when = 0;
    struct tm parts = { 0 };

    if (utc_ns % NS_PER_S < 0) {
        seconds--;
    }
    when = (time_t)seconds;
    gmtime_r(&when, &parts);
    return parts;
}

void clock_format_utc(int64_t utc_ns, char text[CLOCK_TEXT_SIZE])
{
    struct tm parts = split(utc_ns);
    char whole[CLOCK_TEXT_SIZE];
    int64_t fraction_us = (utc_ns % NS_PER_S + NS_PER_S) % NS_PER_S / NS_PER_US;

    strftime(whole, sizeof(whole), "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text, CLOCK_TEXT_SIZE, "%.30s.%06dZ", whole, (int)fraction_us);
}

void clock_format_file(int64_t utc_ns, char text[CLOCK_TEXT_SIZE])
{
    struct tm parts = split(utc_ns);

    strftime(text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H-%M-%SZ", &parts);
}
