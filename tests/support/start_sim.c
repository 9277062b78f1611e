/* SPDX-License-Identifier: MIT */
/* start_sim [-n SEEDS] [-s FIRST] [-b BREACH] [-v] [-t] [-c]: runs seeds, then every breach; -t
 * writes the seeds' steps for tests/model/accept.pml instead, and no breach; -c prints how far
 * from T nodes start whose clocks are off by so much, and no breach. Exit status 0 when no
 * invariant broke without a breach, and every breach was found. */
#include "common/buf.h"
#include "start_world.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BREACH_SEEDS = 20000,    /* in which each breach must show */
    COMPLETE_SEEDS = 100000, /* in which each word must have met each state */
};

static const char *const BREACHES[N_BREACHES] = {
    [BREACH_NONE] = "none",
    [BREACH_GO_UNASKED] = "GO without all ARMED",
    [BREACH_OLD_TOKEN] = "an older controller is obeyed",
    [BREACH_BOOT_ID] = "words for an earlier boot are obeyed",
    [BREACH_LEASE] = "the lease is forgotten",
    [BREACH_LATE_GO] = "a late GO is accepted",
    [BREACH_OFFSET] = "T is corrected by the clock's offset",
    [BREACH_CANCEL_LIE] = "cancelled, said too late",
    [BREACH_JOURNAL] = "GO is not in herd's journal",
    [BREACH_RECORD] = "a reboot forgets a start",
    [BREACH_NOT_FINAL] = "stood down is not final",
    [BREACH_START_ON_ARM] = "ARM alone starts",
    [BREACH_SILENT_START] = "going, although the recorder refused",
};

static bool run_seeds(struct world *world, uint64_t first, uint64_t count)
{
    for (uint64_t seed = first; seed < first + count; seed++) {
        if (!world_run(world, seed, BREACH_NONE)) {
            printf("seed %llu: %s\n", (unsigned long long)seed, world->broken);
            return false;
        }
    }
    printf("%llu schedules, no invariant broken\n", (unsigned long long)count);
    return true;
}

/* With a breach too: the model does not accept what it does. */
static bool trace_seeds(struct world *world, uint64_t first, uint64_t count, enum breach breach)
{
    bool is_good = true;

    for (uint64_t seed = first; is_good && seed < first + count; seed++) {
        is_good = world_run(world, seed, breach) || breach != BREACH_NONE;
    }
    fputc('.', world->trace);
    return is_good;
}

