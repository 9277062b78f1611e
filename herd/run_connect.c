/* SPDX-License-Identifier: MIT */
/* Who is there, what their clocks show, and the inputs that they lack. */
#include "herd/run_state.h"

#include "herd/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLOCK_TIMEOUT_MS = 1000,
    CLOCK_AGAIN_MS = 300,
    NOW_EXCHANGES = 16, /* heartbeats, after which the older ones no longer count */
    HANDSHAKE_MS = 5,   /* more patience for each node: the handshakes of many end together */
    SUPPLY_MS = 24 * 3600 * 1000,
};

/* ---- who is there ---- */

static bool is_everybody_there(struct run *run)
{
    for (size_t i = 0; i < run->n_nodes; i++) {
        if (!flock_session(run->flock, i)->is_welcome) {
            return false;
        }
    }
    return true;
}

static size_t count_there(const struct run *run)
{
    size_t n = 0;

    for (size_t i = 0; i < run->n_nodes; i++) {
        n += flock_session(run->flock, i)->is_welcome ? 1 : 0;
    }
    return n;
}

static void exclude(struct run *run, size_t i, enum err_code code, const char *why)
{
    struct journal_entry entry = { .kind = JOURNAL_OUT };

    start_exclude(&run->start, i, code, why);
    snprintf(entry.node, sizeof(entry.node), "%s", run->names[i]);
    snprintf(entry.text, sizeof(entry.text), "%s", why);
    (void)run_note(run, &entry, false);
    progress_warn(run->progress, i, "out", "%s", why);
}

static int open_start(struct run *run)
{
    const struct experiment *experiment = run->request->experiment;
    const struct start_config config = {
        .n_nodes = run->n_nodes,
        .align_ns = experiment->align_ns,
        .if_incomplete = experiment->if_incomplete,
        .prepare_timeout_ns = RUN_PREPARE_S * NS_PER_S,
    };

    return start_init(&run->start, &config, run->required, &run->err);
}

int run_connect(struct run *run)
{
    char fault[sizeof(run->err.text)];

    if (open_start(run) < 0) {
        return -1;
    }
    (void)run_wait(run, is_everybody_there,
                   RUN_CONNECT_MS + (int64_t)run->n_nodes * HANDSHAKE_MS);
    if (run->is_detached || run->err.code != ERR_NONE) {
        return -1;
    }
    if (count_there(run) == 0) {
        snprintf(fault, sizeof(fault), "no node answers (of %zu); herd alive asks again",
                 run->n_nodes);
        return err_set(&run->err, ERR_UNREACHABLE, "%s", fault);
    }
    for (size_t i = 0; i < run->n_nodes; i++) {
        const struct session *session = flock_session(run->flock, i);

        if (!session->is_welcome) {
            exclude(run, i, ERR_UNREACHABLE, "not reachable: no answer to HELLO");
        } else if (strcmp(session->welcome.version, BW_VERSION) != 0) {
            progress_warn(run->progress, i, "version", "runs version %s, this is %s",
                          session->welcome.version, BW_VERSION);
        }
    }
    progress_event(run->progress, PROGRESS_ALL, "connected", "%zu of %zu nodes are connected",
                   count_there(run), run->n_nodes);
    return 0;
}

/* ---- clocks ---- */

static void ask_clock(struct run *run, size_t i);

/* The longest that was seen, while all nodes were asked at once; one that was lost and asked
 * again says nothing of the network's pace. */
static void note_trip(struct run_node *node, int64_t trip_ns)
{
    if (trip_ns > node->worst_trip_ns && trip_ns < CLOCK_AGAIN_MS * NS_PER_MS) {
        node->worst_trip_ns = trip_ns;
    }
}

static void on_clocked(void *arg, size_t i, const struct flock_message *message)
{
    struct run *run = arg;
    struct run_node *node = &run->nodes[i];
    const struct body_clock *body = NULL;

    node->n_clock++;
    if (message != NULL && message->message->verb == VERB_CLOCKED) {
        body = PROTO_CONST_BODY(message->message, body_clock);
        node->clock.claim = *body;
        clock_view_add(&node->clock.view, body->t1_ns, body->t2_ns, body->t3_ns,
                       message->received_ns);
        note_trip(node, message->received_ns - body->t1_ns - (body->t3_ns - body->t2_ns));
    }
    if (node->n_clock < RUN_CLOCK_EXCHANGES) {
        ask_clock(run, i);
    }
}

static void ask_clock(struct run *run, size_t i)
{
    struct body_clock body = { .t1_ns = clock_utc_ns() };
    const struct flock_request request = { .verb = VERB_CLOCK,
                                           .body = &body,
                                           .timeout_ms = CLOCK_TIMEOUT_MS,
                                           .again_ms = CLOCK_AGAIN_MS,
                                           .answer = on_clocked,
                                           .arg = run };

    if (flock_request(run->flock, i, &request, &run->err) < 0) {
        run->nodes[i].n_clock = RUN_CLOCK_EXCHANGES;
    }
}

