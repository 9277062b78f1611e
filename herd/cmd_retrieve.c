/* SPDX-License-Identifier: MIT */
/* herd retrieve: fetches recordings from the nodes and builds HDF5 from them. */
#include "herd/cli.h"
#include "herd/cmd.h"
#include "herd/retrieve_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char USAGE[] =
    "Usage: herd retrieve [options] [PATTERN...]\n\n"
    "Fetches recordings that the nodes still hold, builds HDF5 from them, and then lets the\n"
    "nodes release theirs. What a run delivered is not there any more; this is for what a run\n"
    "could not deliver, and for nodes that retain. A transfer that was cut is gone on with.\n\n"
    "  -o, --output DIR  where the HDF5 files go; default .\n"
    "  -L, --latest      only the newest experiment of those that match\n"
    "      --keep        do not tell the nodes to release\n"
    "  -w, --wait        wait for nodes that are off, and serve each as it comes; Ctrl-C ends\n"
    "      --rate SIZE   at most so much a second from each node (200 kB, 1 MiB)\n"
    "      --total-rate SIZE  and from all together\n\n"
    "PATTERN: a name, the beginning of one before a '_', with * and ? as in a shell, or an\n"
    "experiment's token from its manifest (0x...). Without one: everything that was not\n"
    "released yet. What is being recorded now is left out (herd attach); so should be what a\n"
    "herd run is still collecting. A node sends what a run follows before what is old.\n\n"
    "Examples:\n"
    "  herd retrieve\n"
    "  herd retrieve --latest -o results\n"
    "  herd -l sheep2 retrieve solar-day --keep\n"
    "  herd retrieve --wait --total-rate 5MB\n";

enum {
    OPTION_KEEP = 256,
    OPTION_RATE,
    OPTION_TOTAL_RATE,
    SILENCE_MS = 30000,
};

static const struct cli_option OPTIONS[] = {
    {'o',                "output",     true },
    { 'L',               "latest",     false},
    { 'w',               "wait",       false},
    { OPTION_KEEP,       "keep",       false},
    { OPTION_RATE,       "rate",       true },
    { OPTION_TOTAL_RATE, "total-rate", true },
    { 0,                 NULL,         false},
};

const char *retrieve_node_name(const struct retrieval *retrieval, size_t node)
{
    return retrieval->context.inventory->nodes[node].name;
}

/* ---- a round ---- */

static int fetch_and_build(struct retrieval *retrieval, struct err *err)
{
    const struct fetch_options fetching = { .inventory = retrieval->context.inventory,
                                            .key = &retrieval->context.key,
                                            .silence_ms = SILENCE_MS,
                                            .rate = retrieval->rate,
                                            .total_rate = retrieval->total_rate,
                                            .progress = retrieve_show_progress,
                                            .arg = retrieval };

    if (fetch_all(&fetching, retrieval->jobs, retrieval->n_jobs, err) < 0) {
        return -1;
    }
    if (retrieval->n_jobs > 0 && retrieve_build(retrieval, err) < 0) {
        return -1;
    }
    if (!retrieval->keep) {
        retrieve_release(retrieval);
    }
    return 0;
}

static void end_round(struct retrieval *retrieval)
{
    builder_close(&retrieval->builder);
    zloop_destroy(&retrieval->loop);
    listings_fini(&retrieval->listings);
    ask_close(&retrieval->ask);
    free(retrieval->is_releasing);
    free(retrieval->jobs);
    free(retrieval->parcels);
    retrieval->is_releasing = NULL;
    retrieval->jobs = NULL;
    retrieval->parcels = NULL;
    retrieval->n_jobs = 0;
}

/* Serves the nodes that are open and answer. */
static int go_round(struct retrieval *retrieval, struct err *err)
{
    int result = -1;

    retrieval->ask = ask_open(retrieval->context.inventory, retrieval->is_open,
                              &retrieval->context.key, err);
    if (retrieval->ask != NULL) {
        listings_ask(&retrieval->listings, retrieval->ask,
                     retrieval->context.inventory->n_nodes, RETRIEVE_TIMEOUT_MS);
        if (retrieve_choose(retrieval, err) == 0 && fetch_and_build(retrieval, err) == 0) {
            retrieve_conclude(retrieval);
            result = 0;
        }
    }
    end_round(retrieval);
    return result;
}

/* ---- the whole ---- */

