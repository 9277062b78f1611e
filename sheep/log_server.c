/* SPDX-License-Identifier: MIT */
#include "sheep/log_server.h"

#include "common/buf.h"
#include "common/log.h"
#include "sheep/log_give_back.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MANIFEST_MAX = 256 * 1024
};

struct stream {
    char peer_id[WIRE_ID_SIZE]; /* "": free */
    char log[PROTO_NAME_SIZE];
    char folder[PATH_SIZE];
    struct proto_token token;
    uint64_t used;          /* for who goes when there are too many */
    uint64_t asked_segment; /* by the last FETCH */
    uint64_t asked_offset;
    uint64_t segment; /* next byte to send */
    uint64_t offset;
    uint64_t credit;
    bool is_end_sent;
    bool is_closed;      /* it was once, and stays so: nobody has to look it up again */
    uint32_t given_back; /* segments in front of it were, on this stream's word */
    int fd;              /* of `segment`, -1 */
};

struct log_server {
    struct log_server_options options;
    struct stream streams[LOG_SERVER_STREAMS];
    size_t turn;
    uint64_t clock;
    uint8_t *piece;
};

struct log_server *log_server_create(const struct log_server_options *options, struct err *err)
{
    struct log_server *server = calloc(1, sizeof(*server));

    if (server == NULL || (server->piece = malloc(LOG_SERVER_PIECE)) == NULL) {
        err_set(err, ERR_MEMORY, "log server");
        log_server_destroy(&server);
        return NULL;
    }
    server->options = *options;
    for (size_t i = 0; i < LOG_SERVER_STREAMS; i++) {
        server->streams[i].fd = -1;
    }
    return server;
}

static void close_segment(struct stream *stream)
{
    if (stream->fd >= 0) {
        close(stream->fd);
        stream->fd = -1;
    }
}

static void end_stream(struct stream *stream)
{
    close_segment(stream);
    memset(stream, 0, sizeof(*stream));
    stream->fd = -1;
}

void log_server_destroy(struct log_server **server_p)
{
    struct log_server *server = *server_p;

    if (server == NULL) {
        return;
    }
    for (size_t i = 0; i < LOG_SERVER_STREAMS && server->piece != NULL; i++) {
        end_stream(&server->streams[i]);
    }
    free(server->piece);
    free(server);
    *server_p = NULL;
}

void log_server_forget(struct log_server *server, const char *log)
{
    for (size_t i = 0; i < LOG_SERVER_STREAMS; i++) {
        if (strcmp(server->streams[i].log, log) == 0) {
            end_stream(&server->streams[i]);
        }
    }
}

/* ---- FETCH ---- */

static bool is_live(const struct log_server *server, struct stream *stream,
                    struct rlog_position *durable)
{
    if (!stream->is_closed) {
        stream->is_closed = !server->options.is_live(server->options.arg, stream->log, durable);
    }
    return !stream->is_closed;
}

static struct stream *find_stream(struct log_server *server, const char *peer_id,
                                  const char *log)
{
    for (size_t i = 0; i < LOG_SERVER_STREAMS; i++) {
        struct stream *stream = &server->streams[i];

        if (strcmp(stream->peer_id, peer_id) == 0 && strcmp(stream->log, log) == 0) {
            return stream;
        }
    }
    return NULL;
}

static struct stream *new_stream(struct log_server *server, const char *peer_id,
                                 const char *log)
{
    struct stream *oldest = &server->streams[0];

    for (size_t i = 0; i < LOG_SERVER_STREAMS; i++) {
        if (server->streams[i].used < oldest->used) {
            oldest = &server->streams[i];
        }
    }
    end_stream(oldest);
    snprintf(oldest->peer_id, sizeof(oldest->peer_id), "%s", peer_id);
    snprintf(oldest->log, sizeof(oldest->log), "%s", log);
    return oldest;
}

static bool segment_size(const struct stream *stream, uint64_t segment, uint64_t *size)
{
    char path[PATH_SIZE + 32];
    struct stat status;

    if (segment > UINT32_MAX) {
        return false;
    }
    rlog_segment_path(stream->folder, (uint32_t)segment, path, sizeof(path));
    if (lstat(path, &status) < 0 || !S_ISREG(status.st_mode)) {
        return false;
    }
    *size = (uint64_t)status.st_size;
    return true;
}

static bool is_behind(uint64_t segment, uint64_t offset, uint64_t than_segment,
                      uint64_t than_offset)
{
    return segment > than_segment || (segment == than_segment && offset > than_offset);
}

/* Bytes that are under way: from the position that is asked for to what was sent. */
static uint64_t bytes_sent_since(const struct stream *stream, const struct body_fetch *body)
{
    uint64_t bytes = 0;
    uint64_t offset = body->offset;

    for (uint64_t segment = body->segment; segment < stream->segment; segment++) {
        uint64_t size = 0;

        if (segment_size(stream, segment, &size) && size > offset) {
            bytes += size - offset;
        }
        offset = 0;
    }
    return bytes + (stream->offset > offset ? stream->offset - offset : 0);
}

