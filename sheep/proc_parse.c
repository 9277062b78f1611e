/* SPDX-License-Identifier: MIT */
#include "sheep/proc_parse.h"

#include "common/attrs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SECTOR_BYTES = 512
};

/* The next number of this line, with blanks before it; false at anything else. */
static bool next_number(const char **at, uint64_t *value)
{
    const char *first = NULL;

    while (**at == ' ' || **at == '\t') {
        (*at)++;
    }
    first = *at;
    *value = 0;
    while (**at >= '0' && **at <= '9') {
        *value = *value * 10 + (uint64_t)(**at - '0');
        (*at)++;
    }
    return *at != first;
}

/* Up to max numbers of this line; returns how many there are. */
static size_t take_numbers(const char *at, uint64_t *values, size_t max)
{
    size_t count = 0;

    while (count < max && next_number(&at, &values[count])) {
        count++;
    }
    return count;
}

/* The next word, up to a blank, a colon or the end of the line. */
static bool next_word(const char **at, char *word, size_t size)
{
    size_t length = 0;

    *at += strspn(*at, " \t");
    length = strcspn(*at, " \t:\n");
    if (length == 0 || length >= size) {
        return false;
    }
    memcpy(word, *at, length);
    word[length] = '\0';
    *at += length;
    return true;
}

static const char *next_line(const char *at)
{
    const char *newline = strchr(at, '\n');

    return newline == NULL || newline[1] == '\0' ? NULL : newline + 1;
}

void proc_parse_cpu(struct cpu_ticks *state, const char *text, int64_t *values)
{
    uint64_t ticks[8] = { 0 }; /* user nice system idle iowait irq softirq steal */
    uint64_t all = 0;
    uint64_t busy = 0;

    if (strncmp(text, "cpu ", 4) != 0 || take_numbers(text + 4, ticks, ARRAY_LEN(ticks)) < 4) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(ticks); i++) {
        all += ticks[i];
    }
    busy = all - ticks[3] - ticks[4];
    if (state->has_ticks && all > state->all) {
        uint64_t passed = all - state->all;
        uint64_t used = busy > state->busy ? busy - state->busy : 0; /* steal goes back */

        values[SYSTEM_CPU_PERCENT] = used < passed ? (int64_t)(used * 100 / passed) : 100;
    }
    state->busy = busy;
    state->all = all;
    state->has_ticks = true;
}

/* The number behind "name:" at the start of a line. */
static bool find_line(const char *text, const char *name, uint64_t *value)
{
    size_t length = strlen(name);

    for (const char *at = text; at != NULL; at = next_line(at)) {
        if (strncmp(at, name, length) == 0 && at[length] == ':') {
            return take_numbers(at + length + 1, value, 1) == 1;
        }
    }
    return false;
}

void proc_parse_memory(const char *text, int64_t *values)
{
    uint64_t total = 0;
    uint64_t available = 0;

    if (find_line(text, "MemTotal", &total) && find_line(text, "MemAvailable", &available)
        && total > 0 && available <= total) {
        values[SYSTEM_RAM_AVAILABLE_PERCENT] = (int64_t)(available * 100 / total);
        values[SYSTEM_RAM_USED_PERCENT] = (int64_t)((total - available) * 100 / total);
    }
}

/* Whole disks only; partitions and devices made of others would count twice. */
static bool is_whole_disk(const char *name)
{
    size_t length = strlen(name);

    if (strncmp(name, "mmcblk", 6) == 0 || strncmp(name, "nvme", 4) == 0) {
        return strchr(name + 4, 'p') == NULL;
    }
    return (strncmp(name, "sd", 2) == 0 || strncmp(name, "vd", 2) == 0) && length >= 3
           && (name[length - 1] < '0' || name[length - 1] > '9');
}

