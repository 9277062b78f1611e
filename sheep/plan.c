/* SPDX-License-Identifier: MIT */
#include "sheep/plan.h"

#include "common/buf.h"
#include "common/vsource_derive.h"
#include "common/yaml_doc.h"
#include "sheep/space.h"

#include <stdio.h>
#include <string.h>

enum {
    CONFIG_MAX_BYTES = 256 * 1024,
    OPEN_END_S = 60, /* an open end must at least begin */
    EDGE_BYTES_PER_S =
        4096, /* a target that works; a storm of edges ends in the disk's guard */
    SAMPLE_RATE_HZ = 100000,
};

static int decode_config(struct node_config *config, struct proto_frame payload,
                         struct err *err)
{
    struct fault_list faults = { 0 };
    struct yaml_doc *doc = NULL;
    int result = 0;

    if (payload.size > CONFIG_MAX_BYTES) {
        return err_set(err, ERR_INPUT, "config of %zu bytes", payload.size);
    }
    doc = yaml_parse(payload.size > 0 ? payload.data : "", payload.size, "config", err);
    if (doc == NULL) {
        return -1;
    }
    schema_decode(&node_config_schema, yaml_root(doc), config, &faults);
    result = fault_check(&faults, err);
    fault_fini(&faults);
    yaml_destroy(&doc);
    return result;
}

static int check_calibration(const struct sheep_config *config,
                             const struct node_config *wanted, struct err *err)
{
    if (!config->has_calibration && !wanted->use_cal_default) {
        return err_set(err, ERR_INPUT,
                       "this node has no calibration%s%.200s (use_cal_default: true takes "
                       "nominal values)",
                       config->no_calibration.text[0] != '\0' ? ": " : "",
                       config->no_calibration.text);
    }
    return 0;
}

static int find_input(struct plan *plan, const struct plan_context *context, struct err *err)
{
    const struct node_config *config = &plan->request.manifest.config;

    if (config->mode != MODE_EMULATE) {
        return 0;
    }
    if (config->input_samples == 0) {
        return err_set(err, ERR_INPUT, "the input is empty");
    }
    return input_store_path(context->inputs, config->input_digest, plan->request.input_path,
                            err);
}

/* Of an emulation's end, whichever comes first: the duration or the input's. */
static uint64_t count_samples(const struct node_config *config)
{
    uint64_t n_samples = config->duration_ns < 0 ? UINT64_MAX : node_config_samples(config);

    if (config->mode == MODE_EMULATE && config->input_samples < n_samples) {
        n_samples = config->input_samples;
    }
    return n_samples;
}

static void describe_streams(struct rlog_manifest *manifest, const struct calibration *cal)
{
    const struct node_config *config = &manifest->config;
    bool is_a = config->target_port == PORT_A;
    uint32_t steps = config->harvester.wait_cycles + 1; /* samples a set point lasts */

    if (config->mode == MODE_EMULATE) {
        snprintf(manifest->datatype, sizeof(manifest->datatype), "ivsample");
        manifest->voltage = is_a ? cal->emu_dac_V_A : cal->emu_dac_V_B;
        manifest->current = is_a ? cal->emu_adc_I_A : cal->emu_adc_I_B;
        return;
    }
    manifest->voltage = cal->hrv_adc_V;
    manifest->current = cal->hrv_adc_I;
    if (config->harvester.algorithm == HARVESTER_IVCURVE) {
        snprintf(manifest->datatype, sizeof(manifest->datatype), "ivcurve");
        manifest->window_samples = config->harvester.samples_n * steps;
    } else if (config->harvester.algorithm == HARVESTER_ISC_VOC) {
        snprintf(manifest->datatype, sizeof(manifest->datatype), "isc_voc");
        manifest->window_samples = 2 * steps;
    } else {
        snprintf(manifest->datatype, sizeof(manifest->datatype), "ivsample");
    }
}

