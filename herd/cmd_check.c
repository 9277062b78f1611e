/* SPDX-License-Identifier: MIT */
/* herd check: everything that can be known about an experiment before a node is asked. */
#include "herd/cli.h"
#include "herd/cmd.h"
#include "herd/context.h"
#include "herd/report.h"

#include "common/calibration.h"
#include "common/experiment.h"
#include "common/presets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char USAGE[] =
    "Usage: herd check [options] FILE\n"
    "       herd check --schema\n\n"
    "Reads an experiment, resolves presets, defaults, groups and nodes against the inventory,\n"
    "and prints what each node would be told, folded where nodes agree; what is printed is an\n"
    "experiment again. Shepherd's HarvestTask, EmulationTask and Experiment are read too; keys\n"
    "without effect here are named. All faults of the file are listed at once, each with file, line and\n"
    "column, and the exit status is then 2. No node is contacted.\n\n"
    "  -s, --schema      print every key with its unit, range, default and meaning, and the\n"
    "                    names of all presets\n\n"
    "Examples:\n"
    "  herd check solar.yaml\n"
    "  herd check -l 'sheep[0-3]' --json solar.yaml\n"
    "  herd check --schema | less\n";

static const struct cli_option OPTIONS[] = {
    {'s', "schema", false},
    { 0,  NULL,     false},
};

/* A plain scalar as the JSON type that it looks like. */
static void json_scalar(struct json *json, const char *key, const struct yaml_node *node)
{
    int64_t whole = 0;
    uint64_t large = 0;
    double number = 0;

    if (node->is_quoted) {
        json_text(json, key, node->text);
        return;
    }
    if (strcmp(node->text, "true") == 0 || strcmp(node->text, "false") == 0) {
        json_bool(json, key, node->text[0] == 't');
    } else if (text_to_i64(node->text, &whole)) {
        json_i64(json, key, whole);
    } else if (text_to_u64(node->text, &large)) {
        json_u64(json, key, large);
    } else if (text_to_f64(node->text, &number)) {
        json_f64(json, key, number);
    } else {
        json_text(json, key, node->text);
    }
}

/* Trees are at most YAML_MAX_DEPTH deep. */
static void json_tree(struct json *json, const char *key, // NOLINT(misc-no-recursion)
                      const struct yaml_node *node)
{
    bool is_map = node->kind == YAML_MAP;

    switch (node->kind) {
    case YAML_NULL:
        json_null(json, key);
        return;
    case YAML_SCALAR:
        json_scalar(json, key, node);
        return;
    case YAML_LIST:
    case YAML_MAP:
        break;
    }
    json_open(json, key, is_map ? '{' : '[');
    for (size_t i = 0; i < node->count; i++) {
        json_tree(json, is_map ? node->keys[i] : NULL, node->items[i]);
    }
    json_close(json, is_map ? '}' : ']');
}

/* The YAML text that we printed ourselves, as JSON. */
static int print_json(const struct cmd_options *options, const struct buf *text)
{
    struct buf line = { 0 };
    struct json json = { .out = &line };
    struct err err = { 0 };
    struct yaml_doc *doc = yaml_parse(text->data, text->size, "resolved", &err);

    if (doc == NULL) {
        return cmd_fail(options, "check", &err);
    }
    json_tree(&json, NULL, yaml_root(doc));
    json_line(&json, stdout);
    yaml_destroy(&doc);
    buf_fini(&line);
    return EXIT_ALL_VALID;
}

static int print_experiment(const struct cmd_options *options,
                            const struct experiment *experiment)
{
    struct buf text = { 0 };
    struct err err = { 0 };
    int status = EXIT_ALL_VALID;

    experiment_print(experiment, &text);
    if (text.failed) {
        err_set(&err, ERR_MEMORY, "no memory to print the experiment");
        status = cmd_fail(options, "check", &err);
    } else if (options->is_json) {
        status = print_json(options, &text);
    } else {
        fputs(text.data, stdout);
    }
    buf_fini(&text);
    return status;
}