/* Columns of /proc/diskstats behind the name, Documentation/admin-guide/iostats.rst. */
void proc_parse_disks(const char *text, int64_t *values)
{
    enum {
        READS,
        READS_MERGED,
        READ_SECTORS,
        READ_MS,
        WRITES,
        WRITES_MERGED,
        SECTORS,
        N
    };

    for (const char *line = text; line != NULL; line = next_line(line)) {
        const char *at = line;
        uint64_t device[2];
        uint64_t counts[N];
        char name[32];

        if (next_number(&at, &device[0]) && next_number(&at, &device[1])
            && next_word(&at, name, sizeof(name)) && take_numbers(at, counts, N) == N
            && is_whole_disk(name)) {
            values[SYSTEM_DISK_READS] += (int64_t)counts[READS];
            values[SYSTEM_DISK_WRITES] += (int64_t)counts[WRITES];
            values[SYSTEM_DISK_READ_BYTES] += (int64_t)(counts[READ_SECTORS] * SECTOR_BYTES);
            values[SYSTEM_DISK_WRITTEN_BYTES] += (int64_t)(counts[SECTORS] * SECTOR_BYTES);
        }
    }
}

void proc_parse_network(const char *text, int64_t *values)
{
    enum {
        RECEIVED = 0,
        SENT = 8,
        N = 9
    };

    for (const char *line = text; line != NULL; line = next_line(line)) {
        const char *at = line;
        uint64_t counts[N];
        char name[32];

        if (next_word(&at, name, sizeof(name)) && *at == ':'
            && take_numbers(at + 1, counts, N) == N && strcmp(name, "lo") != 0) {
            values[SYSTEM_NET_RECEIVED_BYTES] += (int64_t)counts[RECEIVED];
            values[SYSTEM_NET_SENT_BYTES] += (int64_t)counts[SENT];
        }
    }
}

bool proc_parse_stat(struct proc_stat *stat, const char *text)
{
    enum { /* behind the command and the state, which is a letter */
        USER = 10,
        SYSTEM = 11,
        START = 18,
        RSS = 20,
        N = 21
    };
    const char *open = strchr(text, '(');
    const char *close = strrchr(text, ')'); /* a command may hold one, too */
    uint64_t numbers[N] = { 0 };
    const char *at = NULL;
    size_t length = 0;

    if (open == NULL || close == NULL || close < open || strlen(close) < 4) {
        return false;
    }
    length = (size_t)(close - open - 1);
    if (length >= sizeof(stat->command)) {
        length = sizeof(stat->command) - 1;
    }
    memcpy(stat->command, open + 1, length);
    stat->command[length] = '\0';
    at = close + 3; /* ") S" */
    for (size_t i = 0; i < N; i++) {
        at += strspn(at, " -"); /* some are signed, none that we want */
        if (!next_number(&at, &numbers[i])) {
            return false;
        }
    }
    stat->cpu_ticks = numbers[USER] + numbers[SYSTEM];
    stat->start_ticks = numbers[START];
    stat->rss_pages = numbers[RSS];
    return true;
}

static bool sum_lines(const char *text, int64_t *value)
{
    bool has_any = false;

    *value = 0;
    for (const char *line = text; line != NULL; line = next_line(line)) {
        size_t length = strcspn(line, "\n");
        size_t digits = 0;
        const char *at = NULL;
        uint64_t number = 0;

        while (digits < length && line[length - 1 - digits] >= '0'
               && line[length - 1 - digits] <= '9') {
            digits++;
        }
        at = line + length - digits;
        if (next_number(&at, &number)) {
            *value = (int64_t)((uint64_t)*value + number);
            has_any = true;
        }
    }
    return has_any;
}

bool proc_parse_number(const char *text, enum number_form form, int64_t *value)
{
    static const double MICRO = 1e6;
    static const double LARGEST = 9e18;
    char *end = NULL;
    double micro = 0;

    switch (form) {
    case NUMBER_INTEGER:
        *value = strtoll(text, &end, strncmp(text, "0x", 2) == 0 ? 16 : 10);
        break;
    case NUMBER_MICRO:
        micro = strtod(text, &end) * MICRO;
        if (!(fabs(micro) < LARGEST)) {
            return false;
        }
        *value = llround(micro);
        break;
    case NUMBER_LINE_SUM:
        return sum_lines(text, value);
    }
    return end != text && (*end == '\0' || *end == '\n');
}
