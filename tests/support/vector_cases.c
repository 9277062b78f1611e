/* SPDX-License-Identifier: MIT */
#include "tests/support/vector_cases.h"

#include "common/vsource_derive.h"
#include "pru/core/adc_harvester.h"
#include "pru/core/calib.h"
#include "pru/core/converter.h"
#include "pru/core/curve_harvester.h"
#include "pru/core/store.h"
#include "tests/support/vector_config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    OUTPUTS_MAX = 8,
    TAGS_MAX = 8,
    TAG_SIZE = 64
};

/* Columns that must agree exactly. */
struct exact {
    const char *names[OUTPUTS_MAX];
    int columns[OUTPUTS_MAX];
    size_t count;
    size_t n_differ;
    size_t first_row;
    size_t first_column;
    uint32_t expected;
    uint32_t got;
};

static int find_columns(const struct vector_file *file, struct exact *exact, struct err *err)
{
    for (exact->count = 0; exact->count < OUTPUTS_MAX && exact->names[exact->count] != NULL;
         exact->count++) {
        const char *name = exact->names[exact->count];

        exact->columns[exact->count] = vector_column(file, "", name);
        if (exact->columns[exact->count] < 0) {
            return err_set(err, ERR_INPUT, "%s: no column %s", file->name, name);
        }
    }
    return 0;
}

static void compare_row(const struct vector_file *file, struct exact *exact,
                        const uint32_t *values)
{
    for (size_t i = 0; i < exact->count; i++) {
        uint32_t expected = vector_u32(file, exact->columns[i]);

        if (expected == values[i]) {
            continue;
        }
        if (exact->n_differ == 0) {
            exact->first_row = file->n_rows - 1;
            exact->first_column = i;
            exact->expected = expected;
            exact->got = values[i];
        }
        exact->n_differ++;
    }
}

static void report_exact(const struct vector_file *file, const struct exact *exact,
                         struct vector_result *result)
{
    result->is_passed = exact->n_differ == 0 && file->n_rows > 0;
    if (exact->n_differ == 0) {
        snprintf(result->text, sizeof(result->text), "%zu rows x %zu columns exact",
                 file->n_rows, exact->count);
        return;
    }
    snprintf(result->text, sizeof(result->text),
             "%zu values differ, first in row %zu: %s is %u instead of %u", exact->n_differ,
             exact->first_row, exact->names[exact->first_column], exact->got, exact->expected);
}

int vector_run_harvester(struct vector_file *file, struct vector_result *result,
                         struct err *err)
{
    struct exact exact = {
        .names = {"V_out_uV", "I_out_nA", "set_uV", "interval_step", "is_rising", "step_uV"}
    };
    int column_V = vector_column(file, "", "V_inp_uV");
    int column_I = vector_column(file, "", "I_inp_nA");
    struct vsource_params params;
    struct curve_harvester harvester;
    int state = 0;

    if (find_columns(file, &exact, err) < 0) {
        return -1;
    }
    vsource_derive_defaults(&params);
    vector_harvester_params(file, &params);
    curve_harvester_init(&harvester, &params);
    while ((state = vector_next(file, err)) > 0) {
        struct curve_point input = { vector_u32(file, column_V), vector_u32(file, column_I) };
        struct curve_point output = curve_harvester_step(&harvester, input);
        uint32_t values[OUTPUTS_MAX] = {
            output.voltage_uV,       output.current_nA,   harvester.set_uV,
            harvester.interval_step, harvester.is_rising, harvester.step_uV,
        };

        compare_row(file, &exact, values);
    }
    report_exact(file, &exact, result);
    return state;
}

int vector_run_adc_harvest(struct vector_file *file, struct vector_result *result,
                           struct err *err)
{
    struct exact exact = {
        .names = {"rec_V_raw", "rec_I_raw", "dac_raw", "dac_writes", "set_uV"}
    };
    int column_V = vector_column(file, "", "adc_V_raw");
    int column_I = vector_column(file, "", "adc_I_raw");
    struct vsource_params params;
    struct adc_harvester harvester;
    uint32_t dac_code = CALIB_DAC_MAX; /* where the reference starts */
    int state = 0;

    if (find_columns(file, &exact, err) < 0) {
        return -1;
    }
    vsource_derive_defaults(&params);
    vector_harvester_params(file, &params);
    vector_calibration_params(file, &params);
    adc_harvester_init(&harvester, &params);
    while ((state = vector_next(file, err)) > 0) {
        struct adc_codes codes = { vector_u32(file, column_V), vector_u32(file, column_I) };
        struct adc_output output;

        adc_harvester_step(&harvester, codes, &output);
        dac_code = output.has_dac ? output.dac_code : dac_code;
        uint32_t values[OUTPUTS_MAX] = {
            output.recorded.voltage, output.recorded.current, dac_code,
            output.has_dac,          harvester.set_uV,
        };

        compare_row(file, &exact, values);
    }
    report_exact(file, &exact, result);
    return state;
}

