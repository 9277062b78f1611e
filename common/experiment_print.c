/* SPDX-License-Identifier: MIT */
/* Prints an experiment file that means the same, with everything spelled out: nodes that agree
 * stand together under one node set. */
#include "common/experiment_parts.h"
#include "common/units.h"

#include <stdlib.h>
#include <string.h>

enum {
    INDENT = 4,
    MAX_FIELDS = 32
};

/* Without the part that the mode does not use. */
static void encode_layer(const struct node_config *config, struct buf *out)
{
    const struct schema *unused =
        config->mode == MODE_HARVEST ? &source_schema : &harvester_schema;
    struct field fields[MAX_FIELDS];
    struct schema used = layer_schema;
    size_t count = 0;

    for (const struct field *field = layer_schema.fields;
         field->name != NULL && count < MAX_FIELDS - 1; field++) {
        if (field->sub != unused) {
            fields[count] = *field;
            count++;
        }
    }
    fields[count] = (struct field){ .name = NULL };
    used.fields = fields;
    schema_encode(&used, config, out, INDENT);
}

/* The configuration with {node} in the input again, where that is this node's name, so that
 * nodes which replay a file each still agree. */
static void encode_general(const struct experiment_node *node, struct buf *out)
{
    struct node_config config = node->config;
    struct buf input = { 0 };
    const char *at = config.input;
    const char *slash = strrchr(config.input, '/');
    const char *next = NULL;

    at = slash != NULL ? slash + 1 : at; /* folders may hold the name by chance */
    buf_printf(&input, "%.*s", (int)(at - config.input), config.input);
    for (next = strstr(at, node->node->name); next != NULL;
         next = strstr(at, node->node->name)) {
        buf_printf(&input, "%.*s{node}", (int)(next - at), at);
        at = next + strlen(node->node->name);
    }
    buf_text(&input, at);
    if (!input.failed && input.size < sizeof(config.input)) {
        memcpy(config.input, input.data, input.size + 1);
    }
    buf_fini(&input);
    encode_layer(&config, out);
}

static void print_key(const char *key, const char *text, struct buf *out)
{
    if (text[0] != '\0') {
        buf_printf(out, "%s: ", key);
        yaml_emit_scalar(text, out);
        buf_text(out, "\n");
    }
}

static void print_duration(const char *key, int64_t ns, struct buf *out)
{
    buf_printf(out, "%s: ", key);
    duration_format(ns, out);
    buf_text(out, "\n");
}

/* "all", or the required nodes as a set. */
static void print_require(const struct experiment *experiment, struct buf *out)
{
    const char **names = calloc(experiment->n_nodes + 1, sizeof(*names));
    struct buf set = { 0 };
    size_t count = 0;

    for (size_t i = 0; names != NULL && i < experiment->n_nodes; i++) {
        if (experiment->nodes[i].is_required) {
            names[count] = experiment->nodes[i].node->name;
            count++;
        }
    }
    if (names != NULL && count < experiment->n_nodes) {
        nodeset_fold(names, count, &set);
    }
    print_key("  require", set.data != NULL ? set.data : "all", out);
    out->failed |= names == NULL || set.failed;
    buf_fini(&set);
    free(names);
}

static void print_head(const struct experiment *experiment, struct buf *out)
{
    print_key("name", experiment->name, out);
    print_key("description", experiment->description, out);
    print_key("output", experiment->output, out);
    if (experiment->n_nodes > 0 && experiment->nodes[0].config.duration_ns > 0) {
        print_duration("duration", experiment->nodes[0].config.duration_ns, out);
    }
    buf_text(out, "start:\n");
    print_duration("  align", experiment->align_ns, out);
    print_require(experiment, out);
    print_duration("  clock_error_max", experiment->clock_error_max_ns, out);
    buf_printf(out, "  if_incomplete: %s\nrun:\n  on_failure: %s\n",
               experiment->if_incomplete == INCOMPLETE_ABORT ? "abort" : "continue",
               experiment->on_failure == ON_FAILURE_STOP_ALL ? "stop_all" : "continue");
}

/* Prints the nodes that agree with node `first`, and marks them. */
static void print_class(const struct experiment *experiment, const struct buf *texts,
                        size_t first, bool *is_done, struct buf *out)
{
    const char **names = calloc(experiment->n_nodes + 1, sizeof(*names));
    struct buf set = { 0 };
    size_t count = 0;

    if (names == NULL) {
        out->failed = true;
        return;
    }
    for (size_t i = first; i < experiment->n_nodes; i++) {
        if (!is_done[i] && texts[i].size == texts[first].size
            && memcmp(texts[i].data, texts[first].data, texts[i].size) == 0) {
            names[count] = experiment->nodes[i].node->name;
            count++;
            is_done[i] = true;
        }
    }
    nodeset_fold(names, count, &set);
    buf_text(out, "  ");
    yaml_emit_scalar(set.data != NULL ? set.data : "", out);
    buf_text(out, ":\n");
    if (count == 1) {
        encode_layer(&experiment->nodes[first].config, out);
    } else {
        buf_append(out, texts[first].data, texts[first].size);
    }
    out->failed |= set.failed;
    buf_fini(&set);
    free(names);
}

void experiment_print(const struct experiment *experiment, struct buf *out)
{
    struct buf *texts = calloc(experiment->n_nodes + 1, sizeof(*texts));
    bool *is_done = calloc(experiment->n_nodes + 1, sizeof(*is_done));

    if (texts == NULL || is_done == NULL) {
        out->failed = true;
        free(texts);
        free(is_done);
        return;
    }
    print_head(experiment, out);
    buf_text(out, "nodes:\n");
    for (size_t i = 0; !out->failed && i < experiment->n_nodes; i++) {
        encode_general(&experiment->nodes[i], &texts[i]);
        out->failed |= texts[i].failed;
    }
    for (size_t i = 0; !out->failed && i < experiment->n_nodes; i++) {
        if (!is_done[i]) {
            print_class(experiment, texts, i, is_done, out);
        }
    }
    for (size_t i = 0; i < experiment->n_nodes; i++) {
        buf_fini(&texts[i]);
    }
    free(texts);
    free(is_done);
}

void experiment_reference(struct buf *out)
{
    schema_print(&experiment_head_schema, out);
    buf_text(out, "\n");
    schema_print(&layer_schema, out);
}
