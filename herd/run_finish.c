/* SPDX-License-Identifier: MIT */
/* Verdicts, what is printed at the end, and the exit status. */
#include "herd/run_state.h"

#include "herd/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    VERDICT_LINE = VERDICT_TEXT_SIZE + 40
};

/* The clock as the latest heartbeats show it, against the median of all. */
static bool is_proven_off_now(const struct run *run, const struct run_node *node)
{
    const struct clock_view *view =
        node->clock_now.n_exchanges > 0 ? &node->clock_now : &node->clock_before;

    return run->has_median
           && clock_view_is_proven_off(view, &run->median, run->clock_error_max_ns);
}

void run_judge(struct run *run, size_t i)
{
    struct run_node *node = &run->nodes[i];
    const struct start_node *start = &run->start.nodes[i];
    struct verdict_facts facts = {
        .took_part = start->is_told,
        .is_refusal = start->is_out && !start->is_called_off,
        .is_started = start->word == START_WORD_STARTED || node->is_started,
        .is_not_started = start->word == START_WORD_NOT_STARTED,
        .why = start->is_out && !start->is_called_off ? start->why : run->start.why,
        .start_error_ns = node->started.start_error_ns,
        .start_bound_ns = node->started.start_bound_ns,
        .clock_error_max_ns = run->clock_error_max_ns,
        .is_clock_proven_off = is_proven_off_now(run, node),
        .is_collected = node->is_copy_checked && node->failure[0] == '\0',
        .collect_failure = node->failure[0] != '\0' ? node->failure : NULL,
        .unknown_why =
            run->is_detached ? "left to itself; its recording is not here yet" : NULL,
        .is_digest_right = node->is_digest_right,
        .n_planned = node->n_planned,
        .n_samples = node->ended.n_samples,
        .n_built = node->is_built ? node->summary.n_samples : node->ended.n_samples,
        .n_gap_samples = node->summary.n_gap_samples > node->ended.n_gap_samples
                             ? node->summary.n_gap_samples
                             : node->ended.n_gap_samples,
        .n_underruns = node->summary.n_underruns,
        .n_clamped = node->summary.n_clamped,
        .is_cal_default = node->summary.is_cal_default,
        .end_reason = (uint32_t)node->ended.reason,
        .end_text = node->ended.text,
        .is_stop_agreed = run->stop_sample > 0 && node->ended.n_samples == run->stop_sample,
        .is_orphan = start->is_orphan,
        .remarks = node->summary.remarks,
    };

    if (node->is_built && !node->is_started) {
        /* STARTED was lost, but the log has the START record. */
        facts.start_error_ns = node->summary.start_error_ns;
        facts.start_bound_ns = node->summary.start_bound_ns;
    }
    verdict_find(&facts, &node->verdict);
    node->has_verdict = true;
}

/* ---- the end ---- */

static void put_node_json(struct json *json, const struct run *run, size_t i)
{
    const struct run_node *node = &run->nodes[i];
    char text[VERDICT_LINE];

    verdict_print(&node->verdict, text, sizeof(text));
    json_open(json, NULL, '{');
    json_text(json, "node", run->names[i]);
    json_text(json, "verdict", text);
    json_text(json, "file", node->is_built ? node->final_path : NULL);
    if (node->is_ended) {
        json_u64(json, "n_samples", node->ended.n_samples);
        json_u64(json, "n_gap_samples", node->ended.n_gap_samples);
    }
    if (node->is_built) {
        json_u64(json, "ring_fill_max_percent", node->summary.ring_fill_max_percent);
        json_u64(json, "queue_fill_max_percent", node->summary.queue_fill_max_percent);
    }
    if (node->is_started) {
        json_i64(json, "start_error_ns", node->started.start_error_ns);
        json_i64(json, "start_bound_ns", node->started.start_bound_ns);
    }
    if (node->end_ns > 0 && node->is_ended) {
        json_f64(json, "latency_s",
                 (double)(node->end_ns - run->start.T_mono_ns) / 1e9
                     - (double)node->ended.n_samples * RUN_SAMPLE_NS / 1e9);
    }
    json_close(json, '}');
}

