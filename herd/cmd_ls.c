/* SPDX-License-Identifier: MIT */
/* herd ls, herd rm: recordings on the nodes. */
#include "herd/ask.h"
#include "herd/cli.h"
#include "herd/cmd.h"
#include "herd/context.h"
#include "herd/listing.h"
#include "herd/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char LS_USAGE[] =
    "Usage: herd ls [options] [PATTERN]\n\n"
    "Lists the recordings that nodes hold; those that herd has fetched, verified and released\n"
    "are gone from there (unless the node retains them).\n\n"
    "PATTERN: a name, the beginning of one before a '_', or with * and ? as in a shell.\n\n"
    "Examples:\n"
    "  herd ls\n"
    "  herd ls solar-day\n"
    "  herd -l sheep[0-3] ls '*_2026-11-*' --json\n";

static const char RM_USAGE[] =
    "Usage: herd rm [options] PATTERN...\n\n"
    "Removes recordings from the nodes, for good. One that is being recorded is never removed.\n"
    "Asks before, unless told not to.\n\n"
    "  -f, --force   do not ask\n"
    "  -n, --dry-run only show what would go\n\n"
    "PATTERN: a name, the beginning of one before a '_', or with * and ? as in a shell.\n\n"
    "Examples:\n"
    "  herd rm solar-day -n\n"
    "  herd -l sheep2 rm -f '*'\n";

enum {
    TIMEOUT_MS = 5000
};

static const struct cli_option RM_OPTIONS[] = {
    {'f',  "force",   false},
    { 'n', "dry-run", false},
    { 0,   NULL,      false},
};

/* What both commands work with. */
struct shelf {
    const struct cmd_options *options;
    const char *command;
    struct context context;
    struct ask *ask;
    struct listings listings;
    size_t n_answered;
    char **patterns;
    int n_patterns; /* 0: everything */
};

static bool is_wanted(const struct shelf *shelf, const char *name)
{
    for (int i = 0; i < shelf->n_patterns; i++) {
        if (listing_matches(shelf->patterns[i], name)) {
            return true;
        }
    }
    return shelf->n_patterns == 0;
}

/* 0 or an exit status. */
static int shelf_open(struct shelf *shelf)
{
    struct err err = { 0 };
    int status = context_open(&shelf->context, shelf->options, shelf->command, NULL, true);
    size_t n_nodes = 0;

    if (status != 0) {
        return status;
    }
    n_nodes = shelf->context.inventory->n_nodes;
    shelf->ask =
        ask_open(shelf->context.inventory, shelf->context.selected, &shelf->context.key, &err);
    if (shelf->ask == NULL) {
        context_close(&shelf->context);
        return cmd_fail(shelf->options, shelf->command, &err);
    }
    shelf->n_answered = listings_ask(&shelf->listings, shelf->ask, n_nodes, TIMEOUT_MS);
    return 0;
}

static void shelf_close(struct shelf *shelf)
{
    listings_fini(&shelf->listings);
    ask_close(&shelf->ask);
    context_close(&shelf->context);
}

/* Tells which nodes gave no list; the status that follows from it. */
static int shelf_status(const struct shelf *shelf)
{
    int status = EXIT_ALL_VALID;

    for (size_t i = 0; i < shelf->listings.n_nodes; i++) {
        if (shelf->listings.faults[i][0] != '\0') {
            fprintf(stderr, "herd %s: %s: %s\n", shelf->command,
                    shelf->context.inventory->nodes[i].name, shelf->listings.faults[i]);
            status = EXIT_NODE_FAILED;
        }
    }
    return shelf->n_answered == 0 ? EXIT_NOBODY : status;
}

static void put_json(const char *node, const struct listing_entry *entry)
{
    struct buf line = { 0 };
    struct json json = { .out = &line };

    json_open(&json, NULL, '{');
    json_text(&json, "node", node);
    json_text(&json, "name", entry->name);
    json_text(&json, "state", entry->state);
    json_u64(&json, "bytes", entry->bytes);
    json_u64(&json, "samples", entry->samples);
    json_text(&json, "digest", entry->digest);
    json_close(&json, '}');
    json_line(&json, stdout);
    buf_fini(&line);
}

