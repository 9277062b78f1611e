/* SPDX-License-Identifier: MIT */
/* A world for the start protocol: herd's machine and N nodes' machines in virtual time, with a
 * seeded network, recorders, clocks, crashes and reboots. Everything follows from the seed. */
#ifndef TESTS_START_WORLD_H
#define TESTS_START_WORLD_H

#include "common/clock.h"
#include "herd/start.h"
#include "sheep/experiment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    WORLD_MAX_NODES = 4,
    WORLD_MAX_ITEMS = 8192, /* events that wait */
    WORLD_MAX_ARM = 16,
    WORLD_END_S = 110,
    WORLD_HEAL_S = 60, /* from here on the network is good and herd is attached */
};

/* Deliberate breaches; each must be found. */
enum breach {
    BREACH_NONE,
    BREACH_GO_UNASKED,   /* herd sends GO together with ARM */
    BREACH_OLD_TOKEN,    /* the node takes an older controller's word */
    BREACH_BOOT_ID,      /* the node takes words for its earlier boot */
    BREACH_LEASE,        /* the node never looks at its lease */
    BREACH_LATE_GO,      /* the node accepts GO behind the guard */
    BREACH_OFFSET,       /* the node corrects T by its clock's offset */
    BREACH_CANCEL_LIE,   /* "cancelled" is said when it was too late */
    BREACH_JOURNAL,      /* herd forgets that GO was decided */
    BREACH_RECORD,       /* a node forgets over a reboot that it ran */
    BREACH_NOT_FINAL,    /* a node forgets that it stood down */
    BREACH_START_ON_ARM, /* the node starts with ARM alone */
    BREACH_SILENT_START, /* "going" is said although the recorder refused */
    N_BREACHES,
};

enum item_kind {
    ITEM_NONE,
    ITEM_TO_NODE,
    ITEM_TO_HERD,
    ITEM_RECORDER, /* a request reaches the recorder */
    ITEM_REPORT,   /* a node's own event reaches its protocol */
    ITEM_SAMPLE_0, /* T has come for the recorder */
    ITEM_FAULT,
    ITEM_BEAT, /* a second has passed for herd */
};

enum recorder_word {
    WORD_PREPARE,
    WORD_START,
    WORD_CANCEL,
    WORD_STOP
};

enum mishap {
    FAULT_PARTITION, /* both ways, or one */
    FAULT_REBOOT,
    FAULT_AGENT,    /* the agent dies, its recorder does not */
    FAULT_RECORDER, /* the recorder dies, its agent does not */
    FAULT_CLOCK,    /* a node's clock steps */
    FAULT_HERD,     /* herd dies; another one attaches, or none before the end */
    FAULT_SLOW,     /* a node's disk is slow for a while */
    FAULT_PAUSE,    /* herd stands still for a while */
    FAULT_REPLAY,   /* something that an earlier herd said arrives again */
    N_FAULTS,
};

struct item {
    int64_t at_ns;
    uint64_t order;
    enum item_kind kind;
    size_t i;
    uint64_t life; /* of the machine that it is for; older ones are void */
    union {
        struct {
            enum proto_verb verb;
            struct node_event event; /* to the node: token, T, n */
            uint64_t boot_id;
        } message;
        struct {
            enum proto_verb verb;
            enum proto_verb asked; /* REFUSED: what */
            uint64_t boot_id;
            int64_t T_ns;
            uint64_t n;
            int64_t promise_ns;
            uint64_t n_samples;
            enum err_code code;
            bool is_here;
            bool is_going;
            bool is_started;
        } word;
        struct {
            enum recorder_word word;
            uint64_t preparation;
            int64_t T_ns;
            uint64_t n;
        } request;
        struct node_event report;
        enum mishap fault;
    } as;
};

