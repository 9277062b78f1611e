/* SPDX-License-Identifier: MIT */
/* Room for the recording: enough before it starts, and an end in order before there is none. */
#include "sheep/recording_state.h"

#include "sheep/space.h"

#include <stdio.h>
#include <string.h>

enum {
    SPACE_INTERVAL_MS = 1000,
    EARLY_TIMES = 2, /* what has to stay free: then it is told */
    BYTES_IN_MB = 1000000
};

/* What may still be on its way to the disk when the end is decided. */
static const uint64_t SPACE_MARGIN_BYTES = UINT64_C(16) << 20;

static bool is_in_memory(const struct recording *recording)
{
    return recording->request.manifest.config.record.where == WHERE_RAM;
}

/* What stays free, and what may still be on its way when the end is decided. */
static uint64_t space_to_keep(const struct recording *recording)
{
    return SPACE_MARGIN_BYTES
           + (is_in_memory(recording) ? SPACE_MEMORY_RESERVE
                                      : recording->options.disk_reserve_bytes);
}

/* The log is not there yet: its parent is asked. */
static void log_parent(const struct recording *recording, char folder[PATH_SIZE])
{
    const char *path = recording->request.log_folder;
    const char *slash = strrchr(path, '/');

    if (slash == NULL) {
        snprintf(folder, PATH_SIZE, ".");
    } else {
        snprintf(folder, PATH_SIZE, "%.*s", (int)(slash - path), path);
    }
}

void recording_begin_space(struct recording *recording)
{
    struct space_place log = { .name = is_in_memory(recording) ? "memory" : "disk",
                               .is_memory = is_in_memory(recording),
                               .early_bytes = EARLY_TIMES * space_to_keep(recording),
                               .end_bytes = space_to_keep(recording) };

    log_parent(recording, log.folder);
    space_watch_add(&recording->space, &log);
    if (recording->options.state_dir != NULL) {
        space_watch_add_system(&recording->space, "file system of the node's state",
                               recording->options.state_dir, true);
    }
    if (recording->options.temp_dir != NULL) {
        space_watch_add_system(&recording->space, "file system of temporary files",
                               recording->options.temp_dir, false);
    }
}

/* Uncompressed, because what a noisy signal compresses to is known only afterwards. */
int recording_check_space(const struct recording *recording, struct err *err)
{
    const struct rlog_manifest *manifest = &recording->request.manifest;
    uint64_t needed = space_to_keep(recording);
    uint64_t available = 0;
    char folder[PATH_SIZE];

    log_parent(recording, folder);
    if (space_free(folder, is_in_memory(recording), &available, err) < 0) {
        return -1;
    }
    if (recording->stop_sample != PRU_NO_STOP) {
        needed +=
            space_needed(is_in_memory(recording),
                         (unsigned)__builtin_popcount(recording_mask(manifest))
                             * record_bytes(&manifest->config.record, recording->stop_sample));
    }
    if (available < needed) {
        return err_set(err, ERR_NO_SPACE,
                       "the %s has %llu MB free, the recording may need %llu MB",
                       is_in_memory(recording) ? "memory" : "disk",
                       (unsigned long long)(available / BYTES_IN_MB),
                       (unsigned long long)(needed / BYTES_IN_MB));
    }
    return 0;
}

static void end_run(struct recording *recording)
{
    struct err err;

    if (recording->is_out_of_space) {
        return;
    }
    recording->is_out_of_space = true;
    recording->reason = RLOG_END_NO_SPACE;
    if (pru_link_stop_at(&recording->link, 0, &err) < 0) {
        recording_fail(recording, err.text);
    }
}

static void look_at(struct recording *recording, struct space_place *place)
{
    struct space_room room;
    enum space_news news = space_watch_look(place, &room);
    unsigned long long free_mb = room.free_bytes / BYTES_IN_MB;

    switch (news) {
    case SPACE_NOTHING_NEW:
        break;
    case SPACE_SHORT:
        recording_remark(recording, "room runs short: the %s had only %llu MB left",
                         place->name, free_mb);
        break;
    case SPACE_OUT:
        recording_remark(recording, "ended early: the %s has only %llu MB left", place->name,
                         free_mb);
        end_run(recording);
        break;
    case SPACE_READ_ONLY:
        recording_remark(recording, "the %s was mounted read-only", place->name);
        break;
    }
}

void recording_watch_space(struct recording *recording)
{
    int64_t now_ns = clock_mono(recording->options.clock);

    if (now_ns < recording->next_space_mono_ns) {
        return;
    }
    recording->next_space_mono_ns = now_ns + SPACE_INTERVAL_MS * NS_PER_MS;
    for (unsigned i = 0; i < recording->space.n_places; i++) {
        look_at(recording, &recording->space.places[i]);
    }
}
