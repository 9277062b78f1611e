/* SPDX-License-Identifier: MIT */
#include "pru/sim/world.h"

#include "pru/abi/pru_shm.h"
#include "pru/sim/converters.h"
#include "pru/sim/rng.h"
#include "pru/sim/solar.h"
#include "pru/sim/table.h"
#include "pru/sim/target.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double SAMPLE_S = 1e-5;
static const double MIN_TEMPERATURE_C = -100;
static const double MAX_TEMPERATURE_C = 200;

struct world {
    struct world_config config;
    struct table environment;
    struct table curve;
    struct table trace;
    struct solar solar;
    struct target target;
    struct rng rng;
    struct converter_line hrv_dac_V;
    struct converter_line hrv_adc_V;
    struct converter_line adc_I;     /* of the part and port in use */
    struct converter_line emu_dac_V; /* of the port in use */
    size_t environment_hint;
    bool is_emulation;
    bool is_power_good;
    uint32_t dac[3];
    struct world_truth truth;
};

static void set_default_transducer(struct world_transducer *cell)
{
    cell->kind = TRANSDUCER_SOLAR;
    cell->irradiance_W_per_m2 = 1000;
    cell->time_scale = 1;
    cell->Isc_mA = 4;
    cell->Voc_V = 2.6;
    cell->n_cells = 4;
    cell->ideality = 1.5;
    cell->Rs_Ohm = 8;
    cell->Rsh_Ohm = 100e3;
    cell->temperature_C = 25;
    cell->Isc_per_K = 5e-4;
    cell->Voc_V_per_K = -0.008;
    cell->source_V = 3.0;
    cell->source_Ohm = 1000;
}

static void set_default_target(struct world_target *target)
{
    target->kind = TARGET_CYCLE;
    target->V_on_V = 1.8;
    target->V_brownout_V = 1.7;
    target->off_uA = 0.5;
    target->boot_ms = 20;
    target->boot_uA = 800;
    target->sleep_ms = 60;
    target->sleep_uA = 2;
    target->compute_ms = 15;
    target->compute_uA = 1500;
    target->send_ms = 3;
    target->send_uA = 7000;
    target->resistance_Ohm = 10e3;
}

struct world_config world_config_default(void)
{
    struct world_config config;

    memset(&config, 0, sizeof(config));
    config.seed = 1;
    config.noise_lsb_rms = 0.5;
    set_default_transducer(&config.transducer);
    set_default_target(&config.target);
    return config;
}

static bool is_temperature(double temperature_C)
{
    return temperature_C >= MIN_TEMPERATURE_C && temperature_C <= MAX_TEMPERATURE_C;
}

static const char *check_converters(const struct world_config *config)
{
    const struct world_channel *const channels[] = { &config->hrv_dac_V,   &config->hrv_adc_V,
                                                     &config->hrv_adc_I,   &config->emu_dac_V_A,
                                                     &config->emu_dac_V_B, &config->emu_adc_I_A,
                                                     &config->emu_adc_I_B };

    for (size_t i = 0; i < sizeof(channels) / sizeof(channels[0]); i++) {
        if (!(fabs(channels[i]->gain_error) <= 0.5) || !(fabs(channels[i]->offset) <= 1)) {
            return "converters: a gain error beyond 0.5 or an offset beyond 1";
        }
    }
    return config->noise_lsb_rms >= 0 && config->noise_lsb_rms <= 1000
               ? NULL
               : "converters: noise_lsb_rms is not between 0 and 1000";
}

static const char *check_numbers(const struct world_config *config)
{
    const struct world_transducer *cell = &config->transducer;

    if (cell->kind == TRANSDUCER_SOLAR
        && (cell->n_cells < 1 || !(cell->Isc_mA > 0) || !(cell->Voc_V > 0)
            || !(cell->ideality > 0) || !(cell->Rsh_Ohm > 0) || cell->Rs_Ohm < 0)) {
        return "transducer: Isc, Voc, ideality, cells and Rsh must be positive";
    }
    if (cell->kind == TRANSDUCER_SOLAR
        && !(cell->Voc_V / cell->Rsh_Ohm < cell->Isc_mA * 1e-3)) {
        return "transducer: Rsh leaves no current for the diode";
    }
    if (cell->kind == TRANSDUCER_SOLAR && !is_temperature(cell->temperature_C)) {
        return "transducer: temperature_C is not between -100 and 200";
    }
    if (cell->kind == TRANSDUCER_CONSTANT && !(cell->source_Ohm > 0)) {
        return "transducer: source_Ohm must be positive";
    }
    if (config->target.kind == TARGET_RESISTOR && !(config->target.resistance_Ohm > 0)) {
        return "target: resistance_Ohm must be positive";
    }
    return check_converters(config);
}

