/* SPDX-License-Identifier: MIT */
/* The world through the sampler's eyes: codes in, codes out. What the cell and the target do
 * inside is tested in test_solar.c and test_target.c. */
#include "common/attrs.h"
#include "pru/abi/pru_shm.h"
#include "pru/sim/truth.h"
#include "pru/sim/world.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Of the cape, said again here on purpose. */
static const double ADC_V_LSB = 5.12 / 262144;
static const double ADC_I_LSB = 1.0 / 4915200;
static const double DAC_LSB = 5.0 / 65536;

static char path[] = "/tmp/bw_test_world_XXXXXX";

struct bench {
    struct world *world;
    struct sample_io io;
    uint64_t sample;
};

static void bench_open(struct bench *bench, const struct world_config *config,
                       bool is_emulation)
{
    const char *why = NULL;

    *bench = (struct bench){ .world = world_create(config, &why) };
    assert_non_null(bench->world);
    world_begin(bench->world, is_emulation, false);
    world_io(bench->world, &bench->io);
}

static void bench_set(struct bench *bench, enum sample_dac channel, uint32_t code)
{
    bench->io.dac_write(bench->io.context, channel, code);
    world_advance(bench->world, bench->sample++);
}

static uint32_t bench_V(struct bench *bench)
{
    return bench->io.adc_voltage(bench->io.context);
}

static uint32_t bench_I(struct bench *bench)
{
    return bench->io.adc_current(bench->io.context);
}

/* A source whose truth follows from Ohm alone: 3 V behind 1 kOhm. */
static struct world_config quiet_source(void)
{
    struct world_config config = world_config_default();

    config.noise_lsb_rms = 0;
    config.transducer.kind = TRANSDUCER_CONSTANT;
    config.transducer.source_V = 3.0;
    config.transducer.source_Ohm = 1000;
    return config;
}

static void write_csv(const char *text)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void test_setpoint_leads_to_truth_and_codes(void **state)
{
    struct world_config config = quiet_source();
    struct bench bench;

    (void)state;
    bench_open(&bench, &config, false);
    for (uint32_t code = 0; code < 65536; code += 1111) {
        double V = fmin(code * DAC_LSB, 3.0);
        double I = (3.0 - V) / 1000;
        struct world_truth truth;

        bench_set(&bench, SAMPLE_DAC_HARVEST, code);
        truth = world_truth(bench.world);
        assert_true(fabs(truth.voltage_V - V) < 1e-12);
        assert_true(fabs(truth.current_A - I) < 1e-12);
        assert_true(fabs(bench_V(&bench) * ADC_V_LSB - V) <= ADC_V_LSB * 0.50001);
        assert_true(fabs(bench_I(&bench) * ADC_I_LSB - I) <= ADC_I_LSB * 0.50001);
    }
    world_destroy(&bench.world);
}

static void test_solar_cell_beyond_its_open_circuit(void **state)
{
    struct world_config config = world_config_default();
    struct bench bench;
    struct world_truth truth;

    (void)state;
    config.noise_lsb_rms = 0;
    bench_open(&bench, &config, false);
    bench_set(&bench, SAMPLE_DAC_HARVEST, 65535);
    truth = world_truth(bench.world);
    assert_true(fabs(truth.voltage_V - 2.6) < 1e-6 && truth.current_A == 0);
    assert_int_equal(bench_I(&bench), 0);
    assert_int_equal(bench_V(&bench), (uint32_t)(2.6 / ADC_V_LSB + 0.5));
    bench_set(&bench, SAMPLE_DAC_HARVEST, 0);
    assert_int_equal(bench_V(&bench), 0);
    assert_int_equal(bench_I(&bench), (uint32_t)(4e-3 / ADC_I_LSB + 0.5));
    assert_true(world_truth(bench.world).irradiance_W_per_m2 == 1000);
    world_destroy(&bench.world);
}

