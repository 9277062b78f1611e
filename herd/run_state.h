/* SPDX-License-Identifier: MIT */
/* Inside of a run: what run.c (life), run_check.c (before anybody is asked), run_connect.c (who
 * is there, clocks, inputs), run_start.c (the start protocol's effects), run_follow.c
 * (recording, collecting, building), run_finish.c (verdicts, manifest) and run_resume.c
 * (attach) share. All of it belongs to the thread of the loop. */
#ifndef HERD_RUN_STATE_H
#define HERD_RUN_STATE_H

#include "herd/builder.h"
#include "herd/clock_judge.h"
#include "herd/collect.h"
#include "herd/flock.h"
#include "herd/inputs.h"
#include "herd/journal.h"
#include "herd/pace.h"
#include "herd/progress.h"
#include "herd/run.h"
#include "herd/start.h"
#include "herd/supply.h"
#include "herd/verdict.h"

#include "common/clock.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    RUN_TICK_MS = 10,
    RUN_CONNECT_MS = 5000,
    RUN_CLOCK_MS = 3000,
    RUN_CLOCK_EXCHANGES = 16,
    RUN_PREPARE_S = 30,
    RUN_PATIENCE_S = 30, /* for a node that is silent after the others have finished */
    RUN_RELEASE_MS = 5000,
    RUN_ADVANCE_MS = 500,     /* HDF5 grows as often */
    RUN_STOP_MARGIN_MS = 400, /* an agreed stop lies so far ahead */
    RUN_DRAW_MS = 200,
    RUN_SAMPLE_NS = 10000,
    RUN_STEM_SIZE = 160,
};

struct run_node {
    const struct inventory_node *node;
    const struct node_config *config; /* NULL after attach */
    struct buf config_text;           /* payload of PREPARE */
    char log[PROTO_NAME_SIZE];        /* wanted, then as READY said */
    enum experiment_mode mode;
    enum record_exists exists;
    uint64_t n_planned; /* UINT64_MAX: open end */

    /* clocks */
    struct clock_evidence clock;
    struct clock_view clock_now; /* heartbeats, of the last while */
    struct clock_view clock_before;
    unsigned n_clock;
    int64_t worst_trip_ns;

    /* numbers of the last requests, to know what a REFUSED is about */
    uint32_t seq_prepare;
    uint32_t seq_arm;
    uint32_t seq_go;
    uint32_t seq_cancel;

    /* the recording */
    struct body_started started;
    struct body_ended ended;
    bool is_started; /* STARTED was heard */
    bool is_ended;   /* ENDED was heard */
    bool is_lost;
    uint64_t n_samples; /* progress */
    uint64_t log_bytes; /* durable, as the node says */
    struct collect *collect;
    struct pace pace;
    bool is_copy_checked; /* digest compared */
    bool was_refetched;
    bool is_digest_right;
    bool is_building; /* FINISH is with the builder */
    bool is_built;
    bool is_releasing;
    bool is_released;
    bool is_settled; /* nothing more will be done for it */
    bool is_done;    /* from an earlier herd's journal: verdict is there */
    bool is_given_up;
    int64_t advance_ns; /* monotonic: when HDF5 grows next */
    uint64_t advanced;  /* bytes of the copy at the last growth */
    int64_t moved_ns;   /* monotonic: something changed */
    uint64_t last_sum;  /* of what may change */
    int64_t ask_ns;     /* monotonic: when its state is asked next */
    int64_t stop_ns;    /* monotonic: when an orphan is told to stop next */
    int64_t end_ns;     /* monotonic, when the verdict was there */
    char failure[PROTO_TEXT_SIZE];
    char final_path[PATH_SIZE];
    struct h5_summary summary;
    struct verdict verdict;
    bool has_verdict;
};