static bool is_open(void *arg, size_t i)
{
    const struct retrieval *retrieval = arg;

    return retrieval->is_open[i];
}

static void say_who_is_missing(struct retrieval *retrieval, bool *is_said)
{
    struct buf set = { 0 };
    size_t count = context_fold(&retrieval->context, is_open, retrieval, &set);

    if (count > 0 && !*is_said && !retrieval->options->is_quiet) {
        fprintf(stderr, "herd retrieve: waiting for %s\n", set.data != NULL ? set.data : "");
        *is_said = true;
    }
    buf_fini(&set);
}

static bool is_anybody_open(const struct retrieval *retrieval)
{
    for (size_t i = 0; i < retrieval->context.inventory->n_nodes; i++) {
        if (retrieval->is_open[i]) {
            return true;
        }
    }
    return false;
}

static int go_rounds(struct retrieval *retrieval, struct err *err)
{
    bool is_said = false;

    do {
        size_t n_served = retrieval->n_served;

        if (go_round(retrieval, err) < 0) {
            return -1;
        }
        is_said = is_said && n_served == retrieval->n_served;
        say_who_is_missing(retrieval, &is_said);
    } while (is_anybody_open(retrieval));
    return 0;
}

static int retrieve(struct retrieval *retrieval)
{
    size_t n_nodes = retrieval->context.inventory->n_nodes;
    struct err err = { 0 };

    retrieval->is_open = calloc(n_nodes + 1, sizeof(*retrieval->is_open));
    if (retrieval->is_open == NULL) {
        err_set(&err, ERR_MEMORY, "%zu nodes", n_nodes);
        return cmd_fail(retrieval->options, "retrieve", &err);
    }
    memcpy(retrieval->is_open, retrieval->context.selected, n_nodes * sizeof(bool));
    if (dir_make(retrieval->output, 0755, &err) < 0 || go_rounds(retrieval, &err) < 0) {
        retrieval->status = cmd_fail(retrieval->options, "retrieve", &err);
    } else if (retrieval->n_served == 0) {
        retrieval->status = EXIT_NOBODY;
    } else if (retrieval->n_found == 0 && retrieval->n_patterns > 0
               && retrieval->status == EXIT_ALL_VALID) {
        err_set(&err, ERR_NOT_FOUND,
                "no recording of that name that has ended; herd ls lists them");
        retrieval->status = cmd_fail(retrieval->options, "retrieve", &err);
    } else if (retrieval->n_found == 0 && retrieval->status == EXIT_ALL_VALID
               && !retrieval->options->is_json && !retrieval->options->is_quiet) {
        puts("nothing to retrieve");
    }
    free(retrieval->is_open);
    return retrieval->status;
}

static int take_option(struct retrieval *retrieval, int option, const char *value)
{
    switch (option) {
    case 'o':
        retrieval->output = value;
        return 0;
    case 'L':
        retrieval->only_latest = true;
        return 0;
    case 'w':
        retrieval->waits = true;
        return 0;
    case OPTION_KEEP:
        retrieval->keep = true;
        return 0;
    case OPTION_RATE:
        return cli_take_rate(retrieval->options, "retrieve", value, &retrieval->rate);
    case OPTION_TOTAL_RATE:
        return cli_take_rate(retrieval->options, "retrieve", value, &retrieval->total_rate);
    default:
        return EXIT_USAGE; /* cli_next has said why */
    }
}

static int run(const struct cmd_options *options, int argc, char **argv)
{
    struct cli_scan scan = {
        .global = options, .options = OPTIONS, .argc = argc, .argv = argv
    };
    struct retrieval retrieval = { .options = options, .output = "." };
    const char *value = NULL;
    int option = 0;
    int status = 0;

    while (status == 0 && (option = cli_next(&scan, &value)) != 0) {
        status = take_option(&retrieval, option, value);
    }
    if (status != 0) {
        return status;
    }
    retrieval.patterns = argv + scan.at;
    retrieval.n_patterns = scan.n_operands;
    status = context_open(&retrieval.context, options, "retrieve", NULL, true);
    if (status == 0) {
        status = retrieve(&retrieval);
        context_close(&retrieval.context);
    }
    return status;
}

const struct cmd cmd_retrieve = {
    .name = "retrieve",
    .summary = "fetch recordings from the nodes and build HDF5",
    .usage = USAGE,
    .run = run,
};
