/* SPDX-License-Identifier: MIT */
/* What agent and recorder say to each other: a SOCK_SEQPACKET socket at STATE/recorder.sock
 * (the recorder listens, one agent at a time; the next agent picks a running recorder up) and a
 * page that the recorder writes and the agent maps read-only, STATE/recorder.page. Both ends
 * are one binary; after an upgrade the version word keeps an older recorder from being misread.
 */
#ifndef SHEEP_RECORDER_IPC_H
#define SHEEP_RECORDER_IPC_H

#include "common/err.h"
#include "common/rlog.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    RECORDER_IPC_VERSION = 2
};

enum recorder_request_kind {
    RECORDER_PREPARE = 1, /* check, boot the board, make the log, fill the input */
    RECORDER_START = 2,   /* after GO: sample 0 at T, whatever happens to the agent */
    RECORDER_CANCEL = 3,  /* before T: halt the board, remove the empty log */
    RECORDER_STOP = 4,    /* stop after samples [0, sample) */
    RECORDER_QUIT = 5,    /* only when idle */
};

struct recorder_request {
    uint32_t version; /* RECORDER_IPC_VERSION */
    uint32_t size;    /* sizeof(struct recorder_request): same build */
    uint32_t kind;
    uint32_t seq;
    int64_t T_ns;                   /* START */
    uint32_t arm_n;                 /* START */
    uint64_t sample;                /* STOP */
    uint64_t boot_id;               /* PREPARE: of the agent, for the START record */
    char log_folder[PATH_SIZE];     /* PREPARE: does not exist yet */
    char input_path[PATH_SIZE];     /* PREPARE: decoded stream, or "" */
    struct rlog_manifest manifest;  /* PREPARE */
    struct calibration calibration; /* PREPARE */
};

/* A monitor's row, sent whenever there is one; not answered. It becomes a TEXT or ROW record of
 * the recording that runs, and is dropped without one or when memory before the disk is short.
 */
enum {
    RECORDER_ROW_KIND = 100,
    RECORDER_ROW_BYTES = 480
};

struct recorder_row {
    uint32_t version; /* RECORDER_IPC_VERSION */
    uint32_t kind;    /* RECORDER_ROW_KIND */
    uint8_t type;     /* RLOG_TEXT or RLOG_ROW */
    uint8_t stream;   /* one of the monitors' */
    uint16_t size;    /* of the payload */
    uint32_t count;   /* see enum rlog_type */
    uint32_t n_lost;  /* rows before this one that the recorder did not take in time */
    int64_t utc_ns;
    uint8_t payload[RECORDER_ROW_BYTES];
};

enum recorder_event_kind {
    RECORDER_ANSWER = 1,  /* to the request with this seq: code ERR_NONE or why not */
    RECORDER_STARTED = 2, /* sample 0 was taken; see page */
    RECORDER_ENDED = 3,   /* the log is closed and synced; see page */
};

struct recorder_event {
    uint32_t version;
    uint32_t kind;
    uint32_t seq;
    uint32_t code;      /* enum err_code */
    int64_t promise_ns; /* answer to PREPARE: earliest T, UTC of the node's clock */
    char text[512];
};

enum recorder_state {
    RECORDER_IDLE = 0,
    RECORDER_PREPARED = 1,
    RECORDER_STARTING = 2, /* has T */
    RECORDER_RUNNING = 3,
    RECORDER_CLOSING = 4,
};

/* Written by the recorder under a sequence lock (odd while it writes). Outcome fields stay
 * until the next PREPARE, so that a new agent learns what happened. */
struct recorder_page {
    uint32_t version;
    uint32_t lock;
    int32_t pid;
    uint32_t state; /* enum recorder_state */
    uint64_t experiment;
    char log_folder[PATH_SIZE];
    int64_t T_ns;
    uint64_t n_samples;
    struct rlog_position durable;
    uint32_t is_started;
    int64_t start_error_ns;
    uint32_t start_bound_ns;
    uint32_t is_ended;
    struct rlog_end end;
    uint64_t log_bytes;
    uint8_t digest[RLOG_DIGEST_BYTES];
    uint32_t ring_fill_max_percent;
    uint32_t queue_fill_max_percent;
    int64_t clock_residual_ns;
    char fault[512]; /* "" or what went wrong */
};

/* ---- both ends: recorder_ipc.c ---- */

/* Paths of socket and page in the state folder. */
void recorder_ipc_socket_path(const char *state_dir, char *path, size_t size);
void recorder_ipc_page_path(const char *state_dir, char *path, size_t size);

/* Agent: connects to the recorder; non-blocking, close-on-exec. -1 with ERR_UNREACHABLE when
 * none listens. */
MUST_CHECK int recorder_ipc_connect(const char *state_dir, struct err *err);
/* Fills in version and size. */
MUST_CHECK int recorder_ipc_send(int fd, struct recorder_request *request, struct err *err);
/* Fills in version and kind; false when the recorder does not take it now. */
bool recorder_ipc_send_row(int fd, struct recorder_row *row);
/* 1 with an event, 0 when none waits, -1 when the recorder is gone or speaks another version.
 */
MUST_CHECK int recorder_ipc_receive(int fd, struct recorder_event *event, struct err *err);

/* Agent: maps the page read-only; a loan until recorder_page_unmap. */
MUST_CHECK int recorder_page_map(const char *state_dir, const struct recorder_page **page,
                                 struct err *err);
void recorder_page_unmap(const struct recorder_page **page);
/* A consistent copy; false when the recorder died while it wrote (the copy is then torn) or the
 * page has another version. */
bool recorder_page_read(const struct recorder_page *page, struct recorder_page *copy);

/* Recorder: the listening socket (removes a dead one), the page, and writing a new state. What
 * an earlier recorder left in a page of this version stays until it is written over. */
MUST_CHECK int recorder_ipc_listen(const char *state_dir, struct err *err);
MUST_CHECK int recorder_page_create(const char *state_dir, struct recorder_page **page,
                                    struct err *err);
void recorder_page_destroy(struct recorder_page **page); /* the file stays */
/* Publishes *now, except version and lock, which the page keeps itself. */
void recorder_page_write(struct recorder_page *page, const struct recorder_page *now);

#endif