struct run {
    const struct run_request *request;
    const struct cmd_options *options;
    char name[EXPERIMENT_NAME_SIZE];
    char id[JOURNAL_ID_SIZE];
    char state_folder[PATH_MAX];
    char output[PATH_SIZE];
    char copies[PATH_SIZE];   /* OUTPUT/.bellwether/ID */
    char manifest[PATH_SIZE]; /* path */
    uint64_t experiment;
    uint64_t controller;
    int64_t clock_error_max_ns;
    enum on_failure on_failure;
    bool is_attached;

    size_t n_nodes;
    struct run_node *nodes;
    const struct inventory_node **members; /* for the flock */
    const char **names;
    bool *required;

    struct journal *journal;
    struct herd_flock *flock;
    struct start start;
    bool has_start;
    bool is_stepping; /* in start_step's actions */
    struct builder *builder;
    struct inputs inputs;
    struct supply *supply;
    struct progress *progress;
    struct clock_median median;
    bool has_median;

    /* what the loop waits for */
    bool (*until)(struct run *run);
    int64_t deadline_ns; /* monotonic */
    int signal_fd;
    unsigned n_interrupts;
    bool is_detached;
    bool is_following; /* logs are followed */
    uint64_t stop_sample;
    bool is_stopping;
    int64_t draw_ns;
    int64_t begin_ns;  /* monotonic; of the command */
    struct pace pace;  /* of all nodes' logs */
    int64_t follow_ns; /* monotonic: next look at the nodes that are followed */
    struct err err;    /* why the run cannot go on */
    int status;        /* of the checks that ended it; 0 */
};

/* ---- run.c ---- */

MUST_CHECK int run_alloc(struct run *run, size_t n_nodes, struct err *err);
/* Runs the loop until `until` is true or the deadline; false at the deadline, or when the user
 * has detached. */
bool run_wait(struct run *run, bool (*until)(struct run *run), int64_t timeout_ms);
int run_note(struct run *run, const struct journal_entry *entry, bool is_urgent);
int64_t run_now_sample(const struct run *run); /* of the nodes' clocks; negative before T */

/* ---- run_check.c ---- */
MUST_CHECK int run_check_output(struct run *run, struct err *err);
/* Paths of results: "<hrv_|emu_><name>_<UTC of T>". */
void run_stem(const struct run *run, enum experiment_mode mode, char stem[RUN_STEM_SIZE]);
/* ERR_EXISTS names a result that is there, with record.exists refuse. */
MUST_CHECK int run_check_names(const struct run *run, struct err *err);
/* Takes the name of a node's file: nobody else gets it. */
MUST_CHECK int run_take_name(struct run *run, size_t i, struct err *err);

/* ---- run_connect.c ---- */
MUST_CHECK int run_connect(struct run *run);
MUST_CHECK int run_measure_clocks(struct run *run);
MUST_CHECK int run_supply(struct run *run);
void run_take_pong(struct run *run, size_t i, const struct flock_message *message);

/* ---- run_start.c ---- */
MUST_CHECK int run_start(struct run *run);
void run_feed(struct run *run, struct start_event *event);
void run_start_message(struct run *run, size_t i, const struct proto_message *message);
void run_ask_state(struct run *run, size_t i);

/* ---- run_follow.c ---- */
void run_follow(struct run *run);
void run_release(struct run *run, size_t i);
void run_follow_tick(struct run *run, int64_t mono_ns);
void run_take_data(struct run *run, size_t i, const struct flock_message *message);
void run_follow_reset(struct run *run, size_t i);
void run_built(void *arg, const struct builder_answer *answer);
void run_stop_all(struct run *run, const char *why);
bool run_is_settled(struct run *run);

/* ---- run_finish.c ---- */
void run_judge(struct run *run, size_t i);
void run_write_manifest(struct run *run);
void run_recall_config(struct run *run, size_t i);
int run_conclude(struct run *run);

/* ---- run_resume.c ---- */
MUST_CHECK int run_load(struct run *run, struct err *err);
void run_reattach(struct run *run);

#endif
