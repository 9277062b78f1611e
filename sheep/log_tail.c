/* SPDX-License-Identifier: MIT */
#include "sheep/log_tail.h"

#include "common/gpio_codec.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    RECORDS_AT_ONCE = 4000,
    PAYLOAD_MAX = 256 * 1024,
    EDGES_MAX = 16384,
    ALIGNMENT = 8,
};

struct log_tail {
    char folder[PATH_SIZE];
    struct rlog_manifest manifest;
    int fd; /* of `segment`, -1 */
    uint32_t segment;
    uint64_t offset;
    struct log_tail_news news;
    uint8_t payload[PAYLOAD_MAX];
    struct gpio_edge edges[EDGES_MAX];
};

struct log_tail *log_tail_open(const char *folder, const struct rlog_position *durable,
                               struct err *err)
{
    struct log_tail *tail = calloc(1, sizeof(*tail));
    struct rlog_reader *reader = rlog_reader_open(folder, err);

    if (reader == NULL || tail == NULL) {
        free(tail);
        rlog_reader_close(&reader);
        return NULL;
    }
    tail->manifest = *rlog_reader_manifest(reader);
    rlog_reader_close(&reader);
    snprintf(tail->folder, sizeof(tail->folder), "%s", folder);
    tail->fd = -1;
    tail->segment = durable->segment;
    tail->offset = sizeof(struct rlog_segment_header);
    return tail;
}

void log_tail_close(struct log_tail **tail)
{
    if (*tail == NULL) {
        return;
    }
    if ((*tail)->fd >= 0) {
        close((*tail)->fd);
    }
    free(*tail);
    *tail = NULL;
}

const struct rlog_manifest *log_tail_manifest(const struct log_tail *tail)
{
    return &tail->manifest;
}

/* Appends, and lets the oldest go; a hole begins anew. */
static void take_entries(struct log_tail_stream *stream,
                         const struct rlog_record_header *header,
                         const struct rlog_overview *entries)
{
    for (uint32_t i = 0; i < header->count; i++) {
        uint64_t first = header->first + (uint64_t)i * LOG_TAIL_WINDOW;

        if (stream->count > 0
            && first != stream->first + (uint64_t)stream->count * LOG_TAIL_WINDOW) {
            stream->count = 0;
        }
        if (stream->count == LOG_TAIL_ENTRIES) {
            memmove(stream->entries, stream->entries + 1,
                    (LOG_TAIL_ENTRIES - 1) * sizeof(stream->entries[0]));
            stream->count--;
            stream->first += LOG_TAIL_WINDOW;
        }
        if (stream->count == 0) {
            stream->first = first;
        }
        stream->entries[stream->count++] = entries[i];
    }
}

static void take_edges(struct log_tail *tail, const struct rlog_record_header *header)
{
    struct err ignored;

    if (header->count == 0 || header->count > EDGES_MAX
        || gpio_codec_decode(tail->payload, header->payload_size, tail->edges, header->count,
                             &ignored)
               < 0) {
        return; /* of a picture, a piece is missing */
    }
    tail->news.has_gpio = true;
    tail->news.gpio = tail->edges[header->count - 1].value;
    tail->news.gpio_ns = tail->edges[header->count - 1].time_ns;
    tail->news.n_edges += header->count;
}

static bool is_wanted(const struct rlog_record_header *header)
{
    bool is_overview = header->type == RLOG_OVERVIEW && header->flags >> 8 == LOG_TAIL_LEVEL
                       && header->stream >= RLOG_STREAM_VOLTAGE
                       && header->stream < RLOG_STREAM_VOLTAGE + LOG_TAIL_STREAMS
                       && header->payload_size == header->count * sizeof(struct rlog_overview);

    return (is_overview || header->type == RLOG_EDGES) && header->payload_size <= PAYLOAD_MAX;
}

static int take_record(struct log_tail *tail, const struct rlog_record_header *header,
                       struct err *err)
{
    uint64_t at = tail->offset + sizeof(*header);

    if (!is_wanted(header)) {
        return 0;
    }
    if (pread(tail->fd, tail->payload, header->payload_size, (off_t)at)
        != (ssize_t)header->payload_size) {
        return err_set(err, ERR_CORRUPT, "%s: segment %" PRIu32 " is short", tail->folder,
                       tail->segment);
    }
    if (header->type == RLOG_EDGES) {
        take_edges(tail, header);
    } else {
        take_entries(&tail->news.streams[header->stream - RLOG_STREAM_VOLTAGE], header,
                     (const struct rlog_overview *)(const void *)tail->payload);
    }
    return 0;
}

static int open_segment(struct log_tail *tail, struct err *err)
{
    char path[PATH_SIZE + 32];

    rlog_segment_path(tail->folder, tail->segment, path, sizeof(path));
    tail->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return tail->fd < 0 ? err_set_errno(err, "%s", path) : 0;
}

static void next_segment(struct log_tail *tail)
{
    close(tail->fd);
    tail->fd = -1;
    tail->segment++;
    tail->offset = sizeof(struct rlog_segment_header);
}

/* 1: went over a record or into the next segment; 0: nothing there yet. */
static int step(struct log_tail *tail, const struct rlog_position *durable, struct err *err)
{
    struct rlog_record_header header;
    bool is_last = tail->segment == durable->segment;

    if (tail->segment > durable->segment || (is_last && tail->offset >= durable->offset)) {
        return 0;
    }
    if (tail->fd < 0 && open_segment(tail, err) < 0) {
        return -1;
    }
    if (pread(tail->fd, &header, sizeof(header), (off_t)tail->offset) != sizeof(header)
        || header.type == 0) {
        if (is_last) {
            return err_set(err, ERR_CORRUPT, "%s is not what it was", tail->folder);
        }
        next_segment(tail);
        return 1;
    }
    if (header.payload_size > RLOG_MAX_PAYLOAD) {
        return err_set(err, ERR_CORRUPT, "%s: no record at %" PRIu64, tail->folder,
                       tail->offset);
    }
    if (take_record(tail, &header, err) < 0) {
        return -1;
    }
    tail->offset += sizeof(header)
                    + (header.payload_size + (uint64_t)ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return 1;
}

int log_tail_read(struct log_tail *tail, const struct rlog_position *durable,
                  const struct log_tail_news **news, struct err *err)
{
    int result = 1;

    for (unsigned i = 0; i < LOG_TAIL_STREAMS; i++) {
        tail->news.streams[i].count = 0;
    }
    for (unsigned i = 0; i < RECORDS_AT_ONCE && result == 1; i++) {
        result = step(tail, durable, err);
    }
    *news = &tail->news;
    return result < 0 ? -1 : 0;
}