static void test_codes_are_clamped_to_their_converters(void **state)
{
    struct world_config config = quiet_source();
    struct bench bench;

    (void)state;
    config.transducer.source_V = 9;
    config.transducer.source_Ohm = 10;
    bench_open(&bench, &config, false);
    bench_set(&bench, SAMPLE_DAC_HARVEST, 0);
    assert_int_equal(bench_I(&bench), 262143); /* 0.9 A */
    bench_set(&bench, SAMPLE_DAC_HARVEST, UINT32_MAX);
    assert_true(fabs(world_truth(bench.world).voltage_V - 65535 * DAC_LSB) < 1e-12);
    world_destroy(&bench.world);

    config.hrv_adc_V.offset = 0.5; /* the converter sees half a volt too little */
    config.hrv_dac_V.offset = -0.1;
    bench_open(&bench, &config, false);
    bench_set(&bench, SAMPLE_DAC_HARVEST, 5000);
    assert_int_equal(bench_V(&bench), 0);
    bench_set(&bench, SAMPLE_DAC_HARVEST, 1);
    assert_true(world_truth(bench.world).voltage_V == 0);
    world_destroy(&bench.world);
}

/* true = code x gain x (1 + error) + offset, for every converter on its own. */
static void test_errors_are_those_of_the_calibration(void **state)
{
    struct world_config config = quiet_source();
    struct bench bench;
    double V = 0;
    double I = 0;

    (void)state;
    config.hrv_dac_V = (struct world_channel){ 0.01, 0.02 };
    config.hrv_adc_V = (struct world_channel){ -0.02, 0.01 };
    config.hrv_adc_I = (struct world_channel){ 0.03, -1e-4 };
    bench_open(&bench, &config, false);
    bench_set(&bench, SAMPLE_DAC_HARVEST, 20000);
    V = 20000 * DAC_LSB * 1.01 + 0.02;
    I = (3.0 - V) / 1000;
    assert_true(fabs(world_truth(bench.world).voltage_V - V) < 1e-12);
    assert_true(fabs(bench_V(&bench) * ADC_V_LSB * 0.98 + 0.01 - V) < ADC_V_LSB * 0.51);
    assert_true(fabs(bench_I(&bench) * ADC_I_LSB * 1.03 - 1e-4 - I) < ADC_I_LSB * 0.52);
    world_destroy(&bench.world);
}

static void expect_port(const struct world_config *config, bool is_port_B, double dac_error,
                        double adc_error)
{
    const char *why = NULL;
    struct world *world = world_create(config, &why);
    struct sample_io io;
    double V = 26214 * DAC_LSB * (1 + dac_error);
    double I = V / 1000;

    assert_non_null(world);
    world_begin(world, true, is_port_B);
    world_io(world, &io);
    io.dac_write(io.context, SAMPLE_DAC_TARGET, 26214);
    io.dac_write(io.context, SAMPLE_DAC_AUX, 1);
    world_advance(world, 0);
    assert_true(fabs(world_truth(world).voltage_V - V) < 1e-12);
    assert_true(fabs(io.adc_current(io.context) * ADC_I_LSB * (1 + adc_error) - I)
                < ADC_I_LSB * 0.55);
    world_destroy(&world);
}

static void test_each_port_has_its_own_errors(void **state)
{
    struct world_config config = quiet_source();

    (void)state;
    config.target.kind = TARGET_RESISTOR;
    config.target.resistance_Ohm = 1000;
    config.emu_dac_V_A.gain_error = 0.01;
    config.emu_dac_V_B.gain_error = -0.02;
    config.emu_adc_I_A.gain_error = 0.03;
    config.emu_adc_I_B.gain_error = -0.04;
    expect_port(&config, false, 0.01, 0.03);
    expect_port(&config, true, -0.02, -0.04);
}

static void test_code_0_switches_the_target_off(void **state)
{
    struct world_config config = quiet_source();
    struct bench bench;

    (void)state;
    config.emu_dac_V_A.offset = 0.05;
    bench_open(&bench, &config, true);
    bench_set(&bench, SAMPLE_DAC_TARGET, 0);
    assert_true(world_truth(bench.world).voltage_V == 0);
    assert_true(world_truth(bench.world).current_A == 0);
    bench_set(&bench, SAMPLE_DAC_TARGET, 1);
    assert_true(fabs(world_truth(bench.world).voltage_V - (DAC_LSB + 0.05)) < 1e-12);
    world_destroy(&bench.world);
}

