/* SPDX-License-Identifier: MIT */
#include "sheep/recorder.h"

#include "common/log.h"
#include "sheep/board_iss.h"
#include "sheep/board_pru.h"
#include "sheep/board_sim.h"
#include "sheep/config.h"
#include "sheep/recorder_ipc.h"
#include "sheep/recording.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    IDLE_POLL_MS = 500,
    BURST_MAX = 64,
    REALTIME_PRIORITY = 40
};

struct recorder {
    const struct recorder_options *options;
    struct board *board;
    struct recording *recording; /* NULL when idle */
    struct recorder_page *page;
    struct recorder_page now; /* what the page says */
    int listen_fd;
    int agent_fd;
    int log_event_fd;
    bool is_start_told;
    bool quits;
    int64_t idle_since_ns;
};

static void warn_errno(const char *what)
{
    struct err err;

    err_set_errno(&err, "%s", what);
    log_warn("%s", err.text);
}

static void publish(struct recorder *recorder)
{
    static const enum recorder_state states[] = {
        [RECORDING_PREPARED] = RECORDER_PREPARED, [RECORDING_STARTING] = RECORDER_STARTING,
        [RECORDING_RUNNING] = RECORDER_RUNNING,   [RECORDING_CLOSING] = RECORDER_CLOSING,
        [RECORDING_ENDED] = RECORDER_IDLE,
    };

    recorder->now.state = RECORDER_IDLE;
    if (recorder->recording != NULL) {
        recording_fill_page(recorder->recording, &recorder->now);
        recorder->now.state = states[recording_phase(recorder->recording)];
    }
    recorder_page_write(recorder->page, &recorder->now);
}

static void drop_agent(struct recorder *recorder)
{
    if (recorder->agent_fd >= 0) {
        close(recorder->agent_fd);
        recorder->agent_fd = -1;
    }
    /* Only what has a start survives its agent; the rest is forgotten, as after a boot. */
    if (recorder->recording != NULL
        && recording_phase(recorder->recording) == RECORDING_PREPARED) {
        log_info("recorder: the agent is gone, the prepared recording is cancelled");
        recording_destroy(&recorder->recording);
        recorder->idle_since_ns = clock_mono_ns();
    }
    publish(recorder);
}

/* An agent that is gone may have left requests behind: they are read to their end first. */
static void tell(struct recorder *recorder, struct recorder_event *event)
{
    event->version = RECORDER_IPC_VERSION;
    if (recorder->agent_fd >= 0
        && send(recorder->agent_fd, event, sizeof(*event), MSG_NOSIGNAL | MSG_DONTWAIT) < 0
        && errno != EPIPE && errno != ECONNRESET) {
        warn_errno("recorder: the agent does not take an event");
        drop_agent(recorder);
    }
}

/* The simulated board is told which port, and where "DIR/NAME.rlog" has its NAME.truth. */
static void expect(struct recorder *recorder, const struct recorder_request *request)
{
    const char *slash = strrchr(request->log_folder, '/');
    const char *name = slash == NULL ? request->log_folder : slash + 1;
    const char *dot = strrchr(name, '.');
    int length = dot == NULL ? (int)strlen(name) : (int)(dot - name);
    char path[PATH_SIZE + 16] = "";
    struct board_plan plan = {
        .is_port_B = request->manifest.config.target_port == PORT_B,
        .has_uart = request->manifest.config.log.uart.enable,
        .truth_path = path,
    };

    if (recorder->board->ops->expect == NULL) {
        return;
    }
    if (recorder->options->truth_dir != NULL) {
        snprintf(path, sizeof(path), "%s/%.*s.truth", recorder->options->truth_dir, length,
                 name);
    }
    recorder->board->ops->expect(recorder->board, &plan);
}

static int prepare(struct recorder *recorder, const struct recorder_request *request,
                   struct recorder_event *answer, struct err *err)
{
    struct recording_options options = {
        .board = recorder->board,
        .clock = &recorder->options->clock,
        .request = request,
        .disk_reserve_bytes = recorder->options->disk_reserve_bytes,
        .state_dir = recorder->options->state_dir,
        .temp_dir = "/tmp",
        .input_memory_bytes = recorder->options->input_memory_bytes != 0
                                  ? recorder->options->input_memory_bytes
                                  : (size_t)request->manifest.config.input_memory_bytes,
        .event_fd = recorder->log_event_fd,
    };

    if (recorder->recording != NULL) {
        return err_set(err, ERR_STATE, "the recorder is busy with %s",
                       recorder->now.log_folder);
    }
    expect(recorder, request);
    recorder->is_start_told = false;
    recorder->recording = recording_create(&options, &answer->promise_ns, err);
    if (recorder->recording == NULL) {
        recorder->idle_since_ns = clock_mono_ns();
        return -1;
    }
    memset(&recorder->now, 0, sizeof(recorder->now));
    recorder->now.pid = getpid();
    return 0;
}

