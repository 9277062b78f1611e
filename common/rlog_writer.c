/* SPDX-License-Identifier: MIT */
/* Appending to a recording log: records gather in one aligned buffer that goes to the disk
 * whole. */
#include "common/rlog_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BUFFER_BYTES = 1024 * 1024,
    BUFFER_ALIGN = 4096,
};

struct rlog_writer {
    char folder[PATH_SIZE];
    uint8_t id[16];
    int fd;      /* of the current segment */
    int next_fd; /* of the next one, prepared by sync; -1 */
    uint32_t segment;
    uint64_t offset;       /* in the segment, what is buffered included */
    uint64_t before_bytes; /* of all earlier segments */
    struct rlog_position durable;
    uint32_t n_records;
    uint8_t *buffer;
    size_t fill;
    struct rlog_digest *digest;
};

static int open_segment(const struct rlog_writer *writer, uint32_t number, struct err *err)
{
    char path[PATH_MAX];
    int fd = -1;

    rlog_segment_path(writer->folder, number, path, sizeof(path));
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) {
        err_set_errno(err, "%s", path);
    }
    return fd;
}

static int flush(struct rlog_writer *writer, struct err *err)
{
    size_t size = writer->fill;

    if (size == 0) {
        return 0;
    }
    writer->fill = 0;
    return rlog_write_all(writer->fd, writer->buffer, size, writer->folder, err);
}

