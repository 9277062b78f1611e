/* SPDX-License-Identifier: MIT */
/* herd simulate: one node's experiment without a node. */
#include "herd/cli.h"
#include "herd/cmd.h"
#include "herd/report.h"
#include "herd/simulate.h"
#include "herd/simulate_file.h"
#include "herd/simulate_input.h"
#include "herd/simulate_sweep.h"

#include "common/clock.h"
#include "common/units.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char USAGE[] =
    "Usage: herd simulate [options] FILE\n\n"
    "Runs one node's experiment on this machine as fast as it can, with the arithmetic that the\n"
    "nodes run, and prints what came of it: energies, how long the target was on, how often\n"
    "power was good. An emulation takes its `input`, or with -e a solar cell under the sky of\n"
    "that file. No node is needed, and an inventory only if the experiment names nodes.\n\n"
    "  -n, --node NAME        whose configuration; default the first node, or sheep0\n"
    "  -e, --environment CSV  sky over the cell: time_s,irradiance_W_per_m2[,temperature_C]\n"
    "  -b, --begin T          where in that file it begins; default 0 s\n"
    "  -x, --time-scale N     that many seconds of the file pass in one second; default 1\n"
    "  -t, --target WHAT      none, a resistance (\"2.2 kOhm\"), or a recorded current\n"
    "                         (CSV: time_us,current_nA at 100 kHz); default: a device that\n"
    "                         boots, sleeps, computes and sends in turn\n"
    "  -d, --duration T       default: the experiment's, or the input's\n"
    "  -o, --output PATH      HDF5 to write; default: none\n"
    "  -c, --csv PATH         the same samples as text\n"
    "      --truth PATH       what was true in the simulated world at every sample, for checkers\n"
    "  -S, --sweep NAME=A,B   one run for each value of a parameter, on all cores; prints a\n"
    "                         table and writes no file\n\n"
    "Examples:\n"
    "  herd simulate emulate-solar.yaml -o result.h5\n"
    "  herd simulate solar.yaml -e environments/day.csv -b 10h -d 60s\n"
    "  herd simulate solar.yaml -e day.csv -b 10h -d 60s --sweep C_intermediate_uF=10,22,47,100\n";

enum {
    TRUTH = 256
};

static const struct cli_option OPTIONS[] = {
    {'n',    "node",        true },
    { 'e',   "environment", true },
    { 'b',   "begin",       true },
    { 'x',   "time-scale",  true },
    { 't',   "target",      true },
    { 'd',   "duration",    true },
    { 'o',   "output",      true },
    { 'c',   "csv",         true },
    { 'S',   "sweep",       true },
    { TRUTH, "truth",       true },
    { 0,     NULL,          false},
};

struct request {
    struct simulate_request input;
    const char *output;
    const char *csv;
    const char *truth;
    const char *sweep;
};

static volatile sig_atomic_t is_interrupted;

static void note_signal(int number)
{
    (void)number;
    is_interrupted = 1;
}

