/* SPDX-License-Identifier: MIT */
#include "herd/run_state.h"

#include "common/log.h"
#include "herd/report.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    MAX_SAME_SECOND = 99
};

/* ---- the loop ---- */

static void fail_run(struct run *run, const struct err *err)
{
    if (run->err.code == ERR_NONE) {
        run->err = *err;
    }
}

int run_note(struct run *run, const struct journal_entry *entry, bool is_urgent)
{
    struct err err = { 0 };

    if (journal_add(run->journal, entry, &err) < 0
        || (is_urgent && journal_sync(run->journal, &err) < 0)) {
        err_prepend(&err, "journal");
        fail_run(run, &err);
        return -1;
    }
    return 0;
}

int64_t run_now_sample(const struct run *run)
{
    return (clock_mono_ns() - run->start.T_mono_ns) / RUN_SAMPLE_NS;
}

static void step_start(struct run *run, int64_t mono_ns)
{
    struct start_event event = { .kind = START_EVENT_TIME };

    if (run->has_start && mono_ns >= start_deadline_ns(&run->start)) {
        run_feed(run, &event);
    }
}

static void draw(struct run *run, int64_t mono_ns)
{
    if (mono_ns < run->draw_ns) {
        return;
    }
    run->draw_ns = mono_ns + RUN_DRAW_MS * NS_PER_MS;
    for (size_t i = 0; i < run->n_nodes; i++) {
        const struct run_node *node = &run->nodes[i];
        const struct start_node *start = run->has_start ? &run->start.nodes[i] : NULL;
        struct progress_state state = {
            .word = "connecting",
            .n_samples = node->is_ended ? node->ended.n_samples : node->n_samples,
            .n_planned = run->stop_sample > 0 ? run->stop_sample : node->n_planned,
            .n_bytes = node->collect != NULL ? collect_bytes(node->collect) : 0,
            .link = "",
        };
        enum session_link link = flock_session(run->flock, i)->link;

        if (node->is_settled) {
            state.word =
                node->has_verdict && verdict_is_good(&node->verdict) ? "done" : "failed";
        } else if (node->is_ended) {
            state.word = "collecting";
        } else if (node->is_started) {
            state.word = "running";
        } else if (start != NULL) {
            state.word = start->is_out     ? "out"
                         : start->is_going ? "going"
                         : start->is_armed ? "armed"
                         : start->is_ready ? "prepared"
                                           : "preparing";
        } else if (link == SESSION_UP) {
            state.word = "connected";
        }
        if (link == SESSION_SILENT || link == SESSION_LOST) {
            state.link = session_link_name(link);
        }
        progress_set(run->progress, i, &state);
    }
    progress_draw(run->progress);
}

static int on_tick(zloop_t *loop, int timer_id, void *arg)
{
    struct run *run = arg;
    int64_t mono_ns = clock_mono_ns();

    (void)loop;
    (void)timer_id;
    step_start(run, mono_ns);
    if (run->supply != NULL) {
        supply_tick(run->supply);
    }
    if (run->is_following) {
        run_follow_tick(run, mono_ns);
    }
    draw(run, mono_ns);
    if (run->is_detached || run->err.code != ERR_NONE || (run->until != NULL && run->until(run))
        || mono_ns >= run->deadline_ns) {
        flock_pause(run->flock);
        return -1;
    }
    return 0;
}

bool run_wait(struct run *run, bool (*until)(struct run *run), int64_t timeout_ms)
{
    run->until = until;
    run->deadline_ns = timeout_ms < 0 ? INT64_MAX : clock_mono_ns() + timeout_ms * NS_PER_MS;
    if (!until(run) && !run->is_detached && run->err.code == ERR_NONE
        && flock_run(run->flock) < 0) {
        err_set(&run->err, ERR_SYSTEM, "the reactor broke");
    }
    return run->err.code == ERR_NONE && !run->is_detached && until(run);
}