static void measure_noise(double noise_lsb_rms, double *mean, double *rms, double *worst)
{
    enum {
        COUNT = 200000
    };
    struct world_config config = quiet_source();
    struct bench bench;
    double sum = 0;
    double squares = 0;
    double exact = 20000 * DAC_LSB / ADC_V_LSB;

    config.noise_lsb_rms = noise_lsb_rms;
    bench_open(&bench, &config, false);
    bench_set(&bench, SAMPLE_DAC_HARVEST, 20000);
    *worst = 0;
    for (int i = 0; i < COUNT; i++) {
        double deviation = (double)bench_V(&bench) - exact;

        sum += deviation;
        squares += deviation * deviation;
        *worst = fmax(*worst, fabs(deviation));
    }
    *mean = sum / COUNT;
    *rms = sqrt(squares / COUNT - *mean * *mean);
    world_destroy(&bench.world);
}

static void test_noise_has_the_chosen_strength(void **state)
{
    double mean = 0;
    double rms = 0;
    double worst = 0;

    (void)state;
    measure_noise(4, &mean, &rms, &worst);
    /* 1/12 LSB^2 of quantisation on top; 200 000 draws leave 0.01 of the mean. */
    assert_true(fabs(mean) < 0.05);
    assert_true(fabs(rms - sqrt(16 + 1.0 / 12)) < 0.05);
    assert_true(worst > 4 * 2.8 && worst < 4 * 3.47 + 0.6);
    measure_noise(0.5, &mean, &rms, &worst);
    assert_true(fabs(mean) < 0.01);
    assert_true(rms > 0.5 && rms < 0.65 && worst < 0.5 * 3.47 + 0.6);
}

static void test_noise_of_samples_is_independent(void **state)
{
    struct world_config config = quiet_source();
    struct bench bench;
    double last = 0;
    double product = 0;
    double cross = 0;

    (void)state;
    config.noise_lsb_rms = 4;
    bench_open(&bench, &config, false);
    for (int i = 0; i < 100000; i++) {
        double V = 0;
        double I = 0;

        bench_set(&bench, SAMPLE_DAC_HARVEST, 20000);
        V = (double)bench_V(&bench) - 20000 * DAC_LSB / ADC_V_LSB;
        I = (double)bench_I(&bench) - (3.0 - 20000 * DAC_LSB) / 1000 / ADC_I_LSB;
        product += V * last;
        cross += V * I;
        last = V;
    }
    assert_true(fabs(product / 100000) < 0.02 * 16); /* 6 sigma */
    assert_true(fabs(cross / 100000) < 0.02 * 16);
    world_destroy(&bench.world);
}

static uint64_t fold_run(struct world *world, bool is_emulation)
{
    struct sample_io io;
    uint64_t fold = 14695981039346656037u;

    world_begin(world, is_emulation, false);
    world_io(world, &io);
    for (uint64_t k = 0; k < 20000; k++) {
        world_advance(world, k);
        fold = (fold ^ io.adc_current(io.context)) * 1099511628211u;
        fold = (fold ^ (is_emulation ? world_pins(world) : io.adc_voltage(io.context)))
               * 1099511628211u;
        io.dac_write(io.context, is_emulation ? SAMPLE_DAC_TARGET : SAMPLE_DAC_HARVEST,
                     (uint32_t)(k * 7919 % 40000));
    }
    return fold;
}

static void test_the_seed_decides_all(void **state)
{
    struct world_config config = world_config_default();
    const char *why = NULL;

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct world *one = world_create(&config, &why);
        struct world *other = world_create(&config, &why);
        struct world *third = NULL;
        uint64_t fold = fold_run(one, i == 1);

        assert_true(fold == fold_run(other, i == 1));
        assert_true(fold == fold_run(one, i == 1)); /* begun anew */
        config.seed++;
        third = world_create(&config, &why);
        assert_true(fold != fold_run(third, i == 1));
        world_destroy(&one);
        world_destroy(&other);
        world_destroy(&third);
    }
}

