/* SPDX-License-Identifier: MIT */
#include "sheep/board_pru.h"

#include "common/log.h"
#include "pru/abi/pru_map.h"
#include "sheep/remoteproc.h"
#include "sheep/uio.h"

#include <stdio.h>
#include <stdlib.h>

/* The three mappings of the UIO device, in the device tree's order. */
enum {
    MAP_PRUSS,
    MAP_OCMC,
    MAP_RINGS,
    PRUSS_BYTES = 0x80000,
    CAPE_WITHOUT_HARVESTER = 25
};

/* The AM335x's PRU subsystem is at 0x4A300000; remoteproc names a core by its control registers
 * (TRM SPRUH73Q, 4.3.1). */
static const char CORE_0[] = "4a334000.pru";
static const char CORE_1[] = "4a338000.pru";
static const char DEVICE[] = "bellwether";

struct board_pru {
    struct board board;
    struct uio uio;
    struct remoteproc cores[2];
    unsigned cape;
    const volatile uint32_t *count; /* the IEP's, in the mapped subsystem */
};

static struct board_pru *self_of(struct board *board)
{
    return (struct board_pru *)(void *)board;
}

static void halt(struct board *board)
{
    struct board_pru *pru = self_of(board);
    struct err err;

    /* The sampling core first: without the other one it would see a dead watchdog. */
    for (unsigned i = 0; i < 2; i++) {
        if (remoteproc_stop(&pru->cores[i], &err) < 0) {
            log_warn("PRU%u: %s", i, err.text);
        }
    }
    shm_store_u32(&board->shm.control->state, PRU_STATE_UNKNOWN);
}

/* The image as pru/fw builds it, in the folder that the package installs. */
static int start_core(struct board_pru *pru, unsigned core, const char *image, struct err *err)
{
    char firmware[64];

    snprintf(firmware, sizeof(firmware), "bellwether/%s-%u.elf", image, pru->cape);
    return remoteproc_start(&pru->cores[core], firmware, err);
}

static int boot(struct board *board, enum pru_mode mode, struct err *err)
{
    struct board_pru *pru = self_of(board);

    if (mode == PRU_MODE_HARVEST && pru->cape == CAPE_WITHOUT_HARVESTER) {
        return err_set(err, ERR_HARDWARE,
                       "a cape of revision 2.5 has no converters to harvest");
    }
    halt(board);
    uio_clear(&pru->uio);
    if (start_core(pru, 1, "pru1", err) < 0) {
        return -1;
    }
    return start_core(pru, 0, mode == PRU_MODE_EMULATE ? "pru0-emulate" : "pru0-harvest", err);
}

/* The firmware looks at command_seq between two samples and all the time when it is idle. */
static void kick(struct board *board)
{
    (void)board;
}

/* The hardware counts 32 bits; PRU1 counts their half turns, and bit 31 tells whether it has
 * seen the latest one. */
static uint64_t counter(struct board *board)
{
    const struct board_pru *pru = self_of(board);
    uint32_t turns = 0;
    uint32_t count = 0;

    do {
        turns = shm_load_u32(&board->shm.control->counter_turns);
        count = *pru->count;
    } while (turns != shm_load_u32(&board->shm.control->counter_turns));
    turns += (turns ^ count >> 31) & 1;
    return (uint64_t)turns << 31 | (count & 0x7FFFFFFFu);
}

static void clear(struct board *board)
{
    uio_clear(&self_of(board)->uio);
}

static void destroy(struct board *board)
{
    struct board_pru *pru = self_of(board);

    if (board->shm.control != NULL) {
        halt(board);
    }
    uio_close(&pru->uio);
    free(pru);
}

static int map_memory(struct board_pru *pru, struct err *err)
{
    uint8_t *pruss = NULL;
    uint8_t *ocmc = NULL;
    uint8_t *rings = NULL;
    size_t rings_bytes = PRU_MAP_DDR_BLOCKS_BYTES + PRU_MAP_DDR_GPIO_BYTES;

    if (uio_map(&pru->uio, MAP_PRUSS, PRUSS_BYTES, &pruss, err) < 0
        || uio_map(&pru->uio, MAP_OCMC, PRU_MAP_OCMC_BYTES, &ocmc, err) < 0
        || uio_map(&pru->uio, MAP_RINGS, rings_bytes, &rings, err) < 0) {
        return -1;
    }
    pru->board.shm.control = (struct pru_control *)(void *)(pruss + PRU_MAP_SHARED);
    pru->board.shm.input = (struct pru_input *)(void *)ocmc;
    pru->board.shm.blocks = (struct pru_block *)(void *)rings;
    pru->board.shm.gpio = (pru_gpio_event *)(void *)(rings + PRU_MAP_DDR_BLOCKS_BYTES);
    pru->count = (const volatile uint32_t *)(const void *)(pruss + PRU_MAP_IEP + PRU_IEP_COUNT);
    return 0;
}

struct board *board_pru_create(const struct board_pru_config *config, struct err *err)
{
    static const struct board_ops ops = { .name = "pru",
                                          .boot = boot,
                                          .halt = halt,
                                          .kick = kick,
                                          .clear = clear,
                                          .counter = counter,
                                          .destroy = destroy };
    const char *sysfs = config->sysfs != NULL ? config->sysfs : "/sys";
    const char *dev = config->dev != NULL ? config->dev : "/dev";
    struct board_pru *pru = calloc(1, sizeof(*pru));

    if (pru == NULL) {
        err_set(err, ERR_MEMORY, "board");
        return NULL;
    }
    pru->board.ops = &ops;
    pru->uio.fd = -1;
    pru->cape = config->cape;
    if (remoteproc_find(&pru->cores[0], sysfs, CORE_0, err) < 0
        || remoteproc_find(&pru->cores[1], sysfs, CORE_1, err) < 0
        || uio_open(&pru->uio, sysfs, dev, DEVICE, config->map_step, err) < 0
        || map_memory(pru, err) < 0) {
        destroy(&pru->board);
        return NULL;
    }
    pru->board.event_fd = pru->uio.fd;
    return &pru->board;
}
