/* SPDX-License-Identifier: MIT */
#include "herd/simulate.h"

#include "common/calibration.h"
#include "common/clock.h"
#include "common/rlog.h"
#include "common/vsource_derive.h"
#include "pru/core/calib.h"
#include "pru/core/sampler.h"
#include "pru/core/tracer.h"
#include "pru/sim/truth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    START_TICK = PRU_SAMPLE_TICKS, /* the counter is at 0 when armed */
    REFILL_SAMPLES = PRU_INPUT_SAMPLES / 2,
    UART_BYTES = 4096
};

static const double SAMPLE_S = 1e-5;
static const double FW_N8_S_TO_WS = 1e-15 / 256 * 1e-5;

/* A transducer operated by a harvester that records curves: the input of an emulation. */
struct sky {
    struct world *world;
    struct sample_io io;
    struct vsource_params params;
    struct adc_harvester harvester;
    uint64_t sample;
};

struct machine {
    const struct simulation *simulation;
    struct pru_shm shm;
    struct world *world;
    struct sample_io io;
    struct sampler sampler;
    struct tracer tracer;
    struct sky sky;
    struct rlog_input_reader *reader;
    struct truth_file *truth;
    uint64_t n_samples; /* to be taken */
    struct gpio_edge *edges;
    char uart[UART_BYTES];
    struct simulation_result *result;
    bool was_alive;
    bool was_good;
};

/* ---- input ---- */

void simulate_curves(struct node_config *config, const struct harvester_config *curves)
{
    struct harvester_config harvester = *curves;

    harvester_config_finish(&harvester);
    config->input_window = harvester.samples_n * (1 + harvester.wait_cycles);
    config->input_step_uV = harvester.voltage_step_mV * 1000;
}

static int open_world(struct world **world, const struct world_config *config, struct err *err)
{
    const char *why = NULL;

    *world = world_create(config, &why);
    return *world != NULL ? 0 : err_set(err, ERR_INPUT, "%s", why);
}

static int open_sky(struct machine *machine, struct err *err)
{
    struct sky *sky = &machine->sky;

    if (open_world(&sky->world, machine->simulation->world, err) < 0) {
        return -1;
    }
    world_begin(sky->world, false, false);
    world_io(sky->world, &sky->io);
    vsource_derive_defaults(&sky->params);
    if (vsource_derive_harvester(machine->simulation->curves, NULL, &sky->params, err) < 0) {
        return -1;
    }
    adc_harvester_init(&sky->harvester, &sky->params);
    return 0;
}

/* What a node would have recorded there, as the emulation gets it: uV and nA. */
static struct pru_input take_from_sky(struct sky *sky)
{
    struct adc_output output;
    struct adc_codes codes;
    struct pru_input input;

    world_advance(sky->world, sky->sample);
    sky->sample++;
    codes.voltage = sky->io.adc_voltage(sky->io.context);
    codes.current = sky->io.adc_current(sky->io.context);
    adc_harvester_step(&sky->harvester, codes, &output);
    if (output.has_dac) {
        sky->io.dac_write(sky->io.context, SAMPLE_DAC_HARVEST, output.dac_code);
    }
    input.voltage_uV = calib_from_code(&sky->params.adc_voltage, output.recorded.voltage);
    input.current_nA = calib_from_code(&sky->params.adc_current, output.recorded.current);
    return input;
}

static void put_input(struct machine *machine, struct pru_input input)
{
    struct pru_control *control = machine->shm.control;

    machine->shm.input[control->input_write_idx % PRU_INPUT_SAMPLES] = input;
    control->input_write_idx++;
}

static int read_input(struct machine *machine, uint32_t room, struct err *err)
{
    uint32_t voltage_uV[REFILL_SAMPLES];
    uint32_t current_nA[REFILL_SAMPLES];
    size_t wanted = room < REFILL_SAMPLES ? room : REFILL_SAMPLES;
    long count = rlog_input_read(machine->reader, voltage_uV, current_nA, wanted, err);

    for (long i = 0; i < count; i++) {
        put_input(machine, (struct pru_input){ voltage_uV[i], current_nA[i] });
    }
    if (count == 0) {
        machine->shm.control->input_end = 1;
    }
    return count < 0 ? -1 : 0;
}

/* Called before every sample; the ring is topped up whenever it is half empty. */
static int feed(struct machine *machine, struct err *err)
{
    const struct pru_control *control = machine->shm.control;
    uint32_t fill = control->input_write_idx - control->input_read_idx;

    if (machine->simulation->config->mode != MODE_EMULATE || fill > REFILL_SAMPLES
        || control->input_end != 0) {
        return 0;
    }
    if (machine->reader != NULL) {
        return read_input(machine, PRU_INPUT_SAMPLES - fill, err);
    }
    for (uint32_t i = fill; i < PRU_INPUT_SAMPLES; i++) {
        put_input(machine, take_from_sky(&machine->sky));
    }
    return 0;
}

