/* SPDX-License-Identifier: MIT */
/* Charge and energy of every preset with a store balance to 1e-4 of what went through: what the
 * store gained is what came in less what went out, leaked and became heat. What comes in and
 * goes out is taken from the converter's two ends, never from the store. BW_SAMPLES in the
 * environment: samples per run (1000000 for 10 s). */
#include "common/vsource_derive.h"
#include "pru/core/vsource.h"
#include "tests/support/scene.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const double DT_s = 10e-6;
static const double TOLERANCE = 1e-4;

static uint64_t sample_count(void)
{
    return scene_number("BW_SAMPLES", 60000);
}

/* What a sample finds. */
struct before {
    double V_oc;
    double R; /* behind V_oc to the middle of the sample, the series resistance included */
    double V_out;
    double V_mid;
    bool is_regulated;
    bool is_charging_output;
    bool is_draining; /* the target's current is ignored */
};

struct balance {
    struct source_config config;
    struct vsource_params params;
    struct vsource source;
    struct vsource_output output;
    double q_recorded; /* sum of the recorded current, As */
    double q_gained;   /* what the flows say the store gained */
    double E_gained;   /* J */
    double q_through;  /* sum of what came in and what went out */
    double E_through;
};

/* What flows at the store's terminals in a sample: powers, and currents at whatever voltage. */
struct flows {
    double P_in;
    double P_out;
    double I_in;
    double I_out;
};

static bool has(const struct balance *b, uint32_t flag)
{
    return (b->params.converter.flags & flag) != 0;
}

static struct before look(const struct balance *b)
{
    const struct converter *c = &b->source.converter;

    return (struct before){ .V_oc = b->source.store.V_oc_uV_n8 / 256e6,
                            .R = b->source.store.R_kOhm_n28 / 0x1p28 * 1000,
                            .V_out = c->V_out_uV * 1e-6,
                            .V_mid = c->V_mid_uV * 1e-6,
                            .is_regulated = c->is_regulated,
                            .is_charging_output = c->output_charge_n > 0 && c->is_on,
                            .is_draining = c->startup_drain_n > 0 };
}

/* Without boost: the current whose power behind the resistor is what the converter states. */
static double input_current(const struct balance *b, double *behind_V)
{
    const struct converter *c = &b->source.converter;
    double V = c->V_input_uV * 1e-6;
    double P = (double)c->P_input_fW_n8 / 256e15;
    double R = b->config.R_input_mOhm / 1000;
    double I = V > 0 ? P / V : 0;

    if (R > 0) {
        I = (V - sqrt(fmax(0, V * V - 4 * R * P))) / (2 * R);
    }
    *behind_V = V - I * R;
    return I;
}

static struct flows find_flows(const struct balance *b, const struct before *before, double V)
{
    const struct converter *c = &b->source.converter;
    const struct vsource_converter *p = &b->params.converter;
    double I_out = b->output.I_out_nA * 1e-9;
    double R_leak = b->config.storage.R_leak_Ohm;
    struct flows flows = { .I_out = R_leak > 0 ? before->V_oc / R_leak : 0 };
    double behind_V = 0;

    flows.I_out += b->config.I_intermediate_leak_nA * 1e-9;
    if (has(b, VSOURCE_HAS_BOOST)) {
        flows.P_in = (double)c->P_input_fW_n8 / 256e15;
    } else {
        double I = input_current(b, &behind_V);

        flows.I_in = behind_V >= V ? I : 0;
        flows.P_in = behind_V >= V ? 0 : I * behind_V;
    }
    if (before->V_out > 0 && !before->is_draining) {
        if (has(b, VSOURCE_HAS_BUCK)) {
            flows.P_out = fmax((double)c->P_output_fW_n8 / 256e15,
                               before->is_regulated ? 0 : before->V_mid * I_out);
        } else {
            flows.I_out += I_out;
        }
    }
    if (before->is_charging_output && has(b, VSOURCE_HAS_BUCK)) {
        flows.P_out += (double)p->P_output_charge_fW_n8 / 256e15;
    } else if (before->is_charging_output) {
        flows.I_out += c->output_charge_uV * 256.0 * p->C_output.mantissa
                       * ldexp(1e-9, -32 - (int)p->C_output.shift);
    }
    return flows;
}

/* Adds the flows of the last sample. Direct currents flow at the terminals' voltage V in its
 * middle. Of what arrives there, I V, the store takes what lies at V_oc; the rest is heat of
 * the series resistance, or refused by a full store. An empty one is flagged, and gave what it
 * had. */
