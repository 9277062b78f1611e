/* SPDX-License-Identifier: MIT */
/* herd inventorize: what the nodes are made of. */
#include "herd/ask.h"
#include "herd/cli.h"
#include "herd/cmd.h"
#include "herd/context.h"
#include "herd/facts.h"
#include "herd/report.h"

#include "common/clock.h"

#include <stdio.h>
#include <string.h>

static const char USAGE[] =
    "Usage: herd inventorize [options] [NODES]\n\n"
    "Asks every node what it is made of: machine and its number, system, kernel, processors,\n"
    "memory, disks with model and number, network interfaces, the agent's version, the board.\n\n"
    "  -o, --output FILE  write everything there, as YAML, instead of the short table; a file\n"
    "                     that is there is replaced\n"
    "  -t, --timeout S    how long a node may take to answer; default 5\n\n"
    "Examples:\n"
    "  herd inventorize\n"
    "  herd inventorize -o herd-$(date +%F).yml\n"
    "  herd inventorize --json sheep[0-3]\n\n"
    "Exit status: 1 when a node does not answer, 3 when none does.\n";

enum {
    TIMEOUT_MS = 5000,
    INDENT = 2,
};

static const struct cli_option OPTIONS[] = {
    {'o',  "output",  true },
    { 't', "timeout", true },
    { 0,   NULL,      false},
};

struct request {
    const char *output; /* NULL: none */
    const char *nodes;
    int timeout_ms;
};

/* ---- JSON ---- */

