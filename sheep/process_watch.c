/* SPDX-License-Identifier: MIT */
#include "sheep/process_watch.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const double CENTI_PERCENT = 1e4; /* of one core */

struct seen {
    pid_t pid;
    uint64_t start_ticks; /* a pid may be used anew */
    uint64_t cpu_ticks;
};

/* Agent or recorder. */
struct own {
    pid_t pid;
    int cpu_channel;
    int rss_channel;
    struct seen last;
    int64_t last_ns;
};

struct busy {
    char command[PROC_COMMAND_SIZE];
    uint64_t cpu_ticks;
};

struct process_watch {
    char root[PATH_SIZE];
    struct channel_files *files; /* loan */
    struct own own[2];
    double ticks_per_s;
    int64_t page_bytes;
    struct seen seen[PROCESS_SEEN_MAX];
    struct seen now[PROCESS_SEEN_MAX];
    size_t n_seen;
    int64_t scanned_ns; /* 0: never */
};

static void name_own(struct process_watch *watch, struct own *own, pid_t pid, const char *name)
{
    struct channel cpu = { .unit = "percent", .gain = 0.01 };
    struct channel rss = { .unit = "byte", .gain = (double)watch->page_bytes };

    own->pid = pid;
    if (pid > 0) {
        channel_set_name(&cpu, "cpu", name);
        channel_set_name(&rss, "rss", name);
        own->cpu_channel = channel_files_add(watch->files, &cpu, NULL, NUMBER_INTEGER);
        own->rss_channel = channel_files_add(watch->files, &rss, NULL, NUMBER_INTEGER);
    }
}

struct process_watch *process_watch_create(const char *root, pid_t agent, pid_t recorder,
                                           struct channel_files *files)
{
    struct process_watch *watch = calloc(1, sizeof(*watch));

    if (watch == NULL) {
        return NULL;
    }
    snprintf(watch->root, sizeof(watch->root), "%s", root);
    watch->files = files;
    watch->ticks_per_s = (double)sysconf(_SC_CLK_TCK);
    watch->page_bytes = sysconf(_SC_PAGESIZE);
    name_own(watch, &watch->own[0], agent, "agent");
    name_own(watch, &watch->own[1], recorder, "recorder");
    return watch;
}

void process_watch_destroy(struct process_watch **watch)
{
    free(*watch);
    *watch = NULL;
}

static bool read_stat(const struct process_watch *watch, const char *pid,
                      struct proc_stat *stat)
{
    char path[PATH_SIZE + 32];
    char text[CHANNEL_FILE_BYTES];

    snprintf(path, sizeof(path), "%s/proc/%.16s/stat", watch->root, pid);
    return channel_file_text(path, text) && proc_parse_stat(stat, text);
}

static int64_t share(const struct process_watch *watch, uint64_t ticks, int64_t ns)
{
    return ns <= 0 ? 0
                   : (int64_t)((double)ticks / watch->ticks_per_s * CENTI_PERCENT
                               / ((double)ns / (double)NS_PER_S));
}

static void sample_own(struct process_watch *watch, struct own *own, int64_t utc_ns)
{
    int64_t now_ns = clock_mono(&watch->files->out.clock);
    struct proc_stat stat;
    char pid[16];

    snprintf(pid, sizeof(pid), "%d", (int)own->pid);
    if (own->pid <= 0 || own->rss_channel < 0 || !read_stat(watch, pid, &stat)) {
        return;
    }
    channel_files_put(watch->files, utc_ns, (size_t)own->rss_channel, (int64_t)stat.rss_pages);
    if (own->last_ns != 0 && own->last.start_ticks == stat.start_ticks
        && stat.cpu_ticks >= own->last.cpu_ticks) {
        channel_files_put(
            watch->files, utc_ns, (size_t)own->cpu_channel,
            share(watch, stat.cpu_ticks - own->last.cpu_ticks, now_ns - own->last_ns));
    }
    own->last = (struct seen){ own->pid, stat.start_ticks, stat.cpu_ticks };
    own->last_ns = now_ns;
}

/* Ticks since the scan before; all of them when the process is new, which nobody knows when
 * that scan had no room for all. */