static int cancel(struct recorder *recorder, struct err *err)
{
    if (recorder->recording == NULL) {
        return 0; /* cancelled before: the same answer */
    }
    if (recording_phase(recorder->recording) > RECORDING_STARTING) {
        return err_set(err, ERR_STATE, "the recording runs already");
    }
    recording_destroy(&recorder->recording);
    recorder->idle_since_ns = clock_mono_ns();
    return 0;
}

static int obey(struct recorder *recorder, const struct recorder_request *request,
                struct recorder_event *answer, struct err *err)
{
    bool is_idle = recorder->recording == NULL;

    switch ((enum recorder_request_kind)request->kind) {
    case RECORDER_PREPARE:
        return prepare(recorder, request, answer, err);
    case RECORDER_START:
        return is_idle
                   ? err_set(err, ERR_STATE, "nothing is prepared")
                   : recording_start(recorder->recording, request->T_ns, request->arm_n, err);
    case RECORDER_CANCEL:
        return cancel(recorder, err);
    case RECORDER_STOP:
        return is_idle ? err_set(err, ERR_STATE, "nothing runs")
                       : recording_stop(recorder->recording, request->sample, err);
    case RECORDER_QUIT:
        if (!is_idle) {
            return err_set(err, ERR_STATE, "the recorder is busy");
        }
        recorder->quits = true;
        return 0;
    }
    return err_set(err, ERR_INPUT, "request of kind %u is unknown", request->kind);
}

static void answer_request(struct recorder *recorder, const struct recorder_request *request)
{
    struct recorder_event answer = { .kind = RECORDER_ANSWER, .seq = request->seq };
    struct err err = { 0 };

    if (obey(recorder, request, &answer, &err) < 0) {
        answer.code = (uint32_t)err.code;
        snprintf(answer.text, sizeof(answer.text), "%.*s", (int)sizeof(answer.text) - 1,
                 err.text);
    }
    publish(recorder);
    tell(recorder, &answer);
}

/* False when nothing waits or the agent is gone. */
static bool serve_once(struct recorder *recorder)
{
    union {
        struct recorder_request request;
        struct recorder_row row;
    } message;
    ssize_t size = recv(recorder->agent_fd, &message, sizeof(message), MSG_DONTWAIT);

    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    if (size < 0 && errno == ECONNRESET) {
        return true; /* it left answers unread; what it asked for before is still there */
    }
    if (size <= 0) {
        drop_agent(recorder);
        return false;
    }
    if (size == (ssize_t)sizeof(message.row) && message.row.version == RECORDER_IPC_VERSION
        && message.row.kind == RECORDER_ROW_KIND) {
        if (recorder->recording != NULL) {
            (void)recording_put_row(recorder->recording, &message.row);
        }
        return true;
    }
    if (size != (ssize_t)sizeof(message.request)
        || message.request.version != RECORDER_IPC_VERSION
        || message.request.size != sizeof(message.request)) {
        log_warn("recorder: the agent speaks another version");
        drop_agent(recorder);
        return false;
    }
    answer_request(recorder, &message.request);
    return recorder->agent_fd >= 0;
}

/* A burst of rows must not keep the loop from the rings for long. */
static void serve_agent(struct recorder *recorder)
{
    for (int i = 0; i < BURST_MAX && serve_once(recorder); i++) {}
}

static void accept_agent(struct recorder *recorder)
{
    int fd = accept4(recorder->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0) {
        return;
    }
    if (recorder->agent_fd >= 0) {
        log_info("recorder: another agent takes over");
        drop_agent(recorder);
    }
    recorder->agent_fd = fd;
}

static void clear_event(int fd)
{
    uint64_t count = 0;

    (void)!read(fd, &count, sizeof(count));
}

static void clear_board(struct board *board)
{
    if (board->ops->clear != NULL) {
        board->ops->clear(board);
    } else {
        clear_event(board->event_fd);
    }
}

static void step(struct recorder *recorder)
{
    struct recorder_event event = { 0 };
    enum recording_phase phase = recording_step(recorder->recording);

    publish(recorder);
    if (recorder->now.is_started != 0 && !recorder->is_start_told) {
        recorder->is_start_told = true;
        event.kind = RECORDER_STARTED;
        tell(recorder, &event);
    }
    if (phase == RECORDING_ENDED) {
        snprintf(event.text, sizeof(event.text), "%.*s", (int)sizeof(event.text) - 1,
                 recorder->now.fault);
        event.code = recorder->now.fault[0] == '\0' ? ERR_NONE : ERR_HARDWARE;
        event.kind = RECORDER_ENDED;
        recording_destroy(&recorder->recording);
        recorder->idle_since_ns = clock_mono_ns();
        publish(recorder);
        tell(recorder, &event);
    }
}

static void obey_signal(struct recorder *recorder)
{
    struct err err;

    if (recorder->recording == NULL
        || recording_phase(recorder->recording) < RECORDING_STARTING) {
        recorder->quits = true;
    } else if (recording_phase(recorder->recording) < RECORDING_CLOSING
               && recording_stop(recorder->recording, 0, &err) < 0) {
        log_error("recorder: %s", err.text);
        recorder->quits = true;
    }
}