static void put_disks(struct json *json, const struct node_facts *facts)
{
    json_open(json, "disks", '[');
    for (size_t k = 0; k < facts->n_disks; k++) {
        json_open(json, NULL, '{');
        json_text(json, "name", facts->disks[k].name);
        json_text(json, "model", facts->disks[k].model);
        json_text(json, "serial", facts->disks[k].serial);
        json_u64(json, "size_bytes", facts->disks[k].size_bytes);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void put_links(struct json *json, const struct node_facts *facts)
{
    json_open(json, "links", '[');
    for (size_t k = 0; k < facts->n_links; k++) {
        json_open(json, NULL, '{');
        json_text(json, "name", facts->links[k].name);
        json_text(json, "address", facts->links[k].address);
        json_u64(json, "speed_mbit", facts->links[k].speed_mbit);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void put_facts(struct json *json, const struct node_facts *facts)
{
    json_text(json, "machine", facts->machine);
    json_text(json, "serial", facts->serial);
    json_text(json, "system", facts->system);
    json_text(json, "kernel", facts->kernel);
    json_text(json, "architecture", facts->architecture);
    json_text(json, "governor", facts->governor);
    json_u64(json, "n_processors", facts->n_processors);
    json_u64(json, "memory_bytes", facts->memory_bytes);
    json_u64(json, "uptime_s", facts->uptime_s);
    json_text(json, "sheep_version", facts->sheep_version);
    json_text(json, "board", facts->board);
    json_bool(json, "has_calibration", facts->has_calibration);
    json_bool(json, "has_realtime", facts->has_realtime);
    json_text(json, "data_filesystem", facts->data_filesystem);
    json_text(json, "data_options", facts->data_options);
    json_u64(json, "data_size_bytes", facts->data_size_bytes);
    json_u64(json, "data_free_bytes", facts->data_free_bytes);
    put_disks(json, facts);
    put_links(json, facts);
}

static void print_json(const struct context *context, const struct facts *facts)
{
    struct buf line = { 0 };
    struct json json = { .out = &line };

    for (size_t i = 0; i < facts->n_nodes; i++) {
        if (!context->selected[i]) {
            continue;
        }
        json_open(&json, NULL, '{');
        json_text(&json, "node", context->inventory->nodes[i].name);
        if (facts->faults[i][0] != '\0') {
            json_text(&json, "fault", facts->faults[i]);
        } else {
            put_facts(&json, &facts->nodes[i]);
        }
        json_close(&json, '}');
        json_line(&json, stdout);
    }
    buf_fini(&line);
}

/* ---- for people ---- */

static void put_disk_cell(struct table *table, const struct node_facts *facts)
{
    const struct fact_disk *disk = &facts->disks[0];
    char text[HUMAN_TEXT_SIZE];

    if (facts->n_disks == 0) {
        table_cell(table, "-");
        return;
    }
    table_cell(table, "%s%s%s%s%s, %s", disk->model[0] != '\0' ? disk->model : disk->name,
               disk->serial[0] != '\0' ? " (" : "", disk->serial,
               disk->serial[0] != '\0' ? ")" : "", facts->n_disks > 1 ? " and more" : "",
               human_bytes(disk->size_bytes, text));
}

static void put_row(struct table *table, const char *name, const struct node_facts *facts)
{
    char text[HUMAN_TEXT_SIZE];

    table_cell(table, "%s", name);
    table_cell(table, "%s%s%s%s", facts->machine[0] != '\0' ? facts->machine : "?",
               facts->serial[0] != '\0' ? " (" : "", facts->serial,
               facts->serial[0] != '\0' ? ")" : "");
    table_cell(table, "%s", facts->system);
    table_cell(table, "%s %s", facts->kernel, facts->architecture);
    table_cell(table, "%s", human_bytes(facts->memory_bytes, text));
    put_disk_cell(table, facts);
    table_cell(table, "%s", facts->board);
    table_cell(table, "%s", facts->sheep_version);
}

static void print_table(const struct context *context, const struct facts *facts)
{
    static const char *const HEADERS[] = { "node",   "machine", "system", "kernel",
                                           "memory", "disk",    "board",  "version" };
    struct table *table = table_create(HEADERS, ARRAY_LEN(HEADERS));

    for (size_t i = 0; i < facts->n_nodes; i++) {
        if (context->selected[i] && facts->faults[i][0] == '\0') {
            put_row(table, context->inventory->nodes[i].name, &facts->nodes[i]);
        }
    }
    table_print(table, stdout);
    table_destroy(&table);
}

static void print_faults(const struct context *context, const struct facts *facts)
{
    for (size_t i = 0; i < facts->n_nodes; i++) {
        if (context->selected[i] && facts->faults[i][0] != '\0') {
            fprintf(stderr, "%s: %s\n", context->inventory->nodes[i].name, facts->faults[i]);
        }
    }
}

static int write_file(const char *path, const struct context *context,
                      const struct facts *facts, struct err *err)
{
    char now[CLOCK_TEXT_SIZE];
    struct buf text = { 0 };
    int result = 0;

    clock_format_utc(clock_utc_ns(), now);
    buf_printf(&text, "# What the nodes are made of, as they said at %s\n", now);
    for (size_t i = 0; i < facts->n_nodes; i++) {
        if (context->selected[i] && facts->faults[i][0] == '\0') {
            buf_printf(&text, "%s:\n", context->inventory->nodes[i].name);
            schema_encode(&node_facts_schema, &facts->nodes[i], &text, INDENT);
        }
    }
    result = text.failed ? err_set(err, ERR_MEMORY, "%s", path)
                         : file_write_atomic(path, text.data, text.size, 0644, err);
    buf_fini(&text);
    return result;
}

/* ---- the command ---- */

static int show(const struct cmd_options *options, const struct request *request,
                const struct context *context, const struct facts *facts, size_t n_known)
{
    struct err err = { 0 };

    if (request->output != NULL && n_known > 0
        && write_file(request->output, context, facts, &err) < 0) {
        return cmd_fail(options, "inventorize", &err);
    }
    if (options->is_json) {
        print_json(context, facts);
    } else {
        if (request->output == NULL && n_known > 0) {
            print_table(context, facts);
        }
        print_faults(context, facts);
    }
    if (n_known == 0) {
        return EXIT_NOBODY;
    }
    return n_known == context->n_selected ? EXIT_ALL_VALID : EXIT_NODE_FAILED;
}

static int parse(struct cli_scan *scan, struct request *request)
{
    const char *value = NULL;
    int option = 0;

    while ((option = cli_next(scan, &value)) != 0) {
        if (option == 'o') {
            request->output = value;
        } else if (option == '?' || cli_take_timeout(scan, value, &request->timeout_ms) != 0) {
            return EXIT_USAGE;
        }
    }
    return cli_take_nodes(scan, &request->nodes);
}

static int run(const struct cmd_options *options, int argc, char **argv)
{
    struct cli_scan scan = {
        .global = options, .options = OPTIONS, .argc = argc, .argv = argv
    };
    struct request request = { .timeout_ms = TIMEOUT_MS };
    struct facts facts = { 0 };
    struct context context;
    struct ask *ask = NULL;
    struct err err = { 0 };
    int status = parse(&scan, &request);

    if (status == 0) {
        status = context_open(&context, options, "inventorize", request.nodes, true);
    }
    if (status != 0) {
        return status;
    }
    ask = ask_open(context.inventory, context.selected, &context.key, &err);
    if (ask == NULL) {
        status = cmd_fail(options, "inventorize", &err);
    } else {
        size_t n = facts_ask(&facts, ask, context.inventory->n_nodes, request.timeout_ms);

        status = show(options, &request, &context, &facts, n);
    }
    facts_fini(&facts);
    ask_close(&ask);
    context_close(&context);
    return status;
}

const struct cmd cmd_inventorize = {
    .name = "inventorize",
    .summary = "what the nodes are made of",
    .usage = USAGE,
    .run = run,
};
