/* SPDX-License-Identifier: MIT */
/* start_scale [N [ROUNDS]]: how long one herd needs with N nodes, over CURVE on loopback.
 *
 * Prints the time until all nodes have said WELCOME (that is also what a herd needs when it
 * comes back and a thousand reconnect at once), from PREPARE with a full configuration to all
 * acknowledged (p50, p99 over the rounds), from the last READY to T, the deviation of nodes
 * that were told GO, and herd's own processor time and memory. */
#include "start_scale.h"

#include "common/clock.h"
#include "common/experiment.h"
#include "common/log.h"
#include "common/wire.h"
#include "herd/flock.h"
#include "herd/start.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    FIRST_PORT = 21000,
    DEFAULT_NODES = 1000,
    DEFAULT_ROUNDS = 5,
    MAX_ROUNDS = 100,
    LIMIT_S = 60,
    TICK_MS = 5,
};

struct bench {
    size_t n_nodes;
    struct scale_node *nodes;
    struct inventory_node *inventory;
    const struct inventory_node **members;
    bool *required;
    struct key_pair key;
    struct buf config;
    struct herd_flock *flock;
    struct start start;
    bool has_start;
    uint64_t experiment;
    int64_t worst_trip_ns;
    bool is_clocked;
    int64_t deadline_ns;
    bool (*until)(const struct bench *bench);
    int64_t asked_ns;
    double acknowledged_ms[MAX_ROUNDS];
    double ready_to_T_ms[MAX_ROUNDS];
};

/* ---- the protocol's effects ---- */

static void step(struct bench *bench, struct start_event *event)
{
    struct start *start = &bench->start;
    bool must_choose = false;

    event->mono_ns = clock_mono_ns();
    event->utc_ns = clock_utc_ns();
    start_step(start, event);
    for (size_t k = 0; k < start->n_actions; k++) {
        const struct start_action *action = &start->actions[k];
        const struct body_arm arm = { .T_ns = action->T_ns, .n = action->n };
        struct body_prepare prepare = { .experiment_name = "scale", .log = "scale" };
        struct proto_frame payload = { NULL, 0 };

        must_choose = must_choose || action->kind == START_ACT_CHOOSE;
        if (action->kind != START_ACT_TELL) {
            continue;
        }
        if (action->verb == VERB_PREPARE) {
            payload = (struct proto_frame){ bench->config.data, bench->config.size };
        }
        flock_tell(bench->flock, action->i, action->verb,
                   action->verb == VERB_PREPARE  ? (const void *)&prepare
                   : action->verb == VERB_CANCEL ? NULL
                                                 : (const void *)&arm,
                   payload);
    }
    if (must_choose) {
        struct start_event ok = { .kind = START_EVENT_T_OK };

        step(bench, &ok);
    }
}

static void on_message(void *arg, size_t i, const struct flock_message *message)
{
    static const enum start_event_kind KINDS[N_VERBS] = {
        [VERB_READY] = START_EVENT_READY,         [VERB_ARMED] = START_EVENT_ARMED,
        [VERB_GOING] = START_EVENT_GOING,         [VERB_STOOD_DOWN] = START_EVENT_STOOD_DOWN,
        [VERB_CANCELLED] = START_EVENT_CANCELLED, [VERB_STARTED] = START_EVENT_STARTED,
    };
    struct bench *bench = arg;
    const struct proto_message *got = message->message;
    struct start_event event = { .kind = KINDS[got->verb], .i = i };

    if (!bench->has_start || event.kind == START_EVENT_TIME
        || got->token.experiment != bench->experiment) {
        return;
    }
    if (got->verb == VERB_READY) {
        event.promise_ns = PROTO_CONST_BODY(got, body_ready)->promise_ns;
    } else if (got->verb != VERB_CANCELLED && got->verb != VERB_STARTED) {
        event.T_ns = PROTO_CONST_BODY(got, body_arm)->T_ns;
        event.n = PROTO_CONST_BODY(got, body_arm)->n;
        event.why = PROTO_CONST_BODY(got, body_arm)->why;
    }
    step(bench, &event);
}

