/* SPDX-License-Identifier: MIT */
#include "common/eeprom.h"
#include "common/vsource_derive.h"
#include "sheep/node_time.h"
#include "sheep/pru_link.h"
#include "sheep/recorder.h"
#include "sheep/selftest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    /* The firmware asks an ADC that gives 2000 equal codes whether it is still there.
     * What is looked at is the last block. */
    N_BLOCKS = 3,
    N_SAMPLES = N_BLOCKS * PRU_BLOCK_SAMPLES,
    N_SETTLING = 200, /* of the last block, are left out */
    N_QUIET = 500,    /* of it in an emulation: until then no input, then FAINT_uV */
    FAINT_uV = 500000,
    FAINT_nA = 1000000,
    N_READINGS = 20,
    READING_PAUSE_MS = 5,
    START_LEAD_MS = 200, /* a busy host takes some of it before the command is there */
    TIMEOUT_MS = 10000,  /* from one block to the next; sanitizers slow a firmware to a tenth */
    N_EDGES = 64
};

static const double RATE_LIMIT_PPM = 300.0;
static const double OPEN_mV = 5000.0;
static const double OPEN_MAX_V = 4.9; /* beyond it the set-point still holds the source */

/* Everything that a self-test has at hand. */
struct bench {
    const struct selftest_node *node;
    struct selftest test;
    struct pru_link link;
    struct node_time time;
    struct pru_link_edge edges[N_EDGES];
    size_t n_edges;
    struct pru_block block; /* the last one of the last run */
    uint32_t n_underruns;   /* in all of that run */
};

static void pause_ms(long ms)
{
    struct timespec pause = { ms / 1000, ms % 1000 * 1000000 };

    nanosleep(&pause, NULL);
}

static void check_eeprom(struct bench *bench)
{
    const struct selftest_node *node = bench->node;
    struct eeprom eeprom;
    struct err why = { 0 };

    if (node->eeprom == NULL || node->eeprom[0] == '\0') {
        selftest_say(&bench->test, SELFTEST_OPEN, "eeprom", "sheep.yaml names none");
    } else if (eeprom_read(node->eeprom, &eeprom, &why) < 0) {
        selftest_say(&bench->test, SELFTEST_BAD, "eeprom", "%s", why.text);
    } else if (node->cape != 0 && strtoul(eeprom.version, NULL, 10) != node->cape) {
        selftest_say(&bench->test, SELFTEST_BAD, "eeprom",
                     "the cape is of version %s, the node is configured for %u", eeprom.version,
                     node->cape);
    } else {
        selftest_say(&bench->test, SELFTEST_SOUND, "eeprom",
                     "cape %s, serial %s, calibrated %s, %s", eeprom.version, eeprom.serial,
                     eeprom.cal_date, eeprom.has_trailer ? "checksum right" : "no checksum");
    }
}

/* Firmware and converters: an ADC that does not answer keeps it from coming up. */
static bool boot(struct bench *bench, enum pru_mode mode, const char *name)
{
    const char *board = bench->link.board->ops->name;
    struct err why = { 0 };

    if (pru_link_boot(&bench->link, mode, &why) < 0) {
        selftest_say(&bench->test, SELFTEST_BAD, name, "%s", why.text);
        return false;
    }
    /* The simulated board has a world in place of converters. */
    selftest_say(&bench->test, SELFTEST_SOUND, name,
                 "board %s is up, interface version %d, canaries whole%s", board,
                 PRU_ABI_VERSION,
                 strcmp(board, "sim") == 0 ? "" : ", the ADCs answer with their range");
    return true;
}

static void check_counter(struct bench *bench)
{
    for (int i = 0; i < N_READINGS; i++) {
        node_time_read(&bench->time);
        pause_ms(READING_PAUSE_MS);
    }
    double ppm = clock_map_rate_ppm(&bench->time.map);
    uint32_t bound_ns = clock_map_bound_ns(&bench->time.map, bench->time.map.base_tick);

    if (fabs(ppm) > RATE_LIMIT_PPM) {
        selftest_say(&bench->test, SELFTEST_BAD, "clock",
                     "the counter is off by %.0f ppm: it does not run at 200 MHz", ppm);
    } else {
        selftest_say(&bench->test, SELFTEST_SOUND, "clock",
                     "the counter runs %+.1f ppm against the clock, known within %u ns", ppm,
                     bound_ns);
    }
}

static int check_block(const struct pru_block *block, uint64_t first_sample, struct err *err)
{
    if (block->first_sample != first_sample || block->n_samples != PRU_BLOCK_SAMPLES) {
        return err_set(err, ERR_HARDWARE, "a block holds samples %llu..+%u, not %llu..+%d",
                       (unsigned long long)block->first_sample, block->n_samples,
                       (unsigned long long)first_sample, PRU_BLOCK_SAMPLES);
    }
    if ((block->flags & PRU_BLOCK_ADC) != 0) {
        return err_set(err, ERR_HARDWARE, "an ADC fell silent and had to be started again");
    }
    return 0;
}

