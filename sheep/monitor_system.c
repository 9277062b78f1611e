/* SPDX-License-Identifier: MIT */
#include "sheep/monitor_system.h"

#include "sheep/process_watch.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TABLE_BYTES = 32768
};

/* Files of /sys, each a channel KIND.NAME. */
struct source {
    const char *kind;
    const char *pattern;
    const char *name_file; /* beside it, holds the name; NULL: a folder's own name, */
    const char *unit;
    double gain;
    unsigned name_depth; /* so many above the file */
    enum number_form form;
};

/* Documentation/ABI of the kernel: testing/sysfs-class-thermal, sysfs-devices-system-cpu,
 * sysfs-fs-ext4; ioerr_cnt is hexadecimal; err_stats of an MMC host is in debugfs. */
/* clang-format off */
static const struct source SOURCES[] = {
    { "temperature", "/sys/class/thermal/thermal_zone*/temp",
      "type", "degC", 1e-3, 0, NUMBER_INTEGER },
    { "cooling", "/sys/class/thermal/cooling_device*/cur_state",
      "type", "n", 1, 0, NUMBER_INTEGER },
    { "frequency", "/sys/devices/system/cpu/cpufreq/policy*/scaling_cur_freq",
      NULL, "Hz", 1e3, 1, NUMBER_INTEGER },
    { "frequency_limit", "/sys/devices/system/cpu/cpufreq/policy*/scaling_max_freq",
      NULL, "Hz", 1e3, 1, NUMBER_INTEGER },
    { "disk_errors", "/sys/block/*/device/ioerr_cnt", NULL, "n", 1, 2, NUMBER_INTEGER },
    { "disk_errors", "/sys/fs/ext4/*/errors_count", NULL, "n", 1, 1, NUMBER_INTEGER },
    { "disk_errors", "/sys/kernel/debug/mmc*/err_stats", NULL, "n", 1, 1, NUMBER_LINE_SUM },
};
/* clang-format on */

/* The tables of /proc. */
enum table {
    TABLE_CPU,
    TABLE_MEMORY,
    TABLE_DISKS,
    TABLE_NETWORK,
    N_TABLES
};
static const char *const TABLES[N_TABLES] = { "/proc/stat", "/proc/meminfo", "/proc/diskstats",
                                              "/proc/net/dev" };

struct monitor_system {
    struct monitor_out out;
    char root[PATH_SIZE];
    struct cpu_ticks ticks;
    bool is_said[N_TABLES]; /* that it is missing */
    struct channel_files files;
    size_t n_sensors; /* of the files, the first ones */
    struct process_watch *processes;
};

static void say(const struct monitor_system *system, uint32_t level, const char *text)
{
    monitor_text(&system->out, RLOG_STREAM_SHEEP, level, clock_utc(&system->out.clock), text,
                 strlen(text));
}

/* The name of the folder `depth` above the file. */
static void folder_name(const char *path, unsigned depth, char *name, size_t size)
{
    const char *end = path + strlen(path);
    const char *begin = end;

    for (unsigned i = 0; i <= depth; i++) {
        end = begin;
        for (begin = end; begin > path && begin[-1] != '/'; begin--) {}
        if (i < depth) {
            begin--; /* onto the slash */
        }
    }
    snprintf(name, size, "%.*s", (int)(end - begin), begin);
}

static void add_source(struct monitor_system *system, const struct source *source,
                       const char *path)
{
    struct channel channel = { .gain = source->gain };
    char name[CHANNEL_FILE_BYTES];
    char beside[PATH_SIZE + 64];

    snprintf(channel.unit, sizeof(channel.unit), "%s", source->unit);
    if (source->name_file != NULL) {
        snprintf(beside, sizeof(beside), "%.*s%s", (int)(strrchr(path, '/') - path + 1), path,
                 source->name_file);
        if (!channel_file_text(beside, name)) {
            return;
        }
    } else {
        folder_name(path, source->name_depth, name, sizeof(name));
    }
    channel_set_name(&channel, source->kind, name);
    (void)channel_files_add(&system->files, &channel, path, source->form);
}

