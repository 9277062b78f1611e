/* SPDX-License-Identifier: MIT */
/* What a schema cannot see: values that do not go together. Each fault names the value of the
 * experiment's own file that takes part in it, not a preset's. */
#include "common/experiment_parts.h"
#include "common/vsource_derive.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct checker {
    const struct merger *merger;
    const struct node_draft *draft;
    struct fault_list *faults;
};

static bool is_own(const struct checker *checker, const struct yaml_node *node)
{
    return node->place.file != NULL && node->place.line > 0
           && strcmp(node->place.file, checker->merger->file) == 0;
}

/* The place to blame: the first of the keys of `map` that the experiment set, then the map,
 * then the node's mode. */
static struct yaml_place blame(const struct checker *checker, const struct yaml_node *map,
                               const char *first, const char *second)
{
    const struct yaml_node *candidates[] = {
        yaml_get(map, first),
        second != NULL ? yaml_get(map, second) : NULL,
        yaml_get(map, "name"), /* stands where inherit_from stood */
        map,
        yaml_get(checker->draft->tree, "mode"),
    };

    for (size_t i = 0; i < ARRAY_LEN(candidates); i++) {
        const struct yaml_node *node = candidates[i];

        if (node != NULL && is_own(checker, node)) {
            return node->place;
        }
    }
    return checker->merger->root->place;
}

static void check_harvester(const struct checker *checker, const struct yaml_node *map,
                            const struct harvester_config *harvester)
{
    if (harvester->voltage_min_mV > harvester->voltage_max_mV) {
        fault_add(checker->faults, blame(checker, map, "voltage_min_mV", "voltage_max_mV"),
                  "harvester: voltage_min_mV of %g is above voltage_max_mV of %g",
                  harvester->voltage_min_mV, harvester->voltage_max_mV);
    } else if (harvester->voltage_mV < harvester->voltage_min_mV
               || harvester->voltage_mV > harvester->voltage_max_mV) {
        fault_add(checker->faults, blame(checker, map, "voltage_mV", "voltage_max_mV"),
                  "harvester: voltage_mV of %g is not between voltage_min_mV of %g and "
                  "voltage_max_mV of %g",
                  harvester->voltage_mV, harvester->voltage_min_mV, harvester->voltage_max_mV);
    }
}

static void check_thresholds(const struct checker *checker, const struct yaml_node *map)
{
    const struct source_config *source = &checker->draft->config.source;

    if (source->V_intermediate_enable_output_threshold_mV
        < source->V_intermediate_disable_output_threshold_mV) {
        fault_add(checker->faults,
                  blame(checker, map, "V_intermediate_enable_output_threshold_mV",
                        "V_intermediate_disable_output_threshold_mV"),
                  "source: V_intermediate_enable_output_threshold_mV of %g is below "
                  "V_intermediate_disable_output_threshold_mV of %g: the output would never "
                  "stay on",
                  source->V_intermediate_enable_output_threshold_mV,
                  source->V_intermediate_disable_output_threshold_mV);
    }
    if (source->V_pwr_good_enable_threshold_mV < source->V_pwr_good_disable_threshold_mV) {
        fault_add(checker->faults,
                  blame(checker, map, "V_pwr_good_enable_threshold_mV",
                        "V_pwr_good_disable_threshold_mV"),
                  "source: V_pwr_good_enable_threshold_mV of %g is below "
                  "V_pwr_good_disable_threshold_mV of %g",
                  source->V_pwr_good_enable_threshold_mV,
                  source->V_pwr_good_disable_threshold_mV);
    }
}

/* What `build` calculates cannot be given beside it. */
static void check_build(const struct checker *checker, const struct yaml_node *map)
{
    static const char *const built[] = { "q_As", "p_VOC", "p_Rs", "R_leak_Ohm" };
    const struct storage_config *storage = &checker->draft->config.source.storage;
    size_t count = storage->build == STORAGE_CAPACITOR ? 3 : 4;

    if (!storage_is_buildable(storage)) {
        fault_add(checker->faults, blame(checker, map, "build", NULL),
                  "storage: build needs %s",
                  storage->build == STORAGE_CAPACITOR ? "C_uF and V_rated_mV" : "capacity_mAh");
    }
    for (size_t i = 0; i < count && storage->build != STORAGE_GIVEN; i++) {
        const struct yaml_node *node = yaml_get(map, built[i]);

        if (node != NULL && is_own(checker, node)) {
            fault_add(checker->faults, node->place,
                      "storage: %s follows from build, it cannot be given too", built[i]);
        }
    }
}