/* The names before ".suffix" of the columns that end so. */
static size_t find_tags(const struct vector_file *file, const char *suffix,
                        char tags[TAGS_MAX][TAG_SIZE])
{
    size_t count = 0;

    for (size_t i = 0; i < file->n_columns && count < TAGS_MAX; i++) {
        const char *dot = strchr(file->columns[i], '.');

        if (dot != NULL && strcmp(dot, suffix) == 0) {
            snprintf(tags[count], TAG_SIZE, "%.*s.", (int)(dot - file->columns[i]),
                     file->columns[i]);
            count++;
        }
    }
    return count;
}

struct calibration_case {
    struct vsource_params params;
    struct calib_residue residue;
    struct cal_channel adc;
    int columns[4]; /* I_nA, residue_nA, dac_raw, adc_raw_back */
};

static void open_calibration(const struct vector_file *file, const char *tag,
                             struct calibration_case *c)
{
    struct calibration cal = calibration_default();

    cal.emu_adc_I_A.gain = vector_number(file, tag, "adc_C_gain_A", 0);
    cal.emu_adc_I_A.offset = vector_number(file, tag, "adc_C_offset_A", 0);
    cal.emu_dac_V_A.gain = vector_number(file, tag, "dac_V_gain_V", 0);
    cal.emu_dac_V_A.offset = vector_number(file, tag, "dac_V_offset_V", 0);
    vsource_derive_defaults(&c->params);
    vsource_derive_calibration(&cal, PORT_A, &c->params);
    c->adc = cal.emu_adc_I_A;
    c->residue.residue_nA = 0;
    c->columns[0] = vector_column(file, tag, "I_nA");
    c->columns[1] = vector_column(file, tag, "residue_nA");
    c->columns[2] = vector_column(file, tag, "dac_raw");
    c->columns[3] = vector_column(file, tag, "adc_raw_back");
}

/* Worst deviations: current in codes, residue in nA, DAC and ADC-and-back in codes. */
static void check_calibration(const struct vector_file *file, struct calibration_case *c,
                              uint32_t code, uint32_t voltage_uV, double worst[4])
{
    double I_nA = calib_current_from_code(&c->params.adc_current, code, &c->residue);
    double back = nearbyint(fmax(0, (I_nA * 1e-9 - c->adc.offset) / c->adc.gain));
    double dac = calib_to_code(&c->params.dac_target, voltage_uV);

    worst[0] = fmax(worst[0], fabs(I_nA - file->row[c->columns[0]]) * 1e-9 / c->adc.gain);
    worst[1] = fmax(worst[1], fabs(c->residue.residue_nA - file->row[c->columns[1]]));
    worst[2] = fmax(worst[2], fabs(dac - file->row[c->columns[2]]));
    worst[3] = fmax(worst[3], fabs(back - file->row[c->columns[3]]));
}

int vector_run_calibration(struct vector_file *file, struct vector_result *result,
                           struct err *err)
{
    char tags[TAGS_MAX][TAG_SIZE];
    size_t count = find_tags(file, ".I_nA", tags);
    struct calibration_case cases[TAGS_MAX];
    int column_code = vector_column(file, "", "adc_raw");
    int column_uV = vector_column(file, "", "uV");
    double worst[4] = { 0, 0, 0, 0 };
    int state = 0;

    for (size_t i = 0; i < count; i++) {
        open_calibration(file, tags[i], &cases[i]);
    }
    while ((state = vector_next(file, err)) > 0) {
        for (size_t i = 0; i < count; i++) {
            check_calibration(file, &cases[i], vector_u32(file, column_code),
                              vector_u32(file, column_uV), worst);
        }
    }
    result->is_passed = count > 0 && file->n_rows > 0 && worst[0] <= 1 && worst[1] <= 2
                        && worst[2] <= 1 && worst[3] <= 1;
    snprintf(result->text, sizeof(result->text),
             "current %.4f codes, residue %.2f nA, DAC %.0f codes, ADC and back %.0f codes",
             worst[0], worst[1], worst[2], worst[3]);
    return state;
}

/* Power stage of one preset of a cnv_power case. */
struct power_case {
    struct vsource_params params;
    struct converter converter;
    struct store store;
    int columns[4]; /* P_inp_fW, V_cnv_uV, P_out_fW, eta_inp_n8 */
    double worst_in;
    double worst_out;
    bool is_V_exact;
};