/* Notes are no faults: one line each, on standard error. */
static void print_notes(const struct cmd_options *options, const struct fault_list *notes)
{
    for (size_t i = 0; i < notes->count; i++) {
        const struct fault *fault = &notes->faults[i];
        struct buf line = { 0 };
        struct json json = { .out = &line };

        if (!options->is_json) {
            fprintf(stderr, "%s:%u:%u: note: %s\n", fault->place.file, fault->place.line,
                    fault->place.column, fault->text);
            continue;
        }
        json_open(&json, NULL, '{');
        json_text(&json, "command", "check");
        json_text(&json, "note", fault->text);
        json_text(&json, "file", fault->place.file);
        json_u64(&json, "line", fault->place.line);
        json_u64(&json, "column", fault->place.column);
        json_close(&json, '}');
        json_line(&json, stderr);
        buf_fini(&line);
    }
}

static int check_file(const struct cmd_options *options, const char *path)
{
    struct cmd_options everybody = *options;
    struct fault_list faults = { 0 };
    struct context context;
    struct experiment *experiment = NULL;
    int status = 0;

    everybody.limit = NULL; /* the experiment applies it, and names what it leaves */
    status = context_open(&context, &everybody, "check", NULL, false);
    if (status != 0) {
        return status;
    }
    experiment = experiment_load(path, context.inventory, options->limit, &faults);
    if (experiment != NULL) {
        print_notes(options, &experiment->notes);
    }
    status = experiment != NULL ? print_experiment(options, experiment)
                                : cmd_fail_faults(options, "check", &faults);
    fault_fini(&faults);
    experiment_destroy(&experiment);
    context_close(&context);
    return status;
}

static void print_preset_names(const struct presets *presets, struct buf *out)
{
    static const char *const titles[N_PRESET_KINDS] = {
        [PRESET_SOURCE] = "sources",
        [PRESET_HARVESTER] = "harvesters",
        [PRESET_STORAGE] = "storages",
    };

    for (int kind = 0; kind < N_PRESET_KINDS; kind++) {
        buf_printf(out, "\npresets of %s\n", titles[kind]);
        for (size_t i = 0; presets_name(presets, (enum preset_kind)kind, i) != NULL; i++) {
            buf_printf(out, "  %s\n", presets_name(presets, (enum preset_kind)kind, i));
        }
    }
}

static int print_schema(const struct cmd_options *options)
{
    struct fault_list faults = { 0 };
    struct presets *presets = presets_load(NULL, &faults);
    struct buf text = { 0 };
    int status = EXIT_ALL_VALID;

    if (presets == NULL) {
        status = cmd_fail_faults(options, "check", &faults);
        fault_fini(&faults);
        return status;
    }
    experiment_reference(&text);
    buf_text(&text, "\n");
    schema_print(&calibration_schema, &text);
    print_preset_names(presets, &text);
    if (options->is_json) {
        struct buf line = { 0 };
        struct json json = { .out = &line };

        json_open(&json, NULL, '{');
        json_text(&json, "schema", text.data);
        json_close(&json, '}');
        json_line(&json, stdout);
        buf_fini(&line);
    } else {
        fputs(text.data != NULL ? text.data : "", stdout);
    }
    buf_fini(&text);
    presets_destroy(&presets);
    return status;
}

static int run(const struct cmd_options *options, int argc, char **argv)
{
    struct cli_scan scan = {
        .global = options, .options = OPTIONS, .argc = argc, .argv = argv
    };
    const char *value = NULL;
    bool wants_schema = false;
    int option = 0;

    while ((option = cli_next(&scan, &value)) != 0) {
        if (option == '?') {
            return EXIT_USAGE;
        }
        wants_schema = true;
    }
    if (wants_schema) {
        return print_schema(options);
    }
    if (scan.n_operands != 1) {
        return cmd_misuse(options, "check", "one file, not %d", scan.n_operands);
    }
    return check_file(options, argv[scan.at]);
}

const struct cmd cmd_check = {
    .name = "check",
    .summary = "check an experiment and print what each node would do",
    .usage = USAGE,
    .run = run,
};