/* Into the buffer; pieces larger than what is free go through it in parts. */
static int put(struct rlog_writer *writer, const void *data, size_t size, struct err *err)
{
    const uint8_t *at = data;

    writer->offset += size;
    while (size > 0) {
        size_t room = BUFFER_BYTES - writer->fill;
        size_t part = size < room ? size : room;

        memcpy(writer->buffer + writer->fill, at, part);
        writer->fill += part;
        at += part;
        size -= part;
        if (writer->fill == BUFFER_BYTES && flush(writer, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int begin_segment(struct rlog_writer *writer, struct err *err)
{
    struct rlog_segment_header header = rlog_make_segment_header(writer->segment, writer->id);

    writer->offset = 0;
    rlog_digest_update(writer->digest, &header, sizeof(header));
    return put(writer, &header, sizeof(header), err);
}

/* The earlier segment is durable before the next one gets its first byte: whatever is found
 * behind it after a cut of power, the earlier one is whole. */
static int next_segment(struct rlog_writer *writer, struct err *err)
{
    if (rlog_writer_sync(writer, err) < 0) {
        return -1;
    }
    if (writer->next_fd < 0) {
        writer->next_fd = open_segment(writer, writer->segment + 1, err);
        if (writer->next_fd < 0 || rlog_sync_folder(writer->folder, err) < 0) {
            return -1;
        }
    }
    close(writer->fd);
    writer->fd = writer->next_fd;
    writer->next_fd = -1;
    writer->before_bytes += writer->offset;
    writer->segment++;
    rlog_digest_next_segment(writer->digest);
    return begin_segment(writer, err);
}

static int make_folder(struct rlog_writer *writer, const struct rlog_manifest *manifest,
                       struct err *err)
{
    struct buf text = { 0 };
    char path[PATH_MAX];
    int result = 0;

    if (mkdir(writer->folder, 0755) < 0) {
        return err_set_errno(err, "%s", writer->folder);
    }
    snprintf(path, sizeof(path), "%s/%s", writer->folder, RLOG_MANIFEST_NAME);
    schema_encode(&rlog_manifest_schema, manifest, &text, 0);
    if (text.failed) {
        result = err_set(err, ERR_MEMORY, "manifest of %s", writer->folder);
    } else {
        result = file_write_atomic(path, text.data, text.size, 0644, err);
    }
    buf_fini(&text);
    return result;
}

struct rlog_writer *rlog_writer_create(const char *folder, const struct rlog_manifest *manifest,
                                       struct err *err)
{
    struct rlog_writer *writer = calloc(1, sizeof(*writer));
    void *buffer = NULL;
    char parent[PATH_SIZE];

    if (writer == NULL) {
        err_set(err, ERR_MEMORY, "log %s", folder);
        return NULL;
    }
    writer->fd = -1;
    writer->next_fd = -1;
    if (sodium_init() < 0
        || (size_t)snprintf(writer->folder, sizeof(writer->folder), "%s", folder)
               >= sizeof(writer->folder)) {
        err_set(err, ERR_INPUT, "%s: path too long", folder);
        goto fail;
    }
    randombytes_buf(writer->id, sizeof(writer->id));
    writer->digest = rlog_digest_create();
    if (writer->digest == NULL || posix_memalign(&buffer, BUFFER_ALIGN, BUFFER_BYTES) != 0) {
        err_set(err, ERR_MEMORY, "log %s", folder);
        goto fail;
    }
    writer->buffer = buffer;
    memset(writer->buffer, 0, BUFFER_BYTES); /* touched now, not while running */
    if (make_folder(writer, manifest, err) < 0) {
        goto fail;
    }
    writer->fd = open_segment(writer, 0, err);
    snprintf(parent, sizeof(parent), "%s/..", folder);
    if (writer->fd < 0 || begin_segment(writer, err) < 0 || rlog_writer_sync(writer, err) < 0
        || rlog_sync_folder(folder, err) < 0 || rlog_sync_folder(parent, err) < 0) {
        goto fail;
    }
    return writer;
fail:
    rlog_writer_destroy(&writer);
    return NULL;
}

int rlog_writer_append(struct rlog_writer *writer, struct rlog_record_header header,
                       const void *payload, size_t size, struct err *err)
{
    static const uint8_t zeros[8];
    size_t padding = rlog_padded(size) - size;

    if (size > RLOG_MAX_PAYLOAD) {
        return err_set(err, ERR_INPUT, "record of %zu bytes", size);
    }
    if (writer->offset + sizeof(header) + size + padding > RLOG_SEGMENT_BYTES
        && next_segment(writer, err) < 0) {
        return -1;
    }
    rlog_seal_record(&header, payload, size);
    rlog_digest_record(writer->digest, &header);
    writer->n_records++;
    if (put(writer, &header, sizeof(header), err) < 0 || put(writer, payload, size, err) < 0) {
        return -1;
    }
    return put(writer, zeros, padding, err);
}

int rlog_writer_sync(struct rlog_writer *writer, struct err *err)
{
    if (flush(writer, err) < 0) {
        return -1;
    }
    if (fdatasync(writer->fd) < 0) {
        return err_set_errno(err, "sync of %s", writer->folder);
    }
    writer->durable = (struct rlog_position){ writer->segment, writer->offset,
                                              writer->before_bytes + writer->offset };
    /* A segment that is nearly full gets its successor now, when nobody waits. */
    if (writer->next_fd < 0 && writer->offset > (uint64_t)RLOG_SEGMENT_BYTES / 4 * 3) {
        writer->next_fd = open_segment(writer, writer->segment + 1, err);
        if (writer->next_fd < 0 || rlog_sync_folder(writer->folder, err) < 0) {
            return -1;
        }
    }
    return 0;
}

struct rlog_position rlog_writer_durable(const struct rlog_writer *writer)
{
    return writer->durable;
}

int rlog_writer_finish(struct rlog_writer *writer, const struct rlog_end *end,
                       uint8_t digest[RLOG_DIGEST_BYTES], struct err *err)
{
    struct rlog_end last = *end;
    struct rlog_record_header header = { .type = RLOG_END };
    char path[PATH_MAX];

    last.n_records = writer->n_records + 1;
    rlog_digest_get(writer->digest, last.digest);
    if (rlog_writer_append(writer, header, &last, sizeof(last), err) < 0) {
        return -1;
    }
    /* The successor that was prepared and not needed. */
    if (writer->next_fd >= 0) {
        rlog_segment_path(writer->folder, writer->segment + 1, path, sizeof(path));
        close(writer->next_fd);
        writer->next_fd = -1;
        unlink(path);
    }
    if (rlog_writer_sync(writer, err) < 0) {
        return -1;
    }
    rlog_digest_get(writer->digest, digest);
    return rlog_sync_folder(writer->folder, err);
}

void rlog_writer_destroy(struct rlog_writer **writer_p)
{
    struct rlog_writer *writer = *writer_p;

    if (writer == NULL) {
        return;
    }
    if (writer->fd >= 0) {
        close(writer->fd);
    }
    if (writer->next_fd >= 0) {
        close(writer->next_fd);
    }
    free(writer->buffer);
    rlog_digest_destroy(&writer->digest);
    free(writer);
    *writer_p = NULL;
}