static uint64_t ticks_since(const struct process_watch *watch, const struct seen *now)
{
    for (size_t i = 0; i < watch->n_seen; i++) {
        const struct seen *seen = &watch->seen[i];

        if (seen->pid == now->pid && seen->start_ticks == now->start_ticks
            && seen->cpu_ticks <= now->cpu_ticks) {
            return now->cpu_ticks - seen->cpu_ticks;
        }
    }
    return watch->n_seen < PROCESS_SEEN_MAX ? now->cpu_ticks : 0;
}

/* Adds to the command's sum, or takes the place of the least busy one. */
static void add_busy(struct busy busy[PROCESS_TOP], const char *command, uint64_t ticks)
{
    size_t least = 0;

    for (size_t i = 0; i < PROCESS_TOP; i++) {
        if (strcmp(busy[i].command, command) == 0) {
            busy[i].cpu_ticks += ticks;
            return;
        }
        if (busy[i].cpu_ticks < busy[least].cpu_ticks) {
            least = i;
        }
    }
    if (ticks > busy[least].cpu_ticks) {
        snprintf(busy[least].command, sizeof(busy[least].command), "%s", command);
        busy[least].cpu_ticks = ticks;
    }
}

static bool is_own(const struct process_watch *watch, pid_t pid)
{
    return pid == watch->own[0].pid || pid == watch->own[1].pid;
}

/* Reads all of /proc; the busiest since the scan before into busy. */
static void scan(struct process_watch *watch, struct busy busy[PROCESS_TOP])
{
    char path[PATH_SIZE + 8];
    DIR *folder = NULL;
    const struct dirent *entry = NULL;
    size_t n_now = 0;

    snprintf(path, sizeof(path), "%s/proc", watch->root);
    folder = opendir(path);
    while (folder != NULL && n_now < PROCESS_SEEN_MAX
           && (entry = readdir(folder)) != NULL) { // NOLINT(concurrency-mt-unsafe)
        struct seen *now = &watch->now[n_now];
        struct proc_stat stat;

        now->pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (now->pid <= 0 || is_own(watch, now->pid)
            || !read_stat(watch, entry->d_name, &stat)) {
            continue;
        }
        now->start_ticks = stat.start_ticks;
        now->cpu_ticks = stat.cpu_ticks;
        add_busy(busy, stat.command, ticks_since(watch, now));
        n_now++;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    memcpy(watch->seen, watch->now, n_now * sizeof(*watch->now));
    watch->n_seen = n_now;
}

static void put_busy(struct process_watch *watch, const struct busy *busy, int64_t ns,
                     int64_t utc_ns)
{
    struct channel channel = { .unit = "percent", .gain = 0.01 };
    int64_t value = share(watch, busy->cpu_ticks, ns);
    int number = -1;

    if (value < PROCESS_LEAST) {
        return;
    }
    channel_set_name(&channel, "process", busy->command);
    number = channel_files_find(watch->files, channel.name);
    if (number < 0) {
        number = channel_files_add(watch->files, &channel, NULL, NUMBER_INTEGER);
    }
    if (number >= 0) {
        channel_files_put(watch->files, utc_ns, (size_t)number, value);
    }
}

static void sample_others(struct process_watch *watch, int64_t utc_ns)
{
    int64_t now_ns = clock_mono(&watch->files->out.clock);
    struct busy busy[PROCESS_TOP] = { 0 };
    bool is_first = watch->scanned_ns == 0;
    int64_t ns = now_ns - watch->scanned_ns;

    if (!is_first && ns < PROCESS_SCAN_S * NS_PER_S) {
        return;
    }
    scan(watch, busy);
    watch->scanned_ns = now_ns;
    for (size_t i = 0; !is_first && i < PROCESS_TOP; i++) {
        put_busy(watch, &busy[i], ns, utc_ns);
    }
}

void process_watch_sample(struct process_watch *watch, int64_t utc_ns)
{
    sample_own(watch, &watch->own[0], utc_ns);
    sample_own(watch, &watch->own[1], utc_ns);
    sample_others(watch, utc_ns);
}
