/* SPDX-License-Identifier: MIT */
/* Charge and energy of every preset with a store balance to 1e-4 of what went through: what the
 * store gained is what came in less what went out, leaked and became heat. BW_SAMPLES in the
 * environment: samples per run (1000000 for 10 s). */
#include "common/vsource_derive.h"
#include "pru/core/vsource.h"
#include "tests/support/scene.h"
#include "tests/support/vsource_ref.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const double DT_s = 10e-6;

static struct presets *presets;
static uint64_t n_samples = 60000;

struct balance {
    struct source_config config;
    struct vsource_params params;
    struct vsource source;
    struct vsource_output output;
    double q_moved;   /* sum of the recorded current, As */
    double E_gained;  /* what the flows say the store gained, J */
    double E_through; /* sum of what came in and what went out */
    double q_through;
};

static void open_balance(struct balance *b, const char *name,
                         enum scene_environment environment)
{
    struct vsource_input input = scene_input(environment);
    struct err err = { 0 };

    memset(b, 0, sizeof(*b));
    scene_source(presets, name, &b->config);
    vsource_derive_defaults(&b->params);
    if (vsource_derive_source(&b->config, &input, &b->params, &err) < 0) {
        fail_msg("%s: %s", name, err.text);
    }
    vsource_init(&b->source, &b->params);
}

static double state_of_charge(const struct balance *b)
{
    return (double)b->source.store.soc_n58 / 0x1p58 + b->source.store.soc_rest / 0x1p90;
}

/* The flows of the last sample, from what the converter says it took and gave. V is the middle
 * of the sample, where direct currents flow. */
static void add_flows(struct balance *b, double V_before, bool was_charging_output,
                      double V_out_before)
{
    const struct converter *c = &b->source.converter;
    const struct vsource_converter *p = &b->params.converter;
    const struct store *store = &b->source.store;
    double V = (V_before + store->V_oc_uV_n8 / 256e6) / 2;
    double I_out = b->output.I_out_nA * 1e-9;
    double I_net = ((double)b->output.I_mid_offset_nA - 0x1p31) * 1e-9;
    double in_W = 0;
    double out_W = V * (V_before / b->config.storage.R_leak_Ohm);

    out_W = b->config.storage.R_leak_Ohm > 0 ? out_W : 0;
    if ((p->flags & VSOURCE_HAS_BOOST) != 0) {
        in_W = (double)c->P_input_fW_n8 / 256e15;
        /* A full store refuses the rest of what arrives, at the voltage it would have had. */
        in_W -= (V_before
                 + (double)store->I_nA_n32 / 0x1p32 * 1e-9 * store->R_kOhm_n28 / 0x1p28 * 1e3)
                * (double)(store->I_nA_n32 - store->I_taken_nA_n32) / 0x1p32 * 1e-9;
    } else {
        /* without boost, what arrives is what is left of the store's own current */
        in_W = V
               * fmax(0, I_net + (V_out_before > 0 ? I_out : 0)
                             + (b->config.storage.R_leak_Ohm > 0
                                    ? V_before / b->config.storage.R_leak_Ohm
                                    : 0));
    }
    if ((p->flags & VSOURCE_HAS_BUCK) != 0) {
        out_W += (double)c->P_output_fW_n8 / 256e15;
        out_W += was_charging_output ? (double)p->P_output_charge_fW_n8 / 256e15 : 0;
    } else if (V_out_before > 0) {
        out_W += V * I_out;
    }
    b->E_gained += (in_W - out_W) * DT_s;
    b->E_through += (in_W + out_W) * DT_s;
    b->q_moved += I_net * DT_s;
    b->q_through += fabs(I_net) * DT_s;
}

static void check(const char *name, enum scene_environment environment)
{
    static struct balance b;
    double soc = 0;
    double E_before = 0;
    double E_after = 0;

    open_balance(&b, name, environment);
    if (!b.config.storage.is_present) {
        return;
    }
    soc = state_of_charge(&b);
    E_before = vsource_ref_energy(&b.config.storage, soc);
    for (uint64_t k = 0; k < n_samples; k++) {
        double V_before = b.source.store.V_oc_uV_n8 / 256e6;
        double V_out = b.source.converter.V_out_uV * 1e-6;
        bool is_charging = b.source.converter.output_charge_n > 0 && b.source.converter.is_on;
        uint32_t code = scene_load_code(SCENE_DUTY, k, V_out, b.source.converter.is_power_good);

        vsource_step(&b.source, scene_sample(environment, k, 3), code, &b.output);
        if ((b.params.converter.flags & VSOURCE_HAS_BUCK) == 0 && is_charging) {
            /* the store shares its charge with the output capacitor: begin behind it */
            E_before = vsource_ref_energy(&b.config.storage, state_of_charge(&b));
            soc = state_of_charge(&b);
            b.E_gained = b.q_moved = 0;
            continue;
        }
        add_flows(&b, V_before, is_charging, V_out);
    }
    E_after = vsource_ref_energy(&b.config.storage, state_of_charge(&b));
    if (fabs(E_after - E_before - b.E_gained) > 1e-4 * b.E_through
        || fabs((state_of_charge(&b) - soc) * b.config.storage.q_As - b.q_moved)
               > 1e-4 * b.q_through) {
        fail_msg("%s, environment %d: energy off by %g of %g J, charge by %g of %g As", name,
                 (int)environment, E_after - E_before - b.E_gained, b.E_through,
                 (state_of_charge(&b) - soc) * b.config.storage.q_As - b.q_moved, b.q_through);
    }
}

static void test_presets_balance(void **state)
{
    const char *name = NULL;

    (void)state;
    for (size_t i = 0; (name = presets_name(presets, PRESET_SOURCE, i)) != NULL; i++) {
        for (int environment = 0; environment < N_SCENE_ENVIRONMENTS; environment++) {
            check(name, (enum scene_environment)environment);
        }
    }
}

static int load_presets(void **state)
{
    struct fault_list faults = { 0 };
    const char *samples = getenv("BW_SAMPLES");

    (void)state;
    if (samples != NULL) {
        n_samples = strtoull(samples, NULL, 10);
    }
    presets = presets_load(NULL, &faults);
    fault_fini(&faults);
    return presets == NULL ? -1 : 0;
}

static int drop_presets(void **state)
{
    (void)state;
    presets_destroy(&presets);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_presets_balance) };

    return cmocka_run_group_tests(tests, load_presets, drop_presets);
}
