/* SPDX-License-Identifier: MIT */
/* Kind `source`: harvester, converter and storage together.
 *
 * Three comparisons. The harvester, with feedback operated where the reference operated it. The
 * input stage row by row, at the reference's storage voltage. And, where the physics agree, our
 * whole source on its own, fed with the same input and currents. */
#include "common/vsource_derive.h"
#include "pru/core/vsource.h"
#include "tests/support/vector_cases.h"
#include "tests/support/vector_config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    EDGE_ROWS = 32 /* around a switching edge */
};

enum reason {
    REASON_NONE = 0,
    REASON_RESISTOR = 1 << 0,
    REASON_TRANSFORMER = 1 << 1,
    REASON_LOW = 1 << 2,
    REASON_HIGH = 1 << 3,
    REASON_FULL = 1 << 4,
    REASON_RASTER = 1 << 5,
    REASON_OLD_VOC = 1 << 6,
};

static const struct {
    unsigned reason;
    const char *text;
} reasons[] = {
    {REASON_RESISTOR,     "a resistor without feedback creates energy there (8)"       },
    { REASON_TRANSFORMER,
     "a store without boost and feedback conserves power, not charge (20)"             },
    { REASON_LOW,         "V_mid below 0.15 V (1, 3)"                                  },
    { REASON_HIGH,        "V_mid above the division table (1)"                         },
    { REASON_FULL,        "state of charge above V_intermediate_max (7)"               },
    { REASON_RASTER,      "a threshold is met within one table step on the raster (11)"},
    { REASON_OLD_VOC,     "mppt_voc of generation 1 (7.2)"                             },
};

struct columns {
    int V_inp, I_inp, adc, V_hrv, I_hrv, set, P_inp, P_out, V_mid, V_out, soc, V_req;
};

struct source_case {
    const struct vector_file *file;
    struct columns columns;
    bool is_gen1;
    bool has_feedback;
    bool has_store;
    unsigned reasons;
    double step_uV;
    struct source_config config;
    struct vsource_params params;
    /* the comparisons' own states */
    struct curve_harvester harvester;
    double set_uV; /* feedback: where the reference operates it, with a fraction */
    struct converter input_stage;
    struct vsource whole;
    double V_mid_before_uV; /* the reference's */
    bool was_on;
    bool was_on_ours;
    size_t rows_since_edge;
    /* findings */
    double worst_harvester; /* units */
    double worst_request;
    double E_inp[2]; /* ours, reference's; fW x samples */
    double E_out[2];
    double worst_V_mid; /* in parts of what is allowed */
    double worst_V_mid_uV;
};

static void find_columns(struct source_case *c)
{
    const struct vector_file *f = c->file;

    c->columns.V_inp = vector_column(f, "", "V_inp_uV");
    c->columns.I_inp = vector_column(f, "", "I_inp_nA");
    c->columns.adc = vector_column(f, "", "adc_raw");
    c->columns.V_hrv = vector_column(f, "", "V_hrv_uV");
    c->columns.I_hrv = vector_column(f, "", "I_hrv_nA");
    c->columns.set = vector_column(f, "", "hrv_set_uV");
    c->columns.P_inp = vector_column(f, "", "P_inp_fW");
    c->columns.P_out = vector_column(f, "", "P_out_fW");
    c->columns.V_mid = vector_column(f, "", "V_mid_uV");
    c->columns.V_out = vector_column(f, "", "V_out_uV");
    c->columns.soc = vector_column(f, "", "SoC_n30");
    c->columns.V_req = vector_column(f, "", "V_req_uV");
}

/* Reasons that the parameters alone tell. */
static unsigned reasons_of(const struct source_case *c, bool has_curves)
{
    bool has_boost = (c->params.converter.flags & VSOURCE_HAS_BOOST) != 0;
    unsigned found = 0;

    if (c->has_store && !has_boost && !c->has_feedback) {
        found |= REASON_TRANSFORMER;
        found |= c->config.R_input_mOhm > 0 ? REASON_RESISTOR : 0u;
    }
    if (c->is_gen1 && has_curves && c->params.harvester.algorithm >= VSOURCE_MPPT_VOC
        && c->params.harvester.algorithm < VSOURCE_MPPT_PO) {
        found |= REASON_OLD_VOC;
    }
    return found;
}

static int open_case(struct source_case *c, struct err *err)
{
    const char *datatype = vector_text(c->file, "", "dtype_in");
    bool has_curves = datatype != NULL && strcmp(datatype, "ivcurve") == 0;

    find_columns(c);
    c->is_gen1 = vector_number(c->file, "", "gen", 2) < 2;
    if (vector_source_params(c->file, &c->config, &c->params, err) < 0) {
        return -1;
    }
    c->has_feedback = (c->params.converter.flags & VSOURCE_HAS_FEEDBACK) != 0;
    c->has_store = (c->params.converter.flags & VSOURCE_HAS_STORE) != 0;
    c->reasons = reasons_of(c, has_curves);
    c->step_uV = c->is_gen1 ? c->config.V_intermediate_max_mV * 1000 / 128
                            : vector_table_step(c->file, "pru_stor.");
    curve_harvester_init(&c->harvester, &c->params);
    vsource_init(&c->whole, &c->params);
    converter_init(&c->input_stage, &c->params.converter, c->whole.converter.V_mid_uV);
    c->V_mid_before_uV = c->whole.converter.V_mid_uV;
    c->harvester.set_uV = c->has_feedback ? c->whole.converter.V_mid_uV : c->harvester.set_uV;
    return 0;
}

