/* SPDX-License-Identifier: MIT */
/* Follows the log of a daemon, line by line from now on: a file that grows (also when it is
 * replaced), or systemd's journal through journalctl. One thread. */
#ifndef SHEEP_TIME_LOG_H
#define SHEEP_TIME_LOG_H

#include <stdbool.h>

/* A line without its newline; a loan. */
typedef void (*time_log_fn)(void *arg, const char *line);

struct time_log;

/* `where`: a path, or "journal" for the lines of phc2sys there. NULL: no memory. */
struct time_log *time_log_create(const char *where, time_log_fn take, void *arg);
void time_log_destroy(struct time_log **log);

void time_log_tick(struct time_log *log);    /* every second: reads a file on, finds it again */
int time_log_fd(const struct time_log *log); /* of journalctl, else -1 */
void time_log_ready(struct time_log *log);

#endif