/* The first Ctrl-C stops in order, the second lets go. */
static void interrupt(struct run *run)
{
    struct start_event event = { .kind = START_EVENT_ABORT,
                                 .code = ERR_INTERRUPTED,
                                 .why = "interrupted by the user" };

    run->n_interrupts++;
    if (run->n_interrupts > 1) {
        run->is_detached = true;
        return;
    }
    progress_event(run->progress, PROGRESS_ALL, "interrupt",
                   "stopping in order; Ctrl-C again detaches");
    if (run->is_following) {
        run_stop_all(run, "interrupted by the user");
    } else if (run->has_start && run->start.phase < START_COMMITTED) {
        run_feed(run, &event);
    } else if (run->start.is_go_decided) {
        /* Not followed yet: run_start does so at once, and stops; an attach is left for later.
         */
        run->is_detached = run->is_attached;
    } else {
        err_set(&run->err, ERR_INTERRUPTED, "interrupted; nothing was started");
    }
}

static int on_signal(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    struct run *run = arg;
    struct signalfd_siginfo info;

    (void)loop;
    (void)item;
    while (read(run->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        interrupt(run);
    }
    return 0;
}

static int watch_signals(struct run *run, struct err *err)
{
    zmq_pollitem_t item = { .events = ZMQ_POLLIN };
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    run->signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (run->signal_fd < 0) {
        return err_set_errno(err, "signalfd");
    }
    item.fd = run->signal_fd;
    if (zloop_poller(flock_loop(run->flock), &item, on_signal, run) < 0) {
        return err_set(err, ERR_MEMORY, "the reactor");
    }
    return 0;
}

/* Before any thread is made, so that all inherit it. */
static void block_signals(sigset_t *before)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, before);
}

/* ---- what nodes say ---- */

static void on_news(void *arg, size_t i, enum flock_news news)
{
    struct run *run = arg;
    struct run_node *node = &run->nodes[i];
    struct start_event event = { .kind = START_EVENT_REBOOTED, .i = i };

    switch (news) {
    case FLOCK_WELCOMED:
        if (node->is_lost) {
            progress_event(run->progress, i, "heard", "heard again");
        }
        node->is_lost = false;
        run_follow_reset(run, i);
        break;
    case FLOCK_REBOOTED:
        progress_event(run->progress, i, "restarted", "its agent was restarted");
        node->is_lost = false;
        run_follow_reset(run, i);
        if (run->has_start) {
            run_feed(run, &event);
        }
        break;
    case FLOCK_SILENT:
        if (!node->is_settled) {
            progress_event(run->progress, i, "silent", "silent");
        }
        break;
    case FLOCK_LOST:
        node->is_lost = true;
        if (!node->is_settled) {
            progress_event(run->progress, i, "lost", "lost; connecting anew");
        }
        event.kind = START_EVENT_GONE;
        event.why = "the connection was lost during the preparation";
        if (run->has_start) {
            run_feed(run, &event);
        }
        break;
    }
}

static void on_message(void *arg, size_t i, const struct flock_message *message)
{
    struct run *run = arg;

    if (message->message->verb == VERB_PONG) {
        run_take_pong(run, i, message);
    } else if (run->has_start) {
        run_start_message(run, i, message->message);
    }
}

static void on_bulk(void *arg, size_t i, const struct flock_message *message)
{
    struct run *run = arg;

    if (run->is_following) {
        run_take_data(run, i, message);
    } else if (run->supply != NULL) {
        supply_take(run->supply, i, message);
    }
}

static const char *beat_state(void *arg, size_t i)
{
    const struct run_node *node = &((struct run *)arg)->nodes[i];

    return node->is_ended ? "done" : node->is_started ? "running" : "";
}

/* ---- opening and closing ---- */

static int open_flock(struct run *run, struct err *err)
{
    const struct flock_config config = {
        .nodes = run->members,
        .n_nodes = run->n_nodes,
        .key = &run->request->context->key,
        .name = run->request->context->key.name,
        .experiment = run->experiment,
        .controller = run->controller,
        .take_over = run->request->take_over,
        .arg = run,
        .on_news = on_news,
        .on_message = on_message,
        .on_bulk = on_bulk,
        .beat_state = beat_state,
    };
    struct builder_config builder = { .n_nodes = run->n_nodes,
                                      .on_answer = run_built,
                                      .arg = run };

    run->flock = flock_open(&config, err);
    if (run->flock == NULL || watch_signals(run, err) < 0) {
        return -1;
    }
    builder.loop = flock_loop(run->flock);
    run->builder = builder_open(&builder, err);
    if (run->builder == NULL) {
        return -1;
    }
    if (zloop_timer(builder.loop, RUN_TICK_MS, 0, on_tick, run) < 0) {
        return err_set(err, ERR_MEMORY, "the reactor");
    }
    return 0;
}