static void test_sky_follows_its_file(void **state)
{
    struct world_config config = world_config_default();
    struct bench bench;

    (void)state;
    write_csv("time_s,irradiance_W_per_m2\n0,0\n10,1000\n20,500\n");
    snprintf(config.transducer.environment, sizeof(config.transducer.environment), "%s", path);
    config.transducer.environment_start_s = 5;
    config.transducer.time_scale = 100;
    bench_open(&bench, &config, false);
    bench.sample = 0;
    bench_set(&bench, SAMPLE_DAC_HARVEST, 10);
    assert_true(fabs(world_truth(bench.world).irradiance_W_per_m2 - 500) < 1e-9);
    assert_true(fabs(world_truth(bench.world).current_A - 2e-3) < 1e-5);
    bench.sample = 5000; /* 50 ms x 100 */
    bench_set(&bench, SAMPLE_DAC_HARVEST, 10);
    assert_true(fabs(world_truth(bench.world).irradiance_W_per_m2 - 1000) < 1e-9);
    bench.sample = 10000;
    bench_set(&bench, SAMPLE_DAC_HARVEST, 10);
    assert_true(fabs(world_truth(bench.world).irradiance_W_per_m2 - 750) < 1e-9);
    bench.sample = 1000000;
    bench_set(&bench, SAMPLE_DAC_HARVEST, 10);
    assert_true(fabs(world_truth(bench.world).irradiance_W_per_m2 - 500) < 1e-9);
    world_destroy(&bench.world);
}

static void test_temperature_of_the_sky_moves_the_open_circuit(void **state)
{
    struct world_config config = world_config_default();
    struct bench bench;

    (void)state;
    write_csv("time_s,irradiance_W_per_m2,temperature_C\n0,1000,25\n1,1000,75\n");
    snprintf(config.transducer.environment, sizeof(config.transducer.environment), "%s", path);
    bench_open(&bench, &config, false);
    bench_set(&bench, SAMPLE_DAC_HARVEST, 65535);
    assert_true(fabs(world_truth(bench.world).voltage_V - 2.6) < 1e-6);
    bench.sample = 100000;
    bench_set(&bench, SAMPLE_DAC_HARVEST, 65535);
    assert_true(fabs(world_truth(bench.world).voltage_V - (2.6 - 0.4)) < 1e-6);
    world_destroy(&bench.world);
}

static void test_replayed_curve(void **state)
{
    struct world_config config = world_config_default();
    struct bench bench;

    (void)state;
    write_csv("voltage_V,current_A\n0,0.01\n1,0.008\n2,-0.002\n");
    snprintf(config.transducer.curve, sizeof(config.transducer.curve), "%s", path);
    config.transducer.kind = TRANSDUCER_REPLAY;
    bench_open(&bench, &config, false);
    bench_set(&bench, SAMPLE_DAC_HARVEST, 6553);
    assert_true(fabs(world_truth(bench.world).current_A - (0.01 - 0.002 * 6553 * DAC_LSB))
                < 1e-12);
    /* It crosses 0 at 1.8 V: there the sink finds the open circuit. */
    bench_set(&bench, SAMPLE_DAC_HARVEST, 50000);
    assert_true(world_truth(bench.world).current_A == 0);
    assert_true(fabs(world_truth(bench.world).voltage_V - 1.8) < 1e-9);
    world_destroy(&bench.world);
}

