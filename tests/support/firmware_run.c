/* SPDX-License-Identifier: MIT */
#include "tests/support/firmware_run.h"

#include "common/vsource_derive.h"
#include "sheep/board_iss.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    LEAD_MS = 300, /* a busy host takes some of it before the command is there */
    WAIT_MS = 60000,
};

static void succeed(int result, const struct err *err)
{
    if (result < 0) {
        fail_msg("%s", err->text);
    }
}

/* That of the build, or $BW_FIRMWARE_DIR: tests/firmware_mutants.py has others. */
static const char *firmware_folder(void)
{
    const char *folder = getenv("BW_FIRMWARE_DIR");

    return folder != NULL ? folder : BW_FIRMWARE_DIR;
}

bool firmware_is_there(void)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof(path), "%s/pru1-24.elf", firmware_folder());
    if (access(path, R_OK) == 0) {
        return true;
    }
    print_message("no firmware in %s: pru/toolchain.sh builds its compiler\n",
                  firmware_folder());
    return false;
}

void firmware_prepare(struct firmware_scene *scene, enum pru_mode mode, uint32_t n_samples)
{
    struct err err;

    memset(scene, 0, sizeof(*scene));
    scene->mode = mode;
    scene->n_samples = n_samples;
    scene->n_input = n_samples + 100;
    succeed(sim_config_load(&scene->sim, NULL, NULL, &err), &err);
    scene->sim.speed = SIM_FAST;
    snprintf(scene->sim.firmware, sizeof(scene->sim.firmware), "%s", firmware_folder());
    schema_defaults(&node_config_schema, &scene->config);
    scene->config.mode = mode == PRU_MODE_EMULATE ? MODE_EMULATE : MODE_HARVEST;
}

/* A sawtooth of voltage and current: what an input file could hold. */
static void feed(struct pru_link *link, const struct firmware_scene *scene, uint32_t *n_fed)
{
    uint32_t room = scene->mode == PRU_MODE_EMULATE ? pru_link_input_room(link) : 0;

    while (room > 0 && *n_fed < scene->n_input) {
        struct pru_input input = { .voltage_uV = 1500000 + *n_fed % 1000 * 1000,
                                   .current_nA = 20000000 - *n_fed % 700 * 20000 };

        pru_link_input_put(link, &input, 1);
        (*n_fed)++;
        room--;
    }
}

static void take_block(const struct pru_block *block, struct firmware_trace *trace)
{
    uint32_t at = trace->n_samples;
    size_t n_bytes = (size_t)block->n_samples * sizeof(uint32_t);

    assert_true(at + block->n_samples <= FIRMWARE_SAMPLES);
    memcpy(trace->voltage + at, block->samples[0], n_bytes);
    memcpy(trace->current + at, block->samples[1], n_bytes);
    memcpy(trace->store_voltage + at, block->samples[2], n_bytes);
    memcpy(trace->store_current + at, block->samples[3], n_bytes);
    trace->n_samples += block->n_samples;
    trace->next_sample = block->first_sample + block->n_samples;
    trace->flags |= block->flags;
    trace->underruns += block->underruns;
}

static void collect(struct pru_link *link, struct firmware_trace *trace)
{
    const struct pru_block *block = NULL;
    struct err err;

    do {
        succeed(pru_link_block(link, &block, &err), &err);
        if (block != NULL) {
            take_block(block, trace);
            pru_link_block_done(link);
        }
    } while (block != NULL);
}

/* True when there is nothing more to come. */
static bool is_over(const struct pru_link *link, struct firmware_trace *trace)
{
    struct err err;

    if (pru_link_check(link, &err) < 0) {
        snprintf(trace->fault, sizeof(trace->fault), "%s", err.text);
        return true;
    }
    return pru_link_state(link) == PRU_STATE_DONE;
}

static void boot_and_arm(struct pru_link *link, const struct firmware_scene *scene,
                         uint32_t *n_fed, uint64_t *start_tick)
{
    struct calibration calibration = calibration_default();
    struct pru_link_setup setup = { .mode = scene->mode,
                                    .record_mask = scene->mode == PRU_MODE_EMULATE ? 0xF : 3 };
    struct vsource_params params;
    struct err err;

    succeed(vsource_derive(&scene->config, &calibration, &params, &err), &err);
    setup.params = &params;
    succeed(pru_link_boot(link, scene->mode, &err), &err);
    succeed(pru_link_configure(link, &setup, &err), &err);
    feed(link, scene, n_fed);
    *start_tick =
        link->board->ops->counter(link->board) + (uint64_t)LEAD_MS * 1000000 / PRU_TICK_NS;
    succeed(pru_link_arm(link, *start_tick, scene->n_samples, PRU_PERIOD_NOMINAL_Q20, &err),
            &err);
}

void firmware_run(struct board *board, const struct firmware_scene *scene,
                  struct firmware_trace *trace)
{
    struct pru_link link;
    uint32_t n_fed = 0;
    uint64_t start_tick = 0;

    memset(trace, 0, sizeof(*trace));
    pru_link_init(&link, board);
    boot_and_arm(&link, scene, &n_fed, &start_tick);
    for (int ms = 0; !is_over(&link, trace) && ms < WAIT_MS; ms++) {
        feed(&link, scene, &n_fed);
        if (!scene->is_blind) {
            collect(&link, trace);
        }
        poll(NULL, 0, 1);
    }
    collect(&link, trace);
    trace->state = pru_link_state(&link);
    trace->late_ticks = (uint32_t)(board->shm.control->started_tick - start_tick);
    pru_link_halt(&link);
}

void firmware_run_iss(const struct firmware_scene *scene, struct firmware_trace *trace,
                      char *rules, size_t size)
{
    struct err err;
    struct board *board = board_iss_create(&scene->sim, &err);

    assert_non_null(board);
    firmware_run(board, scene, trace);
    (void)board_iss_broken_rules(board, rules, size);
    board->ops->destroy(board);
}