int run_alloc(struct run *run, size_t n_nodes, struct err *err)
{
    run->n_nodes = n_nodes;
    run->nodes = calloc(n_nodes + 1, sizeof(*run->nodes));
    // NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers is meant
    run->members = calloc(n_nodes + 1, sizeof(void *));
    run->names = calloc(n_nodes + 1, sizeof(*run->names));
    run->required = calloc(n_nodes + 1, sizeof(*run->required));
    if (run->nodes == NULL || run->members == NULL || run->names == NULL
        || run->required == NULL) {
        return err_set(err, ERR_MEMORY, "%zu nodes", n_nodes);
    }
    pace_init(&run->pace, run->request->total_rate, clock_mono_ns());
    for (size_t i = 0; i < n_nodes; i++) {
        pace_init(&run->nodes[i].pace, run->request->rate, clock_mono_ns());
    }
    return 0;
}

/* Name and UTC; two runs of a name in one second are told apart by a number. */
static int choose_id(struct run *run, struct err *err)
{
    char stamp[CLOCK_TEXT_SIZE];

    clock_format_file(clock_utc_ns(), stamp);
    for (unsigned number = 1; number <= MAX_SAME_SECOND; number++) {
        if (number == 1) {
            snprintf(run->id, sizeof(run->id), "%.63s_%.24s", run->name, stamp);
        } else {
            snprintf(run->id, sizeof(run->id), "%.63s.%u_%.24s", run->name, number, stamp);
        }
        if (!journal_exists(run->state_folder, run->id)) {
            return 0;
        }
    }
    return err_set(err, ERR_EXISTS, "too many runs of %s in one second", run->name);
}

static int take_nodes(struct run *run, struct err *err)
{
    const struct experiment *experiment = run->request->experiment;

    if (run_alloc(run, experiment->n_nodes, err) < 0) {
        return -1;
    }
    snprintf(run->name, sizeof(run->name), "%s", experiment->name);
    if (choose_id(run, err) < 0) {
        return -1;
    }
    randombytes_buf(&run->experiment, sizeof(run->experiment));
    run->clock_error_max_ns = experiment->clock_error_max_ns;
    run->on_failure = experiment->on_failure;
    for (size_t i = 0; i < run->n_nodes; i++) {
        struct run_node *node = &run->nodes[i];

        node->node = experiment->nodes[i].node;
        node->config = &experiment->nodes[i].config;
        node->mode = node->config->mode;
        node->exists = node->config->record.exists;
        run->members[i] = node->node;
        run->names[i] = node->node->name;
        run->required[i] = experiment->nodes[i].is_required;
        snprintf(node->log, sizeof(node->log), "%.60s_%.34s", run->id, node->node->name);
    }
    return 0;
}

