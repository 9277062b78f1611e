/* SPDX-License-Identifier: MIT */
/* Text of /proc and /sys into numbers. Pure. */
#ifndef SHEEP_PROC_PARSE_H
#define SHEEP_PROC_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a row of the stream sys_util holds. */
enum system_column {
    SYSTEM_CPU_PERCENT,
    SYSTEM_RAM_AVAILABLE_PERCENT,
    SYSTEM_RAM_USED_PERCENT,
    SYSTEM_DISK_READS,
    SYSTEM_DISK_WRITES,
    SYSTEM_DISK_READ_BYTES,
    SYSTEM_DISK_WRITTEN_BYTES,
    SYSTEM_NET_SENT_BYTES,
    SYSTEM_NET_RECEIVED_BYTES,
    N_SYSTEM_COLUMNS
};

struct cpu_ticks {
    uint64_t busy;
    uint64_t all;
    bool has_ticks;
};

/* Of /proc/stat, meminfo, diskstats and net/dev; disks and networks are added up. */
void proc_parse_cpu(struct cpu_ticks *ticks, const char *text, int64_t *values);
void proc_parse_memory(const char *text, int64_t *values);
void proc_parse_disks(const char *text, int64_t *values);
void proc_parse_network(const char *text, int64_t *values);

enum {
    PROC_COMMAND_SIZE = 16
};

/* Of /proc/PID/stat, proc(5); false when it is none. */
struct proc_stat {
    char command[PROC_COMMAND_SIZE];
    uint64_t cpu_ticks; /* user and system, all threads */
    uint64_t start_ticks;
    uint64_t rss_pages;
};
bool proc_parse_stat(struct proc_stat *stat, const char *text);

/* How a file of /sys holds its number. */
enum number_form {
    NUMBER_INTEGER,  /* "-12", "0x1f" */
    NUMBER_MICRO,    /* "12.5", in millionths */
    NUMBER_LINE_SUM, /* the last number of each line, added up: "# CRC errors:\t 3" */
};
bool proc_parse_number(const char *text, enum number_form form, int64_t *value);

#endif
