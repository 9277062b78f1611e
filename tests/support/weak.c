/* SPDX-License-Identifier: MIT */
#include "tests/support/weak.h"

#include "common/vsource_derive.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct source_config weak_capacitor_source(double C_uF, double rated_V, double start_V)
{
    struct source_config source;

    schema_defaults(&source_schema, &source);
    source.harvester.algorithm = HARVESTER_NEUTRAL;
    source.storage = storage_capacitor(C_uF, rated_V, start_V);
    source.V_intermediate_max_mV = rated_V * 1000;
    source.C_output_uF = 0;
    source_config_finish(&source);
    return source;
}

void weak_derive(const struct source_config *source, struct vsource_params *params)
{
    static const struct vsource_input SAMPLES = { 0, 0, false };
    struct err err = { 0 };

    vsource_derive_defaults(params);
    if (vsource_derive_source(source, &SAMPLES, params, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

void weak_begin(const struct source_config *config, struct vsource_params *params,
                struct vsource *source)
{
    weak_derive(config, params);
    vsource_init(source, params);
}

void weak_feed(struct vsource *source, struct curve_point input, long count)
{
    struct vsource_output output;

    for (long i = 0; i < count; i++) {
        vsource_step(source, input, 0, &output);
    }
}

uint32_t weak_code_of(double I_A)
{
    return (uint32_t)lround(I_A / 2.0345052083333335e-07);
}

double weak_soc(const struct store *store)
{
    return (double)store->soc_n58 / 0x1p58 + store->soc_rest / 0x1p90;
}

void weak_assert_close(double got, double expected, double relative)
{
    if (!(fabs(got - expected) <= relative * fabs(expected))) {
        fail_msg("%.9g instead of %.9g", got, expected);
    }
}

int weak_load_presets(void **state)
{
    struct fault_list faults = { 0 };

    *state = presets_load(NULL, &faults);
    fault_fini(&faults);
    return *state == NULL ? -1 : 0;
}

int weak_drop_presets(void **state)
{
    struct presets *presets = *state;

    presets_destroy(&presets);
    return 0;
}
