/* SPDX-License-Identifier: MIT */
/* Reading a recording log record by record, also while it still grows. */
#include "common/rlog_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct rlog_reader {
    char folder[PATH_SIZE];
    struct rlog_manifest manifest;
    int fd; /* of the current segment; -1: not there yet */
    uint32_t segment;
    uint64_t offset;
    struct rlog_segment_header header; /* of the current segment, or of the one before it */
    bool has_header;
    bool is_at_end;
    /* What was read of the segment from window_at on: records are small, calls are dear. */
    uint8_t *window;
    size_t window_size;
    size_t capacity;
    uint64_t window_at;
};

enum {
    WINDOW_BYTES = 256 * 1024
};

static int load_manifest(struct rlog_reader *reader, struct err *err)
{
    struct fault_list faults = { 0 };
    struct yaml_doc *doc = NULL;
    char path[PATH_MAX];
    int result = 0;

    snprintf(path, sizeof(path), "%s/%s", reader->folder, RLOG_MANIFEST_NAME);
    doc = yaml_load(path, err);
    if (doc == NULL) {
        return -1;
    }
    schema_decode(&rlog_manifest_schema, yaml_root(doc), &reader->manifest, &faults);
    result = fault_check(&faults, err);
    fault_fini(&faults);
    yaml_destroy(&doc);
    return result;
}

struct rlog_reader *rlog_reader_open(const char *folder, struct err *err)
{
    struct rlog_reader *reader = calloc(1, sizeof(*reader));

    if (reader == NULL) {
        err_set(err, ERR_MEMORY, "log %s", folder);
        return NULL;
    }
    reader->fd = -1;
    snprintf(reader->folder, sizeof(reader->folder), "%s", folder);
    if (load_manifest(reader, err) < 0) {
        rlog_reader_close(&reader);
    }
    return reader;
}

void rlog_reader_close(struct rlog_reader **reader_p)
{
    struct rlog_reader *reader = *reader_p;

    if (reader == NULL) {
        return;
    }
    if (reader->fd >= 0) {
        close(reader->fd);
    }
    free(reader->window);
    free(reader);
    *reader_p = NULL;
}

const struct rlog_manifest *rlog_reader_manifest(const struct rlog_reader *reader)
{
    return &reader->manifest;
}

const struct rlog_segment_header *rlog_reader_segment(const struct rlog_reader *reader)
{
    return reader->has_header ? &reader->header : NULL;
}

/* Reads size bytes at offset of the segment; fewer when they are not there yet. */
static ssize_t read_at(const struct rlog_reader *reader, void *data, size_t size,
                       uint64_t offset, struct err *err)
{
    size_t got = 0;

    while (got < size) {
        ssize_t n = pread(reader->fd, (char *)data + got, size - got, (off_t)(offset + got));

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_set_errno(err, "%s: segment %u", reader->folder, reader->segment);
        }
        if (n == 0) {
            break;
        }
        got += (size_t)n;
    }
    return (ssize_t)got;
}

static bool has_segment(const struct rlog_reader *reader, uint32_t number)
{
    char path[PATH_MAX];
    struct stat info = { 0 };

    rlog_segment_path(reader->folder, number, path, sizeof(path));
    return stat(path, &info) == 0 && info.st_size > 0;
}

static int check_header(const struct rlog_reader *reader,
                        const struct rlog_segment_header *header, struct err *err)
{
    if (rlog_check_segment_header(header, reader->segment, err) < 0) {
        return -1;
    }
    if (reader->has_header
        && memcmp(reader->header.recording_id, header->recording_id,
                  sizeof(header->recording_id))
               != 0) {
        return err_set(err, ERR_CORRUPT, "%s: segment %u is of another recording",
                       reader->folder, reader->segment);
    }
    return 0;
}

/* Opens the current segment and checks its header. */
static enum rlog_next open_segment(struct rlog_reader *reader, struct err *err)
{
    struct rlog_segment_header header = { 0 };
    char path[PATH_MAX];
    ssize_t n = 0;

    rlog_segment_path(reader->folder, reader->segment, path, sizeof(path));
    reader->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (reader->fd < 0 && errno == ENOENT) {
        return RLOG_NEXT_WAIT;
    }
    if (reader->fd < 0) {
        err_set_errno(err, "%s", path);
        return RLOG_NEXT_ERROR;
    }
    n = read_at(reader, &header, sizeof(header), 0, err);
    if (n < (ssize_t)sizeof(header)) {
        close(reader->fd);
        reader->fd = -1;
        return n < 0 ? RLOG_NEXT_ERROR : RLOG_NEXT_WAIT;
    }
    if (check_header(reader, &header, err) < 0) {
        close(reader->fd);
        reader->fd = -1;
        return RLOG_NEXT_ERROR;
    }
    reader->header = header;
    reader->has_header = true;
    reader->offset = sizeof(header);
    reader->window_size = 0;
    return RLOG_NEXT_RECORD;
}

