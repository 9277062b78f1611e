/* SPDX-License-Identifier: MIT */
#include "herd/simulate_input.h"

#include "common/h5_input.h"
#include "common/presets.h"
#include "common/units.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char CURVES[] = "{inherit_from: iv110}";

enum {
    SAMPLES_MAX_S = 86400 * 30
};

/* ---- the experiment ---- */

/* One node that stands for any: a file can be tried before there is a herd. */
static struct inventory *single_node(const char *name, struct fault_list *faults)
{
    char text[INVENTORY_NAME_SIZE + 64];

    snprintf(text, sizeof(text), "sheep: {hosts: {\"%.60s\": {}}}\n", name);
    return inventory_parse(text, "the node simulated", faults);
}

/* The herd's own, for experiments that name nodes; NULL when there is none. */
static struct inventory *found_inventory(struct fault_list *faults)
{
    struct err ignored;
    char *path = inventory_find(NULL, &ignored);
    struct inventory *inventory = path != NULL ? inventory_load(path, faults) : NULL;

    free(path);
    return inventory;
}

/* The file again, with the environment in the place of an input: what it lacks is no fault when
 * the sky feeds the emulation. Messages come from the first reading. */
static struct experiment *read_with_input(const struct simulate_request *request,
                                          const struct inventory *inventory)
{
    struct fault_list ignored = { 0 };
    struct err err = { 0 };
    struct yaml_doc *doc = yaml_load(request->file, &err);
    struct yaml_doc *extra = NULL;
    struct experiment *experiment = NULL;
    struct yaml_node *merged = NULL;
    struct buf text = { 0 };
    char path[PATH_MAX];

    if (doc != NULL && realpath(request->environment, path) != NULL) {
        buf_text(&text, "defaults:\n  input: ");
        yaml_emit_scalar(path, &text);
        extra = yaml_parse(text.data, text.size, "environment", &err);
    }
    if (extra != NULL) {
        merged = yaml_merge(doc, yaml_root(doc), yaml_root(extra), &err);
    }
    buf_clear(&text);
    if (merged != NULL) {
        yaml_emit(merged, 0, &text);
        experiment =
            experiment_parse(text.data, request->file, inventory, request->node, &ignored);
    }
    buf_fini(&text);
    fault_fini(&ignored);
    yaml_destroy(&extra);
    yaml_destroy(&doc);
    return experiment;
}

/* What is wrong besides the input, for which the sky stands in. */
static void forget_input(struct fault_list *faults)
{
    struct fault_list rest = { 0 };

    for (size_t i = 0; i < faults->count; i++) {
        const struct fault *fault = &faults->faults[i];

        if (strncmp(fault->text, "input: ", 7) != 0
            && strcmp(fault->text, "an emulation needs an input") != 0) {
            fault_add(&rest, fault->place, "%s", fault->text);
        }
    }
    if (rest.count > 0) {
        fault_fini(faults);
        *faults = rest;
    }
}

static struct experiment *read_experiment(const struct simulate_request *request,
                                          const struct inventory *inventory,
                                          struct fault_list *faults)
{
    struct simulate_request single = *request;
    struct experiment *experiment = NULL;

    if (single.node == NULL && inventory->n_nodes > 0) {
        single.node = inventory->nodes[0].name;
    }
    experiment = experiment_load(single.file, inventory, single.node, faults);
    if (experiment == NULL && single.environment != NULL) {
        experiment = read_with_input(&single, inventory);
        forget_input(faults);
    }
    return experiment;
}

static int take_node(struct simulate_input *input, const struct experiment *experiment,
                     struct err *err)
{
    if (experiment->n_nodes == 0) {
        return err_set(err, ERR_NOT_FOUND, "the experiment has no node");
    }
    snprintf(input->experiment, sizeof(input->experiment), "%s", experiment->name);
    snprintf(input->node, sizeof(input->node), "%s", experiment->nodes[0].node->name);
    input->config = experiment->nodes[0].config;
    return 0;
}

static void forget(struct fault_list *faults)
{
    fault_fini(faults);
    memset(faults, 0, sizeof(*faults));
}

/* Into experiment and inventory; the faults are those of the last try. */
static void read_either(const struct simulate_request *request, struct experiment **experiment,
                        struct inventory **inventory, struct fault_list *faults)
{
    struct fault_list others = { 0 };

    if (request->inventory != NULL) {
        *inventory = inventory_load(request->inventory, faults);
    } else {
        *inventory = single_node(request->node != NULL ? request->node : "sheep0", faults);
    }
    if (*inventory != NULL) {
        *experiment = read_experiment(request, *inventory, faults);
    }
    if (*experiment == NULL && request->inventory == NULL) {
        struct inventory *found = found_inventory(&others);

        if (found != NULL) {
            inventory_destroy(inventory);
            *inventory = found;
            forget(faults);
            *experiment = read_experiment(request, found, faults);
        }
    }
    fault_fini(&others);
}

static int load(struct simulate_input *input, const struct simulate_request *request,
                struct fault_list *faults, struct err *err)
{
    struct inventory *inventory = NULL;
    struct experiment *experiment = NULL;
    int result = -1;

    read_either(request, &experiment, &inventory, faults);
    if (experiment != NULL) {
        forget(faults);
        result = take_node(input, experiment, err);
    }
    experiment_destroy(&experiment);
    inventory_destroy(&inventory);
    return result;
}

/* ---- the world ---- */