static void print_json(const struct run *run, int status, bool is_open)
{
    struct buf line = { 0 };
    struct json json = { .out = &line };

    json_open(&json, NULL, '{');
    json_text(&json, "event", "summary");
    json_text(&json, "experiment", run->name);
    json_text(&json, "id", run->id);
    json_bool(&json, "is_open", is_open);
    json_i64(&json, "T_ns", run->start.T_ns);
    json_i64(&json, "status", status);
    json_f64(&json, "seconds", (double)(clock_mono_ns() - run->begin_ns) / 1e9);
    if (run->start.last_ready_ns > 0) {
        json_f64(&json, "ready_to_T_s",
                 (double)(run->start.T_mono_ns - run->start.last_ready_ns) / 1e9);
    }
    json_text(&json, "manifest", run->manifest[0] != '\0' ? run->manifest : NULL);
    json_open(&json, "nodes", '[');
    for (size_t i = 0; i < run->n_nodes; i++) {
        put_node_json(&json, run, i);
    }
    json_close(&json, ']');
    json_close(&json, '}');
    json_line(&json, stdout);
    buf_fini(&line);
}

static void say_open(const struct run *run)
{
    printf("not everything is here; continue with: herd attach %s\n", run->id);
}

static void print_people(const struct run *run, bool is_open)
{
    int width = 0;

    for (size_t i = 0; i < run->n_nodes; i++) {
        int length = (int)strlen(run->names[i]);

        width = length > width ? length : width;
    }
    for (size_t i = 0; i < run->n_nodes; i++) {
        const struct run_node *node = &run->nodes[i];
        char text[VERDICT_LINE];

        verdict_print(&node->verdict, text, sizeof(text));
        printf("%-*s  %s%s%s\n", width, run->names[i], text, node->is_built ? "  " : "",
               node->is_built ? node->final_path : "");
    }
    if (is_open) {
        say_open(run);
    }
    fflush(stdout);
}

static int find_status(const struct run *run)
{
    for (size_t i = 0; i < run->n_nodes; i++) {
        if (!verdict_is_good(&run->nodes[i].verdict)) {
            return EXIT_NODE_FAILED;
        }
    }
    return EXIT_ALL_VALID;
}

/* Nothing was agreed: whatever ended it, nothing is left on the nodes. */
static int conclude_unstarted(struct run *run)
{
    const struct journal_entry end = { .kind = JOURNAL_END };
    struct err err = run->err;
    bool is_blame = err.code == ERR_NONE;

    if (is_blame) {
        err_set(&err, run->start.code != ERR_NONE ? run->start.code : ERR_STATE,
                "nothing was started: %s", run->start.why);
    }
    if (run->is_detached) {
        if (run->start.is_go_decided && run->options->is_json) {
            print_json(run, EXIT_INTERRUPTED, true);
        } else if (run->start.is_go_decided) {
            say_open(run);
        }
        return EXIT_INTERRUPTED;
    }
    (void)run_note(run, &end, true);
    if (run->has_start && err.code != ERR_INTERRUPTED && err.code != ERR_EXISTS) {
        if (run->options->is_json) {
            print_json(run, EXIT_NODE_FAILED, false);
        } else {
            print_people(run, false);
        }
        (void)cmd_fail(run->options, run->request->command, &err);
        return EXIT_NODE_FAILED;
    }
    return cmd_fail(run->options, run->request->command, &err);
}

/* Nothing more to collect? Nodes that never answered CANCEL may still hold something. */
static bool is_open(const struct run *run)
{
    for (size_t i = 0; i < run->n_nodes; i++) {
        const struct run_node *node = &run->nodes[i];

        if (node->verdict.kind == VERDICT_UNKNOWN || !node->is_settled) {
            return true;
        }
    }
    return false;
}

int run_conclude(struct run *run)
{
    const struct journal_entry end = { .kind = JOURNAL_END };
    bool is_left_open = false;
    int status = 0;

    for (size_t i = 0; run->start.nodes != NULL && i < run->n_nodes; i++) {
        if (!run->nodes[i].has_verdict || !run->nodes[i].is_settled) {
            run_judge(run, i);
        }
    }
    if (!run->is_following) {
        return conclude_unstarted(run);
    }
    is_left_open = is_open(run);
    if (!is_left_open) {
        (void)run_note(run, &end, true);
    }
    run_write_manifest(run);
    status = run->n_interrupts > 0 ? EXIT_INTERRUPTED : find_status(run);
    if (run->err.code != ERR_NONE) {
        status = cmd_fail(run->options, run->request->command, &run->err);
    }
    if (run->options->is_json) {
        print_json(run, status, is_left_open);
    } else {
        print_people(run, is_left_open);
    }
    return status;
}
