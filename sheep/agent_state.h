/* SPDX-License-Identifier: MIT */
/* Inside of the agent: what agent.c (life), agent_experiment.c (actions), agent_answer.c
 * (words) and dispatch.c (verbs) share. All of it belongs to the thread of the loop. */
#ifndef SHEEP_AGENT_STATE_H
#define SHEEP_AGENT_STATE_H

#include "common/clock.h"
#include "common/zap.h"
#include "sheep/blink.h"
#include "sheep/clock_claim.h"
#include "sheep/clock_watch.h"
#include "sheep/config.h"
#include "sheep/experiment.h"
#include "sheep/input_store.h"
#include "sheep/live.h"
#include "sheep/log_server.h"
#include "sheep/monitor.h"
#include "sheep/node_journal.h"
#include "sheep/plan.h"
#include "sheep/recorder_link.h"
#include "sheep/reply_cache.h"
#include "sheep/server.h"
#include "sheep/store.h"
#include "sheep/worker.h"

#include <czmq.h>

#include <stdbool.h>
#include <stdint.h>

/* Where an answer goes. */
struct agent_request {
    bool is_set;
    enum server_port port;
    char peer_id[WIRE_ID_SIZE];
    char user[KEY_TEXT_SIZE];
    enum proto_verb verb;
    struct proto_token token;
};

struct agent {
    const struct sheep_config *config;
    struct clock clock;
    int64_t start_mono_ns;
    uint64_t boot_id;
    const volatile sig_atomic_t *stop_signal;
    struct err failure; /* code set: why the loop ended */
    int lock_fd;

    zloop_t *loop;
    struct zap *zap;
    struct server *server;
    struct live *live; /* NULL: its port is taken */
    struct recorder_link *link;
    struct worker *journalist; /* GO waits for it: nothing slow goes there */
    struct worker *worker;
    struct log_server *logs;
    struct reply_cache *cache;
    struct store store;
    struct input_store inputs;
    struct clock_watch *clock_watch; /* NULL: sheep.yaml says what is claimed */
    struct clock_claim claim;
    char state_dir[PATH_SIZE];

    struct node_experiment node;
    struct node_journal journal; /* of the experiment that is here */
    struct plan *plan;           /* of the last PREPARE */
    struct body_started started;
    struct body_ended ended;
    char owner_peer[WIRE_ID_SIZE];

    /* While a message is handled. */
    struct agent_request current;
    bool is_answered;
    const struct body_prepare *prepare_body;
    struct proto_frame prepare_payload;

    /* Answers that come later. */
    struct agent_request pending_prepare;
    struct agent_request pending_go;
    struct agent_request pending_cancel;
    struct agent_request pending_other; /* verbs that are always answered at once */
    uint32_t seq_prepare;               /* of requests to the recorder */
    uint32_t seq_start;
    uint32_t seq_cancel;
    uint32_t seq_stop;

    struct recorder_page page;       /* last copy; zero before the first */
    struct agent_monitors *monitors; /* while a recording runs */
    uint32_t ring_fill_max;
    unsigned n_ticks;
    bool is_pumping;

    struct blink blink;
    int blink_timer; /* 0: none */
};

/* ---- agent_experiment.c ---- */

/* Runs the protocol's step for the event (times are filled in) and does what it says. */
void agent_feed(struct agent *agent, struct node_event *event);

void agent_recorder_up(void *arg, bool is_again);
void agent_recorder_event(void *arg, const struct recorder_event *event);
void agent_recorder_lost(void *arg, const char *why);

/* Reads the page; what it shows and no event has told is fed. */
void agent_look_at_page(struct agent *agent);

/* After the start of the agent: what the journal, the page and the log say. */
void agent_restore(struct agent *agent);

/* ---- agent_jobs.c ---- */

void agent_feed_failure(struct agent *agent, enum node_event_kind kind, const struct err *err);

/* ENDED, with what `ended` holds. */
void agent_feed_ended(struct agent *agent);

/* Writes the journal; n: the arm whose start waits for it, 0: none. */
void agent_save_journal(struct agent *agent, uint64_t n);
/* What is not going is forgotten by the next agent. */
void agent_clear_journal(struct agent *agent);

/* Closes the log of the experiment that is here, after its recorder is gone; then ENDED. */
void agent_recover_log(struct agent *agent);

/* Closes logs that nobody closed, and removes those that never started. */
void agent_scan_logs(struct agent *agent);

void agent_release_log(struct agent *agent);
void agent_fill_ended(struct body_ended *ended, const struct store_entry *entry);
void agent_take_entry(struct agent *agent, const struct store_entry *entry);

/* ---- agent_machine.c ---- */

/* They answer the current message, at once or later; `who` is its sender's name. */
void agent_power(struct agent *agent, const char *who, const struct body_power *body);
void agent_inventory(struct agent *agent);
void agent_blink(struct agent *agent, const char *who, const struct body_blink *body);
/* At the agent's end: lights as they were. */
void agent_machine_end(struct agent *agent);

/* ---- agent_answer.c ---- */

void agent_answer(struct agent *agent, const struct agent_request *request,
                  enum proto_verb verb, const void *body, struct proto_frame payload);
void agent_refuse(struct agent *agent, const struct agent_request *request,
                  const struct err *why);
void agent_do_answer(struct agent *agent, const struct agent_request *request,
                     const struct node_action *action);
void agent_answer_state(struct agent *agent, const struct agent_request *request);
void agent_answer_welcome(struct agent *agent, const struct agent_request *request);
void agent_answer_clock(struct agent *agent, const struct agent_request *request,
                        enum proto_verb verb, const struct body_clock *asked,
                        int64_t received_ns);
uint64_t agent_samples(const struct agent *agent);

/* ---- agent_monitors.c ---- */

/* At every tick: monitors run exactly while a recording runs. */
void agent_keep_monitors(struct agent *agent);
void agent_stop_monitors(struct agent *agent);

/* ---- agent_live.c ---- */

/* At every tick: what is published, while anybody listens. */
void agent_keep_live(struct agent *agent);

/* ---- dispatch.c ---- */

void agent_dispatch(void *arg, struct server_peer *peer, const struct proto_message *message,
                    int64_t received_ns);

/* ---- agent.c ---- */

/* What is claimed of the clock now, into agent->claim. */
void agent_read_claim(struct agent *agent);

/* Serves logs now, not at the next tick. */
void agent_pump(struct agent *agent);
bool agent_is_log_live(void *arg, const char *log, struct rlog_position *durable);

#endif