static void check_storage(const struct checker *checker, const struct yaml_node *map)
{
    const struct source_config *source = &checker->draft->config.source;
    const struct storage_config *storage = &source->storage;
    const struct yaml_node *own = yaml_get(map, "storage");
    double full_V = storage_curve(storage->p_VOC, 1);

    if (!storage->is_present) {
        if (source->enable_boost || source->enable_feedback_to_hrv) {
            fault_add(checker->faults,
                      blame(checker, map,
                            source->enable_boost ? "enable_boost" : "enable_feedback_to_hrv",
                            "storage"),
                      "source: %s needs a storage",
                      source->enable_boost ? "enable_boost" : "enable_feedback_to_hrv");
        }
        return;
    }
    if (source->enable_boost && source->enable_feedback_to_hrv) {
        fault_add(checker->faults,
                  blame(checker, map, "enable_feedback_to_hrv", "enable_boost"),
                  "source: enable_feedback_to_hrv and enable_boost exclude each other");
    }
    check_build(checker, own);
    if (storage->build != STORAGE_GIVEN && !(storage->q_As > 0)) {
        return;
    }
    if (storage->q_As <= 0) {
        fault_add(checker->faults, blame(checker, own, "q_As", NULL),
                  "storage: q_As is missing or 0");
    }
    if (!(full_V > 0)) {
        fault_add(checker->faults, blame(checker, own, "p_VOC", NULL),
                  "storage: p_VOC gives a full storage %g V", full_V);
    } else if (source->V_intermediate_init_mV > full_V * 1000 * (1 + 1e-9)) {
        fault_add(checker->faults, blame(checker, map, "V_intermediate_init_mV", "storage"),
                  "source: V_intermediate_init_mV of %g is above the %g of the full storage",
                  source->V_intermediate_init_mV, full_V * 1000);
    }
}

/* Existence only; what the file holds is seen when it is decoded. */
static void check_input(const struct checker *checker)
{
    const char *path = checker->draft->config.input;
    struct yaml_place place = blame(checker, checker->draft->tree, "input", "mode");
    struct err err = { 0 };
    struct stat info;

    if (path[0] == '\0') {
        fault_add(checker->faults, place, "an emulation needs an input");
        return;
    }
    if (stat(path, &info) < 0 || access(path, R_OK) < 0) {
        err_set_errno(&err, "input: %.300s", path);
        fault_add(checker->faults, place, "%s", err.text);
    } else if (!S_ISREG(info.st_mode)) {
        fault_add(checker->faults, place, "input: %.300s: not a regular file", path);
    }
}

static void check_source(const struct checker *checker)
{
    const struct source_config *config = &checker->draft->config.source;
    const struct yaml_node *source = yaml_get(checker->draft->tree, "source");
    const struct yaml_node *harvester = yaml_get(source, "harvester");
    enum harvester_algorithm algorithm = config->harvester.algorithm;

    check_thresholds(checker, source);
    check_storage(checker, source);
    check_harvester(checker, harvester, &config->harvester);
    if (algorithm == HARVESTER_ISC_VOC || algorithm == HARVESTER_IVCURVE
        || algorithm == HARVESTER_SWEEP) {
        fault_add(checker->faults, blame(checker, harvester, "algorithm", NULL),
                  "source: the harvester %s can only record",
                  algorithm == HARVESTER_IVCURVE   ? "ivcurve"
                  : algorithm == HARVESTER_ISC_VOC ? "isc_voc"
                                                   : "sweep");
    }
}

/* What the step of a sample cannot run is refused here, by the name of the parameter, before
 * any node is asked. The input is not known yet; curves allow everything. */
static void check_source_runs(const struct checker *checker)
{
    struct vsource_input curves = { .window_samples = 1000, .step_uV = 5000 };
    struct vsource_params params;
    struct err err = { 0 };

    vsource_derive_defaults(&params);
    if (vsource_derive_source(&checker->draft->config.source, &curves, &params, &err) < 0) {
        fault_add(checker->faults, blame(checker, checker->draft->tree, "source", "mode"), "%s",
                  err.text);
    }
}