static double row(const struct source_case *c, int column)
{
    return column < 0 ? 0 : c->file->row[column];
}

static double harvester_deviation(const struct source_case *c, struct curve_point point)
{
    return fmax(fabs(point.voltage_uV - row(c, c->columns.V_hrv)),
                fabs(point.current_nA - row(c, c->columns.I_hrv)));
}

/* The reference's set-point may have a fraction, which decides between two points of the curve
 * that are equally near; ours is compared with either integer beside it. */
static struct curve_point step_harvester(struct source_case *c, struct curve_point input)
{
    struct curve_harvester before = c->harvester;
    struct curve_point point = curve_harvester_step(&c->harvester, input);
    struct curve_harvester other = before;
    struct curve_point other_point;

    if (!c->has_feedback || c->set_uV <= floor(c->set_uV)) {
        return point;
    }
    other.set_uV = before.set_uV + 1;
    other_point = curve_harvester_step(&other, input);
    if (harvester_deviation(c, other_point) < harvester_deviation(c, point)) {
        c->harvester = other;
        return other_point;
    }
    return point;
}

static void compare_harvester(struct source_case *c, struct curve_point *handed_on)
{
    struct curve_point input = { vector_u32(c->file, c->columns.V_inp),
                                 vector_u32(c->file, c->columns.I_inp) };

    *handed_on = step_harvester(c, input);
    if ((c->reasons & REASON_OLD_VOC) != 0) {
        handed_on->voltage_uV = vector_u32(c->file, c->columns.V_hrv);
        handed_on->current_nA = vector_u32(c->file, c->columns.I_hrv);
        return;
    }
    c->worst_harvester = fmax(c->worst_harvester, harvester_deviation(c, *handed_on));
    if (c->has_feedback) {
        c->set_uV = row(c, c->columns.set);
        c->harvester.set_uV = (uint32_t)floor(fmax(0, c->set_uV));
    } else {
        c->worst_harvester =
            fmax(c->worst_harvester, fabs(c->harvester.set_uV - row(c, c->columns.set)));
    }
}

/* A store that has the reference's voltage at its terminals, whatever flows. */
static void reference_store(const struct source_case *c, struct store *store)
{
    static const struct vsource_store nothing;

    store_init(store, &nothing);
    store->V_oc_uV_n8 = c->input_stage.V_mid_uV << 8;
}

/* At the reference's storage voltage, except where the reference is wrong about it. */
static void compare_input(struct source_case *c, struct curve_point handed_on)
{
    struct store_flow flow;
    struct store store;
    double drop_uV = handed_on.current_nA * c->config.R_input_mOhm * 1e-6;
    double above_uV = 0;

    c->input_stage.V_mid_uV = (uint32_t)fmax(0, nearbyint(c->V_mid_before_uV));
    reference_store(c, &store);
    store_flow_init(&store, &flow);
    converter_input(&c->input_stage, &store, handed_on, &flow);
    above_uV = fmax(0, (double)c->input_stage.V_input_uV - c->V_mid_before_uV);
    if ((c->reasons & REASON_RESISTOR) != 0 && drop_uV > above_uV) {
        return;
    }
    c->E_inp[0] += (double)c->input_stage.P_input_fW_n8 / 256;
    c->E_inp[1] += row(c, c->columns.P_inp);
    /* The reference's storage voltage before the first row is not in the table. */
    if (c->has_feedback && c->file->n_rows > 1) {
        double request_uV = row(c, c->columns.V_req >= 0 ? c->columns.V_req : c->columns.set);

        c->worst_request =
            fmax(c->worst_request, fabs(c->input_stage.V_request_uV - request_uV));
    }
}

static bool is_near_threshold(const struct source_case *c, double V_uV)
{
    const struct vsource_converter *p = &c->params.converter;
    const double thresholds[] = { p->V_enable_uV, p->V_disable_uV, p->V_pwr_good_enable_uV,
                                  p->V_pwr_good_disable_uV };

    for (size_t i = 0; i < sizeof(thresholds) / sizeof(thresholds[0]); i++) {
        if (fabs(V_uV - thresholds[i]) <= c->step_uV) {
            return true;
        }
    }
    return false;
}