/* ---- set-up ---- */

static int make_memory(struct machine *machine, struct err *err)
{
    struct pru_shm *shm = &machine->shm;

    shm->control = calloc(1, PRU_CONTROL_BYTES);
    shm->input = calloc(PRU_INPUT_SAMPLES, sizeof(*shm->input));
    shm->blocks = calloc(PRU_BLOCK_COUNT, sizeof(*shm->blocks));
    shm->gpio = calloc(PRU_GPIO_EVENT_COUNT, sizeof(*shm->gpio));
    machine->edges = calloc(PRU_BLOCK_SAMPLES, sizeof(*machine->edges));
    if (shm->control == NULL || shm->input == NULL || shm->blocks == NULL || shm->gpio == NULL
        || machine->edges == NULL) {
        return err_set(err, ERR_MEMORY, "memory of the simulated board");
    }
    return 0;
}

static int command(struct machine *machine, enum pru_command command, struct err *err)
{
    struct pru_control *control = machine->shm.control;

    control->command = command;
    control->command_seq++;
    (void)sampler_poll(&machine->sampler, 0);
    if (control->error != PRU_ERROR_NONE) {
        return err_set(err, ERR_INPUT, "the sampler refuses command %d: error %u", (int)command,
                       control->error);
    }
    return 0;
}

static uint32_t record_mask(const struct node_config *config)
{
    const struct record_config *record = &config->record;
    uint32_t mask = 0;

    mask |= record->voltage ? 1u << PRU_ARRAY_VOLTAGE : 0;
    mask |= record->current ? 1u << PRU_ARRAY_CURRENT : 0;
    mask |= record->storage && config->mode == MODE_EMULATE
                ? 1u << PRU_ARRAY_STORAGE_VOLTAGE | 1u << PRU_ARRAY_STORAGE_CURRENT
                : 0;
    return mask;
}

static int open_input(struct machine *machine, struct err *err)
{
    const struct simulation *simulation = machine->simulation;

    if (simulation->config->mode != MODE_EMULATE) {
        return 0;
    }
    if (simulation->input == NULL) {
        return open_sky(machine, err);
    }
    machine->reader = rlog_input_open(simulation->input, err);
    if (machine->reader == NULL) {
        return -1;
    }
    if (rlog_input_samples(machine->reader) < machine->n_samples) {
        machine->n_samples = rlog_input_samples(machine->reader);
    }
    return 0;
}

static int set_up(struct machine *machine, struct err *err)
{
    const struct node_config *config = machine->simulation->config;
    const struct calibration nominal = calibration_default();
    struct pru_control *control = NULL;

    if (make_memory(machine, err) < 0 || open_input(machine, err) < 0
        || open_world(&machine->world, machine->simulation->world, err) < 0) {
        return -1;
    }
    if (machine->simulation->truth != NULL) {
        machine->truth = truth_create(machine->simulation->truth, config->mode == MODE_EMULATE);
        if (machine->truth == NULL) {
            return err_set_errno(err, "%s", machine->simulation->truth);
        }
    }
    if (machine->n_samples == 0) {
        return err_set(err, ERR_INPUT, "no samples to simulate");
    }
    control = machine->shm.control;
    world_io(machine->world, &machine->io);
    sampler_boot(&machine->sampler, &machine->shm, &machine->io);
    tracer_boot(&machine->tracer, &machine->shm);
    control->mode = config->mode == MODE_EMULATE ? PRU_MODE_EMULATE : PRU_MODE_HARVEST;
    control->record_mask = record_mask(config);
    control->gpio_mask = config->record.gpio_mask;
    control->period_ticks_q20 = PRU_PERIOD_NOMINAL_Q20;
    control->start_tick = START_TICK;
    control->stop_sample = machine->n_samples;
    if (vsource_derive(config, &nominal, &control->params, err) < 0
        || command(machine, PRU_COMMAND_CONFIGURE, err) < 0) {
        return -1;
    }
    world_begin(machine->world, config->mode == MODE_EMULATE, config->target_port == PORT_B);
    tracer_start(&machine->tracer, world_pins(machine->world));
    return command(machine, PRU_COMMAND_ARM, err);
}

static void tear_down(struct machine *machine)
{
    rlog_input_close(&machine->reader);
    (void)truth_close(&machine->truth);
    world_destroy(&machine->sky.world);
    world_destroy(&machine->world);
    free(machine->shm.control);
    free(machine->shm.input);
    free(machine->shm.blocks);
    free(machine->shm.gpio);
    free(machine->edges);
}

/* ---- samples ---- */