/* All blocks of a run, of which the last stays in the bench, and its end. */
static int take_blocks(struct bench *bench, struct err *err)
{
    struct pru_link *link = &bench->link;
    int64_t deadline_ns = clock_mono(bench->time.clock) + TIMEOUT_MS * NS_PER_MS;
    const struct pru_block *block = NULL;
    uint64_t n_taken = 0;

    bench->n_underruns = 0;
    while (n_taken < N_SAMPLES || pru_link_state(link) != PRU_STATE_DONE) {
        if (pru_link_check(link, err) < 0 || pru_link_block(link, &block, err) < 0) {
            return -1;
        }
        if (block != NULL) {
            bench->block = *block;
            pru_link_block_done(link);
            if (check_block(&bench->block, n_taken, err) < 0) {
                return -1;
            }
            bench->n_underruns += bench->block.underruns;
            n_taken += bench->block.n_samples;
            deadline_ns = clock_mono(bench->time.clock) + TIMEOUT_MS * NS_PER_MS;
            continue;
        }
        if (clock_mono(bench->time.clock) > deadline_ns) {
            return err_set(err, ERR_HARDWARE, "no block of samples within %d ms", TIMEOUT_MS);
        }
        pause_ms(1);
    }
    return 0;
}

/* Nothing, and then a voltage at which no target starts. */
static void feed(struct pru_link *link)
{
    for (int i = 0; i < N_SAMPLES; i++) {
        bool is_quiet = i < N_SAMPLES - PRU_BLOCK_SAMPLES + N_QUIET;
        struct pru_input input = { .voltage_uV = is_quiet ? 0 : FAINT_uV,
                                   .current_nA = is_quiet ? 0 : FAINT_nA };

        pru_link_input_put(link, &input, 1);
    }
    pru_link_input_end(link);
}

static int run(struct bench *bench, const struct node_config *config, struct err *err)
{
    struct vsource_params params;
    struct pru_link *link = &bench->link;
    struct pru_link_setup setup = { .record_mask = 3, .gpio_mask = 0xFFFF, .params = &params };
    bool is_emulation = config->mode == MODE_EMULATE;

    setup.mode = is_emulation ? PRU_MODE_EMULATE : PRU_MODE_HARVEST;
    if (vsource_derive(config, bench->node->calibration, &params, err) < 0
        || pru_link_configure(link, &setup, err) < 0) {
        return -1;
    }
    if (is_emulation) {
        feed(link);
    }
    node_time_read(&bench->time);
    node_time_set_start(&bench->time, clock_utc(bench->time.clock) + START_LEAD_MS * NS_PER_MS);
    if (pru_link_arm(link, node_time_start_tick(&bench->time), N_SAMPLES,
                     node_time_steer(&bench->time, 0, 0), err)
            < 0
        || take_blocks(bench, err) < 0) {
        return -1;
    }
    bench->n_edges = pru_link_edges(link, UINT64_MAX, bench->edges, N_EDGES);
    return 0;
}

static struct selftest_codes codes_of(const struct bench *bench, enum pru_array array,
                                      size_t from, size_t to)
{
    return selftest_codes(bench->block.samples[array] + from, to - from);
}

/* ---- the harvester ---- */

static int hold(struct bench *bench, double voltage_mV, double *seen_V, struct err *err)
{
    const struct cal_channel *channel = &bench->node->calibration->hrv_adc_V;
    struct node_config config;

    schema_defaults(&node_config_schema, &config);
    config.mode = MODE_HARVEST;
    config.harvester.algorithm = HARVESTER_CV;
    config.harvester.voltage_mV = voltage_mV;
    config.harvester.voltage_min_mV = 0.0;
    config.harvester.voltage_max_mV = OPEN_mV;
    if (run(bench, &config, err) < 0) {
        return -1;
    }
    *seen_V =
        codes_of(bench, PRU_ARRAY_VOLTAGE, N_SETTLING, PRU_BLOCK_SAMPLES).mean * channel->gain
        + channel->offset;
    return 0;
}

static int try_harvester(struct bench *bench, struct err *err)
{
    static const double SHARES[SELFTEST_POINTS] = { 0.75, 0.5, 0.25 };
    struct selftest_loop loop = { 0 };
    struct selftest_codes current;

    if (hold(bench, OPEN_mV, &loop.open_V, err) < 0) {
        return -1;
    }
    current = codes_of(bench, PRU_ARRAY_CURRENT, N_SETTLING, PRU_BLOCK_SAMPLES);
    selftest_say(&bench->test, SELFTEST_SOUND, "samples",
                 "%d taken, the last block %lld ns after its instant", N_SAMPLES,
                 (long long)node_time_residual_ns(&bench->time, bench->block.first_tick,
                                                  bench->block.first_sample));
    for (int i = 0; i < SELFTEST_POINTS && selftest_has_source(loop.open_V); i++) {
        loop.asked_V[i] = loop.open_V * SHARES[i];
        if (hold(bench, loop.asked_V[i] * 1e3, &loop.seen_V[i], err) < 0) {
            return -1;
        }
    }
    selftest_loop(&bench->test, "harvester loop", &loop);
    if (loop.open_V > OPEN_MAX_V) {
        selftest_say(&bench->test, SELFTEST_OPEN, "harvester zero",
                     "the source has more than %.1f V", OPEN_MAX_V);
    } else {
        selftest_zero(&bench->test, "harvester zero", &current,
                      &bench->node->calibration->hrv_adc_I);
    }
    return 0;
}

