/* SPDX-License-Identifier: MIT */
/* The time monitor: asks ptp4l (its management socket) and chrony (its command port), reads on
 * in the log of phc2sys, and notes what the kernel and systemd-timesyncd know. A daemon that is
 * missing is named once; one that comes later is heard from then on. Belongs to the monitors'
 * thread. */
#ifndef SHEEP_MONITOR_TIME_H
#define SHEEP_MONITOR_TIME_H

#include "sheep/monitor.h"

#include <stddef.h>

/* Where the daemons are; "" or 0: not looked for. Loans until create returns. */
struct time_sources {
    const char *ptp4l_socket; /* "/var/run/ptp4l" */
    const char *phc2sys_log;  /* a file, or "journal": systemd's, through journalctl */
    unsigned chrony_port;     /* on 127.0.0.1 */
    const char *own_folder;   /* for the address that ptp4l answers to */
};

struct monitor_time;
struct monitor_time *monitor_time_create(const struct time_sources *sources,
                                         const struct monitor_out *out, struct err *err);
void monitor_time_destroy(struct monitor_time **time);

/* Asks what is due; every second. */
void monitor_time_tick(struct monitor_time *time);

enum {
    MONITOR_TIME_FDS = 3
};

/* Descriptors to wait for, -1: none; fds[i] is ready: tell. */
void monitor_time_fds(const struct monitor_time *time, int fds[MONITOR_TIME_FDS]);
void monitor_time_ready(struct monitor_time *time, size_t i);

struct timex;
void monitor_time_describe(const struct timex *state, char *text, size_t size);

#endif