/* Light below 0 is a pyranometer's night, and dark. */
static int check_environment(const struct world *world, char *why, size_t size)
{
    const struct table *sky = &world->environment;

    for (size_t i = 0; sky->n_columns > 2 && i < sky->n_rows; i++) {
        if (!is_temperature(sky->columns[2][i])) {
            snprintf(why, size, "%s: row %zu: %g C is not between %g and %g C",
                     world->config.transducer.environment, i + 1, sky->columns[2][i],
                     MIN_TEMPERATURE_C, MAX_TEMPERATURE_C);
            return -1;
        }
    }
    return 0;
}

static int load_tables(struct world *world, char *why, size_t size)
{
    const struct world_transducer *transducer = &world->config.transducer;
    const struct world_target *target = &world->config.target;

    if (transducer->kind == TRANSDUCER_SOLAR && transducer->environment[0] != '\0'
        && table_load(&world->environment, transducer->environment, 2, why, size) < 0) {
        return -1;
    }
    if (transducer->kind == TRANSDUCER_REPLAY
        && table_load(&world->curve, transducer->curve, 2, why, size) < 0) {
        return -1;
    }
    if (target->kind == TARGET_REPLAY
        && table_load(&world->trace, target->trace, 2, why, size) < 0) {
        return -1;
    }
    return 0;
}

struct world *world_create(const struct world_config *config, const char **why)
{
    static _Thread_local char text[WORLD_PATH_SIZE + 200];
    struct world *world = NULL;

    *why = check_numbers(config);
    if (*why != NULL) {
        return NULL;
    }
    world = calloc(1, sizeof(*world));
    if (world == NULL) {
        *why = "no memory for a world";
        return NULL;
    }
    world->config = *config;
    if (load_tables(world, text, sizeof(text)) < 0
        || check_environment(world, text, sizeof(text)) < 0) {
        *why = text;
        world_destroy(&world);
        return NULL;
    }
    world_begin(world, false, false);
    return world;
}

void world_destroy(struct world **world)
{
    if (*world != NULL) {
        table_free(&(*world)->environment);
        table_free(&(*world)->curve);
        table_free(&(*world)->trace);
        free(*world);
        *world = NULL;
    }
}

static void set_converters(struct world *world, bool is_port_B)
{
    const struct world_config *config = &world->config;
    const struct world_channel *adc_I = &config->hrv_adc_I;

    if (world->is_emulation) {
        adc_I = is_port_B ? &config->emu_adc_I_B : &config->emu_adc_I_A;
    }
    world->hrv_dac_V = converter_line(DAC_V_GAIN, &config->hrv_dac_V);
    world->hrv_adc_V = converter_line(ADC_V_GAIN, &config->hrv_adc_V);
    world->adc_I = converter_line(ADC_A_GAIN, adc_I);
    world->emu_dac_V =
        converter_line(DAC_V_GAIN, is_port_B ? &config->emu_dac_V_B : &config->emu_dac_V_A);
}

void world_begin(struct world *world, bool is_emulation, bool is_port_B)
{
    world->is_emulation = is_emulation;
    world->is_power_good = false;
    world->environment_hint = 0;
    memset(world->dac, 0, sizeof(world->dac));
    memset(&world->truth, 0, sizeof(world->truth));
    set_converters(world, is_port_B);
    rng_seed(&world->rng, world->config.seed);
    solar_init(&world->solar, &world->config.transducer);
    target_init(&world->target, &world->config.target, &world->trace);
}

static uint32_t read_adc_voltage(void *context)
{
    struct world *world = context;

    return adc_convert(&world->hrv_adc_V, world->truth.voltage_V, world->config.noise_lsb_rms,
                       &world->rng);
}

static uint32_t read_adc_current(void *context)
{
    struct world *world = context;

    return adc_convert(&world->adc_I, world->truth.current_A, world->config.noise_lsb_rms,
                       &world->rng);
}

static void write_dac(void *context, enum sample_dac channel, uint32_t code)
{
    struct world *world = context;

    world->dac[channel] = code < DAC_CODES ? code : (uint32_t)DAC_CODES - 1;
}

