/* SPDX-License-Identifier: MIT */
#include "sheep/hardware.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

enum {
    LINE_SIZE = 1024,
    SECTOR_BYTES = 512, /* of /sys/block/NAME/size, whatever the disk's own are */
    REALTIME_PRIORITY = 1,
};

/* Printable ASCII only; what drivers and firmware call themselves is not to be trusted. */
static void take_text(char *out, size_t size, const char *text)
{
    size_t length = 0;

    while (isspace((unsigned char)*text)) {
        text++;
    }
    for (; *text != '\0' && *text != '\n' && length + 1 < size; text++) {
        out[length] = *text;
        if (*text < ' ' || *text > '~') {
            out[length] = '?';
        }
        length++;
    }
    while (length > 0 && out[length - 1] == ' ') {
        length--;
    }
    memset(out + length, 0, size - length);
}

/* First line of root/path; false when there is none. */
static bool read_line(const char *root, const char *path, char line[LINE_SIZE])
{
    char full[PATH_MAX];
    FILE *file = NULL;
    bool is_read = false;

    if (snprintf(full, sizeof(full), "%s%s", root, path) >= (int)sizeof(full)) {
        return false;
    }
    file = fopen(full, "re");
    if (file == NULL) {
        return false;
    }
    is_read = fgets(line, LINE_SIZE, file) != NULL;
    fclose(file);
    return is_read && line[0] != '\0' && line[0] != '\n';
}

static bool read_text(const char *root, const char *path, char *out, size_t size)
{
    char line[LINE_SIZE];

    if (!read_line(root, path, line)) {
        return false;
    }
    take_text(out, size, line);
    return out[0] != '\0';
}

static uint64_t read_number(const char *root, const char *path)
{
    char line[LINE_SIZE];

    /* NOLINTNEXTLINE(cert-err34-c): 0 is what "unknown" is */
    return read_line(root, path, line) && line[0] != '-' ? strtoull(line, NULL, 10) : 0;
}

/* The rest of the line of root/path that begins with `key`. */
static bool find_line(const char *root, const char *path, const char *key, char rest[LINE_SIZE])
{
    char full[PATH_MAX];
    char line[LINE_SIZE];
    size_t length = strlen(key);
    FILE *file = NULL;
    bool is_found = false;

    snprintf(full, sizeof(full), "%s%s", root, path);
    file = fopen(full, "re");
    while (file != NULL && !is_found && fgets(line, sizeof(line), file) != NULL) {
        is_found = strncmp(line, key, length) == 0;
    }
    if (file != NULL) {
        fclose(file);
    }
    if (is_found) {
        memmove(rest, line + length, strlen(line + length) + 1);
    }
    return is_found;
}

/* ---- parts ---- */

static void read_machine(struct node_facts *facts, const char *root)
{
    char line[LINE_SIZE];

    if (!read_text(root, "/proc/device-tree/model", facts->machine, FACT_TEXT_SIZE)) {
        (void)read_text(root, "/sys/class/dmi/id/product_name", facts->machine, FACT_TEXT_SIZE);
    }
    if (!read_text(root, "/proc/device-tree/serial-number", facts->serial, FACT_TEXT_SIZE)) {
        (void)read_text(root, "/sys/class/dmi/id/product_serial", facts->serial,
                        FACT_TEXT_SIZE);
    }
    if (find_line(root, "/etc/os-release", "PRETTY_NAME=", line)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '"') {
            line[strcspn(line + 1, "\"") + 1] = '\0';
        }
        take_text(facts->system, FACT_TEXT_SIZE, line[0] == '"' ? line + 1 : line);
    }
    if (find_line(root, "/proc/meminfo", "MemTotal:", line)) {
        facts->memory_bytes = strtoull(line, NULL, 10) * 1024;
    }
    facts->uptime_s = read_number(root, "/proc/uptime");
    (void)read_text(root, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
                    facts->governor, FACT_TEXT_SIZE);
}

static void read_system(struct node_facts *facts)
{
    struct utsname name;
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    struct rlimit priority = { 0 };
    struct rlimit locked = { 0 };

    if (uname(&name) == 0) {
        take_text(facts->kernel, FACT_TEXT_SIZE, name.release);
        take_text(facts->architecture, FACT_TEXT_SIZE, name.machine);
    }
    facts->n_processors = n > 0 ? (uint64_t)n : 0;
    getrlimit(RLIMIT_RTPRIO, &priority);
    getrlimit(RLIMIT_MEMLOCK, &locked);
    facts->has_realtime =
        geteuid() == 0
        || (priority.rlim_cur >= REALTIME_PRIORITY && locked.rlim_cur == RLIM_INFINITY);
}

typedef void (*entry_fn)(struct node_facts *facts, const char *root, const char *name);