/* Reasons that only the run tells. */
static void watch_reference(struct source_case *c)
{
    static const double LOW_uV = 150000;
    static const double TABLE_END_uV = 40.0 * 131072;
    double V_uV = row(c, c->columns.V_mid);
    uint32_t interval_n = c->params.converter.check_interval_n;
    double soc = row(c, c->columns.soc) / 0x1p30;

    if (!c->has_store) {
        return;
    }
    c->reasons |= V_uV < LOW_uV ? REASON_LOW : 0u;
    c->reasons |= V_uV > TABLE_END_uV ? REASON_HIGH : 0u;
    if (c->columns.soc >= 0
        && storage_curve(c->config.storage.p_VOC, soc)
               > c->config.V_intermediate_max_mV / 1000 + c->step_uV * 1e-6) {
        c->reasons |= REASON_FULL;
    }
    if (interval_n > 1 && (c->file->n_rows - 1) % interval_n == 0
        && is_near_threshold(c, V_uV)) {
        c->reasons |= REASON_RASTER;
    }
}

static void compare_whole(struct source_case *c, struct curve_point handed_on)
{
    struct vsource_output output;
    bool is_on = row(c, c->columns.V_out) > 0;
    double V_mid_uV = row(c, c->columns.V_mid);
    double deviation_uV = 0;
    double allowed_uV = 0;

    c->whole.harvester.set_uV = c->harvester.set_uV;
    /* The harvester was compared on its own: what it handed on is the input here. */
    vsource_step(&c->whole, handed_on, vector_u32(c->file, c->columns.adc), &output);
    c->E_out[0] += (double)c->whole.converter.P_output_fW_n8 / 256
                   + c->config.I_intermediate_leak_nA * output.V_mid_uV;
    c->E_out[1] += row(c, c->columns.P_out);
    c->rows_since_edge++;
    if (is_on != c->was_on || output.is_on != c->was_on_ours) {
        c->rows_since_edge = 0;
    }
    c->was_on = is_on;
    c->was_on_ours = output.is_on;
    if (c->rows_since_edge < EDGE_ROWS || is_on != output.is_on) {
        return;
    }
    deviation_uV = fabs(output.V_mid_uV - V_mid_uV);
    allowed_uV = c->step_uV + 0.01 * V_mid_uV + 1;
    c->worst_V_mid_uV = fmax(c->worst_V_mid_uV, deviation_uV);
    c->worst_V_mid = fmax(c->worst_V_mid, deviation_uV / allowed_uV);
}

static double ratio_error(const double energies[2])
{
    if (!(energies[1] > 0)) {
        return energies[0] > 0 ? 1 : 0;
    }
    return fabs(energies[0] / energies[1] - 1);
}

static void append(struct vector_result *result, const char *text)
{
    size_t length = strlen(result->text);

    snprintf(result->text + length, sizeof(result->text) - length, "%s", text);
}

static void report(const struct source_case *c, struct vector_result *result)
{
    double harvester_allowed = c->has_feedback || c->is_gen1 ? 2 : 0;
    double E_inp = ratio_error(c->E_inp);
    double E_out = ratio_error(c->E_out);
    char text[200];

    snprintf(result->text, sizeof(result->text),
             "%zu rows, harvester %.3g units, request %.3g units, E_inp %.3f %%",
             c->file->n_rows, c->worst_harvester, c->worst_request, 100 * E_inp);
    result->is_passed = c->file->n_rows > 0 && c->worst_harvester <= harvester_allowed
                        && c->worst_request <= 2 && E_inp <= 0.005;
    if (c->reasons == REASON_NONE) {
        snprintf(text, sizeof(text), ", E_out %.3f %%, V_mid %.1f mV (%.2f of the limit)%s",
                 100 * E_out, c->worst_V_mid_uV / 1000, c->worst_V_mid,
                 c->has_store && !c->is_gen1 ? ", without the output capacitor's charge (6)"
                                             : "");
        append(result, text);
        result->is_passed = result->is_passed && E_out <= 0.03 && c->worst_V_mid <= 1;
        return;
    }
    append(result, "; no more, because");
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if ((c->reasons & reasons[i].reason) != 0) {
            append(result, " - ");
            append(result, reasons[i].text);
        }
    }
}

int vector_run_source(struct vector_file *file, struct vector_result *result, struct err *err)
{
    static struct source_case c;
    int state = 0;

    memset(&c, 0, sizeof(c));
    c.file = file;
    if (open_case(&c, err) < 0) {
        return -1;
    }
    /* What the harvester hands on goes straight through the whole source's own harvester. */
    struct vsource_params whole_params = c.params;
    whole_params.harvester.algorithm = VSOURCE_NEUTRAL;
    if (!c.is_gen1) {
        /* What charges the output capacitor comes back there after one sample (6). */
        whole_params.converter.output_charge_n = 0;
    }
    vsource_init(&c.whole, &whole_params);
    while ((state = vector_next(file, err)) > 0) {
        struct curve_point handed_on;

        compare_harvester(&c, &handed_on);
        compare_input(&c, handed_on);
        watch_reference(&c);
        compare_whole(&c, handed_on);
        c.V_mid_before_uV = row(&c, c.columns.V_mid);
    }
    report(&c, result);
    return state;
}