static void test_target_lives_and_dies_with_its_supply(void **state)
{
    struct world_config config = quiet_source();
    struct bench bench;
    char text[64] = "";

    (void)state;
    config.target.needs_power_good = true;
    config.target.boot_ms = 0.02;
    bench_open(&bench, &config, true);
    bench_set(&bench, SAMPLE_DAC_TARGET, 30000);
    assert_false(world_truth(bench.world).is_supplied);
    bench.io.power_good(bench.io.context, true);
    assert_int_equal(world_pins(bench.world), 1u << PRU_GPIO_POWER_GOOD_BIT);
    for (int i = 0; i < 3; i++) {
        bench_set(&bench, SAMPLE_DAC_TARGET, 30000);
        assert_true(world_truth(bench.world).is_supplied);
    }
    assert_int_equal(world_pins(bench.world), 1u << PRU_GPIO_POWER_GOOD_BIT | 1u);
    assert_int_equal(world_truth(bench.world).pins, world_pins(bench.world));
    bench.io.power_good(bench.io.context, false);
    bench_set(&bench, SAMPLE_DAC_TARGET, 20000);
    assert_false(world_truth(bench.world).is_supplied);
    assert_int_equal(world_pins(bench.world), 0);
    assert_int_equal(world_uart(bench.world, text, 4), 4);
    assert_int_equal(world_uart(bench.world, text + 4, 60), 4);
    assert_string_equal(text, "boot 1\r\n");
    assert_int_equal(world_uart(bench.world, text, 60), 0);
    world_destroy(&bench.world);
}

static void expect_refusal(const struct world_config *config, const char *expected)
{
    const char *why = NULL;

    assert_null(world_create(config, &why));
    assert_string_equal(why, expected);
}

static void test_impossible_worlds_are_refused(void **state)
{
    struct world_config config = world_config_default();
    char expected[200];

    (void)state;
    config.transducer.Isc_mA = (double)NAN;
    expect_refusal(&config, "transducer: Isc, Voc, ideality, cells and Rsh must be positive");
    config = world_config_default();
    config.transducer.Rsh_Ohm = 500; /* draws more than the cell's whole current at Voc */
    expect_refusal(&config, "transducer: Rsh leaves no current for the diode");
    config = quiet_source();
    config.transducer.source_Ohm = 0;
    expect_refusal(&config, "transducer: source_Ohm must be positive");
    config = world_config_default();
    config.target.kind = TARGET_RESISTOR;
    config.target.resistance_Ohm = -1;
    expect_refusal(&config, "target: resistance_Ohm must be positive");
    config = world_config_default();
    config.transducer.temperature_C = -273.15;
    expect_refusal(&config, "transducer: temperature_C is not between -100 and 200");
    config = world_config_default();
    config.noise_lsb_rms = (double)NAN;
    expect_refusal(&config, "converters: noise_lsb_rms is not between 0 and 1000");
    config = world_config_default();
    config.emu_adc_I_B.gain_error = -1;
    expect_refusal(&config, "converters: a gain error beyond 0.5 or an offset beyond 1");
    config = world_config_default();
    write_csv("time_us,current_nA\n0,1\n10,x\n");
    config.target.kind = TARGET_REPLAY;
    snprintf(config.target.trace, sizeof(config.target.trace), "%s", path);
    snprintf(expected, sizeof(expected), "%s:3: not a row of numbers", path);
    expect_refusal(&config, expected);
    config.target.kind = TARGET_NONE;
    config.transducer.kind = TRANSDUCER_REPLAY;
    expect_refusal(&config, ": No such file or directory");
}

/* Either a reason why not, or numbers to the end: nothing in a file makes the converters see
 * what is no number. */