static void grant(struct stream *stream, const struct body_fetch *body)
{
    uint64_t credit =
        body->credit_bytes < LOG_SERVER_CREDIT_MAX ? body->credit_bytes : LOG_SERVER_CREDIT_MAX;
    bool is_progress =
        is_behind(body->segment, body->offset, stream->asked_segment, stream->asked_offset)
        && !is_behind(body->segment, body->offset, stream->segment, stream->offset);

    if (is_progress && !stream->is_end_sent) {
        uint64_t under_way = bytes_sent_since(stream, body);

        stream->credit = credit > under_way ? credit - under_way : 0;
    } else {
        close_segment(stream);
        stream->segment = body->segment;
        stream->offset = body->offset;
        stream->credit = credit;
        stream->is_end_sent = false;
    }
    stream->asked_segment = body->segment;
    stream->asked_offset = body->offset;
}

static int send_manifest(struct log_server *server, const char *peer_id,
                         const struct proto_token *token, const struct body_fetch *fetch,
                         struct err *err)
{
    char folder[PATH_SIZE];
    char path[PATH_SIZE + 32];
    struct body_data body = { .is_manifest = true };
    struct buf text = { 0 };
    int result = -1;

    if (store_log_path(server->options.store, fetch->log, folder, err) < 0) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/manifest.yaml", folder);
    snprintf(body.log, sizeof(body.log), "%s", fetch->log);
    if (buf_read_file(&text, path, MANIFEST_MAX, err) == 0) {
        result = server->options.send(server->options.arg, peer_id, token, &body,
                                      (struct proto_frame){ text.data, text.size }, err);
    }
    buf_fini(&text);
    return result;
}

/* A queue that is full holds what will answer the question anyway. */
static int send_echo(struct log_server *server, const char *peer_id,
                     const struct proto_token *token, const struct body_fetch *fetch,
                     struct err *err)
{
    struct body_data body = { .segment = fetch->segment, .offset = fetch->offset };
    struct err why = { 0 };

    memcpy(body.log, fetch->log, sizeof(body.log));
    if (server->options.send(server->options.arg, peer_id, token, &body,
                             (struct proto_frame){ NULL, 0 }, &why)
            < 0
        && why.code != ERR_STATE) {
        *err = why;
        return -1;
    }
    return 0;
}

/* Nobody reads what becomes a hole. */
static void end_readers(struct log_server *server, const struct stream *besides, uint32_t upto)
{
    for (size_t i = 0; i < LOG_SERVER_STREAMS; i++) {
        struct stream *stream = &server->streams[i];

        if (stream != besides && strcmp(stream->log, besides->log) == 0
            && stream->segment < upto) {
            log_info("log %s is no longer sent to %s: its segments are given back", stream->log,
                     stream->peer_id);
            end_stream(stream);
        }
    }
}

static void give_back(struct log_server *server, struct stream *stream)
{
    struct rlog_position durable;
    uint32_t upto = (uint32_t)stream->asked_segment;
    struct err err;

    if (!is_live(server, stream, &durable) || upto > durable.segment
        || upto <= stream->given_back) {
        return;
    }
    end_readers(server, stream, upto);
    if (log_give_back(stream->folder, stream->given_back, upto, &err) < 0) {
        log_warn("the memory of log %s is not given back: %s", stream->log, err.text);
    }
    stream->given_back = upto;
}

int log_server_fetch(struct log_server *server, const char *peer_id,
                     const struct proto_token *token, const struct body_fetch *body,
                     struct err *err)
{
    struct stream *stream = NULL;
    char folder[PATH_SIZE];

    if (store_log_path(server->options.store, body->log, folder, err) < 0) {
        return -1;
    }
    if (!store_has(server->options.store, body->log)) {
        return err_set(err, ERR_NOT_FOUND, "no log %s on this node", body->log);
    }
    if (body->manifest) {
        return send_manifest(server, peer_id, token, body, err);
    }
    if (body->segment > UINT32_MAX || body->offset > RLOG_SEGMENT_BYTES) {
        return err_set(err, ERR_INPUT, "log %s has no such place", body->log);
    }
    if (store_is_in_memory(server->options.store, body->log)
        && log_is_given_back(folder, (uint32_t)body->segment)) {
        return err_set(err, ERR_NOT_FOUND,
                       "segment %" PRIu64
                       " of log %s is no longer in memory: it was given back "
                       "when the herd of the run had it",
                       body->segment, body->log);
    }
    if (body->credit_bytes == 0) {
        return send_echo(server, peer_id, token, body, err);
    }
    stream = find_stream(server, peer_id, body->log);
    if (stream == NULL) {
        stream = new_stream(server, peer_id, body->log);
        memcpy(stream->folder, folder, sizeof(folder));
        stream->segment = body->segment;
        stream->offset = body->offset;
        stream->asked_segment = body->segment;
        stream->asked_offset = body->offset;
    }
    stream->used = ++server->clock;
    stream->token = *token;
    grant(stream, body);
    if (body->is_kept && store_is_in_memory(server->options.store, body->log)) {
        give_back(server, stream);
    }
    return 0;
}

