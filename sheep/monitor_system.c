/* SPDX-License-Identifier: MIT */
#include "sheep/monitor.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    FILE_BYTES = 32768,
    SECTOR_BYTES = 512
};

void system_parse_cpu(struct monitor_system *system, const char *text, int64_t *values)
{
    uint64_t ticks[8] = { 0 }; /* user nice system idle iowait irq softirq steal */
    uint64_t all = 0;
    uint64_t idle = 0;

    if (sscanf(text,
               "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
               " %" SCNu64 " %" SCNu64,
               &ticks[0], &ticks[1], &ticks[2], &ticks[3], &ticks[4], &ticks[5], &ticks[6],
               &ticks[7])
        < 4) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(ticks); i++) {
        all += ticks[i];
    }
    idle = ticks[3] + ticks[4];
    if (system->has_ticks && all > system->all_ticks) {
        values[SYSTEM_CPU_PERCENT] =
            (int64_t)((all - idle - system->busy_ticks) * 100 / (all - system->all_ticks));
    }
    system->busy_ticks = all - idle;
    system->all_ticks = all;
    system->has_ticks = true;
}

/* The number behind "name:" at the start of a line. */
static bool find_line(const char *text, const char *name, uint64_t *value)
{
    const char *at = text;
    size_t length = strlen(name);

    while (at != NULL) {
        if (strncmp(at, name, length) == 0 && at[length] == ':') {
            return sscanf(at + length + 1, " %" SCNu64, value) == 1;
        }
        at = strchr(at, '\n');
        at = at == NULL ? NULL : at + 1;
    }
    return false;
}

void system_parse_memory(const char *text, int64_t *values)
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

void system_parse_disks(const char *text, int64_t *values)
{
    const char *line = text;

    while (line != NULL && *line != '\0') {
        char name[32];
        int64_t reads = 0;
        int64_t read_sectors = 0;
        int64_t writes = 0;
        int64_t written_sectors = 0;

        if (sscanf(line,
                   " %*d %*d %31s %" SCNd64 " %*d %" SCNd64 " %*d %" SCNd64 " %*d %" SCNd64,
                   name, &reads, &read_sectors, &writes, &written_sectors)
                == 5
            && is_whole_disk(name)) {
            values[SYSTEM_DISK_READS] += reads;
            values[SYSTEM_DISK_WRITES] += writes;
            values[SYSTEM_DISK_READ_BYTES] += read_sectors * SECTOR_BYTES;
            values[SYSTEM_DISK_WRITTEN_BYTES] += written_sectors * SECTOR_BYTES;
        }
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
}

void system_parse_network(const char *text, int64_t *values)
{
    const char *line = text;

    while (line != NULL && *line != '\0') {
        char name[32];
        int64_t received = 0;
        int64_t sent = 0;

        if (sscanf(line, " %31[^: ]: %" SCNd64 " %*d %*d %*d %*d %*d %*d %*d %" SCNd64, name,
                   &received, &sent)
                == 3
            && strcmp(name, "lo") != 0) {
            values[SYSTEM_NET_RECEIVED_BYTES] += received;
            values[SYSTEM_NET_SENT_BYTES] += sent;
        }
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
}

static bool read_text(const char *path, char text[FILE_BYTES])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t size = 0;
    ssize_t got = 0;

    text[0] = '\0';
    if (fd < 0) {
        return false;
    }
    while (size < FILE_BYTES - 1 && (got = read(fd, text + size, FILE_BYTES - 1 - size)) > 0) {
        size += (size_t)got;
    }
    text[size] = '\0';
    close(fd);
    return size > 0;
}

void monitor_system_sample(struct monitor_system *system, const struct monitor_out *out)
{
    char text[FILE_BYTES];
    int64_t values[N_SYSTEM_COLUMNS] = { 0 };
    int64_t utc_ns = clock_utc(&out->clock);

    if (read_text("/proc/stat", text)) {
        system_parse_cpu(system, text, values);
    }
    if (read_text("/proc/meminfo", text)) {
        system_parse_memory(text, values);
    }
    if (read_text("/proc/diskstats", text)) {
        system_parse_disks(text, values);
    }
    if (read_text("/proc/net/dev", text)) {
        system_parse_network(text, values);
    }
    monitor_values(out, RLOG_STREAM_SYS_UTIL, utc_ns, values, N_SYSTEM_COLUMNS);
}