static bool run_breach(struct world *world, enum breach breach, uint64_t first)
{
    for (uint64_t seed = first; seed < first + BREACH_SEEDS; seed++) {
        if (!world_run(world, seed, breach)) {
            printf("found: %-40s seed %llu: %s\n", BREACHES[breach], (unsigned long long)seed,
                   world->broken);
            return true;
        }
    }
    printf("NOT FOUND: %s\n", BREACHES[breach]);
    return false;
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

static void print_errors(struct world_starts *starts)
{
    const int64_t *errors_ns = starts->errors_ns;
    size_t n = starts->n_errors;
    size_t middle = n / 2;
    size_t late = n - 1 - n / 100;

    if (n == 0) {
        return;
    }
    qsort(starts->errors_ns, n, sizeof(*errors_ns), compare);
    printf("figure: clocks within %lld us: start error p50 %.1f us, p99 %.1f us, max %.1f us "
           "(%zu starts; left out: %llu behind a step of the clock)\n",
           (long long)(starts->clock_error_ns / NS_PER_US), (double)errors_ns[middle] / 1e3,
           (double)errors_ns[late] / 1e3, (double)errors_ns[n - 1] / 1e3, n,
           (unsigned long long)starts->n_stepped);
}

/* False when an invariant broke, or somebody started further from T than his clock was off. */
static bool run_clocks(struct world *world, uint64_t first, uint64_t count)
{
    static const int64_t ERRORS_NS[] = { 10 * NS_PER_US, 100 * NS_PER_US, NS_PER_MS,
                                         10 * NS_PER_MS };
    struct world_starts starts = { .capacity = (size_t)count * WORLD_MAX_NODES };
    bool is_good = true;

    starts.errors_ns = calloc(starts.capacity + 1, sizeof(*starts.errors_ns));
    if (starts.errors_ns == NULL) {
        return false;
    }
    world->starts = &starts;
    for (size_t i = 0; i < ARRAY_LEN(ERRORS_NS); i++) {
        starts.clock_error_ns = ERRORS_NS[i];
        starts.n_errors = 0;
        starts.n_stepped = 0;
        is_good = run_seeds(world, first, count) && starts.n_errors > 0 && is_good;
        print_errors(&starts);
        is_good = is_good && starts.errors_ns[starts.n_errors - 1] <= ERRORS_NS[i];
    }
    world->starts = NULL;
    free(starts.errors_ns);
    return is_good;
}

/* True when every word of a herd has met a node in every state. */
static bool print_coverage(const struct world *world)
{
    size_t n_met = 0;
    size_t n_words = 0;

    for (int state = 0; state < N_NODE_STATES; state++) {
        for (int event = 0; event < N_NODE_EVENTS; event++) {
            bool is_word = event < N_NODE_MESSAGES;

            n_met += world->pairs[state][event] > 0;
            n_words += is_word && world->pairs[state][event] > 0;
            if (is_word && world->pairs[state][event] == 0) {
                printf("  never met: event %d in state %d (%s)\n", event, state,
                       node_state_name((enum node_state)state));
            }
        }
    }
    /* Most of the node's own reports cannot come in most states; the unit test fires them all.
     */
    printf("%zu of %d pairs of state and event met; of those with words of a herd, %zu of %d\n",
           n_met, N_NODE_STATES * N_NODE_EVENTS, n_words, N_NODE_STATES * N_NODE_MESSAGES);
    return n_words == (size_t)N_NODE_STATES * N_NODE_MESSAGES;
}

int main(int argc, char **argv)
{
    static uint64_t pairs[N_NODE_STATES][N_NODE_EVENTS];
    struct world *world = calloc(1, sizeof(*world));
    uint64_t n_seeds = 2000;
    uint64_t first = 1;
    uint64_t breach = N_BREACHES;
    bool is_good = true;
    bool wants_clocks = false;
    int letter = 0;

    if (world == NULL) {
        return 2;
    }
    world->pairs = pairs;
    while ((letter = getopt(argc, argv, "n:s:b:vtc")) != -1) {
        bool is_known = (letter == 'n' && text_to_u64(optarg, &n_seeds))
                        || (letter == 's' && text_to_u64(optarg, &first))
                        || (letter == 'b' && text_to_u64(optarg, &breach)) || letter == 'v'
                        || letter == 't' || letter == 'c';

        world->is_verbose |= letter == 'v';
        wants_clocks |= letter == 'c';
        world->trace = letter == 't' ? stdout : world->trace;
        if (!is_known) {
            free(world);
            return 2;
        }
    }
    if (wants_clocks) {
        is_good = run_clocks(world, first, n_seeds);
    } else if (world->trace != NULL) {
        is_good = trace_seeds(world, first, n_seeds,
                              breach < N_BREACHES ? (enum breach)breach : BREACH_NONE);
    } else if (breach < N_BREACHES) {
        is_good = run_breach(world, (enum breach)breach, first);
    } else {
        is_good = run_seeds(world, first, n_seeds);
        is_good = (print_coverage(world) || n_seeds < COMPLETE_SEEDS) && is_good;
        for (int i = BREACH_NONE + 1; i < N_BREACHES && !world->is_verbose; i++) {
            is_good = run_breach(world, (enum breach)i, first) && is_good;
        }
    }
    start_fini(&world->herd.start);
    free(world);
    return is_good ? 0 : 1;
}