/* Inputs, and what PREPARE carries. */
static int prepare_configs(struct run *run, struct err *err)
{
    struct experiment *experiment = run->request->experiment;
    char folder[PATH_SIZE + 16];

    snprintf(folder, sizeof(folder), "%s/inputs", run->copies);
    if (inputs_check(experiment, err) < 0
        || inputs_decode(&run->inputs, experiment, folder, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < run->n_nodes; i++) {
        struct run_node *node = &run->nodes[i];

        node->n_planned = node_config_samples(node->config);
        schema_encode(&node_config_schema, node->config, &node->config_text, 0);
        if (node->config_text.failed) {
            return err_set(err, ERR_MEMORY, "the configuration of %s", node->node->name);
        }
    }
    return 0;
}

static int begin_journal(struct run *run, struct err *err)
{
    struct journal_entry entry = { .kind = JOURNAL_BEGIN,
                                   .experiment = run->experiment,
                                   .controller = run->controller,
                                   .clock_error_max_ns = run->clock_error_max_ns };
    const struct context *context = run->request->context;
    struct buf text = { 0 };

    experiment_print(run->request->experiment, &text);
    run->journal =
        text.failed ? NULL : journal_create(run->state_folder, run->id, text.data, err);
    buf_fini(&text);
    if (run->journal == NULL) {
        return err->code == ERR_NONE ? err_set(err, ERR_MEMORY, "journal") : -1;
    }
    snprintf(entry.name, sizeof(entry.name), "%s", run->name);
    snprintf(entry.path, sizeof(entry.path), "%s", run->output);
    snprintf(entry.inventory, sizeof(entry.inventory), "%s", context->inventory->path);
    snprintf(entry.key, sizeof(entry.key), "%.*s", (int)sizeof(entry.key) - 1,
             context->key_path);
    if (journal_add(run->journal, &entry, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < run->n_nodes; i++) {
        struct journal_entry node = { .kind = JOURNAL_NODE };

        snprintf(node.node, sizeof(node.node), "%s", run->names[i]);
        snprintf(node.log, sizeof(node.log), "%s", run->nodes[i].log);
        node.mode = (uint64_t)run->nodes[i].mode;
        node.n = (uint64_t)run->nodes[i].exists;
        node.sample = run->nodes[i].n_planned;
        if (journal_add(run->journal, &node, err) < 0) {
            return -1;
        }
    }
    return journal_sync(run->journal, err);
}

static int begin(struct run *run, struct err *err)
{
    if (context_state_folder(run->state_folder, err) < 0) {
        return -1;
    }
    if (run->request->experiment == NULL) {
        return run_load(run, err);
    }
    if (take_nodes(run, err) < 0 || run_check_output(run, err) < 0
        || prepare_configs(run, err) < 0) {
        return -1;
    }
    return begin_journal(run, err);
}

static void close_run(struct run *run)
{
    supply_close(&run->supply);
    builder_close(&run->builder);
    flock_close(&run->flock);
    for (size_t i = 0; run->nodes != NULL && i < run->n_nodes; i++) {
        collect_close(&run->nodes[i].collect);
        buf_fini(&run->nodes[i].config_text);
    }
    start_fini(&run->start);
    inputs_fini(&run->inputs);
    journal_close(&run->journal);
    progress_close(&run->progress);
    if (run->signal_fd >= 0) {
        close(run->signal_fd);
    }
    free(run->nodes);
    free(run->members);
    free(run->names);
    free(run->required);
}

static void tidy_copies(const struct run *run)
{
    char path[PATH_SIZE + 16];

    snprintf(path, sizeof(path), "%s/inputs", run->copies);
    (void)rmdir(path);
    (void)rmdir(run->copies);
    snprintf(path, sizeof(path), "%s/.bellwether", run->output);
    (void)rmdir(path);
}

/* From HELLO to the last sample; what went wrong is in run->err or in the nodes' verdicts. */
static void go(struct run *run)
{
    if (run->is_attached) {
        run_reattach(run);
    } else if (run_connect(run) < 0 || run_measure_clocks(run) < 0 || run_supply(run) < 0
               || run_start(run) < 0) {
        return;
    }
    if (run->is_following) {
        (void)run_wait(run, run_is_settled, -1);
    }
}

int run_execute(const struct run_request *request)
{
    struct run run = { .request = request, .options = request->options, .signal_fd = -1 };
    struct err err = { 0 };
    sigset_t before;
    int status = 0;

    run.begin_ns = clock_mono_ns();
    run.controller = (uint64_t)clock_utc_ns();
    if (begin(&run, &err) < 0) {
        status = cmd_fail(request->options, request->command, &err);
        inputs_fini(&run.inputs);
        if (run.output[0] != '\0') {
            tidy_copies(&run);
        }
        close_run(&run);
        return status;
    }
    block_signals(&before);
    run.progress = progress_open(request->options, run.names, run.n_nodes);
    if (run.progress == NULL || open_flock(&run, &err) < 0) {
        if (err.code == ERR_NONE) {
            err_set(&err, ERR_MEMORY, "progress");
        }
        status = cmd_fail(request->options, request->command, &err);
    } else {
        go(&run);
        status = run_conclude(&run);
    }
    inputs_fini(&run.inputs);
    if (run.output[0] != '\0') {
        tidy_copies(&run);
    }
    close_run(&run);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}