static bool is_measured(struct run *run)
{
    for (size_t i = 0; i < run->n_nodes; i++) {
        if (!run->start.nodes[i].is_out && run->nodes[i].n_clock < RUN_CLOCK_EXCHANGES) {
            return false;
        }
    }
    return true;
}

static bool find_median(struct run *run)
{
    struct clock_view *views = calloc(run->n_nodes + 1, sizeof(*views));

    for (size_t i = 0; views != NULL && i < run->n_nodes; i++) {
        views[i] = run->nodes[i].clock.view;
    }
    run->has_median = views != NULL && clock_view_median(views, run->n_nodes, &run->median);
    free(views);
    return run->has_median;
}

static void note_clock(struct run *run, size_t i)
{
    const struct run_node *node = &run->nodes[i];
    struct journal_entry entry = { .kind = JOURNAL_CLOCK,
                                   .offset_ns =
                                       node->clock.view.offset_ns - run->median.offset_ns,
                                   .bound_ns = node->clock.view.bound_ns };

    snprintf(entry.node, sizeof(entry.node), "%s", run->names[i]);
    snprintf(entry.text, sizeof(entry.text), "%s", node->clock.claim.source);
    (void)run_note(run, &entry, false);
}

/* What the choice of T has to allow for, of those who take part. */
static void set_network(struct run *run)
{
    struct start_network *network = &run->start.config.network;

    network->median_offset_ns = run->has_median ? run->median.offset_ns : 0;
    for (size_t i = 0; i < run->n_nodes; i++) {
        const struct clock_view *view = &run->nodes[i].clock.view;
        int64_t offset_ns = view->offset_ns < 0 ? -view->offset_ns : view->offset_ns;

        if (run->start.nodes[i].is_out || view->n_exchanges == 0) {
            continue;
        }
        if (offset_ns > network->largest_offset_ns) {
            network->largest_offset_ns = offset_ns;
        }
        if (view->bound_ns > network->largest_bound_ns) {
            network->largest_bound_ns = view->bound_ns;
        }
        if (run->nodes[i].worst_trip_ns > network->worst_trip_ns) {
            network->worst_trip_ns = run->nodes[i].worst_trip_ns;
        }
    }
}

int run_measure_clocks(struct run *run)
{
    char why[CLOCK_WHY_SIZE];

    for (size_t i = 0; i < run->n_nodes; i++) {
        if (!run->start.nodes[i].is_out) {
            ask_clock(run, i);
        }
    }
    (void)run_wait(run, is_measured, RUN_CLOCK_MS);
    if (run->is_detached || run->err.code != ERR_NONE) {
        return -1;
    }
    find_median(run);
    for (size_t i = 0; i < run->n_nodes; i++) {
        const struct run_node *node = &run->nodes[i];

        if (run->start.nodes[i].is_out) {
            continue;
        }
        note_clock(run, i);
        if (clock_judge(&node->clock, &run->median, run->clock_error_max_ns,
                        node->config->clock_source, why)
            != CLOCK_GOOD) {
            exclude(run, i, ERR_STATE, why);
        }
    }
    set_network(run);
    return 0;
}

/* Heartbeats are exchanges of timestamps too: they show a clock that goes wrong later. */
void run_take_pong(struct run *run, size_t i, const struct flock_message *message)
{
    struct run_node *node = &run->nodes[i];
    const struct body_clock *body = PROTO_CONST_BODY(message->message, body_clock);

    if (node->clock_now.n_exchanges >= NOW_EXCHANGES) {
        node->clock_before = node->clock_now;
        memset(&node->clock_now, 0, sizeof(node->clock_now));
    }
    clock_view_add(&node->clock_now, body->t1_ns, body->t2_ns, body->t3_ns,
                   message->received_ns);
    if (body->experiment == run->experiment) {
        node->n_samples = body->n_samples;
        node->log_bytes = body->log_bytes;
    }
}

/* ---- inputs ---- */

static bool is_supplied(struct run *run)
{
    return supply_is_done(run->supply);
}

int run_supply(struct run *run)
{
    if (run->inputs.n_streams == 0) {
        return 0;
    }
    run->supply = supply_open(run->flock, &run->inputs, run->n_nodes, &run->err);
    if (run->supply == NULL) {
        return -1;
    }
    for (size_t i = 0; i < run->n_nodes; i++) {
        const char *digest = run->nodes[i].config->input_digest;

        if (!run->start.nodes[i].is_out && digest[0] != '\0'
            && supply_want(run->supply, i, digest, &run->err) < 0) {
            return -1;
        }
    }
    (void)run_wait(run, is_supplied, SUPPLY_MS);
    if (run->is_detached || run->err.code != ERR_NONE) {
        return -1;
    }
    for (size_t i = 0; i < run->n_nodes; i++) {
        const char *failure = supply_failure(run->supply, i);

        if (!run->start.nodes[i].is_out && failure[0] != '\0') {
            exclude(run, i, ERR_STATE, failure);
        }
    }
    progress_event(run->progress, PROGRESS_ALL, "distributed", "inputs are distributed");
    supply_close(&run->supply);
    inputs_fini(&run->inputs);
    return 0;
}