static void put_row(struct table *table, const char *node, const struct listing_entry *entry)
{
    char text[HUMAN_TEXT_SIZE];

    table_cell(table, "%s", node);
    table_cell(table, "%s", entry->state);
    table_cell(table, "%s", human_bytes(entry->bytes, text));
    table_cell(table, "%llu", (unsigned long long)entry->samples);
    table_cell(table, "%s", entry->name);
}

static struct table *new_table(void)
{
    static const char *const HEADERS[] = { "node", "state", "size", "samples", "name" };
    struct table *table = table_create(HEADERS, ARRAY_LEN(HEADERS));

    table_align_right(table, 2);
    table_align_right(table, 3);
    return table;
}

/* Shows what is wanted; returns how many. */
static size_t show(const struct shelf *shelf)
{
    struct table *table = new_table();
    size_t count = 0;

    for (size_t i = 0; i < shelf->listings.n_nodes; i++) {
        const char *node = shelf->context.inventory->nodes[i].name;

        for (size_t k = 0; k < shelf->listings.nodes[i].count; k++) {
            const struct listing_entry *entry = &shelf->listings.nodes[i].entries[k];

            if (!is_wanted(shelf, entry->name)) {
                continue;
            }
            count++;
            if (shelf->options->is_json) {
                put_json(node, entry);
            } else {
                put_row(table, node, entry);
            }
        }
    }
    if (!shelf->options->is_json && count > 0) {
        table_print(table, stdout);
    }
    table_destroy(&table);
    return count;
}

static int run_ls(const struct cmd_options *options, int argc, char **argv)
{
    static const struct cli_option NONE[] = {
        {0, NULL, false}
    };
    struct cli_scan scan = { .global = options, .options = NONE, .argc = argc, .argv = argv };
    struct shelf shelf = { .options = options, .command = "ls" };
    const char *value = NULL;
    int status = 0;

    if (cli_next(&scan, &value) != 0) {
        return EXIT_USAGE;
    }
    shelf.patterns = argv + scan.at;
    shelf.n_patterns = scan.n_operands;
    status = shelf_open(&shelf);
    if (status != 0) {
        return status;
    }
    if (show(&shelf) == 0 && !options->is_json && !options->is_quiet) {
        printf("no recordings%s\n", shelf.n_patterns > 0 ? " of that name" : "");
    }
    fflush(stdout);
    status = shelf_status(&shelf);
    shelf_close(&shelf);
    return status;
}

/* Goes through each node's list: one recording per node and round. */
struct removal {
    const struct shelf *shelf;
    size_t *next; /* per node: the entry to remove in this round */
    struct body_log body;
    size_t n_removed;
    size_t n_failed;
};

static const void *removal_body(void *arg, size_t i)
{
    struct removal *removal = arg;
    const struct listing *listing = &removal->shelf->listings.nodes[i];

    while (removal->next[i] < listing->count
           && !is_wanted(removal->shelf, listing->entries[removal->next[i]].name)) {
        removal->next[i]++;
    }
    if (removal->next[i] >= listing->count) {
        return NULL;
    }
    memset(&removal->body, 0, sizeof(removal->body));
    memcpy(removal->body.log, listing->entries[removal->next[i]].name,
           sizeof(removal->body.log));
    return &removal->body;
}

static bool removal_answer(void *arg, const struct ask_answer *answer)
{
    struct removal *removal = arg;
    const struct shelf *shelf = removal->shelf;
    const char *node = shelf->context.inventory->nodes[answer->i].name;
    const char *log = shelf->listings.nodes[answer->i].entries[removal->next[answer->i]].name;
    bool is_removed = answer->message->verb == VERB_REMOVED;
    const char *why = "it answered otherwise";

    if (answer->message->verb == VERB_REFUSED) {
        why = PROTO_CONST_BODY(answer->message, body_refused)->why;
    }
    removal->n_removed += is_removed ? 1 : 0;
    removal->n_failed += is_removed ? 0 : 1;
    if (!is_removed) {
        fprintf(stderr, "herd rm: %s: %s: %s\n", node, log, why);
    } else if (!shelf->options->is_quiet && !shelf->options->is_json) {
        printf("%s: removed %s\n", node, log);
    }
    return true;
}

