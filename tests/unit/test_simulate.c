/* SPDX-License-Identifier: MIT */
#include "herd/cli.h"
#include "herd/cmd.h"
#include "herd/simulate.h"
#include "herd/simulate_file.h"
#include "herd/simulate_input.h"
#include "herd/simulate_sweep.h"

#include "common/calibration.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/bw_test_simulate_XXXXXX";

static const char *path_of(const char *name)
{
    static char paths[8][PATH_SIZE];
    static unsigned next;
    char *path = paths[next++ % 8];

    snprintf(path, PATH_SIZE, "%s/%s", folder, name);
    return path;
}

static const char *write_text(const char *name, const char *text)
{
    const char *path = path_of(name);
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    return path;
}

static struct simulate_input *open_request(const struct simulate_request *request)
{
    struct fault_list faults = { 0 };
    struct err err = { 0 };
    struct simulate_input *input = simulate_input_open(request, &faults, &err);

    if (input == NULL) {
        fail_msg("%s", faults.count > 0 ? faults.faults[0].text : err.text);
    }
    fault_fini(&faults);
    return input;
}

static const char EMULATION[] =
    "name: emu\nduration: 300 ms\ndefaults:\n  mode: emulate\n"
    "  source: {inherit_from: BQ25570s, C_intermediate_uF: 10, V_intermediate_init_mV: 3100}\n"
    "  record: {storage: true, gpio: all}\n";

static struct simulate_input *open_emulation(void)
{
    struct simulate_request request = { .file = write_text("emu.yaml", EMULATION),
                                        .environment = BW_SOURCE_DIR
                                        "/inventory/environments/changing_sky.csv",
                                        .time_scale = 1,
                                        .duration_ns = -1 };

    return open_request(&request);
}

/* ---- the engine ---- */

struct watcher {
    uint64_t next_sample;
    uint64_t n_edges;
    uint64_t n_uart;
    uint64_t n_supplied;
    double energy_Ws;
    int64_t last_ns;
    uint16_t pins;
    struct calibration nominal;
};

static int watch(void *arg, const struct simulation_piece *piece, struct err *err)
{
    struct watcher *watcher = arg;
    const struct pru_block *block = piece->block;

    (void)err;
    assert_true(block->first_sample == watcher->next_sample);
    assert_int_equal(block->canary, PRU_CANARY);
    assert_int_equal(block->underruns, 0);
    for (uint32_t i = 0; i < block->n_samples; i++) {
        double V = block->samples[PRU_ARRAY_VOLTAGE][i] * watcher->nominal.hrv_adc_V.gain;
        double I = block->samples[PRU_ARRAY_CURRENT][i] * watcher->nominal.hrv_adc_I.gain;

        watcher->energy_Ws += V * I * 1e-5;
        watcher->n_supplied += block->samples[PRU_ARRAY_VOLTAGE][i] != 0 ? 1 : 0;
    }
    for (size_t i = 0; i < piece->n_edges; i++) {
        assert_true(piece->edges[i].time_ns >= watcher->last_ns);
        assert_true(piece->edges[i].time_ns % 10000 == 0);
        assert_true(piece->edges[i].time_ns
                    < (int64_t)(block->first_sample + block->n_samples) * 10000);
        assert_int_not_equal(piece->edges[i].value, watcher->pins);
        watcher->last_ns = piece->edges[i].time_ns;
        watcher->pins = piece->edges[i].value;
    }
    watcher->n_edges += piece->n_edges;
    watcher->n_uart += piece->uart_bytes;
    watcher->next_sample += block->n_samples;
    return 0;
}