static int on_tick(zloop_t *loop, int timer_id, void *arg)
{
    struct bench *bench = arg;
    struct start_event event = { .kind = START_EVENT_TIME };

    (void)loop;
    (void)timer_id;
    if (bench->has_start && clock_mono_ns() >= start_deadline_ns(&bench->start)) {
        step(bench, &event);
    }
    if (bench->until(bench) || clock_mono_ns() > bench->deadline_ns) {
        flock_pause(bench->flock);
        return -1;
    }
    return 0;
}

static bool wait_until(struct bench *bench, bool (*until)(const struct bench *bench))
{
    bench->until = until;
    bench->deadline_ns = clock_mono_ns() + LIMIT_S * NS_PER_S;
    return flock_run(bench->flock) == 0 && until(bench);
}

static bool is_welcome(const struct bench *bench)
{
    size_t n = 0;

    for (size_t i = 0; i < bench->n_nodes; i++) {
        n += flock_session(bench->flock, i)->is_welcome ? 1 : 0;
    }
    return n == bench->n_nodes;
}

static bool is_prepared(const struct bench *bench)
{
    return bench->start.phase > START_PREPARING;
}

static bool is_decided(const struct bench *bench)
{
    return bench->start.phase == START_COMMITTED || bench->start.phase == START_OVER;
}

static bool is_started(const struct bench *bench)
{
    size_t n = 0;

    for (size_t i = 0; i < bench->n_nodes; i++) {
        n += bench->start.nodes[i].is_started ? 1 : 0;
    }
    return n == bench->n_nodes;
}

/* ---- the network's pace ---- */

static void on_clocked(void *arg, size_t i, const struct flock_message *message)
{
    struct bench *bench = arg;
    const struct body_clock *body = NULL;
    int64_t trip_ns = 0;

    (void)i;
    if (message != NULL && message->message->verb == VERB_CLOCKED) {
        body = PROTO_CONST_BODY(message->message, body_clock);
        trip_ns = message->received_ns - body->t1_ns - (body->t3_ns - body->t2_ns);
        bench->worst_trip_ns = trip_ns > bench->worst_trip_ns ? trip_ns : bench->worst_trip_ns;
    }
}

static void clock_done(void *arg)
{
    ((struct bench *)arg)->is_clocked = true;
}

static bool is_clocked(const struct bench *bench)
{
    return bench->is_clocked;
}

static int measure_trip(struct bench *bench, struct err *err)
{
    const struct body_clock body = { .t1_ns = clock_utc_ns() };
    const struct flock_request request = { .verb = VERB_CLOCK,
                                           .body = &body,
                                           .timeout_ms = 5000,
                                           .again_ms = 5000,
                                           .answer = on_clocked,
                                           .arg = bench };

    if (flock_request_all(bench->flock, &request, NULL, clock_done, err) < 0) {
        return -1;
    }
    return wait_until(bench, is_clocked) ? 0 : -1;
}

/* ---- rounds ---- */

static int open_herd(struct bench *bench, uint64_t experiment, struct err *err)
{
    const struct flock_config config = { .nodes = bench->members,
                                         .n_nodes = bench->n_nodes,
                                         .key = &bench->key,
                                         .name = "scale",
                                         .experiment = experiment,
                                         .controller = (uint64_t)clock_utc_ns(),
                                         .arg = bench,
                                         .on_message = on_message };

    bench->flock = flock_open(&config, err);
    if (bench->flock == NULL
        || zloop_timer(flock_loop(bench->flock), TICK_MS, 0, on_tick, bench) < 0) {
        return -1;
    }
    return 0;
}

static int open_start(struct bench *bench, struct err *err)
{
    const struct start_config config = { .n_nodes = bench->n_nodes,
                                         .align_ns = 0,
                                         .if_incomplete = INCOMPLETE_ABORT,
                                         .prepare_timeout_ns = LIMIT_S * NS_PER_S,
                                         .network = {
                                             .worst_trip_ns = bench->worst_trip_ns,
                                         } };

    if (start_init(&bench->start, &config, bench->required, err) < 0) {
        return -1;
    }
    bench->has_start = true;
    start_begin(&bench->start, clock_mono_ns());
    return 0;
}

