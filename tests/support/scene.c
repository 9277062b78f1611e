/* SPDX-License-Identifier: MIT */
#include "tests/support/scene.h"

#include "common/schema.h"
#include "common/yaml_doc.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double ADC_A_PER_CODE = 2.0345052083333335e-07;
static const uint32_t WINDOW = 909;

static struct presets *loaded;

int scene_load_presets(void **state)
{
    struct fault_list faults = { 0 };

    loaded = presets_load(NULL, &faults);
    fault_fini(&faults);
    *state = loaded;
    return loaded != NULL ? 0 : -1;
}

int scene_drop_presets(void **state)
{
    presets_destroy(&loaded);
    *state = NULL;
    return 0;
}

const struct presets *scene_presets(void)
{
    return loaded;
}

uint64_t scene_number(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable); // NOLINT(concurrency-mt-unsafe)

    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void die(const char *what, const char *name)
{
    fprintf(stderr, "preset %s: %s\n", name, what);
    abort();
}

static void resolve(const struct presets *presets, enum preset_kind kind, const char *text,
                    const struct schema *schema, void *out)
{
    struct fault_list faults = { 0 };
    struct err err = { 0 };
    struct yaml_doc *doc = yaml_parse(text, strlen(text), "scene", &err);
    struct yaml_node *map = NULL;

    if (doc == NULL) {
        die(err.text, text);
    }
    presets_normalise(kind, doc, yaml_root(doc));
    map = presets_resolve(presets, kind, doc, yaml_root(doc), &faults);
    if (map != NULL) {
        schema_decode(schema, map, out, &faults);
    }
    if (map == NULL || faults.count > 0) {
        die(faults.count > 0 ? faults.faults[0].text : "cannot be resolved", text);
    }
    fault_fini(&faults);
    yaml_destroy(&doc);
}

static void resolve_name(const struct presets *presets, enum preset_kind kind, const char *name,
                         const struct schema *schema, void *out)
{
    char text[PRESET_NAME_SIZE + 40];

    snprintf(text, sizeof(text), "inherit_from: \"%s\"\n", name);
    resolve(presets, kind, text, schema, out);
}

void scene_source_of(const struct presets *presets, const char *text,
                     struct source_config *source)
{
    resolve(presets, PRESET_SOURCE, text, &source_schema, source);
    source_config_finish(source);
}

void scene_source(const struct presets *presets, const char *name, struct source_config *source)
{
    resolve_name(presets, PRESET_SOURCE, name, &source_schema, source);
    source_config_finish(source);
}

void scene_harvester(const struct presets *presets, const char *name,
                     struct harvester_config *harvester)
{
    resolve_name(presets, PRESET_HARVESTER, name, &harvester_schema, harvester);
    harvester_config_finish(harvester);
}

void scene_storage(const struct presets *presets, const char *name,
                   struct storage_config *storage)
{
    resolve_name(presets, PRESET_STORAGE, name, &storage_schema, storage);
    storage->is_present = true;
}

struct vsource_input scene_input(enum scene_environment environment)
{
    struct vsource_input input = { 0, 0, false };

    if (environment == SCENE_SUN) {
        input.window_samples = WINDOW;
        input.step_uV = 5e6 / (WINDOW - 1);
    }
    return input;
}

uint32_t scene_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* A random number of its own for each stretch. */
static uint32_t random_of(uint64_t stretch, uint32_t seed)
{
    uint32_t state = (uint32_t)(stretch * 2654435761u) ^ (seed * 40503u) ^ 0x9E3779B9u;

    state = state == 0 ? 1 : state;
    for (int i = 0; i < 4; i++) {
        (void)scene_random(&state);
    }
    return state;
}

/* One diode: the current falls with the voltage, light lifts the whole curve. */
static struct curve_point sun(uint64_t k)
{
    static double dark_A[909];
    double light_A = 0.006 + 0.005 * sin((double)k * 1e-5 * 2 * 3.14159265 * 1.7);
    uint32_t step = (uint32_t)(k % WINDOW);
    struct curve_point point;
    double I_A = 0;

    if (!(dark_A[0] > 0)) {
        for (uint32_t i = 0; i < WINDOW; i++) {
            double V = 5.0 * (1 - (double)i / (WINDOW - 1));

            dark_A[i] = 0.01 * exp((V - 4.4) / 0.28);
        }
    }
    I_A = light_A - dark_A[step];
    point.voltage_uV = (uint32_t)lround(5e6 * (1 - (double)step / (WINDOW - 1)));
    point.current_nA = I_A > 0 ? (uint32_t)lround(I_A * 1e9) : 0;
    return point;
}

static struct curve_point blocks(uint64_t k, uint32_t seed)
{
    uint32_t random = random_of(k / 2000, seed);
    struct curve_point point = { 0, 0 };

    if ((random & 3u) != 0) {
        point.voltage_uV = 150000 + (random >> 2) % 4350000;
        point.current_nA = (uint32_t)lround(exp((random >> 8) % 10000 / 10000.0 * 10) * 900);
    }
    return point;
}

static struct curve_point bursts(uint64_t k, uint32_t seed)
{
    uint32_t random = random_of(k / 500, seed + 1);
    struct curve_point point = { 40000, 200 };

    if ((random & 1u) != 0) {
        point.voltage_uV = 2000000 + (random >> 8) % 2500000;
        point.current_nA = 3000000;
    }
    return point;
}

struct curve_point scene_sample(enum scene_environment environment, uint64_t k, uint32_t seed)
{
    if (environment == SCENE_SUN) {
        return sun(k);
    }
    return environment == SCENE_BLOCKS ? blocks(k, seed) : bursts(k, seed);
}

uint32_t scene_load_code(enum scene_load load, uint64_t k, double V_out, bool is_power_good)
{
    double I = 350e-9;

    if (!(V_out > 0)) {
        return 0;
    }
    if (load == SCENE_RESISTOR) {
        I = V_out / 1000;
    } else if (load == SCENE_DUTY) {
        I = is_power_good && k % 2000 < 300 ? 5e-3 : 1e-6;
    }
    return (uint32_t)fmin(262143, I / ADC_A_PER_CODE + 0.5);
}