static void test_harvest_of_a_known_source(void **state)
{
    struct simulate_request request = {
        .file = write_text("hrv.yaml", "name: h\nduration: 123.45 ms\ndefaults:\n"
                                       "  mode: harvest\n  harvester: cv20\n"),
        .time_scale = 1,
        .duration_ns = -1,
    };
    struct simulate_input *input = open_request(&request);
    struct watcher watcher = { .nominal = calibration_default() };
    struct simulation_result result;
    struct err err = { 0 };

    (void)state;
    input->world.transducer.kind = TRANSDUCER_CONSTANT; /* 3 V behind 1 kOhm */
    input->simulation.take = watch;
    input->simulation.arg = &watcher;
    assert_int_equal(simulate(&input->simulation, &result, &err), 0);
    assert_true(result.n_samples == 12345 && watcher.next_sample == 12345);
    assert_true(fabs(result.harvested_Ws / 0.12345 - 2e-3) < 2e-6);
    assert_true(fabs(watcher.energy_Ws / result.harvested_Ws - 1) < 1e-3);
    assert_true(result.wall_s > 0);
    simulate_input_close(&input);
}

static void test_emulation_under_a_sky(void **state)
{
    struct simulate_input *input = open_emulation();
    struct watcher watcher = { .nominal = calibration_default() };
    struct simulation_result result;
    struct err err = { 0 };

    (void)state;
    input->simulation.take = watch;
    input->simulation.arg = &watcher;
    assert_int_equal(simulate(&input->simulation, &result, &err), 0);
    assert_true(result.n_samples == 30000 && watcher.next_sample == 30000);
    assert_true(result.n_starts >= 1 && result.n_power_good >= 1);
    assert_true(result.on_s > 0.01 && result.on_s <= 0.3);
    assert_true(result.output_Ws > result.target_Ws); /* the output stage has losses */
    assert_true((double)watcher.n_supplied * 1e-5 >= result.on_s - 1e-5);
    assert_true(watcher.n_edges == result.n_edges && result.n_edges > 2);
    assert_true(watcher.n_uart >= strlen("boot 1\r\n"));
    assert_true(result.V_store_max_V <= 5.5001 && result.V_store_min_V >= 0);
    simulate_input_close(&input);
}

static void test_runs_repeat_exactly(void **state)
{
    struct simulate_input *input = open_emulation();
    struct simulation_result one;
    struct simulation_result other;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(simulate(&input->simulation, &one, &err), 0);
    assert_int_equal(simulate(&input->simulation, &other, &err), 0);
    other.wall_s = one.wall_s;
    assert_memory_equal(&one, &other, sizeof(one));
    simulate_input_close(&input);
}

static int refuse(void *arg, const struct simulation_piece *piece, struct err *err)
{
    (void)arg;
    (void)piece;
    return err_set(err, ERR_NO_SPACE, "enough");
}

static void test_a_taker_that_fails_ends_the_run(void **state)
{
    struct simulate_input *input = open_emulation();
    struct simulation_result result;
    struct err err = { 0 };

    (void)state;
    input->simulation.take = refuse;
    assert_int_equal(simulate(&input->simulation, &result, &err), -1);
    assert_string_equal(err.text, "enough");
    assert_true(result.n_samples == 1000);
    simulate_input_close(&input);
}

static void test_impossible_simulations_say_why(void **state)
{
    struct simulate_input *input = open_emulation();
    struct simulation_result result;
    struct err err = { 0 };

    (void)state;
    input->world.transducer.Voc_V = -1;
    assert_int_equal(simulate(&input->simulation, &result, &err), -1);
    assert_non_null(strstr(err.text, "transducer"));
    input->world = world_config_default();
    input->simulation.n_samples = 0;
    assert_int_equal(simulate(&input->simulation, &result, &err), -1);
    assert_string_equal(err.text, "no samples to simulate");
    input->simulation.n_samples = 10;
    input->simulation.input = "/no/such/input";
    assert_int_equal(simulate(&input->simulation, &result, &err), -1);
    assert_non_null(strstr(err.text, "/no/such/input"));
    simulate_input_close(&input);
}

/* ---- a recorded input is the sky's own ---- */

static int run_command(int argc, char **argv)
{
    struct cmd_options options = { 0 };
    int out = dup(STDOUT_FILENO);
    int error = dup(STDERR_FILENO);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int status = 0;

    fflush(NULL);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    status = cmd_simulate.run(&options, argc, argv);
    fflush(NULL);
    dup2(out, STDOUT_FILENO);
    dup2(error, STDERR_FILENO);
    close(out);
    close(error);
    close(null);
    return status;
}