static int fail(const char *what, const struct err *err)
{
    fprintf(stderr, "start_scale: %s: %s\n", what, err->text);
    return -1;
}

/* One experiment up to its decision; all but the last are called off again. */
static int run_round(struct bench *bench, int round, bool is_last, struct err *err)
{
    struct start_event event = { .kind = START_EVENT_TIME };

    bench->experiment = (uint64_t)round + 1;
    flock_set_token(bench->flock, bench->experiment, (uint64_t)clock_utc_ns());
    if (open_start(bench, err) < 0) {
        return fail("start", err);
    }
    bench->asked_ns = clock_mono_ns();
    step(bench, &event);
    if (!wait_until(bench, is_prepared)) {
        return fail("not all nodes are ready in time", err);
    }
    bench->acknowledged_ms[round] =
        (double)(bench->start.last_ready_ns - bench->asked_ns) / 1e6;
    if (!wait_until(bench, is_decided)) {
        return fail("no decision in time", err);
    }
    bench->ready_to_T_ms[round] =
        (double)(bench->start.T_mono_ns - bench->start.last_ready_ns) / 1e6;
    if (bench->start.phase != START_COMMITTED) {
        printf("round %d was called off: %s\n", round, bench->start.why);
        return -1;
    }
    if (is_last) {
        if (!wait_until(bench, is_started)) {
            return fail("not all nodes started in time", err);
        }
    } else {
        struct start_event abort = { .kind = START_EVENT_ABORT, .code = ERR_STATE };

        bench->start.phase = START_GOING; /* a bench may take it back */
        step(bench, &abort);
        if (!wait_until(bench, is_decided)) {
            return fail("not all nodes cancelled in time", err);
        }
    }
    bench->has_start = false;
    start_fini(&bench->start);
    return 0;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;

    return (left > right) - (left < right);
}

static void print_sorted(const char *what, double *values, int n, double reach)
{
    qsort(values, (size_t)n, sizeof(*values), compare);
    printf("figure: %s: p50 %.1f ms, p99 %.1f ms (to reach: %.0f ms)\n", what, values[n / 2],
           values[(n * 99 + 99) / 100 - 1], reach);
}