/* In the order of their names, so that two inventories of one machine are alike. */
static void each_entry(struct node_facts *facts, const char *root, const char *folder,
                       entry_fn take)
{
    char full[PATH_MAX];
    struct dirent **entries = NULL;
    int n = 0;

    snprintf(full, sizeof(full), "%s%s", root, folder);
    n = scandir(full, &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        if (entries[i]->d_name[0] != '.') {
            take(facts, root, entries[i]->d_name);
        }
        free(entries[i]);
    }
    free(entries);
}

static bool is_in_memory(const char *name)
{
    static const char *const HEADS[] = { "loop", "ram", "zram", "dm-", "md", "nbd" };

    for (size_t i = 0; i < ARRAY_LEN(HEADS); i++) {
        if (strncmp(name, HEADS[i], strlen(HEADS[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* A disk says "model" and "serial"; a card of the MMC kind "name" and "cid". */
static void take_disk(struct node_facts *facts, const char *root, const char *name)
{
    struct fact_disk *disk = NULL;
    char path[PATH_MAX];

    if (is_in_memory(name) || facts->n_disks == FACTS_MAX_DISKS) {
        return;
    }
    disk = &facts->disks[facts->n_disks++];
    take_text(disk->name, FACT_TEXT_SIZE, name);
    snprintf(path, sizeof(path), "/sys/block/%s/device/model", name);
    if (!read_text(root, path, disk->model, FACT_TEXT_SIZE)) {
        snprintf(path, sizeof(path), "/sys/block/%s/device/name", name);
        (void)read_text(root, path, disk->model, FACT_TEXT_SIZE);
    }
    snprintf(path, sizeof(path), "/sys/block/%s/device/serial", name);
    if (!read_text(root, path, disk->serial, FACT_TEXT_SIZE)) {
        snprintf(path, sizeof(path), "/sys/block/%s/serial", name);
        (void)read_text(root, path, disk->serial, FACT_TEXT_SIZE);
    }
    snprintf(path, sizeof(path), "/sys/block/%s/size", name);
    disk->size_bytes = read_number(root, path) * SECTOR_BYTES;
}

static void take_link(struct node_facts *facts, const char *root, const char *name)
{
    struct fact_link *link = NULL;
    char path[PATH_MAX];

    if (strcmp(name, "lo") == 0 || facts->n_links == FACTS_MAX_LINKS) {
        return;
    }
    link = &facts->links[facts->n_links++];
    take_text(link->name, FACT_TEXT_SIZE, name);
    snprintf(path, sizeof(path), "/sys/class/net/%s/address", name);
    (void)read_text(root, path, link->address, FACT_TEXT_SIZE);
    snprintf(path, sizeof(path), "/sys/class/net/%s/speed", name);
    link->speed_mbit = read_number(root, path);
}

/* The mount with the longest path above `folder`, from lines "DEVICE PATH TYPE OPTIONS 0 0". */
static void read_mount(struct node_facts *facts, const char *root, const char *folder)
{
    char full[PATH_MAX];
    char line[LINE_SIZE];
    size_t longest = 0;
    FILE *file = NULL;

    snprintf(full, sizeof(full), "%s/proc/mounts", root);
    file = fopen(full, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        char *rest = NULL;
        const char *device = strtok_r(line, " ", &rest);
        const char *path = strtok_r(NULL, " ", &rest);
        const char *type = strtok_r(NULL, " ", &rest);
        const char *options = strtok_r(NULL, " ", &rest);
        size_t length = path != NULL ? strlen(path) : 0;

        if (device == NULL || path == NULL || options == NULL || length < longest
            || strncmp(folder, path, length) != 0
            || (length > 1 && folder[length] != '/' && folder[length] != '\0')) {
            continue;
        }
        longest = length;
        take_text(facts->data_filesystem, FACT_TEXT_SIZE, type);
        take_text(facts->data_options, FACT_OPTIONS_SIZE, options);
    }
    if (file != NULL) {
        fclose(file);
    }
}

static void read_data(struct node_facts *facts, const char *data, const char *root)
{
    char folder[PATH_MAX];
    struct statvfs status;

    if (realpath(data, folder) == NULL) {
        return;
    }
    read_mount(facts, root, folder);
    if (statvfs(folder, &status) == 0) {
        facts->data_size_bytes = (uint64_t)status.f_blocks * status.f_frsize;
        facts->data_free_bytes = (uint64_t)status.f_bavail * status.f_frsize;
    }
}

void hardware_read(struct node_facts *facts, const struct sheep_config *config,
                   const char *root)
{
    memset(facts, 0, sizeof(*facts));
    read_machine(facts, root);
    read_system(facts);
    read_data(facts, config->data, root);
    each_entry(facts, root, "/sys/block", take_disk);
    each_entry(facts, root, "/sys/class/net", take_link);
    take_text(facts->sheep_version, FACT_TEXT_SIZE, BW_VERSION);
    take_text(facts->board, FACT_TEXT_SIZE, config->board);
    facts->has_calibration = config->has_calibration;
}
