/* SPDX-License-Identifier: MIT */
#include "herd/log_copy.h"

#include "common/buf.h"
#include "common/rlog.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct log_copy {
    char folder[PATH_MAX];
    struct log_copy_position at;
    int fd; /* of the segment at the position; -1: not open */
};

static void segment_path(const struct log_copy *copy, uint32_t number, char path[PATH_MAX])
{
    rlog_segment_path(copy->folder, number, path, PATH_MAX);
}

static bool manifest_path(const struct log_copy *copy, char path[PATH_MAX])
{
    return snprintf(path, PATH_MAX, "%s/manifest.yaml", copy->folder) < PATH_MAX;
}

/* Segments are filled in order, so that the last one that exists is the one to go on with.
 * Whether it was complete is not known: asking at its end gives the answer. */
static int find_position(struct log_copy *copy, struct err *err)
{
    char path[PATH_MAX];
    struct stat info = { 0 };

    copy->at.has_manifest = manifest_path(copy, path) && access(path, F_OK) == 0;
    for (uint32_t number = 0;; number++) {
        segment_path(copy, number, path);
        if (lstat(path, &info) < 0) {
            return errno == ENOENT ? 0 : err_set_errno(err, "%s", path);
        }
        if (!S_ISREG(info.st_mode) || info.st_size > RLOG_SEGMENT_BYTES) {
            return err_set(err, ERR_CORRUPT, "%s: not a segment of a log", path);
        }
        copy->at.segment = number;
        copy->at.offset = (uint64_t)info.st_size;
        copy->at.total += (uint64_t)info.st_size;
    }
}

struct log_copy *log_copy_open(const char *folder, struct err *err)
{
    struct log_copy *copy = calloc(1, sizeof(*copy));

    if (copy == NULL) {
        err_set(err, ERR_MEMORY, "copy of a log");
        return NULL;
    }
    copy->fd = -1;
    /* Room for the longest name of a file inside. */
    if (snprintf(copy->folder, sizeof(copy->folder), "%s", folder) >= PATH_MAX - 32) {
        err_set(err, ERR_INPUT, "%s: path too long", folder);
        goto fail;
    }
    if (dir_make(folder, 0755, err) < 0 || find_position(copy, err) < 0) {
        goto fail;
    }
    return copy;
fail:
    log_copy_close(&copy);
    return NULL;
}

void log_copy_close(struct log_copy **copy)
{
    if (*copy == NULL) {
        return;
    }
    if ((*copy)->fd >= 0) {
        close((*copy)->fd);
    }
    free(*copy);
    *copy = NULL;
}

struct log_copy_position log_copy_position(const struct log_copy *copy)
{
    return copy->at;
}

int log_copy_sync(struct log_copy *copy, struct err *err)
{
    if (copy->fd >= 0 && fdatasync(copy->fd) < 0) {
        return err_set_errno(err, "%s: segment %u", copy->folder, copy->at.segment);
    }
    return 0;
}

static int take_manifest(struct log_copy *copy, struct proto_frame payload, struct err *err)
{
    char path[PATH_MAX];

    if (copy->at.has_manifest) {
        return 0;
    }
    if (!manifest_path(copy, path)) {
        return err_set(err, ERR_INPUT, "%s: path too long", copy->folder);
    }
    if (file_write_atomic(path, payload.data, payload.size, 0644, err) < 0) {
        return -1;
    }
    copy->at.has_manifest = true;
    return 0;
}

static int open_segment(struct log_copy *copy, struct err *err)
{
    char path[PATH_MAX];

    if (copy->fd >= 0) {
        return 0;
    }
    segment_path(copy, copy->at.segment, path);
    copy->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (copy->fd < 0) {
        return err_set_errno(err, "%s", path);
    }
    return 0;
}

static int write_all(struct log_copy *copy, const uint8_t *bytes, size_t size, struct err *err)
{
    while (size > 0) {
        ssize_t n = pwrite(copy->fd, bytes, size, (off_t)copy->at.offset);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_set_errno(err, "%s: segment %u", copy->folder, copy->at.segment);
        }
        bytes += n;
        size -= (size_t)n;
        copy->at.offset += (uint64_t)n;
        copy->at.total += (uint64_t)n;
    }
    return 0;
}

/* What is behind a complete segment, durable first. */
static int next_segment(struct log_copy *copy, bool is_log_end, struct err *err)
{
    if (log_copy_sync(copy, err) < 0) {
        return -1;
    }
    if (is_log_end) {
        copy->at.is_whole = true;
        return 0;
    }
    if (copy->fd >= 0) {
        close(copy->fd);
        copy->fd = -1;
    }
    copy->at.segment++;
    copy->at.offset = 0;
    return 0;
}

static int take_bytes(struct log_copy *copy, const struct body_data *body,
                      struct proto_frame payload, struct err *err)
{
    const uint8_t *bytes = payload.data;
    uint64_t skip = 0;

    if (body->segment > copy->at.segment
        || (body->segment == copy->at.segment && body->offset > copy->at.offset)) {
        return err_set(err, ERR_STATE, "bytes from segment %llu, offset %llu came too early",
                       (unsigned long long)body->segment, (unsigned long long)body->offset);
    }
    skip = copy->at.offset - body->offset;
    if (skip > payload.size) {
        return 0;
    }
    if (copy->at.offset + (payload.size - skip) > RLOG_SEGMENT_BYTES) {
        return err_set(err, ERR_INPUT, "a segment of more than %d bytes", RLOG_SEGMENT_BYTES);
    }
    if (open_segment(copy, err) < 0
        || write_all(copy, bytes + skip, payload.size - skip, err) < 0) {
        return -1;
    }
    return body->is_segment_end ? next_segment(copy, body->is_log_end, err) : 0;
}

int log_copy_take(struct log_copy *copy, const struct body_data *body,
                  struct proto_frame payload, struct err *err)
{
    if (body->is_manifest) {
        return take_manifest(copy, payload, err);
    }
    if (copy->at.is_whole || body->segment < copy->at.segment) {
        return 0; /* of before; all of it is here */
    }
    return take_bytes(copy, body, payload, err);
}