static void check_harvester(struct bench *bench)
{
    struct err why = { 0 };

    if (!bench->node->has_harvester) {
        selftest_say(&bench->test, SELFTEST_OPEN, "harvester", "this cape has none");
        return;
    }
    if (!boot(bench, PRU_MODE_HARVEST, "harvester firmware")) {
        return;
    }
    check_counter(bench);
    if (try_harvester(bench, &why) < 0) {
        selftest_say(&bench->test, SELFTEST_BAD, "harvester samples", "%s", why.text);
    }
    pru_link_halt(&bench->link);
}

/* ---- the emulator ---- */

static void check_pins(struct bench *bench)
{
    const uint16_t POWER_GOOD = 1u << PRU_GPIO_POWER_GOOD_BIT;
    unsigned n_rises = 0;
    uint16_t before = 0;

    for (size_t i = 0; i < bench->n_edges; i++) {
        n_rises += (bench->edges[i].pins & POWER_GOOD) != 0 && (before & POWER_GOOD) == 0;
        before = bench->edges[i].pins;
    }
    if (n_rises != 1) {
        selftest_say(&bench->test, SELFTEST_BAD, "pins",
                     "power-good rose %u times in the ring of edges, not once", n_rises);
    } else {
        selftest_say(&bench->test, SELFTEST_SOUND, "pins",
                     "power-good rose once; levels of the others at the end 0x%03x",
                     before & ~(unsigned)POWER_GOOD);
    }
}

static void check_input(struct bench *bench)
{
    uint32_t left = PRU_INPUT_SAMPLES - pru_link_input_room(&bench->link);

    if (left != 0 || bench->n_underruns != 0) {
        selftest_say(&bench->test, SELFTEST_BAD, "input ring",
                     "%u samples were left, %u were missed", left, bench->n_underruns);
    } else {
        selftest_say(&bench->test, SELFTEST_SOUND, "input ring", "all %d samples went through",
                     N_SAMPLES);
    }
}

static int try_emulator(struct bench *bench, struct err *err)
{
    struct node_config config;
    struct selftest_codes quiet;

    schema_defaults(&node_config_schema, &config);
    config.mode = MODE_EMULATE;
    config.input_samples = N_SAMPLES;
    config.source.V_pwr_good_enable_threshold_mV = 300.0;
    config.source.V_pwr_good_disable_threshold_mV = 200.0;
    config.source.immediate_pwr_good_signal = true;
    if (run(bench, &config, err) < 0) {
        return -1;
    }
    quiet = codes_of(bench, PRU_ARRAY_CURRENT, N_SETTLING, N_QUIET);
    selftest_zero(&bench->test, "emulator zero", &quiet,
                  &bench->node->calibration->emu_adc_I_A);
    selftest_say(&bench->test, SELFTEST_OPEN, "emulator DAC",
                 "nothing on the cape measures its output");
    check_pins(bench);
    check_input(bench);
    return 0;
}

static void check_emulator(struct bench *bench)
{
    struct err why = { 0 };

    if (!boot(bench, PRU_MODE_EMULATE, "emulator firmware")) {
        return;
    }
    if (!bench->node->has_harvester) {
        check_counter(bench);
    }
    if (try_emulator(bench, &why) < 0) {
        selftest_say(&bench->test, SELFTEST_BAD, "emulator samples", "%s", why.text);
    } else if (pru_link_check(&bench->link, &why) < 0) {
        selftest_say(&bench->test, SELFTEST_BAD, "rings", "%s", why.text);
    } else {
        selftest_say(&bench->test, SELFTEST_SOUND, "rings", "whole");
    }
    pru_link_halt(&bench->link);
}

int recorder_selftest_board(struct board *board, const struct clock *clock,
                            const struct selftest_node *node, struct buf *report,
                            struct err *err)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    int result = -1;

    if (bench == NULL) {
        return err_set(err, ERR_MEMORY, "self-test");
    }
    bench->node = node;
    bench->test.report = report;
    pru_link_init(&bench->link, board);
    node_time_init(&bench->time, clock, board);
    check_eeprom(bench);
    check_harvester(bench);
    check_emulator(bench);
    result = selftest_end(&bench->test, err);
    free(bench);
    return result;
}

int recorder_selftest(const struct recorder_options *options, const struct selftest_node *node,
                      struct buf *report, struct err *err)
{
    struct board *board = recorder_board_create(options, err);
    int result = -1;

    if (board == NULL) {
        return -1;
    }
    result = recorder_selftest_board(board, &options->clock, node, report, err);
    board->ops->destroy(board);
    return result;
}