static void check_harvester_runs(const struct checker *checker)
{
    struct vsource_params params;
    struct err err = { 0 };

    vsource_derive_defaults(&params);
    if (vsource_derive_harvester(&checker->draft->config.harvester, NULL, &params, &err) < 0) {
        fault_add(checker->faults, blame(checker, checker->draft->tree, "harvester", "mode"),
                  "%s", err.text);
    }
}

/* What is stored of the traces. */
static void check_record(const struct checker *checker)
{
    const struct node_config *config = &checker->draft->config;
    const struct record_config *record = &config->record;
    const struct yaml_node *map = yaml_get(checker->draft->tree, "record");
    bool is_curves = config->mode == MODE_HARVEST && checker->draft->is_harvester_sound
                     && (config->harvester.algorithm == HARVESTER_IVCURVE
                         || config->harvester.algorithm == HARVESTER_ISC_VOC);

    if (record->samplerate != RECORD_100_KHZ && is_curves) {
        fault_add(checker->faults, blame(checker, map, "samplerate", NULL),
                  "record: a samplerate of %d would average the steps of a curve",
                  record->samplerate);
    }
    if (record->samplerate != RECORD_100_KHZ && record->overview_only) {
        fault_add(checker->faults, blame(checker, map, "samplerate", "overview_only"),
                  "record: overview_only stores no samples; a samplerate has no effect");
    }
    if (record->duration_ns == 0) {
        fault_add(checker->faults, blame(checker, map, "duration", NULL),
                  "record: a duration of 0 records nothing; voltage: false and current: false "
                  "say so");
    }
    if (config->duration_ns >= 0 && record->delay_ns >= config->duration_ns
        && record->delay_ns > 0) {
        fault_add(checker->faults, blame(checker, map, "delay", NULL),
                  "record: a delay of %g s is not shorter than the experiment of %g s",
                  (double)record->delay_ns / 1e9, (double)config->duration_ns / 1e9);
    }
}

static void check_emulation(const struct checker *checker)
{
    const struct node_draft *draft = checker->draft;
    size_t n_before = checker->faults->count;

    check_input(checker);
    if (draft->is_source_sound) {
        check_source(checker);
    }
    if (draft->is_source_sound && checker->faults->count == n_before) {
        check_source_runs(checker);
    }
    if (draft->is_source_sound && draft->is_record_sound && draft->config.record.storage
        && !draft->config.source.storage.is_present) {
        fault_add(checker->faults,
                  blame(checker, yaml_get(draft->tree, "record"), "storage", NULL),
                  "record: there is no storage to record");
    }
}

static void check_harvest(const struct checker *checker)
{
    const struct node_draft *draft = checker->draft;
    const struct yaml_node *harvester = yaml_get(draft->tree, "harvester");
    size_t n_before = checker->faults->count;

    if (draft->is_harvester_sound) {
        check_harvester(checker, harvester, &draft->config.harvester);
    }
    if (draft->is_harvester_sound && draft->config.harvester.algorithm == HARVESTER_NEUTRAL) {
        fault_add(checker->faults, blame(checker, harvester, "algorithm", NULL),
                  "harvester: neutral cannot record; it only passes recorded samples through");
    }
    if (draft->is_harvester_sound && checker->faults->count == n_before) {
        check_harvester_runs(checker);
    }
    if (draft->config.input[0] != '\0') {
        fault_add(checker->faults, blame(checker, draft->tree, "input", "mode"),
                  "input: a harvest has none");
    }
    if (draft->is_record_sound && draft->config.record.storage) {
        fault_add(checker->faults,
                  blame(checker, yaml_get(draft->tree, "record"), "storage", NULL),
                  "record: a harvest has no storage");
    }
}

void draft_check(const struct merger *merger, const struct node_draft *draft,
                 struct fault_list *faults)
{
    struct checker checker = { .merger = merger, .draft = draft, .faults = faults };

    if (!draft->is_mode_sound) {
        return;
    }
    if (draft->is_record_sound) {
        check_record(&checker);
    }
    switch (draft->config.mode) {
    case MODE_HARVEST:
        check_harvest(&checker);
        break;
    case MODE_EMULATE:
        check_emulation(&checker);
        break;
    }
}
