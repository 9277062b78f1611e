/* SPDX-License-Identifier: MIT */
#include "common/calibration.h"
#include "common/vsource_derive.h"
#include "sheep/node_time.h"
#include "sheep/pru_link.h"
#include "sheep/recorder.h"

#include <math.h>
#include <string.h>
#include <time.h>

enum {
    N_SAMPLES = 1000,
    N_READINGS = 20,
    READING_PAUSE_MS = 5,
    START_LEAD_MS = 30,
    TIMEOUT_MS = 1000
};

static const double RATE_LIMIT_PPM = 300.0;

static void pause_ms(long ms)
{
    struct timespec pause = { ms / 1000, ms % 1000 * 1000000 };

    nanosleep(&pause, NULL);
}

/* The plainest thing that every cape can do: hold the source at 1 V and look. */
static void make_config(struct node_config *config)
{
    memset(config, 0, sizeof(*config));
    config->mode = MODE_HARVEST;
    config->harvester.algorithm = HARVESTER_CV;
    config->harvester.samples_n = 8;
    config->harvester.voltage_mV = 1000.0;
    config->harvester.voltage_max_mV = 5000.0;
    config->harvester.current_limit_uA = 50000.0;
    config->harvester.voltage_step_mV = 10.0;
    config->harvester.setpoint_n = 0.7;
    config->harvester.interval_ms = 100.0;
    config->harvester.duration_ms = 0.1;
    config->record.voltage = true;
    config->record.current = true;
}

static int check_counter(struct node_time *time, struct buf *report, struct err *err)
{
    for (int i = 0; i < N_READINGS; i++) {
        node_time_read(time);
        pause_ms(READING_PAUSE_MS);
    }
    double ppm = clock_map_rate_ppm(&time->map);

    buf_printf(report, "counter: %+.1f ppm against the clock, known within %u ns\n", ppm,
               clock_map_bound_ns(&time->map, time->map.base_tick));
    if (fabs(ppm) > RATE_LIMIT_PPM) {
        return err_set(err, ERR_HARDWARE,
                       "the counter is off by %.0f ppm: it does not run at "
                       "200 MHz",
                       ppm);
    }
    return 0;
}

static int take_samples(struct pru_link *link, struct node_time *time, struct buf *report,
                        struct err *err)
{
    int64_t deadline_ns = clock_mono(time->clock) + TIMEOUT_MS * NS_PER_MS;
    const struct pru_block *block = NULL;

    node_time_set_start(time, clock_utc(time->clock) + START_LEAD_MS * NS_PER_MS);
    if (pru_link_arm(link, node_time_start_tick(time), N_SAMPLES, node_time_steer(time, 0, 0),
                     err)
        < 0) {
        return -1;
    }
    while (block == NULL) {
        if (pru_link_check(link, err) < 0 || pru_link_block(link, &block, err) < 0) {
            return -1;
        }
        if (clock_mono(time->clock) > deadline_ns) {
            return err_set(err, ERR_HARDWARE, "no block of samples within %d ms", TIMEOUT_MS);
        }
        pause_ms(1);
    }
    if (block->first_sample != 0 || block->n_samples != N_SAMPLES) {
        return err_set(err, ERR_HARDWARE, "the first block holds samples %llu..+%u, not 0..+%d",
                       (unsigned long long)block->first_sample, block->n_samples, N_SAMPLES);
    }
    buf_printf(report, "samples: %u taken, the first %lld ns after its instant\n",
               block->n_samples, (long long)node_time_residual_ns(time, block->first_tick, 0));
    pru_link_block_done(link);
    return 0;
}

int recorder_selftest(const struct recorder_options *options, struct buf *report,
                      struct err *err)
{
    struct calibration calibration = calibration_default();
    struct pru_link_setup setup = { .mode = PRU_MODE_HARVEST, .record_mask = 3 };
    struct node_config config;
    struct vsource_params params;
    struct pru_link link;
    struct node_time time;
    struct board *board = recorder_board_create(options, err);
    int result = -1;

    if (board == NULL) {
        return -1;
    }
    make_config(&config);
    setup.params = &params;
    pru_link_init(&link, board);
    node_time_init(&time, &options->clock, board);
    if (vsource_derive(&config, &calibration, &params, err) < 0
        || pru_link_boot(&link, setup.mode, err) < 0) {
        goto done;
    }
    buf_printf(report, "board %s: firmware is up, interface version %d, canaries whole\n",
               board->ops->name, PRU_ABI_VERSION);
    if (check_counter(&time, report, err) < 0 || pru_link_configure(&link, &setup, err) < 0
        || take_samples(&link, &time, report, err) < 0 || pru_link_check(&link, err) < 0) {
        goto done;
    }
    buf_text(report, "rings: whole\n");
    result = 0;
done:
    pru_link_halt(&link);
    board->ops->destroy(board);
    return result;
}
