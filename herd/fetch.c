/* SPDX-License-Identifier: MIT */
#include "herd/fetch.h"

#include "herd/collect.h"
#include "herd/flock.h"
#include "herd/pace.h"

#include "common/clock.h"

#include <stdlib.h>
#include <string.h>

enum {
    TICK_MS = 100,
    SLOW_TIMES = 6, /* a piece may take so much longer than a heartbeat */
};

/* A node and the job it is at. */
struct lane {
    size_t node;
    size_t job; /* n_jobs: none left */
    struct collect *copy;
    struct pace pace;
    int64_t heard_ns; /* anything at all */
    int64_t bytes_ns; /* of the log */
};

struct fetch {
    const struct fetch_options *options;
    struct fetch_job *jobs;
    size_t n_jobs;
    struct lane *lanes;
    size_t n_lanes;
    const struct inventory_node **nodes; /* of the lanes */
    struct pace pace;                    /* of all lanes */
    struct herd_flock *flock;
};

static void ask_further(struct fetch *fetch, size_t i)
{
    struct lane *lane = &fetch->lanes[i];
    int64_t mono_ns = clock_mono_ns();
    struct body_fetch body;

    if (!pace_may(&lane->pace, mono_ns) || !pace_may(&fetch->pace, mono_ns)) {
        return; /* the next tick looks again */
    }
    /* How much there is does not matter: the end of the log is asked for. */
    while (collect_next_fetch(lane->copy, mono_ns, UINT64_MAX, &body)) {
        /* Not connected yet: collect asks again. */
        (void)flock_tell_bulk(fetch->flock, i, VERB_FETCH, &body,
                              (struct proto_frame){ NULL, 0 });
    }
}

static size_t next_job(const struct fetch *fetch, size_t node, size_t from)
{
    size_t job = from;

    while (job < fetch->n_jobs && fetch->jobs[job].node != node) {
        job++;
    }
    return job;
}

/* Opens the copy of the lane's next job that can be opened. */
static void begin_job(struct fetch *fetch, size_t i)
{
    struct lane *lane = &fetch->lanes[i];

    while (lane->job < fetch->n_jobs && lane->copy == NULL) {
        struct fetch_job *job = &fetch->jobs[lane->job];

        lane->copy = collect_open(job->folder, job->log, &job->err);
        if (lane->copy == NULL) {
            lane->job = next_job(fetch, lane->node, lane->job + 1);
        }
    }
    if (lane->copy != NULL) {
        collect_set_window(
            lane->copy,
            pace_window(fetch->options->rate, fetch->options->total_rate / fetch->n_lanes));
        lane->heard_ns = clock_mono_ns();
        lane->bytes_ns = lane->heard_ns;
        ask_further(fetch, i);
    }
}

static void take_counts(struct fetch_job *job, const struct collect *copy)
{
    job->bytes = collect_bytes(copy);
    job->bytes_repeated = collect_repeated(copy);
    job->bytes_received = collect_received(copy) + job->bytes_repeated;
}

/* Tells how far all are; ends the reactor once nothing is left. True when so. */
static bool report(struct fetch *fetch)
{
    bool is_done = true;

    for (size_t i = 0; i < fetch->n_lanes && is_done; i++) {
        is_done = fetch->lanes[i].job >= fetch->n_jobs;
    }
    if (fetch->options->progress != NULL) {
        fetch->options->progress(fetch->options->arg, fetch->jobs, fetch->n_jobs);
    }
    if (is_done) {
        flock_pause(fetch->flock);
    }
    return is_done;
}

/* Ends the lane's job, whole or with the err that is in it, and begins the next. */
static void end_job(struct fetch *fetch, size_t i)
{
    struct lane *lane = &fetch->lanes[i];
    struct fetch_job *job = &fetch->jobs[lane->job];

    take_counts(job, lane->copy);
    if (job->err.code == ERR_NONE && collect_sync(lane->copy, &job->err) == 0) {
        collect_digest(lane->copy, job->digest);
        job->is_whole = true;
    }
    collect_close(&lane->copy);
    lane->job = next_job(fetch, lane->node, lane->job + 1);
    begin_job(fetch, i);
    (void)report(fetch);
}

static void take_data(struct fetch *fetch, size_t i, const struct proto_message *message)
{
    struct lane *lane = &fetch->lanes[i];
    struct fetch_job *job = &fetch->jobs[lane->job];

    pace_take(&lane->pace, message->payload.size);
    pace_take(&fetch->pace, message->payload.size);
    if (collect_take(lane->copy, PROTO_CONST_BODY(message, body_data), message->payload,
                     &job->err)
        < 0) {
        end_job(fetch, i);
        return;
    }
    take_counts(job, lane->copy);
    if (collect_is_complete(lane->copy)) {
        end_job(fetch, i);
    } else {
        ask_further(fetch, i);
    }
}

static void on_bulk(void *arg, size_t i, const struct flock_message *message)
{
    struct fetch *fetch = arg;
    struct lane *lane = &fetch->lanes[i];

    if (lane->copy == NULL) {
        return;
    }
    lane->heard_ns = message->mono_ns;
    if (message->message->verb == VERB_DATA) {
        lane->bytes_ns = message->mono_ns;
        take_data(fetch, i, message->message);
    } else if (message->message->verb == VERB_REFUSED) {
        err_set(&fetch->jobs[lane->job].err, ERR_STATE, "%s",
                PROTO_CONST_BODY(message->message, body_refused)->why);
        end_job(fetch, i);
    }
}