static void add_flows(struct balance *b, const struct before *before)
{
    const struct store *store = &b->source.store;
    double sign = store->is_charging ? 1e-9 : -1e-9;
    double I_asked = sign * (double)store->I_nA_n32 / 0x1p32;
    double I = sign * (double)store->I_taken_nA_n32 / 0x1p32;
    double V = before->V_oc + I_asked * before->R;
    double V_inside = (before->V_oc + store->V_oc_uV_n8 / 256e6) / 2;
    struct flows flows = find_flows(b, before, V);
    double P = flows.P_in - flows.P_out;
    double I_direct = flows.I_in - flows.I_out;

    b->q_recorded += ((double)b->output.I_mid_offset_nA - 0x1p31) * 1e-9 * DT_s;
    b->E_gained += I * V_inside * DT_s;
    b->q_gained += I * DT_s;
    if (!store->is_exhausted) {
        b->E_gained += (P + (I_direct - I_asked) * V) * DT_s;
        b->q_gained += (P / fmax(V, 1e-6) + I_direct - I_asked) * DT_s;
    }
    b->E_through += (flows.P_in + flows.P_out + (flows.I_in + flows.I_out) * V) * DT_s;
    b->q_through +=
        (flows.I_in + flows.I_out + (flows.P_in + flows.P_out) / fmax(V, 1e-6)) * DT_s;
}

/* The area under V_oc between two states of charge: from the formula, not from the table. */
static double energy_between(const struct storage_config *storage, double low, double by)
{
    enum {
        STEPS = 2000
    };
    double sum = 0;

    for (int i = 0; i < STEPS; i++) {
        sum += storage_curve(storage->p_VOC, low + by * (i + 0.5) / STEPS);
    }
    return sum / STEPS * by * storage->q_As;
}

static void run(const struct source_config *config, enum scene_environment environment,
                uint64_t count, const char *what)
{
    static struct balance b;
    struct vsource_input input = scene_input(environment);
    struct err err = { 0 };
    struct store start;
    double by = 0;
    double E = 0;

    memset(&b, 0, sizeof(b));
    b.config = *config;
    vsource_derive_defaults(&b.params);
    if (vsource_derive_source(config, &input, &b.params, &err) < 0) {
        fail_msg("%s: %s", what, err.text);
    }
    vsource_init(&b.source, &b.params);
    start = b.source.store;
    for (uint64_t k = 0; k < count; k++) {
        struct before before = look(&b);
        uint32_t code =
            scene_load_code(SCENE_DUTY, k, before.V_out, b.source.converter.is_power_good);

        vsource_step(&b.source, scene_sample(environment, k, 3), code, &b.output);
        add_flows(&b, &before);
    }
    by = ((double)b.source.store.soc_n58 - (double)start.soc_n58) / 0x1p58
         + ((double)b.source.store.soc_rest - start.soc_rest) / 0x1p90;
    E = energy_between(&config->storage, (double)start.soc_n58 / 0x1p58, by);
    if (!(b.E_through > 1e-9) || fabs(E - b.E_gained) > TOLERANCE * b.E_through
        || fabs(by * config->storage.q_As - b.q_gained) > TOLERANCE * b.q_through
        || fabs(by * config->storage.q_As - b.q_recorded) > TOLERANCE * b.q_through) {
        fail_msg("%s, environment %d: energy %g, flows %g of %g J; charge %g, flows %g, "
                 "recorded %g of %g As",
                 what, (int)environment, E, b.E_gained, b.E_through, by * config->storage.q_As,
                 b.q_gained, b.q_recorded, b.q_through);
    }
}

static void test_sources_balance(void **state)
{
    const char *name = NULL;

    (void)state;
    for (size_t i = 0; (name = presets_name(scene_presets(), PRESET_SOURCE, i)) != NULL; i++) {
        struct source_config config;

        scene_source(scene_presets(), name, &config);
        for (int at = 0; at < N_SCENE_ENVIRONMENTS && config.storage.is_present; at++) {
            run(&config, (enum scene_environment)at, sample_count(), name);
        }
    }
}

/* Behind boost and buck, and directly behind a diode. */
static void test_storages_balance(void **state)
{
    static const char *const sources[] = { "BQ25570s", "diode+resistor+capacitor" };
    const char *name = NULL;

    (void)state;
    for (size_t i = 0; (name = presets_name(scene_presets(), PRESET_STORAGE, i)) != NULL; i++) {
        for (size_t k = 0; k < 2; k++) {
            struct source_config config;

            scene_source(scene_presets(), sources[k], &config);
            scene_storage(scene_presets(), name, &config.storage);
            run(&config, k == 0 ? SCENE_BLOCKS : SCENE_SUN, sample_count(), name);
        }
    }
}

static void test_harvesters_balance(void **state)
{
    const char *name = NULL;

    (void)state;
    for (size_t i = 0; (name = presets_name(scene_presets(), PRESET_HARVESTER, i)) != NULL;
         i++) {
        struct source_config config;

        scene_source(scene_presets(), "BQ25504s", &config);
        scene_harvester(scene_presets(), name, &config.harvester);
        if (config.harvester.algorithm != HARVESTER_IVCURVE
            && config.harvester.algorithm != HARVESTER_ISC_VOC
            && config.harvester.algorithm != HARVESTER_SWEEP) {
            run(&config, SCENE_SUN, sample_count(), name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sources_balance),
        cmocka_unit_test(test_storages_balance),
        cmocka_unit_test(test_harvesters_balance),
    };

    return cmocka_run_group_tests(tests, scene_load_presets, scene_drop_presets);
}