static int open_power(const struct vector_file *file, const char *tag, struct power_case *c,
                      struct err *err)
{
    struct vsource_input input = { 0, 0, false };
    struct source_config source;
    char prefix[TAG_SIZE + 8];

    snprintf(prefix, sizeof(prefix), "%suser.", tag);
    vector_source_config(file, prefix, &source);
    vsource_derive_defaults(&c->params);
    if (vsource_derive_source(&source, &input, &c->params, err) < 0) {
        return err_prepend(err, "%s", tag);
    }
    store_init(&c->store, &c->params.store);
    converter_init(&c->converter, &c->params.converter, 0);
    c->columns[0] = vector_column(file, tag, "P_inp_fW");
    c->columns[1] = vector_column(file, tag, "V_cnv_uV");
    c->columns[2] = vector_column(file, tag, "P_out_fW");
    c->columns[3] = vector_column(file, tag, "eta_inp_n8");
    c->worst_in = 0;
    c->worst_out = 0;
    c->is_V_exact = true;
    return 0;
}

/* By how much a power lies beyond what rounding to integers explains, in parts of itself. */
static double beyond(double got_fW, double expected_fW, double allowed_fW)
{
    static const double LIMIT_fW = 0x1p56; /* 72 W, where ours saturates */

    if (got_fW >= LIMIT_fW * (1 - 1e-9) && expected_fW >= LIMIT_fW) {
        return 0;
    }
    return fmax(0, fabs(got_fW - expected_fW) - allowed_fW) / fmax(expected_fW, 1);
}

static void check_power(const struct vector_file *file, struct power_case *c,
                        struct curve_point input, uint32_t V_out_uV, uint32_t I_nA)
{
    /* half an LSB of the reference's efficiency in 8 bits, a whole one for its 255/256 */
    static const double ETA_LSB = 1.0 / 256;
    struct store_flow flow = { 0, 0, 0, 0 };
    double eta = file->row[c->columns[3]] * ETA_LSB;
    double eta_error = eta >= 255 * ETA_LSB ? ETA_LSB : ETA_LSB / 2;
    double expected_in_fW = file->row[c->columns[0]];
    double in_fW = 0;
    double out_fW = 0;

    c->converter.V_mid_uV = 0;
    c->converter.V_out_uV = V_out_uV;
    c->converter.is_regulated = true;
    c->converter.startup_drain_n = 0;
    c->converter.P_input_rest = 0;
    c->converter.P_output_rest = 0;
    converter_output(&c->converter, I_nA, &flow);
    converter_input(&c->converter, &c->store, input, &flow);
    in_fW = (double)c->converter.P_input_fW_n8 / 256;
    out_fW = (double)c->converter.P_output_fW_n8 / 256;
    c->is_V_exact &= c->converter.V_input_uV == vector_u32(file, c->columns[1]);
    c->worst_in =
        fmax(c->worst_in, beyond(in_fW, expected_in_fW,
                                 1 + expected_in_fW * eta_error / fmax(eta, ETA_LSB)));
    c->worst_out = fmax(c->worst_out, beyond(out_fW, file->row[c->columns[2]], 1));
}

int vector_run_cnv_power(struct vector_file *file, struct vector_result *result,
                         struct err *err)
{
    char tags[TAGS_MAX][TAG_SIZE];
    size_t count = find_tags(file, ".P_inp_fW", tags);
    static struct power_case cases[TAGS_MAX];
    struct calib_residue residue = { 0 };
    int columns[4] = { vector_column(file, "", "V_inp_uV"), vector_column(file, "", "I_inp_nA"),
                       vector_column(file, "", "V_out_uV"),
                       vector_column(file, "", "adc_raw") };
    double worst_in = 0;
    double worst_out = 0;
    bool is_V_exact = true;
    int state = 0;

    for (size_t i = 0; i < count; i++) {
        if (open_power(file, tags[i], &cases[i], err) < 0) {
            return -1;
        }
    }
    while ((state = vector_next(file, err)) > 0) {
        struct curve_point input = { vector_u32(file, columns[0]),
                                     vector_u32(file, columns[1]) };

        for (size_t i = 0; i < count; i++) {
            uint32_t I_nA = calib_current_from_code(&cases[i].params.adc_current,
                                                    vector_u32(file, columns[3]), &residue);

            check_power(file, &cases[i], input, vector_u32(file, columns[2]), I_nA);
        }
    }
    for (size_t i = 0; i < count; i++) {
        worst_in = fmax(worst_in, cases[i].worst_in);
        worst_out = fmax(worst_out, cases[i].worst_out);
        is_V_exact &= cases[i].is_V_exact;
    }
    result->is_passed =
        count > 0 && file->n_rows > 0 && worst_in <= 0.005 && worst_out <= 0.026 && is_V_exact;
    snprintf(result->text, sizeof(result->text),
             "P_inp %.3f %% beyond the reference's 8 bits, P_out %.3f %%, V_cnv %s",
             100 * worst_in, 100 * worst_out, is_V_exact ? "exact" : "differs");
    return state;
}