static int remove_all(const struct shelf *shelf)
{
    size_t n_nodes = shelf->listings.n_nodes;
    struct removal removal = { .shelf = shelf,
                               .next = calloc(n_nodes + 1, sizeof(*removal.next)) };
    const struct ask_round round = { .verb = VERB_REMOVE,
                                     .body = removal_body,
                                     .answer = removal_answer,
                                     .arg = &removal,
                                     .timeout_ms = TIMEOUT_MS };
    bool has_more = removal.next != NULL;

    while (has_more) {
        has_more = false;
        ask_all(shelf->ask, &round);
        for (size_t i = 0; i < n_nodes; i++) {
            if (removal_body(&removal, i) != NULL) {
                if (ask_state(shelf->ask, i) != ASK_ANSWERED) {
                    removal.n_failed++;
                    fprintf(stderr, "herd rm: %s: no answer\n",
                            shelf->context.inventory->nodes[i].name);
                    removal.next[i] = shelf->listings.nodes[i].count;
                } else {
                    removal.next[i]++;
                    has_more = true;
                }
            }
        }
    }
    free(removal.next);
    return removal.n_failed == 0 ? EXIT_ALL_VALID : EXIT_NODE_FAILED;
}

static bool confirm(size_t count)
{
    char answer[8] = "";

    printf("Remove %zu recording%s for good? [y/N] ", count, count == 1 ? "" : "s");
    fflush(stdout);
    return fgets(answer, sizeof(answer), stdin) != NULL
           && (answer[0] == 'y' || answer[0] == 'Y');
}

static int decide_and_remove(const struct shelf *shelf, bool is_forced, bool is_dry)
{
    size_t count = show(shelf);
    int status = shelf_status(shelf);

    if (count == 0) {
        if (status == EXIT_ALL_VALID) {
            struct err err = { 0 };

            err_set(&err, ERR_NOT_FOUND, "no recording of that name; herd ls lists them");
            return cmd_fail(shelf->options, "rm", &err);
        }
        return status;
    }
    if (is_dry) {
        return status;
    }
    if (!is_forced && !confirm(count)) {
        return EXIT_USAGE;
    }
    return remove_all(shelf) == EXIT_ALL_VALID ? status : EXIT_NODE_FAILED;
}

static int run_rm(const struct cmd_options *options, int argc, char **argv)
{
    struct cli_scan scan = {
        .global = options, .options = RM_OPTIONS, .argc = argc, .argv = argv
    };
    struct shelf shelf = { .options = options, .command = "rm" };
    bool is_forced = false;
    bool is_dry = false;
    const char *value = NULL;
    int option = 0;
    int status = 0;

    while ((option = cli_next(&scan, &value)) != 0) {
        if (option == '?') {
            return EXIT_USAGE;
        }
        is_forced = is_forced || option == 'f';
        is_dry = is_dry || option == 'n';
    }
    if (scan.n_operands == 0) {
        return cmd_misuse(options, "rm", "which recordings? ('*' means all)");
    }
    shelf.patterns = argv + scan.at;
    shelf.n_patterns = scan.n_operands;
    status = shelf_open(&shelf);
    if (status == 0) {
        status = decide_and_remove(&shelf, is_forced, is_dry);
        shelf_close(&shelf);
    }
    return status;
}

const struct cmd cmd_ls = {
    .name = "ls",
    .summary = "recordings on the nodes",
    .usage = LS_USAGE,
    .run = run_ls,
};

const struct cmd cmd_rm = {
    .name = "rm",
    .summary = "remove recordings from the nodes",
    .usage = RM_USAGE,
    .run = run_rm,
};
