/* SPDX-License-Identifier: MIT */
/* Which processes take how much of the processor: agent and recorder at every look, the others
 * that took much of it every PROCESS_SCAN_S, because all of /proc is no cheap reading. */
#ifndef SHEEP_PROCESS_WATCH_H
#define SHEEP_PROCESS_WATCH_H

#include "sheep/channel_files.h"

#include <sys/types.h>

enum {
    PROCESS_SCAN_S = 10,
    PROCESS_TOP = 5,       /* others at a scan, by command */
    PROCESS_LEAST = 100,   /* that they took, in 0.01 % of a core */
    PROCESS_SEEN_MAX = 512 /* of a machine with more, the rest is not looked at */
};

struct process_watch;

/* `root` as in monitor.h; channels go to `files`, a loan until destroy. NULL: no memory. */
struct process_watch *process_watch_create(const char *root, pid_t agent, pid_t recorder,
                                           struct channel_files *files);
void process_watch_destroy(struct process_watch **watch);

void process_watch_sample(struct process_watch *watch, int64_t utc_ns);

#endif
