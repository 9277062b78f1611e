/* SPDX-License-Identifier: MIT */
/* What is looked at on the workstation: the folder of results, and their names. */
#include "herd/run_state.h"

#include "common/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    MAX_NUMBER = 9999,  /* of a name that is taken */
    MAX_FOLDER = 300,   /* bytes of the folder's path, so that those of its files fit */
    STORAGE_STREAMS = 2 /* voltage and current of the store */
};

static int check_writable(const char *folder, struct err *err)
{
    char path[PATH_SIZE + 32];
    int fd = -1;

    snprintf(path, sizeof(path), "%s/.herd-%ld", folder, (long)getpid());
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        err_set_errno(err, "output folder %s", folder);
        err->code = ERR_INPUT;
        return -1;
    }
    close(fd);
    unlink(path);
    return 0;
}

static uint64_t count_streams(const struct node_config *config)
{
    bool has_storage = config->record.storage && config->mode == MODE_EMULATE;

    return (uint64_t)config->record.voltage + (uint64_t)config->record.current
           + (has_storage ? STORAGE_STREAMS : 0);
}

/* What all nodes' samples take at most, uncompressed. */
static uint64_t count_bytes(const struct run *run)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < run->n_nodes; i++) {
        const struct node_config *config = run->nodes[i].config;

        if (config->duration_ns > 0) {
            bytes += count_streams(config)
                     * record_bytes(&config->record, node_config_samples(config));
        }
    }
    return bytes;
}

static int check_space(const struct run *run, struct err *err)
{
    uint64_t needed = count_bytes(run);
    struct statvfs status;
    uint64_t there = 0;

    if (statvfs(run->output, &status) < 0) {
        return err_set_errno(err, "output folder %s", run->output);
    }
    there = (uint64_t)status.f_bavail * status.f_frsize;
    if (needed > there) {
        return err_set(err, ERR_INPUT,
                       "output folder %s: %" PRIu64 " MB free, the recordings may need %" PRIu64
                       " MB",
                       run->output, there / 1000000, needed / 1000000);
    }
    return 0;
}

int run_check_output(struct run *run, struct err *err)
{
    const struct run_request *request = run->request;
    const char *chosen = request->output != NULL                  ? request->output
                         : request->experiment->output[0] != '\0' ? request->experiment->output
                                                                  : ".";
    char real[PATH_MAX];

    if (dir_make(chosen, 0755, err) < 0) {
        err->code = ERR_INPUT;
        return err_prepend(err, "output folder");
    }
    if (realpath(chosen, real) == NULL) {
        return err_set_errno(err, "output folder %s", chosen);
    }
    if (strlen(real) > MAX_FOLDER) {
        return err_set(err, ERR_INPUT, "output folder %s: longer than %d bytes", real,
                       MAX_FOLDER);
    }
    snprintf(run->output, sizeof(run->output), "%.*s", MAX_FOLDER, real);
    snprintf(run->copies, sizeof(run->copies), "%s/.bellwether/%s", run->output, run->id);
    if (check_writable(run->output, err) < 0) {
        return -1;
    }
    return check_space(run, err);
}

/* ---- names ---- */

void run_stem(const struct run *run, enum experiment_mode mode, char stem[RUN_STEM_SIZE])
{
    char stamp[CLOCK_TEXT_SIZE];

    clock_format_file(run->start.T_ns, stamp);
    snprintf(stem, RUN_STEM_SIZE, "%s%s_%s", mode == MODE_EMULATE ? "emu_" : "hrv_", run->name,
             stamp);
}

static void file_path(const struct run *run, size_t i, unsigned number, char path[PATH_SIZE])
{
    char stem[RUN_STEM_SIZE];

    run_stem(run, run->nodes[i].mode, stem);
    if (number == 0) {
        snprintf(path, PATH_SIZE, "%s/%s_%s.h5", run->output, stem, run->names[i]);
    } else {
        snprintf(path, PATH_SIZE, "%s/%s_%u_%s.h5", run->output, stem, number, run->names[i]);
    }
}

int run_check_names(const struct run *run, struct err *err)
{
    for (size_t i = 0; i < run->n_nodes; i++) {
        char path[PATH_SIZE];

        file_path(run, i, 0, path);
        if (run->nodes[i].exists == EXISTS_REFUSE && access(path, F_OK) == 0) {
            return err_set(err, ERR_EXISTS, "%s exists, and record.exists says refuse", path);
        }
    }
    return 0;
}

/* In the journal, so that a later herd knows an empty or a whole file of that name as ours. */
static int keep_name(struct run *run, size_t i, const char *path)
{
    struct journal_entry entry = { .kind = JOURNAL_NAME };

    snprintf(run->nodes[i].final_path, sizeof(run->nodes[i].final_path), "%s", path);
    snprintf(entry.node, sizeof(entry.node), "%s", run->names[i]);
    snprintf(entry.path, sizeof(entry.path), "%s", path);
    return run_note(run, &entry, true);
}

int run_take_name(struct run *run, size_t i, struct err *err)
{
    struct run_node *node = &run->nodes[i];
    char path[PATH_SIZE] = "";

    if (node->final_path[0] != '\0') {
        return 0; /* an earlier herd took it for this node */
    }
    for (unsigned number = 0; number <= MAX_NUMBER; number++) {
        int fd = -1;

        file_path(run, i, number, path);
        if (node->exists == EXISTS_OVERWRITE) {
            return keep_name(run, i, path);
        }
        /* An empty file holds the name until the real one replaces it. */
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd >= 0) {
            close(fd);
            return keep_name(run, i, path);
        }
        if (errno != EEXIST || node->exists == EXISTS_REFUSE) {
            break;
        }
    }
    return err_set_errno(err, "%s", path);
}
