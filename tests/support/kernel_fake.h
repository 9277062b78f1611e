/* SPDX-License-Identifier: MIT */
/* Plays Linux for the board "pru": a folder with remoteproc's and UIO's attributes, a device
 * file with the memories, and a thread that obeys "start" and "stop". While both cores run it
 * plays the PRU as well, with pru/core's sampler over the simulated world, on a mapping of its
 * own of the same memory. */
#ifndef TESTS_SUPPORT_KERNEL_FAKE_H
#define TESTS_SUPPORT_KERNEL_FAKE_H

#include "sheep/board_pru.h"

#include <stdbool.h>

struct kernel_fake;

struct kernel_fake_config {
    bool lacks_uio;       /* the overlay is not there */
    bool lacks_core;      /* the second core is not */
    bool lacks_firmware;  /* start fails as the kernel's does */
    unsigned ocmc_bytes;  /* 0: as many as needed */
    bool is_blind;        /* the PRU watches no pins */
    const char *stuck_in; /* state that no command changes; NULL: obeys */
};

/* The calling test fails when something is not possible. */
struct kernel_fake *kernel_fake_create(const struct kernel_fake_config *config);
void kernel_fake_destroy(struct kernel_fake **kernel);

/* What board_pru_create wants to know; a loan. */
const struct board_pru_config *kernel_fake_board(const struct kernel_fake *kernel);

/* Folder of a core's attributes; 0 or 1. A loan. */
const char *kernel_fake_core(const struct kernel_fake *kernel, unsigned core);
const char *kernel_fake_root(const struct kernel_fake *kernel);

/* The raw hardware counter is as given from now on, and the PRU's count of its half turns. */
void kernel_fake_set_counter(struct kernel_fake *kernel, uint32_t count, uint32_t turns);

#endif