static size_t find_source(struct monitor_system *system, const struct source *source)
{
    size_t before = system->files.n_files;
    char pattern[PATH_SIZE + 128];
    glob_t found = { 0 };

    snprintf(pattern, sizeof(pattern), "%s%s", system->root, source->pattern);
    // NOLINTNEXTLINE(concurrency-mt-unsafe): it is, without '~' in the pattern
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            add_source(system, source, found.gl_pathv[i]);
        }
    }
    globfree(&found);
    return system->files.n_files - before;
}

/* Once, and the run goes on. */
static void find_sensors(struct monitor_system *system)
{
    char text[160] = "system: this machine does not tell:";
    size_t empty = strlen(text);
    size_t length = empty;

    for (size_t i = 0; i < ARRAY_LEN(SOURCES);) {
        const char *kind = SOURCES[i].kind;
        size_t n_found = 0;

        for (; i < ARRAY_LEN(SOURCES) && strcmp(SOURCES[i].kind, kind) == 0; i++) {
            n_found += find_source(system, &SOURCES[i]);
        }
        if (n_found == 0) {
            length += (size_t)snprintf(text + length, sizeof(text) - length, "%s %s",
                                       length > empty ? "," : "", kind);
        }
    }
    system->n_sensors = system->files.n_files;
    if (length > empty) {
        say(system, MONITOR_INFO, text);
    }
}

struct monitor_system *monitor_system_create(const struct monitor_system_options *options,
                                             struct err *err)
{
    struct monitor_system *system = calloc(1, sizeof(*system));

    if (system == NULL) {
        goto fail;
    }
    system->out = *options->out;
    snprintf(system->root, sizeof(system->root), "%s", options->root);
    channel_files_init(&system->files, "system", RLOG_STREAM_SYSTEM, options->out);
    find_sensors(system);
    system->processes =
        process_watch_create(system->root, options->agent, options->recorder, &system->files);
    if (system->processes == NULL) {
        goto fail;
    }
    return system;
fail:
    err_set(err, ERR_MEMORY, "monitor system");
    monitor_system_destroy(&system);
    return NULL;
}

void monitor_system_destroy(struct monitor_system **system)
{
    if (*system == NULL) {
        return;
    }
    process_watch_destroy(&(*system)->processes);
    channel_files_fini(&(*system)->files);
    free(*system);
    *system = NULL;
}

static bool read_table(struct monitor_system *system, enum table table, char text[TABLE_BYTES])
{
    char path[PATH_SIZE + 32];
    size_t size = 0;
    ssize_t got = 0;
    int fd = -1;

    snprintf(path, sizeof(path), "%s%s", system->root, TABLES[table]);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && size < TABLE_BYTES - 1
           && (got = read(fd, text + size, TABLE_BYTES - 1 - size)) > 0) {
        size += (size_t)got;
    }
    text[size] = '\0';
    if (fd >= 0) {
        close(fd);
    }
    if (size == 0 && !system->is_said[table]) {
        char what[64];

        system->is_said[table] = true;
        snprintf(what, sizeof(what), "system: no %s here", TABLES[table]);
        say(system, MONITOR_WARNING, what);
    }
    return size > 0;
}

static void sample_tables(struct monitor_system *system, int64_t utc_ns)
{
    char text[TABLE_BYTES];
    int64_t values[N_SYSTEM_COLUMNS] = { 0 };

    if (read_table(system, TABLE_CPU, text)) {
        proc_parse_cpu(&system->ticks, text, values);
    }
    if (read_table(system, TABLE_MEMORY, text)) {
        proc_parse_memory(text, values);
    }
    if (read_table(system, TABLE_DISKS, text)) {
        proc_parse_disks(text, values);
    }
    if (read_table(system, TABLE_NETWORK, text)) {
        proc_parse_network(text, values);
    }
    monitor_values(&system->out, RLOG_STREAM_SYS_UTIL, utc_ns, values, N_SYSTEM_COLUMNS);
}

void monitor_system_sample(struct monitor_system *system)
{
    int64_t utc_ns = clock_utc(&system->out.clock);

    sample_tables(system, utc_ns);
    for (size_t i = 0; i < system->n_sensors; i++) {
        int64_t value = 0;

        if (channel_files_read(&system->files, i, &value)) {
            channel_files_put(&system->files, utc_ns, i, value);
        }
    }
    process_watch_sample(system->processes, utc_ns);
    channel_files_flush(&system->files, utc_ns);
}