static bool reserve(struct rlog_reader *reader, size_t size, struct err *err)
{
    uint8_t *window = NULL;

    if (size <= reader->capacity) {
        return true;
    }
    size = size < WINDOW_BYTES ? WINDOW_BYTES : size;
    window = realloc(reader->window, size);
    if (window == NULL) {
        err_set(err, ERR_MEMORY, "record of %zu bytes", size);
        return false;
    }
    reader->window = window;
    reader->capacity = size;
    return true;
}

/* Makes *data point to `size` bytes of the segment from the reader's offset on; returns how
 * many of them are there, -1 on error. */
static ssize_t look_at(struct rlog_reader *reader, size_t size, const uint8_t **data,
                       struct err *err)
{
    uint64_t skip = reader->offset - reader->window_at;
    ssize_t n = 0;

    if (reader->window_size < skip || reader->window_size - skip < size) {
        reader->window_size = 0;
        if (!reserve(reader, size, err)) {
            return -1;
        }
        n = read_at(reader, reader->window, reader->capacity, reader->offset, err);
        if (n < 0) {
            return -1;
        }
        reader->window_size = (size_t)n;
        reader->window_at = reader->offset;
        skip = 0;
    }
    *data = reader->window + skip;
    return (ssize_t)(reader->window_size - skip < size ? reader->window_size - skip : size);
}

/* What is behind the last whole record: nothing yet, or a tail that a later segment proves
 * torn. */
static enum rlog_next end_of_segment(struct rlog_reader *reader, ssize_t rest, struct err *err)
{
    if (!has_segment(reader, reader->segment + 1)) {
        return RLOG_NEXT_WAIT;
    }
    if (rest > 0) {
        err_set(err, ERR_CORRUPT, "%s: segment %u is torn at byte %llu", reader->folder,
                reader->segment, (unsigned long long)reader->offset);
        return RLOG_NEXT_ERROR;
    }
    close(reader->fd);
    reader->fd = -1;
    reader->segment++;
    return RLOG_NEXT_RECORD;
}

static enum rlog_next read_record(struct rlog_reader *reader, struct rlog_record *record,
                                  struct err *err)
{
    struct rlog_record_header *header = &record->header;
    uint64_t at = reader->offset;
    const uint8_t *data = NULL;
    size_t whole = 0;
    ssize_t n = look_at(reader, sizeof(*header), &data, err);

    if (n < (ssize_t)sizeof(*header)) {
        return n < 0 ? RLOG_NEXT_ERROR : end_of_segment(reader, n, err);
    }
    memcpy(header, data, sizeof(*header));
    if (!rlog_is_record_header(header)) {
        err_set(err, ERR_CORRUPT, "%s: segment %u, byte %llu: not a record", reader->folder,
                reader->segment, (unsigned long long)at);
        return RLOG_NEXT_ERROR;
    }
    whole = sizeof(*header) + rlog_padded(header->payload_size);
    n = look_at(reader, whole, &data, err);
    if (n < (ssize_t)whole) {
        return n < 0 ? RLOG_NEXT_ERROR : end_of_segment(reader, 1, err);
    }
    record->payload = data + sizeof(*header);
    if (!rlog_is_record_intact(header, record->payload)) {
        err_set(err, ERR_CORRUPT,
                "%s: segment %u, byte %llu: a record's checksum or padding is wrong",
                reader->folder, reader->segment, (unsigned long long)at);
        return RLOG_NEXT_ERROR;
    }
    record->segment = reader->segment;
    record->offset = at;
    reader->offset = at + whole;
    reader->is_at_end = header->type == RLOG_END;
    return RLOG_NEXT_RECORD;
}

enum rlog_next rlog_reader_next(struct rlog_reader *reader, struct rlog_record *record,
                                struct err *err)
{
    enum rlog_next next = RLOG_NEXT_RECORD;
    uint32_t segment = 0;

    if (reader->is_at_end) {
        return RLOG_NEXT_END;
    }
    do {
        if (reader->fd < 0) {
            next = open_segment(reader, err);
            if (next != RLOG_NEXT_RECORD) {
                return next;
            }
        }
        segment = reader->segment;
        next = read_record(reader, record, err);
    } while (next == RLOG_NEXT_RECORD && reader->segment != segment);
    return next;
}
