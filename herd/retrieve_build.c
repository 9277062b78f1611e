/* SPDX-License-Identifier: MIT */
#include "herd/retrieve_parts.h"

#include "common/clock.h"
#include "common/rlog.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    MAX_NUMBERED = 10000,
    TICK_MS = 50,
};

/* T of a log; -1 when it never started. */
static int find_start(const char *folder, struct rlog_manifest *manifest, int64_t *T_ns,
                      struct err *err)
{
    struct rlog_reader *reader = rlog_reader_open(folder, err);
    struct rlog_record record;
    enum rlog_next next = RLOG_NEXT_RECORD;
    int result = -1;

    if (reader == NULL) {
        return -1;
    }
    *manifest = *rlog_reader_manifest(reader);
    while (result < 0 && (next = rlog_reader_next(reader, &record, err)) == RLOG_NEXT_RECORD) {
        struct rlog_start start;

        if (record.header.type == RLOG_START && record.header.payload_size == sizeof(start)) {
            memcpy(&start, record.payload, sizeof(start));
            *T_ns = start.T_ns;
            result = 0;
        }
    }
    rlog_reader_close(&reader);
    if (result < 0 && next != RLOG_NEXT_ERROR) {
        err_set(err, ERR_STATE, "it never started: nothing to build");
    }
    return result;
}

/* A name that is free, numbered when the plain one is taken: by a file, or by another parcel.
 */
static bool is_taken(const struct retrieval *retrieval, const char *path)
{
    if (access(path, F_OK) == 0) {
        return true;
    }
    for (size_t i = 0; i < retrieval->n_jobs; i++) {
        if (strcmp(retrieval->parcels[i].final_path, path) == 0) {
            return true;
        }
    }
    return false;
}

static int name_file(struct retrieval *retrieval, size_t i,
                     const struct rlog_manifest *manifest, int64_t T_ns, struct err *err)
{
    char time_text[CLOCK_TEXT_SIZE];
    char path[PATH_SIZE];

    clock_format_file(T_ns, time_text);
    for (unsigned number = 0; number < MAX_NUMBERED; number++) {
        char suffix[16] = "";
        int length = 0;

        if (number > 0) {
            snprintf(suffix, sizeof(suffix), "_%u", number);
        }
        length = snprintf(path, sizeof(path), "%s/%s%s_%s_%s%s.h5", retrieval->output,
                          manifest->mode == MODE_HARVEST ? "hrv_" : "emu_",
                          manifest->experiment_name, time_text,
                          retrieve_node_name(retrieval, retrieval->jobs[i].node), suffix);
        if (length >= PATH_SIZE - 8) {
            return err_set(err, ERR_INPUT, "%s: path too long", retrieval->output);
        }
        if (!is_taken(retrieval, path)) {
            memcpy(retrieval->parcels[i].final_path, path, sizeof(path));
            return 0;
        }
    }
    return err_set(err, ERR_EXISTS, "%s and all its numbers are taken", path);
}

/* A node's copy must be what the node said it is. */
static int check_digest(const struct retrieval *retrieval, size_t i, struct err *err)
{
    const struct listing_entry *entry = retrieval->parcels[i].entry;
    struct err ignored = { 0 };

    if (entry->digest[0] == '\0' || strcmp(entry->digest, retrieval->jobs[i].digest) == 0) {
        return 0;
    }
    /* Fetched anew next time. */
    if (rlog_remove(retrieval->jobs[i].folder, &ignored) < 0) {
        return err_set(err, ERR_CORRUPT, "the copy is not what the node holds; remove %s",
                       retrieval->jobs[i].folder);
    }
    return err_set(err, ERR_CORRUPT, "the copy is not what the node holds; fetch it again");
}

static void begin_build(struct retrieval *retrieval, size_t i)
{
    static const struct h5_evidence NOTHING;
    struct fetch_job *job = &retrieval->jobs[i];
    struct rlog_manifest manifest;
    int64_t T_ns = 0;
    char part_path[PATH_SIZE];

    if (!job->is_whole || check_digest(retrieval, i, &job->err) < 0
        || find_start(job->folder, &manifest, &T_ns, &job->err) < 0
        || name_file(retrieval, i, &manifest, T_ns, &job->err) < 0) {
        return;
    }
    snprintf(part_path, sizeof(part_path), "%.*s.part", PATH_SIZE - 8,
             retrieval->parcels[i].final_path);
    builder_set(retrieval->builder, i, job->folder, part_path);
    builder_finish(retrieval->builder, i, &NOTHING, retrieval->parcels[i].final_path);
    retrieval->n_building++;
}

static void on_built(void *arg, const struct builder_answer *answer)
{
    struct retrieval *retrieval = arg;

    if (answer->work != BUILDER_FINISH || answer->i >= retrieval->n_jobs) {
        return;
    }
    if (answer->result < 0) {
        retrieval->jobs[answer->i].err = answer->err;
    } else {
        retrieval->parcels[answer->i].is_built = true;
        retrieval->parcels[answer->i].summary = answer->summary;
    }
    retrieval->n_building--;
}

static int on_tick(zloop_t *loop, int timer_id, void *arg)
{
    struct retrieval *retrieval = arg;

    (void)loop;
    (void)timer_id;
    builder_tick(retrieval->builder);
    return retrieval->n_building == 0 ? -1 : 0;
}

int retrieve_build(struct retrieval *retrieval, struct err *err)
{
    struct builder_config config = { .n_nodes = retrieval->n_jobs,
                                     .on_answer = on_built,
                                     .arg = retrieval };

    retrieval->loop = zloop_new();
    if (retrieval->loop == NULL
        || zloop_timer(retrieval->loop, TICK_MS, 0, on_tick, retrieval) < 0) {
        return err_set(err, ERR_MEMORY, "the reactor");
    }
    config.loop = retrieval->loop;
    retrieval->builder = builder_open(&config, err);
    if (retrieval->builder == NULL) {
        return -1;
    }
    for (size_t i = 0; i < retrieval->n_jobs; i++) {
        begin_build(retrieval, i);
    }
    if (retrieval->n_building > 0) {
        zloop_start(retrieval->loop);
    }
    return 0;
}