/* Heartbeats: over a slow link a piece of a log takes longer than they do. */
static void on_message(void *arg, size_t i, const struct flock_message *message)
{
    struct fetch *fetch = arg;

    fetch->lanes[i].heard_ns = message->mono_ns;
}

static void on_news(void *arg, size_t i, enum flock_news news)
{
    struct fetch *fetch = arg;

    if (news != FLOCK_WELCOMED && news != FLOCK_REBOOTED) {
        return;
    }
    if (fetch->lanes[i].copy != NULL) {
        collect_reset(fetch->lanes[i].copy); /* the node may have forgotten us */
        ask_further(fetch, i);
    } else {
        begin_job(fetch, i);
    }
}

static bool is_silent(const struct fetch *fetch, const struct lane *lane, int64_t mono_ns)
{
    int64_t limit_ns = fetch->options->silence_ms * NS_PER_MS;

    return mono_ns - lane->heard_ns > limit_ns
           || (lane->copy != NULL && mono_ns - lane->bytes_ns > SLOW_TIMES * limit_ns);
}

static void give_up(struct fetch *fetch, size_t i, int64_t mono_ns)
{
    struct lane *lane = &fetch->lanes[i];
    bool is_gone = mono_ns - lane->heard_ns > fetch->options->silence_ms * NS_PER_MS;
    int seconds = fetch->options->silence_ms * (is_gone ? 1 : SLOW_TIMES) / 1000;

    while (lane->job < fetch->n_jobs) {
        err_set(&fetch->jobs[lane->job].err, ERR_TIMEOUT,
                is_gone ? "silent for %d s" : "no bytes for %d s", seconds);
        collect_close(&lane->copy);
        lane->job = next_job(fetch, lane->node, lane->job + 1);
    }
}

static int on_tick(zloop_t *loop, int timer_id, void *arg)
{
    struct fetch *fetch = arg;
    int64_t mono_ns = clock_mono_ns();

    (void)loop;
    (void)timer_id;
    for (size_t i = 0; i < fetch->n_lanes; i++) {
        struct lane *lane = &fetch->lanes[i];

        if (lane->job >= fetch->n_jobs) {
            continue;
        }
        if (is_silent(fetch, lane, mono_ns)) {
            give_up(fetch, i, mono_ns);
        } else if (lane->copy != NULL) {
            ask_further(fetch, i);
        }
    }
    return report(fetch) ? -1 : 0;
}

/* One lane for each node that has a job. */
static int make_lanes(struct fetch *fetch, struct err *err)
{
    size_t n_nodes = fetch->options->inventory->n_nodes;

    pace_init(&fetch->pace, fetch->options->total_rate, clock_mono_ns());
    fetch->lanes = calloc(n_nodes + 1, sizeof(*fetch->lanes));
    fetch->nodes = calloc(n_nodes + 1, sizeof(struct inventory_node *));
    if (fetch->lanes == NULL || fetch->nodes == NULL) {
        return err_set(err, ERR_MEMORY, "fetching from %zu nodes", n_nodes);
    }
    for (size_t node = 0; node < n_nodes; node++) {
        size_t job = next_job(fetch, node, 0);

        if (job < fetch->n_jobs) {
            fetch->lanes[fetch->n_lanes] = (struct lane){ .node = node,
                                                          .job = job,
                                                          .heard_ns = clock_mono_ns(),
                                                          .bytes_ns = clock_mono_ns() };
            pace_init(&fetch->lanes[fetch->n_lanes].pace, fetch->options->rate,
                      clock_mono_ns());
            fetch->nodes[fetch->n_lanes] = &fetch->options->inventory->nodes[node];
            fetch->n_lanes++;
        }
    }
    return 0;
}

static int run(struct fetch *fetch, struct err *err)
{
    const struct flock_config config = { .nodes = fetch->nodes,
                                         .n_nodes = fetch->n_lanes,
                                         .key = fetch->options->key,
                                         .name = fetch->options->key->name,
                                         .controller = (uint64_t)clock_utc_ns(),
                                         .arg = fetch,
                                         .on_news = on_news,
                                         .on_message = on_message,
                                         .on_bulk = on_bulk };

    fetch->flock = flock_open(&config, err);
    if (fetch->flock == NULL) {
        return -1;
    }
    if (zloop_timer(flock_loop(fetch->flock), TICK_MS, 0, on_tick, fetch) < 0
        || flock_run(fetch->flock) < 0) {
        return err_set(err, ERR_SYSTEM, "the reactor ended early");
    }
    return 0;
}

int fetch_all(const struct fetch_options *options, struct fetch_job *jobs, size_t n_jobs,
              struct err *err)
{
    struct fetch fetch = { .options = options, .jobs = jobs, .n_jobs = n_jobs };
    int result = make_lanes(&fetch, err);

    if (result == 0 && fetch.n_lanes > 0) {
        result = run(&fetch, err);
    }
    flock_close(&fetch.flock);
    for (size_t i = 0; i < fetch.n_lanes; i++) {
        collect_close(&fetch.lanes[i].copy);
    }
    free(fetch.lanes);
    free(fetch.nodes);
    return result;
}