static void wait_and_serve(struct recorder *recorder)
{
    enum {
        LISTEN,
        AGENT,
        LOG,
        BOARD,
        N_FDS
    };
    bool has_recording = recorder->recording != NULL;
    bool wants_board = has_recording && recording_wants_board(recorder->recording);
    struct pollfd fds[N_FDS] = {
        [LISTEN] = {recorder->listen_fd,                           POLLIN, 0},
        [AGENT] = { recorder->agent_fd,                           POLLIN, 0},
        [LOG] = { recorder->log_event_fd,                       POLLIN, 0},
        [BOARD] = { wants_board ? recorder->board->event_fd : -1, POLLIN, 0},
    };
    int timeout_ms = has_recording ? recording_timeout_ms(recorder->recording) : IDLE_POLL_MS;

    if (poll(fds, N_FDS, timeout_ms) < 0 && errno != EINTR) {
        warn_errno("recorder: poll");
    }
    if (fds[LOG].revents != 0) {
        clear_event(recorder->log_event_fd);
    }
    if (wants_board && fds[BOARD].revents != 0) {
        clear_board(recorder->board);
    }
    if (recorder->recording != NULL) {
        step(recorder);
    }
    if (fds[LISTEN].revents != 0) {
        accept_agent(recorder);
    } else if (fds[AGENT].revents != 0 && recorder->agent_fd >= 0) {
        serve_agent(recorder);
    }
}

/* Only where time is real: a simulated board would starve its host. */
static void claim_realtime(const struct recorder *recorder)
{
    struct sched_param param = { .sched_priority = REALTIME_PRIORITY };

    if (sheep_board_is_simulated(recorder->options->board)) {
        return;
    }
    if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0) {
        warn_errno("recorder: memory is not locked");
    }
    if (sched_setscheduler(0, SCHED_FIFO, &param) < 0) {
        warn_errno("recorder: no real-time priority");
    }
}

static bool is_idle_too_long(const struct recorder *recorder)
{
    return recorder->recording == NULL && recorder->agent_fd < 0
           && clock_mono_ns() - recorder->idle_since_ns > RECORDER_IDLE_EXIT_S * NS_PER_S;
}

static int open_all(struct recorder *recorder, struct err *err)
{
    recorder->listen_fd = recorder_ipc_listen(recorder->options->state_dir, err);
    if (recorder->listen_fd < 0) {
        return -1;
    }
    recorder->log_event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (recorder->log_event_fd < 0) {
        return err_set_errno(err, "eventfd");
    }
    recorder->board = recorder_board_create(recorder->options, err);
    if (recorder->board == NULL
        || recorder_page_create(recorder->options->state_dir, &recorder->page, err) < 0) {
        return -1;
    }
    recorder_page_read(recorder->page, &recorder->now);
    recorder->now.pid = getpid();
    publish(recorder);
    return 0;
}

static void close_all(struct recorder *recorder)
{
    recording_destroy(&recorder->recording);
    if (recorder->page != NULL) {
        publish(recorder);
        recorder_page_destroy(&recorder->page);
    }
    if (recorder->board != NULL) {
        recorder->board->ops->destroy(recorder->board);
    }
    if (recorder->agent_fd >= 0) {
        close(recorder->agent_fd);
    }
    if (recorder->log_event_fd >= 0) {
        close(recorder->log_event_fd);
    }
    if (recorder->listen_fd >= 0) {
        char path[PATH_SIZE + 32];

        recorder_ipc_socket_path(recorder->options->state_dir, path, sizeof(path));
        unlink(path);
        close(recorder->listen_fd);
    }
}

int recorder_run(const struct recorder_options *options,
                 const volatile sig_atomic_t *stop_signal, struct err *err)
{
    struct recorder recorder = {
        .options = options, .listen_fd = -1, .agent_fd = -1, .log_event_fd = -1
    };
    int result = open_all(&recorder, err);

    if (result == 0) {
        claim_realtime(&recorder);
        recorder.idle_since_ns = clock_mono_ns();
    }
    while (result == 0 && !recorder.quits && !is_idle_too_long(&recorder)) {
        wait_and_serve(&recorder);
        if (stop_signal != NULL && *stop_signal != 0) {
            obey_signal(&recorder);
        }
    }
    close_all(&recorder);
    return result;
}

struct board *recorder_board_create(const struct recorder_options *options, struct err *err)
{
    const struct board_pru_config real = { .cape = options->cape };

    if (strcmp(options->board, "sim") == 0) {
        return board_sim_create(options->sim, err);
    }
    if (strcmp(options->board, "iss") == 0) {
        return board_iss_create(options->sim, err);
    }
    if (strcmp(options->board, "pru") == 0) {
        return board_pru_create(&real, err);
    }
    err_set(err, ERR_INPUT, "board '%s': there are 'sim', 'iss' and 'pru'", options->board);
    return NULL;
}