static void watch_signals(void)
{
    struct sigaction action = { .sa_handler = note_signal };

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* ---- what came of it ---- */

static void put_json(const struct simulation_result *r, const char *parameter, double value)
{
    struct buf line = { 0 };
    struct json json = { .out = &line };

    json_open(&json, NULL, '{');
    if (parameter != NULL) {
        json_text(&json, "parameter", parameter);
        json_f64(&json, "value", value);
    }
    json_u64(&json, "n_samples", r->n_samples);
    json_f64(&json, "harvested_Ws", r->harvested_Ws);
    json_f64(&json, "input_Ws", r->input_Ws);
    json_f64(&json, "output_Ws", r->output_Ws);
    json_f64(&json, "target_Ws", r->target_Ws);
    json_f64(&json, "on_s", r->on_s);
    json_f64(&json, "power_good_s", r->power_good_s);
    json_u64(&json, "n_starts", r->n_starts);
    json_u64(&json, "n_power_good", r->n_power_good);
    json_f64(&json, "V_store_min_V", r->V_store_min_V);
    json_f64(&json, "V_store_max_V", r->V_store_max_V);
    json_f64(&json, "V_store_end_V", r->V_store_end_V);
    json_u64(&json, "n_clamped", r->n_clamped);
    json_u64(&json, "n_edges", r->n_edges);
    json_f64(&json, "wall_s", r->wall_s);
    json_close(&json, '}');
    json_line(&json, stdout);
    buf_fini(&line);
}

static double seconds_of(const struct simulation_result *r)
{
    return (double)r->n_samples / 100000;
}

static const char *energy(double energy_Ws, char text[HUMAN_TEXT_SIZE])
{
    static const struct {
        double unit_Ws;
        const char *name;
    } units[] = {
        {1,     "J" },
        { 1e-3, "mJ"},
        { 1e-6, "uJ"},
        { 1e-9, "nJ"},
    };
    size_t i = 0;

    while (i + 1 < ARRAY_LEN(units) && fabs(energy_Ws) < units[i].unit_Ws) {
        i++;
    }
    snprintf(text, HUMAN_TEXT_SIZE, "%.4g %s", energy_Ws / units[i].unit_Ws, units[i].name);
    return text;
}

static void print_result(const struct simulation_result *r, enum experiment_mode mode)
{
    double seconds = seconds_of(r);
    char text[HUMAN_TEXT_SIZE];

    printf("simulated     %.6g s in %.3g s, %.3g times real time\n", seconds, r->wall_s,
           seconds / r->wall_s);
    if (mode == MODE_HARVEST) {
        printf("harvested     %s, %.4g mW on average\n", energy(r->harvested_Ws, text),
               r->harvested_Ws / seconds * 1e3);
        return;
    }
    printf("input stage   %s\n", energy(r->input_Ws, text));
    printf("output stage  %s\n", energy(r->output_Ws, text));
    printf("target        %s\n", energy(r->target_Ws, text));
    printf("target on     %.6g s (%.2f %%), %llu starts\n", r->on_s, 100 * r->on_s / seconds,
           (unsigned long long)r->n_starts);
    printf("power-good    %.6g s (%.2f %%), %llu rising edges\n", r->power_good_s,
           100 * r->power_good_s / seconds, (unsigned long long)r->n_power_good);
    printf("store         %.4g V at the end, %.4g to %.4g V\n", r->V_store_end_V,
           r->V_store_min_V, r->V_store_max_V);
    if (r->n_clamped != 0) {
        printf("remark        %llu samples outside the efficiency table: clamped to "
               "V_input_max and I_input_max\n",
               (unsigned long long)r->n_clamped);
    }
}

static void print_table(const struct sweep *sweep, const struct simulation_result *results,
                        enum experiment_mode mode)
{
    static const char *const EMULATED[] = {
        "", "into store", "target", "on", "starts", "power-good", "good edges", "store at end"
    };
    static const char *const HARVESTED[] = { "", "harvested", "on average" };
    bool is_harvest = mode == MODE_HARVEST;
    const char *headers[ARRAY_LEN(EMULATED)];
    size_t n_columns = is_harvest ? ARRAY_LEN(HARVESTED) : ARRAY_LEN(EMULATED);
    struct table *table = NULL;

    memcpy(headers, is_harvest ? HARVESTED : EMULATED, n_columns * sizeof(*headers));
    headers[0] = sweep->name;
    table = table_create(headers, n_columns);
    for (size_t i = 0; i < n_columns; i++) {
        table_align_right(table, i);
    }
    for (size_t i = 0; i < sweep->n_values; i++) {
        const struct simulation_result *r = &results[i];
        double seconds = seconds_of(r);
        char text[HUMAN_TEXT_SIZE];

        table_cell(table, "%.6g", sweep->values[i]);
        if (is_harvest) {
            table_cell(table, "%s", energy(r->harvested_Ws, text));
            table_cell(table, "%.4g mW", r->harvested_Ws / seconds * 1e3);
            continue;
        }
        table_cell(table, "%s", energy(r->input_Ws, text));
        table_cell(table, "%s", energy(r->target_Ws, text));
        table_cell(table, "%.2f %%", 100 * r->on_s / seconds);
        table_cell(table, "%llu", (unsigned long long)r->n_starts);
        table_cell(table, "%.2f %%", 100 * r->power_good_s / seconds);
        table_cell(table, "%llu", (unsigned long long)r->n_power_good);
        table_cell(table, "%.3f V", r->V_store_end_V);
    }
    table_print(table, stdout);
    table_destroy(&table);
}

/* ---- running ---- */

static int run_sweep(const struct cmd_options *options, const struct request *request,
                     const struct simulate_input *input, struct err *err)
{
    enum experiment_mode mode = input->config.mode;
    struct simulation_result results[SWEEP_MAX_VALUES];
    struct sweep sweep;

    if (sweep_parse(&sweep, request->sweep, mode, err) < 0) {
        return -1;
    }
    if (sweep_run(&sweep, &input->simulation, 0, results, err) < 0) {
        return is_interrupted ? err_set(err, ERR_INTERRUPTED, "interrupted") : -1;
    }
    if (!options->is_json) {
        print_table(&sweep, results, mode);
    }
    for (size_t i = 0; options->is_json && i < sweep.n_values; i++) {
        put_json(&results[i], sweep.name, sweep.values[i]);
    }
    return 0;
}

/* A simulation_fn: what is half done is removed when it is given up. */
static int take_or_stop(void *arg, const struct simulation_piece *piece, struct err *err)
{
    if (is_interrupted) {
        return err_set(err, ERR_INTERRUPTED, "interrupted");
    }
    return simulate_file_take(arg, piece, err);
}

static int run_one(const struct cmd_options *options, const struct request *request,
                   struct simulate_input *input, struct err *err)
{
    struct simulate_file_options wanted = { .config = &input->config,
                                            .experiment = input->experiment,
                                            .node = input->node,
                                            .h5_path = request->output,
                                            .csv_path = request->csv,
                                            .T_ns = clock_utc_ns() / NS_PER_S * NS_PER_S };
    struct simulate_file *file = simulate_file_create(&wanted, err);
    struct simulation_result result;
    struct h5_summary summary;
    int status = -1;

    if (file == NULL) {
        return -1;
    }
    input->simulation.take = take_or_stop;
    input->simulation.arg = file;
    input->simulation.truth = request->truth;
    if (simulate(&input->simulation, &result, err) == 0
        && simulate_file_finish(file, &result, &summary, err) == 0) {
        status = 0;
        if (options->is_json) {
            put_json(&result, NULL, 0);
        } else {
            print_result(&result, input->config.mode);
        }
    }
    simulate_file_destroy(&file);
    return status;
}

static int take_number(const struct cmd_options *options, const char *name, const char *text,
                       double *value)
{
    if (!text_to_f64(text, value) || *value <= 0) {
        return cmd_misuse(options, "simulate", "%s '%s' is not a number above 0", name, text);
    }
    return 0;
}

static int take_duration(const struct cmd_options *options, const char *name, const char *text,
                         int64_t *ns)
{
    if (duration_parse(text, "s", ns) != UNIT_OK || *ns < 0) {
        return cmd_misuse(options, "simulate", "%s '%s' is not a duration", name, text);
    }
    return 0;
}

static int take_option(const struct cmd_options *options, struct request *request, int option,
                       const char *value)
{
    switch (option) {
    case 'n':
        request->input.node = value;
        return 0;
    case 'e':
        request->input.environment = value;
        return 0;
    case 'b':
        return take_duration(options, "begin", value, &request->input.begin_ns);
    case 'x':
        return take_number(options, "time scale", value, &request->input.time_scale);
    case 't':
        request->input.target = value;
        return 0;
    case 'd':
        return take_duration(options, "duration", value, &request->input.duration_ns);
    case 'o':
        request->output = value;
        return 0;
    case 'c':
        request->csv = value;
        return 0;
    case TRUTH:
        request->truth = value;
        return 0;
    case 'S':
        request->sweep = value;
        return 0;
    default:
        return EXIT_USAGE;
    }
}

static int parse(const struct cmd_options *options, int argc, char **argv,
                 struct request *request)
{
    struct cli_scan scan = {
        .global = options, .options = OPTIONS, .argc = argc, .argv = argv
    };
    const char *value = NULL;
    int option = 0;

    while ((option = cli_next(&scan, &value)) != 0) {
        int status = take_option(options, request, option, value);

        if (status != 0) {
            return status;
        }
    }
    if (scan.n_operands != 1) {
        return cmd_misuse(options, "simulate", "one FILE, not %d", scan.n_operands);
    }
    if (request->sweep != NULL
        && (request->output != NULL || request->csv != NULL || request->truth != NULL)) {
        return cmd_misuse(options, "simulate", "--sweep writes no file");
    }
    request->input.file = argv[scan.at];
    request->input.inventory = options->inventory;
    return 0;
}

static int run(const struct cmd_options *options, int argc, char **argv)
{
    struct request request = {
        .input = {.time_scale = 1, .duration_ns = -1}
    };
    struct fault_list faults = { 0 };
    struct simulate_input *input = NULL;
    struct err err = { 0 };
    int status = parse(options, argc, argv, &request);

    if (status != 0) {
        return status;
    }
    watch_signals();
    input = simulate_input_open(&request.input, &faults, &err);
    if (input == NULL) {
        status = faults.count > 0 ? cmd_fail_faults(options, "simulate", &faults)
                                  : cmd_fail(options, "simulate", &err);
    } else if ((request.sweep != NULL ? run_sweep(options, &request, input, &err)
                                      : run_one(options, &request, input, &err))
               < 0) {
        status = cmd_fail(options, "simulate", &err);
    }
    fault_fini(&faults);
    simulate_input_close(&input);
    return status;
}

const struct cmd cmd_simulate = {
    .name = "simulate",
    .summary = "run one node's experiment on this machine, without nodes",
    .usage = USAGE,
    .run = run,
};