static void sum_up(struct machine *machine)
{
    struct simulation_result *r = machine->result;
    struct world_truth truth = world_truth(machine->world);
    const struct converter *converter = &machine->sampler.source.converter;
    double V_store_V = 0;

    r->n_samples++;
    if (machine->simulation->config->mode == MODE_HARVEST) {
        r->harvested_Ws += truth.voltage_V * truth.current_A * SAMPLE_S;
        return;
    }
    V_store_V = converter->V_mid_uV * 1e-6;
    r->input_Ws += (double)converter->P_input_fW_n8 * FW_N8_S_TO_WS;
    r->output_Ws += (double)converter->P_output_fW_n8 * FW_N8_S_TO_WS;
    r->target_Ws += truth.voltage_V * truth.current_A * SAMPLE_S;
    r->on_s += truth.is_supplied ? SAMPLE_S : 0;
    r->power_good_s += converter->is_power_good ? SAMPLE_S : 0;
    r->n_starts += truth.is_supplied && !machine->was_alive ? 1 : 0;
    r->n_power_good += converter->is_power_good && !machine->was_good ? 1 : 0;
    r->V_store_min_V = fmin(r->V_store_min_V, V_store_V);
    r->V_store_max_V = fmax(r->V_store_max_V, V_store_V);
    r->V_store_end_V = V_store_V;
    machine->was_alive = truth.is_supplied;
    machine->was_good = converter->is_power_good;
}

/* At most one edge a sample, and the ring is emptied with every block. */
static size_t take_edges(struct machine *machine)
{
    struct pru_control *control = machine->shm.control;
    size_t count = 0;

    while (control->gpio_read_idx != control->gpio_write_idx && count < PRU_BLOCK_SAMPLES) {
        pru_gpio_event event = machine->shm.gpio[control->gpio_read_idx % PRU_GPIO_EVENT_COUNT];

        machine->edges[count].time_ns = (int64_t)((event >> 16) - START_TICK) * PRU_TICK_NS;
        machine->edges[count].value = (uint16_t)event;
        count++;
        control->gpio_read_idx++;
    }
    machine->result->n_edges += count;
    return count;
}

static int drain(struct machine *machine, struct err *err)
{
    const struct simulation *simulation = machine->simulation;
    struct pru_control *control = machine->shm.control;
    struct simulation_piece piece = { 0 };
    int result = 0;

    while (result == 0 && control->block_read_idx != control->block_write_idx) {
        piece.block = &machine->shm.blocks[control->block_read_idx % PRU_BLOCK_COUNT];
        piece.edges = machine->edges;
        piece.n_edges = take_edges(machine);
        piece.uart = machine->uart;
        piece.uart_bytes = world_uart(machine->world, machine->uart, sizeof(machine->uart));
        result = simulation->take != NULL ? simulation->take(simulation->arg, &piece, err) : 0;
        control->block_read_idx++;
    }
    return result;
}

static int run(struct machine *machine, struct err *err)
{
    uint64_t tick = START_TICK;

    while (sampler_is_active(&machine->sampler)) {
        uint64_t sample = machine->sampler.sample;
        bool is_news = false;

        if (feed(machine, err) < 0) {
            return -1;
        }
        world_advance(machine->world, sample);
        is_news = sampler_step(&machine->sampler, tick);
        tracer_poll(&machine->tracer, world_pins(machine->world), tick);
        sum_up(machine);
        if (machine->truth != NULL) {
            struct world_truth truth = world_truth(machine->world);

            truth_append(machine->truth, &truth);
        }
        if (is_news && drain(machine, err) < 0) {
            return -1;
        }
        tick += PRU_SAMPLE_TICKS;
    }
    if (truth_close(&machine->truth) < 0) {
        return err_set(err, ERR_SYSTEM, "%s: not written", machine->simulation->truth);
    }
    return drain(machine, err);
}

int simulate(const struct simulation *simulation, struct simulation_result *result,
             struct err *err)
{
    struct machine *machine = calloc(1, sizeof(*machine));
    int64_t begin_ns = clock_mono_ns();
    int status = -1;

    memset(result, 0, sizeof(*result));
    result->V_store_min_V = HUGE_VAL;
    if (machine == NULL) {
        return err_set(err, ERR_MEMORY, "simulation");
    }
    machine->simulation = simulation;
    machine->result = result;
    machine->n_samples = simulation->n_samples;
    if (set_up(machine, err) == 0) {
        status = run(machine, err);
        result->n_clamped = machine->shm.control->clamped;
    }
    tear_down(machine);
    free(machine);
    if (!(result->V_store_min_V <= result->V_store_max_V)) {
        result->V_store_min_V = 0;
    }
    result->wall_s = (double)(clock_mono_ns() - begin_ns) * 1e-9;
    return status;
}