struct storage_case {
    struct vsource_params params;
    struct store store;
    double step_uV;
    double worst_V; /* in steps of the table */
    double worst_soc;
    double soc_bound; /* what the reference's rounded constants explain by now */
    double bound_per_nA;
    double bound_per_sample;
    int columns[2]; /* V_cell_uV, SoC_n62 */
};

static int open_storage(const struct vector_file *file, const char *tag, struct storage_case *c,
                        struct err *err)
{
    static const struct vsource_input input = { 0, 0, false };
    struct source_config source;
    char prefix[TAG_SIZE + 16];

    memset(c, 0, sizeof(*c));
    schema_defaults(&source_schema, &source);
    source.harvester.algorithm = HARVESTER_NEUTRAL;
    snprintf(prefix, sizeof(prefix), "%suser.", tag);
    vector_storage_config(file, prefix, &source.storage);
    source.V_intermediate_max_mV = 1e6;
    vsource_derive_defaults(&c->params);
    if (vsource_derive_source(&source, &input, &c->params, err) < 0) {
        return err_prepend(err, "%s", tag);
    }
    store_init(&c->store, &c->params.store);
    snprintf(prefix, sizeof(prefix), "%spru_stor.", tag);
    c->step_uV = vector_table_step(file, prefix);
    c->columns[0] = vector_column(file, tag, "V_cell_uV");
    c->columns[1] = vector_column(file, tag, "SoC_n62");
    /* Half an LSB of the constants; the leak works with the staircase of V_OC. */
    c->bound_per_nA = 0.5 / 0x1p60;
    c->bound_per_sample =
        (10e-6 * 1e-6 / (source.storage.q_As * fmax(source.storage.R_leak_Ohm, 1))) * c->step_uV
        + 0.5 / 0x1p60 * 10e6;
    return 0;
}

static void check_storage(const struct vector_file *file, struct storage_case *c, double I_nA)
{
    uint64_t I_n32 = (uint64_t)(fabs(I_nA) * 0x1p32);
    struct store_flow flow;
    double soc = 0;

    store_flow_init(&c->store, &flow);
    flow.charge_nA_n32 += I_nA > 0 ? I_n32 : 0;
    flow.discharge_nA_n32 += I_nA < 0 ? I_n32 : 0;
    store_step(&c->store, &flow);
    soc = (double)c->store.soc_n58 / 0x1p58;
    c->soc_bound += c->bound_per_sample + fabs(I_nA) * c->bound_per_nA;
    c->worst_V = fmax(c->worst_V, fabs(c->store.V_uV - file->row[c->columns[0]]) / c->step_uV);
    c->worst_soc =
        fmax(c->worst_soc, fabs(soc - file->row[c->columns[1]] / 0x1p62) - c->soc_bound);
}

int vector_run_storage(struct vector_file *file, struct vector_result *result, struct err *err)
{
    char tags[TAGS_MAX][TAG_SIZE];
    size_t count = find_tags(file, ".SoC_n62", tags);
    static struct storage_case cases[TAGS_MAX];
    int column_I = vector_column(file, "", "I_charge_nA");
    double worst_V = 0;
    double worst_soc = -1;
    double bound = 0;
    int state = 0;

    for (size_t i = 0; i < count; i++) {
        if (open_storage(file, tags[i], &cases[i], err) < 0) {
            return -1;
        }
    }
    while ((state = vector_next(file, err)) > 0) {
        for (size_t i = 0; i < count; i++) {
            check_storage(file, &cases[i], file->row[column_I]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        worst_V = fmax(worst_V, cases[i].worst_V);
        worst_soc = fmax(worst_soc, cases[i].worst_soc);
        bound = fmax(bound, cases[i].soc_bound);
    }
    result->is_passed = count > 0 && file->n_rows > 0 && worst_V <= 1 && worst_soc <= 1e-6;
    snprintf(result->text, sizeof(result->text),
             "V %.3f table steps, SoC %.2g beyond the %.2g that the reference's rounded leak "
             "explains",
             worst_V, fmax(worst_soc, 0), bound);
    return state;
}
