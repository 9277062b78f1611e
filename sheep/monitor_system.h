/* SPDX-License-Identifier: MIT */
/* Processor, memory, disk, network, temperature and throttling of the node, once per interval:
 * a row of sys_util (enum system_column), and channels of the stream system for what not every
 * machine has. What this one has not, it says once. */
#ifndef SHEEP_MONITOR_SYSTEM_H
#define SHEEP_MONITOR_SYSTEM_H

#include "sheep/monitor.h"

#include <sys/types.h>

struct monitor_system_options {
    const char *root; /* in front of /proc and /sys: "" */
    pid_t agent;      /* 0: not watched */
    pid_t recorder;
    const struct monitor_out *out; /* loan until create returns */
};

struct monitor_system;
struct monitor_system *monitor_system_create(const struct monitor_system_options *options,
                                             struct err *err);
void monitor_system_sample(struct monitor_system *system);
void monitor_system_destroy(struct monitor_system **system);

#endif