static void set_power_good(void *context, bool is_good)
{
    struct world *world = context;

    world->is_power_good = is_good;
}

void world_io(struct world *world, struct sample_io *io)
{
    *io = (struct sample_io){ .context = world,
                              .adc_voltage = read_adc_voltage,
                              .adc_current = read_adc_current,
                              .dac_write = write_dac,
                              .power_good = set_power_good };
}

static void set_sky(struct world *world, double time_s)
{
    const struct world_transducer *cell = &world->config.transducer;
    double at_s = cell->environment_start_s + time_s * cell->time_scale;
    double temperature_C = cell->temperature_C;

    if (world->environment.n_rows == 0) {
        world->truth.irradiance_W_per_m2 = cell->irradiance_W_per_m2;
        return;
    }
    world->truth.irradiance_W_per_m2 =
        table_at(&world->environment, 1, at_s, &world->environment_hint);
    if (world->environment.n_columns > 2) {
        size_t hint = world->environment_hint;

        temperature_C = table_at(&world->environment, 2, at_s, &hint);
    }
    solar_set(&world->solar, world->truth.irradiance_W_per_m2, temperature_C);
}

/* A curve from a file; where it crosses 0 is the open circuit, which holds the voltage. */
static void set_point_of_curve(const struct table *curve, double setpoint_V,
                               struct world_truth *truth)
{
    const double *V = curve->columns[0];
    const double *I = curve->columns[1];
    size_t hint = 0;

    truth->voltage_V = setpoint_V;
    truth->current_A = table_at(curve, 1, setpoint_V, &hint);
    if (truth->current_A > 0) {
        return;
    }
    truth->current_A = 0;
    truth->voltage_V = 0;
    for (size_t i = 1; i < curve->n_rows; i++) {
        if (I[i - 1] > 0 && I[i] <= 0) {
            truth->voltage_V = V[i - 1] + (V[i] - V[i - 1]) * I[i - 1] / (I[i - 1] - I[i]);
            return;
        }
    }
}

static void advance_transducer(struct world *world, uint64_t sample)
{
    const struct world_transducer *cell = &world->config.transducer;
    double setpoint_V = dac_convert(&world->hrv_dac_V, world->dac[SAMPLE_DAC_HARVEST]);
    struct world_truth *truth = &world->truth;

    switch (cell->kind) {
    case TRANSDUCER_SOLAR:
        set_sky(world, (double)sample * SAMPLE_S);
        solar_point(&world->solar, setpoint_V, &truth->voltage_V, &truth->current_A);
        break;
    case TRANSDUCER_CONSTANT:
        truth->voltage_V = setpoint_V < cell->source_V ? setpoint_V : cell->source_V;
        truth->current_A = (cell->source_V - truth->voltage_V) / cell->source_Ohm;
        break;
    case TRANSDUCER_REPLAY:
        set_point_of_curve(&world->curve, setpoint_V, truth);
        break;
    }
}

static void advance_target(struct world *world)
{
    struct world_truth *truth = &world->truth;
    uint32_t code = world->dac[SAMPLE_DAC_TARGET];

    /* Code 0 disconnects: an offset of the converter supplies nobody. */
    truth->voltage_V = code == 0 ? 0 : dac_convert(&world->emu_dac_V, code);
    truth->current_A = target_step(&world->target, truth->voltage_V, world->is_power_good);
    truth->is_supplied = world->target.state != TARGET_OFF;
}

void world_advance(struct world *world, uint64_t sample)
{
    if (world->is_emulation) {
        advance_target(world);
    } else {
        advance_transducer(world, sample);
    }
    world->truth.pins = world_pins(world);
}

uint16_t world_pins(const struct world *world)
{
    unsigned pins = world->is_emulation ? target_pins(&world->target) : 0;

    return (uint16_t)(pins | (world->is_power_good ? 1u << PRU_GPIO_POWER_GOOD_BIT : 0));
}

size_t world_uart(struct world *world, char *bytes, size_t max)
{
    struct target *target = &world->target;
    size_t size = target->uart_fill < max ? target->uart_fill : max;

    memcpy(bytes, target->uart, size);
    memmove(target->uart, target->uart + size, target->uart_fill - size);
    target->uart_fill -= size;
    return size;
}

struct world_truth world_truth(const struct world *world)
{
    return world->truth;
}