/* The words of a command line up to NULL, run quietly; the exit status. */
static int command(const char *first, ...)
{
    char *argv[16] = { NULL };
    char *words[16] = { NULL }; /* argv's order may change */
    int argc = 0;
    int status = 0;
    va_list list;

    va_start(list, first);
    for (const char *word = first; word != NULL && argc < 15;
         word = va_arg(list, const char *)) {
        words[argc] = strdup(word);
        argv[argc] = words[argc];
        argc++;
    }
    va_end(list);
    status = run_command(argc, argv);
    for (int i = 0; i < argc; i++) {
        free(words[i]);
    }
    return status;
}

static struct simulation_result run_file(const char *text, const char *environment)
{
    struct simulate_request request = { .file = write_text("same.yaml", text),
                                        .environment = environment,
                                        .time_scale = 1,
                                        .duration_ns = 250000000 };
    struct simulate_input *input = open_request(&request);
    struct simulation_result result;
    struct err err = { 0 };

    if (simulate(&input->simulation, &result, &err) < 0) {
        fail_msg("%s", err.text);
    }
    simulate_input_close(&input);
    result.wall_s = 0;
    return result;
}

static void test_a_harvest_feeds_an_emulation_as_the_sky_does(void **state)
{
    const char *sky = BW_SOURCE_DIR "/inventory/environments/changing_sky.csv";
    const char *harvest = write_text("iv.yaml", "name: h\nduration: 250 ms\ndefaults:\n"
                                                "  mode: harvest\n  harvester: iv110\n");
    const char *file = path_of("iv.h5");
    char text[PATH_SIZE + 200];
    struct simulation_result recorded;
    struct simulation_result direct;

    (void)state;
    assert_int_equal(command("simulate", harvest, "-e", sky, "-o", file, (char *)NULL),
                     EXIT_ALL_VALID);
    assert_int_equal(command("simulate", harvest, "-e", sky, "-o", file, (char *)NULL),
                     EXIT_USAGE);
    snprintf(text, sizeof(text),
             "name: e\ndefaults:\n  mode: emulate\n  input: %s\n"
             "  source: {inherit_from: BQ25570s, C_intermediate_uF: 22}\n",
             file);
    recorded = run_file(text, NULL);
    direct = run_file(text, sky);
    assert_memory_equal(&recorded, &direct, sizeof(recorded));
    assert_true(recorded.n_samples == 25000 && recorded.input_Ws > 0);
}

static void test_the_command_refuses_what_it_cannot_do(void **state)
{
    const char *file = write_text("emu.yaml", EMULATION);
    const char *missing = path_of("missing.yaml");

    (void)state;
    assert_int_equal(command("simulate", (char *)NULL), EXIT_USAGE);
    assert_int_equal(command("simulate", missing, (char *)NULL), EXIT_USAGE);
    assert_int_equal(command("simulate", file, (char *)NULL),
                     EXIT_USAGE); /* neither input nor sky */
    assert_int_equal(command("simulate", file, "-e", missing, (char *)NULL), EXIT_USAGE);
    assert_int_equal(command("simulate", file, "-x", "0", (char *)NULL), EXIT_USAGE);
    assert_int_equal(command("simulate", file, "-d", "soon", (char *)NULL), EXIT_USAGE);
    assert_int_equal(command("simulate", file, "-t", "2 V", (char *)NULL), EXIT_USAGE);
    assert_int_equal(command("simulate", file, "-S", "a=1", "-o", "x.h5", (char *)NULL),
                     EXIT_USAGE);
    assert_int_equal(access("x.h5", F_OK), -1);
}

/* ---- sweeps ---- */

