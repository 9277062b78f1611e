/* SPDX-License-Identifier: MIT */
#include "herd/inputs.h"

#include "common/buf.h"
#include "common/h5_input.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* True when an earlier node has the same file: that one stands for both. */
static bool is_repeated(const struct experiment *experiment, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (strcmp(experiment->nodes[k].config.input, experiment->nodes[i].config.input) == 0) {
            return true;
        }
    }
    return false;
}

static int check_one(const struct node_config *config, const char *node, struct err *err)
{
    struct h5_input_info info;
    uint64_t n_wanted = 0;

    if (h5_input_check(config->input, &info, err) < 0) {
        /* Whatever is wrong with it, it is an input that a person chose. */
        err->code = ERR_INPUT;
        return err_prepend(err, "input of %s", node);
    }
    n_wanted = config->duration_ns < 0 ? 0 : node_config_samples(config);
    if (n_wanted > info.n_samples) {
        return err_set(err, ERR_INPUT,
                       "input of %s: %s holds %" PRIu64 " samples, the duration needs %" PRIu64,
                       node, config->input, info.n_samples, n_wanted);
    }
    return 0;
}

int inputs_check(const struct experiment *experiment, struct err *err)
{
    for (size_t i = 0; i < experiment->n_nodes; i++) {
        const struct experiment_node *node = &experiment->nodes[i];

        if (node->config.input[0] != '\0' && !is_repeated(experiment, i)
            && check_one(&node->config, node->node->name, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int decode_one(struct inputs *inputs, const char *source, const char *folder,
                      struct err *err)
{
    struct input_stream *more =
        realloc(inputs->streams, (inputs->n_streams + 1) * sizeof(*inputs->streams));
    struct input_stream *stream = NULL;
    struct h5_input_info info;
    struct stat status;

    if (more == NULL) {
        return err_set(err, ERR_MEMORY, "inputs");
    }
    inputs->streams = more;
    stream = &inputs->streams[inputs->n_streams];
    memset(stream, 0, sizeof(*stream));
    snprintf(stream->source, sizeof(stream->source), "%s", source);
    if (snprintf(stream->path, sizeof(stream->path), "%s/%zu.inp", folder, inputs->n_streams)
        >= (int)sizeof(stream->path)) {
        return err_set(err, ERR_INPUT, "%s: path too long", folder);
    }
    if (h5_input_decode(source, stream->path, &info, stream->digest, err) < 0) {
        return err_prepend(err, "input");
    }
    inputs->n_streams++;
    if (stat(stream->path, &status) < 0) {
        return err_set_errno(err, "%s", stream->path);
    }
    stream->size_bytes = (uint64_t)status.st_size;
    stream->n_samples = info.n_samples;
    stream->window_samples = info.window_samples;
    stream->step_uV = info.voltage_step_uV;
    stream->is_isc_voc = strcmp(info.datatype, "isc_voc") == 0;
    return 0;
}

static const struct input_stream *find_source(const struct inputs *inputs, const char *source)
{
    for (size_t k = 0; k < inputs->n_streams; k++) {
        if (strcmp(inputs->streams[k].source, source) == 0) {
            return &inputs->streams[k];
        }
    }
    return NULL;
}

int inputs_decode(struct inputs *inputs, struct experiment *experiment, const char *folder,
                  struct err *err)
{
    memset(inputs, 0, sizeof(*inputs));
    for (size_t i = 0; i < experiment->n_nodes; i++) {
        struct node_config *config = &experiment->nodes[i].config;
        const struct input_stream *stream = NULL;

        if (config->input[0] == '\0') {
            continue;
        }
        if (inputs->n_streams == 0 && dir_make(folder, 0755, err) < 0) {
            return -1;
        }
        if (find_source(inputs, config->input) == NULL
            && decode_one(inputs, config->input, folder, err) < 0) {
            return -1;
        }
        stream = find_source(inputs, config->input);
        if (stream == NULL) {
            return err_set(err, ERR_STATE, "input %s is not decoded", config->input);
        }
        memcpy(config->input_digest, stream->digest, sizeof(config->input_digest));
        config->input_samples = stream->n_samples;
        config->input_window = stream->window_samples;
        config->input_step_uV = stream->step_uV;
        config->input_is_isc_voc = stream->is_isc_voc;
    }
    return 0;
}

void inputs_fini(struct inputs *inputs)
{
    for (size_t k = 0; k < inputs->n_streams; k++) {
        unlink(inputs->streams[k].path);
    }
    free(inputs->streams);
    memset(inputs, 0, sizeof(*inputs));
}

const struct input_stream *inputs_find(const struct inputs *inputs, const char *digest)
{
    for (size_t k = 0; k < inputs->n_streams; k++) {
        if (strcmp(inputs->streams[k].digest, digest) == 0) {
            return &inputs->streams[k];
        }
    }
    return NULL;
}