static void fill_manifest(struct plan *plan, const struct plan_context *context,
                          const struct body_prepare *body)
{
    struct rlog_manifest *manifest = &plan->request.manifest;
    const struct record_config *record = &manifest->config.record;

    snprintf(manifest->experiment_name, sizeof(manifest->experiment_name), "%.*s",
             (int)sizeof(manifest->experiment_name) - 1, body->experiment_name);
    manifest->experiment = context->experiment;
    snprintf(manifest->node, sizeof(manifest->node), "%s", context->config->name);
    snprintf(manifest->version, sizeof(manifest->version), "%s", BW_VERSION);
    snprintf(manifest->board, sizeof(manifest->board), "%s", context->config->board);
    manifest->mode = manifest->config.mode;
    manifest->n_planned = count_samples(&manifest->config);
    manifest->has_voltage = record->voltage;
    manifest->has_current = record->current;
    manifest->has_storage = record->storage && manifest->mode == MODE_EMULATE;
    manifest->gpio_mask = record->gpio_mask;
    manifest->is_cal_default = !context->config->has_calibration;
    plan->request.calibration = context->config->calibration;
    describe_streams(manifest, &plan->request.calibration);
}

uint64_t plan_bytes(const struct rlog_manifest *manifest)
{
    uint64_t n_samples = manifest->n_planned == UINT64_MAX
                             ? (uint64_t)OPEN_END_S * SAMPLE_RATE_HZ
                             : manifest->n_planned;
    uint64_t n_streams = (uint64_t)manifest->has_voltage + manifest->has_current
                         + 2 * (uint64_t)manifest->has_storage;
    uint64_t per_stream = record_bytes(&manifest->config.record, n_samples);
    uint64_t per_second = manifest->gpio_mask != 0 ? EDGE_BYTES_PER_S : 0;
    uint64_t bytes = 0;

    if (__builtin_mul_overflow(n_streams, per_stream, &bytes)
        || __builtin_add_overflow(bytes, n_samples / SAMPLE_RATE_HZ * per_second, &bytes)) {
        return UINT64_MAX;
    }
    return bytes;
}

static int check_source(const struct plan *plan, struct err *err)
{
    struct vsource_params params;

    return vsource_derive(&plan->request.manifest.config, &plan->request.calibration, &params,
                          err);
}

int plan_make(struct plan *plan, const struct plan_context *context,
              const struct body_prepare *body, struct proto_frame payload, struct err *err)
{
    struct node_config *config = &plan->request.manifest.config;
    char why[PROTO_NAME_SIZE];
    enum record_exists exists = EXISTS_NUMBER;

    memset(plan, 0, sizeof(*plan));
    plan->request.kind = RECORDER_PREPARE;
    plan->request.boot_id = context->boot_id;
    if (!name_is_safe(body->experiment_name, EXPERIMENT_NAME_SIZE - 1)
        || !name_is_safe(body->log, PROTO_NAME_SIZE - 1)) {
        return err_set(err, ERR_INPUT, "experiment or log: not a name");
    }
    if (decode_config(config, payload, err) < 0) {
        return -1;
    }
    if (!clock_claim_is_good(context->claim, config->clock_source, why)) {
        return err_set(err, ERR_STATE, "%s", why);
    }
    if (check_calibration(context->config, config, err) < 0
        || find_input(plan, context, err) < 0) {
        return -1;
    }
    fill_manifest(plan, context, body);
    if (plan->request.manifest.n_planned == 0) {
        return err_set(err, ERR_INPUT, "the recording would have no sample");
    }
    if (check_source(plan, err) < 0
        || store_check_space(context->store, config->record.where,
                             space_needed(config->record.where == WHERE_RAM,
                                          plan_bytes(&plan->request.manifest)),
                             err)
               < 0) {
        return -1;
    }
    exists = body->overwrite ? EXISTS_OVERWRITE : config->record.exists;
    if (store_choose(context->store, body->log, exists, plan->log, err) < 0) {
        return -1;
    }
    return store_new_path(context->store, plan->log, config->record.where,
                          plan->request.log_folder, err);
}