struct machine {
    struct node_experiment node;
    uint64_t life; /* of the agent */
    uint64_t recorder_life;
    int64_t mono_zero_ns;  /* its monotonic clock, against the true time */
    int64_t utc_offset_ns; /* error of its clock */
    bool has_stepped;      /* its clock, once */
    int64_t disk_ns;       /* how long a sync takes */
    int64_t cut_in_until_ns;
    int64_t cut_out_until_ns;
    /* the recorder */
    int64_t recorder_busy_ns;
    bool is_prepared;
    uint64_t prepared_as;
    bool has_T;
    int64_t T_mono_ns;
    int64_t T_told_ns;
    bool is_running;
    bool is_ended;
    /* what its disk remembers */
    bool is_logged; /* a closed log with samples */
    bool has_journal;
    struct node_restore journal;
    /* the truth */
    unsigned n_starts;
    int64_t started_T_ns;
    uint64_t started_n;
    int64_t started_utc_ns; /* its clock at that instant, steps after GO taken out */
    int64_t stepped_since_start_ns;
    bool has_confirmed[WORLD_MAX_ARM];
    int64_t confirmed_T_ns[WORLD_MAX_ARM];
    bool has_stood_down[WORLD_MAX_ARM];
    enum proto_verb cancel_asked;
};

/* How far from T nodes started, by the true time. */
struct world_starts {
    int64_t clock_error_ns; /* nodes' clocks are evenly within so much of the true time */
    int64_t *errors_ns;     /* absolute; of nodes whose clock did not step before */
    size_t n_errors;
    size_t capacity;
    uint64_t n_stepped; /* starts of the others */
};

struct herd_machine {
    struct start start;
    uint64_t life;
    uint64_t controller;
    bool is_alive;
    bool has_begun;
    int64_t paused_until_ns;
    uint64_t boot_seen[WORLD_MAX_NODES];
    int64_t heard_ns[WORLD_MAX_NODES];
    bool is_done[WORLD_MAX_NODES];
    /* its journal */
    bool is_go_journalled;
    bool is_cancel_journalled;
    int64_t go_T_ns;
    uint64_t go_n;
    bool was_told[WORLD_MAX_NODES];
};

struct world {
    uint64_t seed;
    uint64_t random;
    enum breach breach;
    bool is_verbose;
    FILE *trace; /* see start_trace.h; NULL: none */
    size_t n_nodes;
    int64_t now_ns; /* true time; also herd's clocks */
    uint64_t order;
    struct item items[WORLD_MAX_ITEMS];
    size_t n_items;
    double loss;
    double duplication;
    int64_t delay_max_ns;
    struct machine machines[WORLD_MAX_NODES];
    struct herd_machine herd;
    struct item said[64]; /* by herds, for replays */
    size_t n_said;
    bool is_herd_gone_for_good;
    /* the truth about herd */
    bool go_decided[WORLD_MAX_ARM];
    int64_t go_decided_T_ns[WORLD_MAX_ARM];
    bool said_not_started[WORLD_MAX_NODES];
    bool said_started[WORLD_MAX_NODES];
    unsigned n_faults;
    char broken[200]; /* the invariant, "" none */
    /* coverage, over all seeds */
    uint64_t (*pairs)[N_NODE_EVENTS];
    struct world_starts *starts; /* over all seeds; NULL: not measured */
};

/* Runs one seed to its end; false when an invariant broke, `broken` says which. */
bool world_run(struct world *world, uint64_t seed, enum breach breach);

/* ---- shared by start_world.c, start_node.c and start_herd.c ---- */

uint64_t world_random(struct world *world, uint64_t below);
bool world_chance(struct world *world, double p);
/* An event that is due delay_ns from now; copied. */
void world_put(struct world *world, const struct item *item, int64_t delay_ns);
void world_break(struct world *world, const char *format, ...) PRINTF_LIKE(2, 3);
void world_note(const struct world *world, const char *format, ...) PRINTF_LIKE(2, 3);
/* Over the network, with all that may befall; `item` is copied. */
void world_send(struct world *world, const struct item *item);

int64_t machine_mono(const struct world *world, const struct machine *machine);
int64_t machine_utc(const struct world *world, const struct machine *machine);
void machine_init(struct world *world, size_t i);
void machine_feed(struct world *world, size_t i, struct node_event *event);
void machine_message(struct world *world, const struct item *item);
void machine_recorder(struct world *world, const struct item *item);
void machine_sample_0(struct world *world, const struct item *item);
void machine_reboot(struct world *world, size_t i, bool spares_recorder);
void machine_lose_recorder(struct world *world, size_t i);
void machine_tick(struct world *world, size_t i);

void herd_begin(struct world *world);
void herd_hear(struct world *world, const struct item *item);
void herd_tick(struct world *world);
void herd_beat(struct world *world);
void herd_die(struct world *world);
void herd_attach(struct world *world);

#endif