static void test_wild_skies_are_refused_or_survived(void **state)
{
    static const struct {
        const char *rows;
        const char *why;
    } skies[] = {
        {"0,1000,25\n1,1000,-273.15\n",   "row 2: -273.15 C is not between -100 and 200 C"},
        { "0,1000,1e9\n",                 "row 1: 1e+09 C is not between -100 and 200 C"  },
        { "0,-5,25\n1,-7,25\n",           NULL                                            },
        { "0,1e300,25\n",                 NULL                                            },
        { "0,1e308,25\n0.01,-1e308,25\n", NULL                                            },
        { "-1e308,3,25\n1e308,4,25\n",    NULL                                            },
        { "0,1e-6,-100\n1,2e5,200\n",     NULL                                            },
    };
    struct world_config config = world_config_default();

    (void)state;
    snprintf(config.transducer.environment, sizeof(config.transducer.environment), "%s", path);
    for (size_t i = 0; i < ARRAY_LEN(skies); i++) {
        char text[200];
        const char *why = NULL;
        struct bench bench;

        snprintf(text, sizeof(text), "t,i,c\n%s", skies[i].rows);
        write_csv(text);
        if (skies[i].why != NULL) {
            assert_null(world_create(&config, &why));
            assert_non_null(strstr(why, skies[i].why));
            continue;
        }
        bench_open(&bench, &config, false);
        for (uint32_t k = 0; k < 3000; k++) {
            struct world_truth truth;

            bench_set(&bench, SAMPLE_DAC_HARVEST, k * 7919 % 65536);
            truth = world_truth(bench.world);
            assert_true(isfinite(truth.voltage_V) && isfinite(truth.current_A));
            assert_true(truth.voltage_V >= 0 && truth.current_A >= 0);
        }
        world_destroy(&bench.world);
    }
}

static void test_truth_file_holds_every_record(void **state)
{
    struct truth_file *file = truth_create(path, true);
    unsigned char bytes[32 + 3 * 32 + 1];
    struct world_truth truth = { 1.25, -3e-9, 0.5, 0x8003, true };
    FILE *back = NULL;
    double value = 0;
    float irradiance = 0;

    (void)state;
    assert_non_null(file);
    for (int i = 0; i < 3; i++) {
        truth.voltage_V += i;
        truth_append(file, &truth);
    }
    assert_int_equal(truth_close(&file), 0);
    assert_null(file);
    back = fopen(path, "rbe");
    assert_non_null(back);
    assert_int_equal(fread(bytes, 1, sizeof(bytes), back), 32 + 3 * 32);
    fclose(back);
    assert_memory_equal(bytes, "BWTRUTH1\x20\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                        32);
    memcpy(&value, bytes + 96, 8);
    assert_true(value == 1.25 + 1 + 2);
    memcpy(&value, bytes + 96 + 8, 8);
    assert_true(value == -3e-9);
    memcpy(&irradiance, bytes + 96 + 16, 4);
    assert_true(irradiance == 0.5F);
    assert_memory_equal(bytes + 96 + 20, "\x03\x80\x01\0\0\0\0\0\0\0\0\0", 12);
}

static void test_truth_that_cannot_be_written_is_told(void **state)
{
    struct truth_file *file = truth_create("/dev/full", false);
    struct world_truth truth = { 0 };

    (void)state;
    assert_null(truth_create("/no/such/folder/truth", false));
    assert_non_null(file);
    truth_append(file, &truth);
    assert_int_equal(truth_close(&file), -1);
    assert_int_equal(truth_close(&file), 0);
}

static int make_file(void **state)
{
    int file = mkstemp(path);

    (void)state;
    return file < 0 ? -1 : close(file);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_setpoint_leads_to_truth_and_codes),
        cmocka_unit_test(test_solar_cell_beyond_its_open_circuit),
        cmocka_unit_test(test_codes_are_clamped_to_their_converters),
        cmocka_unit_test(test_errors_are_those_of_the_calibration),
        cmocka_unit_test(test_each_port_has_its_own_errors),
        cmocka_unit_test(test_code_0_switches_the_target_off),
        cmocka_unit_test(test_noise_has_the_chosen_strength),
        cmocka_unit_test(test_noise_of_samples_is_independent),
        cmocka_unit_test(test_the_seed_decides_all),
        cmocka_unit_test(test_sky_follows_its_file),
        cmocka_unit_test(test_temperature_of_the_sky_moves_the_open_circuit),
        cmocka_unit_test(test_replayed_curve),
        cmocka_unit_test(test_target_lives_and_dies_with_its_supply),
        cmocka_unit_test(test_impossible_worlds_are_refused),
        cmocka_unit_test(test_wild_skies_are_refused_or_survived),
        cmocka_unit_test(test_truth_file_holds_every_record),
        cmocka_unit_test(test_truth_that_cannot_be_written_is_told),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