static int measure(struct bench *bench, int n_rounds, struct err *err)
{
    struct rusage usage;
    int64_t begin_ns = clock_mono_ns();

    if (open_herd(bench, 1, err) < 0) {
        return fail("herd", err);
    }
    if (!wait_until(bench, is_welcome)) {
        return fail("not all nodes said WELCOME in time", err);
    }
    printf("figure: %zu nodes connected at once: all welcome after %.1f ms\n", bench->n_nodes,
           (double)(clock_mono_ns() - begin_ns) / 1e6);
    if (measure_trip(bench, err) < 0) {
        return fail("clocks", err);
    }
    printf("figure: worst round trip with all asked at once: %.1f ms\n",
           (double)bench->worst_trip_ns / 1e6);
    for (int round = 0; round < n_rounds; round++) {
        if (run_round(bench, round, round == n_rounds - 1, err) < 0) {
            return -1;
        }
    }
    print_sorted("PREPARE to all acknowledged", bench->acknowledged_ms, n_rounds, 250);
    print_sorted("last READY to T", bench->ready_to_T_ms, n_rounds, 2000);
    getrusage(RUSAGE_SELF, &usage);
    printf("figure: herd used %.2f s of processor and %.1f MB of memory in %.1f s\n",
           (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec
               + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
           (double)usage.ru_maxrss / 1024, (double)(clock_mono_ns() - begin_ns) / 1e9);
    return 0;
}

/* ---- setting up ---- */

static int make_config(struct bench *bench, struct err *err)
{
    struct fault_list faults = { 0 };
    struct inventory *inventory =
        inventory_parse("sheep: {hosts: {a: {ansible_host: 127.0.0.1}}}\n", "bench", &faults);
    struct experiment *experiment = NULL;

    if (inventory != NULL) {
        experiment = experiment_parse("name: scale\nduration: 1 s\ndefaults:\n  mode: harvest\n"
                                      "  harvester: {inherit_from: mppt_po}\n",
                                      "bench", inventory, NULL, &faults);
    }
    if (experiment == NULL) {
        return fault_check(&faults, err);
    }
    schema_encode(&node_config_schema, &experiment->nodes[0].config, &bench->config, 0);
    experiment_destroy(&experiment);
    inventory_destroy(&inventory);
    fault_fini(&faults);
    return bench->config.failed ? err_set(err, ERR_MEMORY, "config") : 0;
}

static int make_nodes(struct bench *bench, struct err *err)
{
    for (size_t i = 0; i < bench->n_nodes; i++) {
        struct scale_node *node = &bench->nodes[i];
        struct inventory_node *known = &bench->inventory[i];

        snprintf(node->name, sizeof(node->name), "node%zu", i);
        node->port = (uint16_t)(FIRST_PORT + i);
        if (key_generate(&node->key, node->name, ROLE_SHEEP, err) < 0) {
            return -1;
        }
        snprintf(known->name, sizeof(known->name), "%s", node->name);
        snprintf(known->host, sizeof(known->host), "127.0.0.1");
        known->port = node->port;
        memcpy(known->public_key, node->key.public_key, sizeof(known->public_key));
        bench->members[i] = known;
        bench->required[i] = true;
    }
    return key_generate(&bench->key, "scale", ROLE_OPERATOR, err);
}

static int run_bench(struct bench *bench, int n_rounds, const char *folder, struct err *err)
{
    char path[256];
    int ready[2];
    int stop[2];
    pid_t child = 0;
    char word = 0;
    int result = 0;

    snprintf(path, sizeof(path), "%s/scale.pub", folder);
    if (key_save_public(&bench->key, path, err) < 0 || pipe(ready) < 0 || pipe(stop) < 0) {
        return fail("set-up", err);
    }
    child = fork();
    if (child == 0) {
        close(stop[1]);
        _exit(scale_host(bench->nodes, bench->n_nodes, folder, ready[1], stop[0]));
    }
    close(ready[1]);
    result = read(ready[0], &word, 1) == 1 ? measure(bench, n_rounds, err) : -1;
    flock_close(&bench->flock);
    close(stop[1]);
    waitpid(child, NULL, 0);
    unlink(path);
    return result;
}

int main(int argc, char **argv)
{
    struct bench bench = { .n_nodes = DEFAULT_NODES };
    char folder[] = "/tmp/bw-scale-XXXXXX";
    uint64_t number = 0;
    int n_rounds = DEFAULT_ROUNDS;
    struct err err = { 0 };
    int result = -1;

    if (argc > 1 && text_to_u64(argv[1], &number) && number > 0 && number < 20000) {
        bench.n_nodes = (size_t)number;
    }
    if (argc > 2 && text_to_u64(argv[2], &number) && number > 0 && number <= MAX_ROUNDS) {
        n_rounds = (int)number;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    wire_init();
    bench.nodes = calloc(bench.n_nodes, sizeof(*bench.nodes));
    bench.inventory = calloc(bench.n_nodes, sizeof(*bench.inventory));
    bench.members = calloc(bench.n_nodes, sizeof(void *));
    bench.required = calloc(bench.n_nodes, sizeof(*bench.required));
    if (bench.nodes != NULL && bench.inventory != NULL && bench.members != NULL
        && bench.required != NULL && mkdtemp(folder) != NULL && make_config(&bench, &err) == 0
        && make_nodes(&bench, &err) == 0) {
        result = run_bench(&bench, n_rounds, folder, &err);
        rmdir(folder);
    } else {
        fail("set-up", &err);
    }
    buf_fini(&bench.config);
    free(bench.nodes);
    free(bench.inventory);
    free(bench.members);
    free(bench.required);
    return result == 0 ? 0 : 1;
}