static int set_target(struct world_target *target, const char *text, struct err *err)
{
    struct stat info;

    if (text == NULL) {
        return 0;
    }
    if (strcmp(text, "none") == 0) {
        target->kind = TARGET_NONE;
    } else if (quantity_parse(text, "Ohm", &target->resistance_Ohm) == UNIT_OK) {
        target->kind = TARGET_RESISTOR;
    } else if (stat(text, &info) == 0 && strlen(text) < sizeof(target->trace)) {
        target->kind = TARGET_REPLAY;
        snprintf(target->trace, sizeof(target->trace), "%s", text);
    } else {
        return err_set(err, ERR_USAGE, "target '%.200s': not none, a resistance, or a file",
                       text);
    }
    return 0;
}

static int set_world(struct simulate_input *input, const struct simulate_request *request,
                     struct err *err)
{
    struct world_transducer *cell = &input->world.transducer;

    input->world = world_config_default();
    cell->time_scale = request->time_scale;
    cell->environment_start_s = (double)request->begin_ns * 1e-9;
    if (request->environment != NULL) {
        if (strlen(request->environment) >= sizeof(cell->environment)) {
            return err_set(err, ERR_INPUT, "%s: path too long", request->environment);
        }
        snprintf(cell->environment, sizeof(cell->environment), "%s", request->environment);
    }
    return set_target(&input->world.target, request->target, err);
}

/* ---- the input ---- */

static int resolve_curves(struct harvester_config *curves, struct err *err)
{
    struct fault_list faults = { 0 };
    struct presets *presets = presets_load(NULL, &faults);
    struct yaml_doc *doc = yaml_parse(CURVES, sizeof(CURVES) - 1, "curves", err);
    struct yaml_node *map = NULL;
    int result = 0;

    if (presets != NULL && doc != NULL) {
        map = presets_resolve(presets, PRESET_HARVESTER, doc, yaml_root(doc), &faults);
    }
    if (map != NULL) {
        schema_decode(&harvester_schema, map, curves, &faults);
        harvester_config_finish(curves);
    }
    result = fault_check(&faults, err);
    if (result == 0 && map == NULL) {
        result = err_set(err, ERR_MEMORY, "presets");
    }
    fault_fini(&faults);
    yaml_destroy(&doc);
    presets_destroy(&presets);
    return result;
}

static int decode(struct simulate_input *input, struct err *err)
{
    const char *folder = getenv("TMPDIR"); // NOLINT(concurrency-mt-unsafe)
    struct h5_input_info info;
    int fd = -1;

    snprintf(input->stream, sizeof(input->stream), "%.400s/bellwether-XXXXXX",
             folder != NULL ? folder : P_tmpdir);
    fd = mkstemp(input->stream);
    if (fd < 0) {
        err_set_errno(err, "%s", input->stream);
        input->stream[0] = '\0';
        return -1;
    }
    close(fd);
    (void)unlink(input->stream);
    if (h5_input_decode(input->config.input, input->stream, &info, input->config.input_digest,
                        err)
        < 0) {
        return -1;
    }
    input->config.input_samples = info.n_samples;
    input->config.input_window = info.window_samples;
    input->config.input_step_uV = info.voltage_step_uV;
    input->config.input_is_isc_voc = strcmp(info.datatype, "isc_voc") == 0;
    return 0;
}

static int set_input(struct simulate_input *input, const struct simulate_request *request,
                     struct err *err)
{
    struct node_config *config = &input->config;

    if (config->mode != MODE_EMULATE) {
        return 0;
    }
    if (request->environment == NULL) {
        input->simulation.input = input->stream;
        return decode(input, err);
    }
    if (resolve_curves(&input->curves, err) < 0) {
        return -1;
    }
    input->simulation.curves = &input->curves;
    simulate_curves(config, &input->curves);
    return 0;
}

static int set_length(struct simulate_input *input, const struct simulate_request *request,
                      struct err *err)
{
    struct node_config *config = &input->config;
    uint64_t most = (uint64_t)SAMPLES_MAX_S * 100000;

    if (request->duration_ns >= 0) {
        config->duration_ns = request->duration_ns;
    }
    if (config->duration_ns < 0 && input->simulation.input == NULL) {
        return err_set(err, ERR_USAGE,
                       "no end: neither the experiment nor --duration says one");
    }
    input->simulation.n_samples = node_config_samples(config);
    if (input->simulation.n_samples == 0 || input->simulation.n_samples > most) {
        return err_set(err, ERR_USAGE, "a duration between a sample and 30 days");
    }
    return 0;
}

struct simulate_input *simulate_input_open(const struct simulate_request *request,
                                           struct fault_list *faults, struct err *err)
{
    struct simulate_input *input = calloc(1, sizeof(*input));

    if (input == NULL) {
        err_set(err, ERR_MEMORY, "simulation");
        return NULL;
    }
    input->simulation.config = &input->config;
    input->simulation.world = &input->world;
    if (load(input, request, faults, err) < 0 || set_world(input, request, err) < 0
        || set_input(input, request, err) < 0 || set_length(input, request, err) < 0) {
        simulate_input_close(&input);
    }
    return input;
}

void simulate_input_close(struct simulate_input **input_p)
{
    struct simulate_input *input = *input_p;

    if (input != NULL) {
        if (input->stream[0] != '\0') {
            (void)unlink(input->stream);
        }
        free(input);
        *input_p = NULL;
    }
}