static void test_sweeps_are_parsed_with_units_and_ranges(void **state)
{
    static const struct {
        const char *text;
        enum experiment_mode mode;
        const char *fault;
    } bad[] = {
        {"C_intermediate_uF",              MODE_EMULATE, "NAME=VALUE"   },
        { "=1",                            MODE_EMULATE, "NAME=VALUE"   },
        { "C_intermediate=1",              MODE_EMULATE, "no parameter" },
        { "LUT_output_efficiency=1",       MODE_EMULATE, "single number"},
        { "harvester.C_intermediate_uF=1", MODE_EMULATE, "no parameter" },
        { "C_intermediate_uF=1",           MODE_HARVEST, "no parameter" },
        { "C_intermediate_uF=1,,2",        MODE_EMULATE, "not a number" },
        { "C_intermediate_uF=",            MODE_EMULATE, "not a number" },
        { "C_intermediate_uF=1,x",         MODE_EMULATE, "not a number" },
        { "C_intermediate_uF=-1",          MODE_EMULATE, "not between"  },
    };
    struct sweep sweep;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(
        sweep_parse(&sweep, "C_intermediate_uF=10,0.1 mF,22e0", MODE_EMULATE, &err), 0);
    assert_int_equal(sweep.n_values, 3);
    assert_true(sweep.values[0] == 10 && fabs(sweep.values[1] - 100) < 1e-9
                && sweep.values[2] == 22);
    assert_int_equal(sweep_parse(&sweep, "enable_buck=true,false", MODE_EMULATE, &err), 0);
    assert_true(sweep.values[0] == 1 && sweep.values[1] == 0);
    assert_int_equal(sweep_parse(&sweep, "harvester.interval_ms=5", MODE_EMULATE, &err), 0);
    assert_int_equal(sweep_parse(&sweep, "voltage_mV=1500", MODE_HARVEST, &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(sweep_parse(&sweep, bad[i].text, bad[i].mode, &err), -1);
        assert_non_null(strstr(err.text, bad[i].fault));
    }
}

static void test_a_sweep_equals_its_single_runs(void **state)
{
    struct simulate_input *input = open_emulation();
    struct node_config original = input->config;
    struct simulation_result results[SWEEP_MAX_VALUES];
    struct sweep sweep;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(sweep_parse(&sweep, "C_intermediate_uF=4.7,10,100", MODE_EMULATE, &err),
                     0);
    assert_int_equal(sweep_run(&sweep, &input->simulation, 2, results, &err), 0);
    for (size_t i = 0; i < sweep.n_values; i++) {
        struct simulation_result alone;

        input->config = original;
        sweep_apply(&sweep, i, &input->config);
        assert_int_equal(simulate(&input->simulation, &alone, &err), 0);
        alone.wall_s = results[i].wall_s;
        assert_memory_equal(&alone, &results[i], sizeof(alone));
    }
    assert_true(results[0].on_s < results[2].on_s);
    simulate_input_close(&input);
}

static void test_a_variant_that_fails_is_named(void **state)
{
    struct simulate_input *input = open_emulation();
    struct simulation_result results[SWEEP_MAX_VALUES];
    struct sweep sweep;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(sweep_parse(&sweep, "harvester.voltage_mV=1000,4000", MODE_EMULATE, &err),
                     0);
    input->config.source.harvester.voltage_max_mV = 2000;
    assert_int_equal(sweep_run(&sweep, &input->simulation, 0, results, &err), -1);
    assert_non_null(strstr(err.text, "harvester.voltage_mV=4000: "));
    simulate_input_close(&input);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    static const char *const names[] = { "emu.yaml", "hrv.yaml", "same.yaml", "iv.yaml",
                                         "iv.h5" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)unlink(path_of(names[i]));
    }
    return rmdir(folder); /* nothing else may be left there */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_harvest_of_a_known_source),
        cmocka_unit_test(test_emulation_under_a_sky),
        cmocka_unit_test(test_runs_repeat_exactly),
        cmocka_unit_test(test_a_taker_that_fails_ends_the_run),
        cmocka_unit_test(test_impossible_simulations_say_why),
        cmocka_unit_test(test_a_harvest_feeds_an_emulation_as_the_sky_does),
        cmocka_unit_test(test_the_command_refuses_what_it_cannot_do),
        cmocka_unit_test(test_sweeps_are_parsed_with_units_and_ranges),
        cmocka_unit_test(test_a_sweep_equals_its_single_runs),
        cmocka_unit_test(test_a_variant_that_fails_is_named),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