/* ---- DATA ---- */

/* What may be sent of the stream's segment, and what its end means. */
struct extent {
    uint64_t end; /* of the bytes that may go */
    bool is_segment_end;
    bool is_log_end;
};

static bool find_extent(struct log_server *server, struct stream *stream, struct extent *extent)
{
    struct rlog_position durable;
    uint64_t next_size = 0;
    uint64_t size = 0;
    bool does_grow = is_live(server, stream, &durable);

    *extent = (struct extent){ 0 };
    if (does_grow && stream->segment >= durable.segment) {
        extent->end = stream->segment == durable.segment ? durable.offset : 0;
        return true;
    }
    if (!segment_size(stream, stream->segment, &size)) {
        return false;
    }
    extent->end = size;
    extent->is_segment_end = true;
    extent->is_log_end = !does_grow && !segment_size(stream, stream->segment + 1, &next_size);
    return true;
}

static int read_piece(struct log_server *server, struct stream *stream, size_t size,
                      struct err *err)
{
    char path[PATH_SIZE + 32];
    ssize_t n = 0;

    if (stream->fd < 0) {
        rlog_segment_path(stream->folder, (uint32_t)stream->segment, path, sizeof(path));
        stream->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (stream->fd < 0) {
            return err_set_errno(err, "%s", path);
        }
    }
    n = pread(stream->fd, server->piece, size, (off_t)stream->offset);
    if (n < 0) {
        return err_set_errno(err, "log %s", stream->log);
    }
    if ((size_t)n != size) {
        return err_set(err, ERR_CORRUPT, "log %s is shorter than it was", stream->log);
    }
    return 0;
}

static size_t piece_size(const struct stream *stream, const struct extent *extent)
{
    uint64_t size = extent->end > stream->offset ? extent->end - stream->offset : 0;

    size = size < stream->credit ? size : stream->credit;
    return size < LOG_SERVER_PIECE ? (size_t)size : LOG_SERVER_PIECE;
}

static void advance(struct stream *stream, size_t size, const struct body_data *body)
{
    stream->offset += size;
    stream->credit -= size;
    stream->is_end_sent = body->is_log_end;
    if (body->is_segment_end && !body->is_log_end) {
        close_segment(stream);
        stream->segment++;
        stream->offset = 0;
    }
}

/* 1: sent a piece; 0: nothing to send now; -1: the stream is broken. */
static int send_piece(struct log_server *server, struct stream *stream, struct err *err)
{
    struct body_data body = { .segment = stream->segment, .offset = stream->offset };
    struct extent extent;
    size_t size = 0;
    bool is_at_end = false;

    if (stream->is_end_sent) {
        return 0;
    }
    if (!find_extent(server, stream, &extent)) {
        return err_set(err, ERR_NOT_FOUND, "log %s has no segment %" PRIu64, stream->log,
                       stream->segment);
    }
    size = piece_size(stream, &extent);
    is_at_end = stream->offset + size >= extent.end;
    body.is_segment_end = is_at_end && extent.is_segment_end;
    body.is_log_end = is_at_end && extent.is_log_end;
    if (size == 0 && !body.is_segment_end) {
        return 0;
    }
    if (size > 0 && read_piece(server, stream, size, err) < 0) {
        return -1;
    }
    snprintf(body.log, sizeof(body.log), "%s", stream->log);
    if (server->options.send(server->options.arg, stream->peer_id, &stream->token, &body,
                             (struct proto_frame){ server->piece, size }, err)
        < 0) {
        return err->code == ERR_STATE ? 0 : -1;
    }
    advance(stream, size, &body);
    return 1;
}

/* A piece of the next stream that has one, among those that are live or among the others; false
 * when none has. */
static bool send_next(struct log_server *server, bool wants_live)
{
    for (size_t n = 0; n < LOG_SERVER_STREAMS; n++) {
        struct stream *stream = &server->streams[server->turn];
        struct rlog_position durable;
        struct err err = { 0 };
        int result = 0;

        server->turn = (server->turn + 1) % LOG_SERVER_STREAMS;
        if (stream->peer_id[0] == '\0' || is_live(server, stream, &durable) != wants_live) {
            continue;
        }
        result = send_piece(server, stream, &err);
        if (result < 0) {
            log_info("log %s is no longer sent to %s: %s", stream->log, stream->peer_id,
                     err.text);
            end_stream(stream);
        }
        if (result > 0) {
            return true;
        }
    }
    return false;
}

size_t log_server_pump(struct log_server *server, size_t max_pieces)
{
    size_t n_sent = 0;

    while (n_sent < max_pieces && (send_next(server, true) || send_next(server, false))) {
        n_sent++;
    }
    return n_sent;
}
