/* SPDX-License-Identifier: MIT */
#include "herd/collect.h"

#include "common/buf.h"
#include "common/clock.h"
#include "common/rlog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    READ_BYTES = 256 * 1024,
    WRITE_BEHIND_BYTES = 8 * 1024 * 1024
};

struct collect {
    struct rlog_digest *digest;
    char folder[PATH_SIZE];
    char log[PROTO_NAME_SIZE];
    int fd; /* of `segment`, -1 */
    uint32_t segment;
    uint64_t offset;
    uint64_t total;
    uint64_t received;
    uint64_t repeated; /* came, and was here already or led on from nowhere */
    uint64_t window;   /* credit of a FETCH */
    bool has_manifest;
    bool is_complete;
    bool is_kept; /* see collect_keep */
    /* what was asked for */
    bool is_asked;
    bool is_gap_known; /* asked anew since bytes were found to be lost */
    uint32_t asked_segment;
    uint64_t asked_total; /* `total` at that time */
    int64_t asked_ns;     /* monotonic */
    int64_t manifest_ns;
    int64_t moved_ns; /* bytes came */
    int64_t probe_ns; /* asked whether some are under way still */
};

static void manifest_path(const struct collect *collect, char *path, size_t size)
{
    snprintf(path, size, "%s/manifest.yaml", collect->folder);
}

/* ---- the copy ---- */

static void begin_digest(struct collect *collect)
{
    rlog_digest_reset(collect->digest);
    collect->segment = 0;
    collect->offset = 0;
    collect->total = 0;
}

static int open_segment(struct collect *collect, int flags, struct err *err)
{
    char path[PATH_SIZE + 32];

    rlog_segment_path(collect->folder, collect->segment, path, sizeof(path));
    collect->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0644);
    if (collect->fd < 0 && (flags & O_CREAT) != 0) {
        return err_set_errno(err, "%s", path);
    }
    return collect->fd < 0 ? -1 : 0;
}

static void close_segment(struct collect *collect)
{
    if (collect->fd >= 0) {
        close(collect->fd);
        collect->fd = -1;
    }
}

static void next_segment(struct collect *collect)
{
    close_segment(collect);
    rlog_digest_next_segment(collect->digest);
    collect->segment++;
    collect->offset = 0;
}

static int digest_segment(struct collect *collect, struct err *err)
{
    uint8_t *bytes = malloc(READ_BYTES);
    ssize_t n = 0;

    if (bytes == NULL) {
        return err_set(err, ERR_MEMORY, "a segment");
    }
    while ((n = pread(collect->fd, bytes, READ_BYTES, (off_t)collect->offset)) > 0) {
        rlog_digest_update(collect->digest, bytes, (size_t)n);
        collect->offset += (uint64_t)n;
        collect->total += (uint64_t)n;
    }
    free(bytes);
    return n < 0 ? err_set_errno(err, "%s", collect->folder) : 0;
}

/* Reads what an earlier herd has fetched: the digest goes over it, and the copy continues at
 * its end. */
static int resume(struct collect *collect, struct err *err)
{
    begin_digest(collect);
    while (open_segment(collect, 0, NULL) == 0) {
        char path[PATH_SIZE + 32];

        if (digest_segment(collect, err) < 0) {
            return -1;
        }
        rlog_segment_path(collect->folder, collect->segment + 1, path, sizeof(path));
        if (access(path, F_OK) < 0) {
            break;
        }
        next_segment(collect);
    }
    return 0;
}

struct collect *collect_open(const char *folder, const char *log, struct err *err)
{
    struct collect *collect = calloc(1, sizeof(*collect));
    char path[PATH_SIZE + 32];

    if (collect == NULL) {
        err_set(err, ERR_MEMORY, "the copy of a log");
        return NULL;
    }
    collect->fd = -1;
    collect->digest = rlog_digest_create();
    if (collect->digest == NULL) {
        err_set(err, ERR_MEMORY, "the copy of a log");
        goto fail;
    }
    collect->window = COLLECT_CREDIT;
    snprintf(collect->log, sizeof(collect->log), "%s", log);
    if (snprintf(collect->folder, sizeof(collect->folder), "%s", folder)
        >= (int)sizeof(collect->folder)) {
        err_set(err, ERR_INPUT, "%s: path too long", folder);
        goto fail;
    }
    if (dir_make(folder, 0755, err) < 0 || resume(collect, err) < 0) {
        goto fail;
    }
    manifest_path(collect, path, sizeof(path));
    collect->has_manifest = access(path, F_OK) == 0;
    return collect;
fail:
    collect_close(&collect);
    return NULL;
}

void collect_close(struct collect **collect)
{
    if (*collect == NULL) {
        return;
    }
    close_segment(*collect);
    rlog_digest_destroy(&(*collect)->digest);
    free(*collect);
    *collect = NULL;
}

int collect_restart(struct collect *collect, struct err *err)
{
    uint32_t last = collect->segment;

    close_segment(collect);
    for (uint32_t segment = 0; segment <= last; segment++) {
        char path[PATH_SIZE + 32];

        rlog_segment_path(collect->folder, segment, path, sizeof(path));
        if (unlink(path) < 0 && errno != ENOENT) {
            return err_set_errno(err, "%s", path);
        }
    }
    begin_digest(collect);
    collect->is_complete = false;
    collect_reset(collect);
    return 0;
}

/* ---- asking ---- */

void collect_reset(struct collect *collect)
{
    collect->is_asked = false;
    collect->is_gap_known = false;
    collect->manifest_ns = 0;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static bool is_stuck(const struct collect *collect, int64_t mono_ns, uint64_t available)
{
    int64_t last_ns = later(later(collect->asked_ns, collect->moved_ns), collect->probe_ns);

    return available > collect->total && mono_ns >= last_ns + COLLECT_RETRY_MS * NS_PER_MS;
}

static bool is_enough_asked(const struct collect *collect)
{
    return collect->is_asked
           && collect->total < collect->asked_total + collect->window / COLLECT_ACKS
           && collect->segment == collect->asked_segment;
}

bool collect_next_fetch(struct collect *collect, int64_t mono_ns, uint64_t available,
                        struct body_fetch *body)
{
    memset(body, 0, sizeof(*body));
    snprintf(body->log, sizeof(body->log), "%s", collect->log);
    if (!collect->has_manifest
        && (collect->manifest_ns == 0
            || mono_ns >= collect->manifest_ns + COLLECT_RETRY_MS * NS_PER_MS)) {
        collect->manifest_ns = mono_ns;
        body->manifest = true;
        return true;
    }
    if (collect->is_complete) {
        return false;
    }
    body->segment = collect->segment;
    body->offset = collect->offset;
    body->is_kept = collect->is_kept;
    if (is_enough_asked(collect)) {
        /* No credit: a question. What is under way may be slow, and would come twice. */
        bool is_due = is_stuck(collect, mono_ns, available);

        collect->probe_ns = is_due ? mono_ns : collect->probe_ns;
        return is_due;
    }
    body->credit_bytes = collect->window;
    collect->is_asked = true;
    collect->asked_segment = collect->segment;
    collect->asked_total = collect->total;
    collect->asked_ns = mono_ns;
    return true;
}

/* ---- what comes ---- */

static int take_manifest(struct collect *collect, struct proto_frame payload, struct err *err)
{
    char path[PATH_SIZE + 32];

    if (collect->has_manifest) {
        return 0;
    }
    manifest_path(collect, path, sizeof(path));
    if (file_write_atomic(path, payload.data, payload.size, 0644, err) < 0) {
        return -1;
    }
    collect->has_manifest = true;
    return 0;
}

/* The disk writes while more comes: a sync of a whole segment would stop everything that herd
 * does. Only speed depends on it. */
static void begin_writing(const struct collect *collect, uint64_t end)
{
    uint64_t from = collect->offset / WRITE_BEHIND_BYTES;
    uint64_t to = end / WRITE_BEHIND_BYTES;

    if (from != to) {
        (void)!sync_file_range(collect->fd, (off_t)(from * WRITE_BEHIND_BYTES),
                               (off_t)((to - from) * WRITE_BEHIND_BYTES),
                               SYNC_FILE_RANGE_WRITE);
    }
}

static int append(struct collect *collect, struct proto_frame payload, struct err *err)
{
    const char *data = payload.data;
    size_t done = 0;

    if (collect->fd < 0 && open_segment(collect, O_CREAT, err) < 0) {
        return -1;
    }
    while (done < payload.size) {
        ssize_t n = pwrite(collect->fd, data + done, payload.size - done,
                           (off_t)(collect->offset + done));

        if (n < 0) {
            return err_set_errno(err, "%s", collect->folder);
        }
        done += (size_t)n;
    }
    begin_writing(collect, collect->offset + payload.size);
    rlog_digest_update(collect->digest, payload.data, payload.size);
    collect->offset += payload.size;
    collect->total += payload.size;
    collect->received += payload.size;
    return 0;
}

/* The connection keeps the order: bytes from further on, or the echo of a question before any
 * bytes, mean that those between are lost. Asked anew once, until they come. */
static bool is_loss(const struct collect *collect, const struct body_data *body, size_t size)
{
    bool is_here = body->segment == collect->segment && body->offset == collect->offset;
    bool is_ahead = body->segment > collect->segment
                    || (body->segment == collect->segment && body->offset > collect->offset);
    bool is_echo = size == 0 && !body->is_segment_end;

    return is_echo ? is_here : is_ahead && !collect->is_gap_known;
}

static void note_loss(struct collect *collect, const struct body_data *body, size_t size)
{
    if (is_loss(collect, body, size)) {
        collect->is_asked = false;
        collect->is_gap_known = true;
    }
}

int collect_take(struct collect *collect, const struct body_data *body,
                 struct proto_frame payload, struct err *err)
{
    if (strcmp(body->log, collect->log) != 0) {
        return 0;
    }
    if (body->is_manifest) {
        return take_manifest(collect, payload, err);
    }
    /* Also what is of no use here shows that the node is at it: to ask once more while it comes
     * would bring all of it once more. */
    collect->moved_ns = clock_mono_ns();
    note_loss(collect, body, payload.size);
    if (collect->is_complete || body->segment != collect->segment
        || body->offset != collect->offset
        || payload.size > RLOG_SEGMENT_BYTES - collect->offset) {
        collect->repeated += payload.size;
        return 0;
    }
    if (payload.size > 0 && append(collect, payload, err) < 0) {
        return -1;
    }
    collect->is_gap_known = collect->is_gap_known && payload.size == 0;
    if (body->is_log_end) {
        collect->is_complete = true;
    } else if (body->is_segment_end) {
        if (collect_sync(collect, err) < 0) {
            return -1;
        }
        next_segment(collect);
    }
    return 0;
}

/* ---- looks ---- */

bool collect_has_manifest(const struct collect *collect)
{
    return collect->has_manifest;
}

bool collect_is_complete(const struct collect *collect)
{
    return collect->is_complete && collect->has_manifest;
}

uint64_t collect_bytes(const struct collect *collect)
{
    return collect->total;
}

uint64_t collect_received(const struct collect *collect)
{
    return collect->received;
}

uint64_t collect_repeated(const struct collect *collect)
{
    return collect->repeated;
}

void collect_keep(struct collect *collect)
{
    collect->is_kept = true;
}

void collect_set_window(struct collect *collect, uint64_t bytes)
{
    collect->window = bytes < COLLECT_WINDOW_MIN ? COLLECT_WINDOW_MIN
                      : bytes > COLLECT_CREDIT   ? COLLECT_CREDIT
                                                 : bytes;
}

const char *collect_folder(const struct collect *collect)
{
    return collect->folder;
}

void collect_digest(const struct collect *collect, char text[DIGEST_TEXT_SIZE])
{
    uint8_t digest[RLOG_DIGEST_BYTES];

    rlog_digest_get(collect->digest, digest);
    rlog_digest_text(digest, text);
}

int collect_sync(struct collect *collect, struct err *err)
{
    int folder = -1;
    int result = 0;

    if (collect->fd >= 0 && fdatasync(collect->fd) < 0) {
        return err_set_errno(err, "%s", collect->folder);
    }
    folder = open(collect->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || fsync(folder) < 0) {
        result = err_set_errno(err, "%s", collect->folder);
    }
    if (folder >= 0) {
        close(folder);
    }
    return result;
}
