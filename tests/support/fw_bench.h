/* SPDX-License-Identifier: MIT */
/* The firmware's images in the PRU simulator, with a cape on their pins, driven through shared
 * memory as a recorder would. For tests and benches. */
#ifndef TESTS_SUPPORT_FW_BENCH_H
#define TESTS_SUPPORT_FW_BENCH_H

#include "pru/abi/pru_shm.h"
#include "pru/sim/cape.h"
#include "pru/sim/pru_soc.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    FW_MS = 200000, /* cycles */
    FW_TRIGGERS = 4096,
};

struct fw_bench {
    struct pru_soc *soc;
    struct cape cape;
    struct pru_shm shm;
    enum pru_mode mode;
    /* The world: codes that the ADCs find, by the number of the reading; DAC's last codes. */
    uint32_t (*adc_code)(uint64_t reading, bool is_voltage);
    uint64_t n_current;
    uint64_t n_voltage;
    uint32_t dac[3];
    bool is_power_good;
    uint32_t pins;                        /* of the target, r31 of PRU1 */
    uint32_t (*pin_wave)(uint64_t cycle); /* instead of pins, if not NULL */
    uint32_t period_ticks_q20;            /* 0: nominal */
    enum ads8691_defect defect;           /* of the emulator's ADC, from the boot on */
    /* cycles at which samples were triggered, for each ADC, the first FW_TRIGGERS */
    uint64_t triggers[FW_TRIGGERS];
    uint32_t n_triggers;
    char why[512];
};

/* Whether the images were built; folder: where they are. */
bool fw_bench_has_images(const char *folder);

/* Loads PRU1's image, then PRU0's for the mode, and runs until the firmware says IDLE. -1 and
 * bench->why when it does not within 20 ms. */
int fw_bench_boot(struct fw_bench *bench, const char *folder, enum pru_mode mode,
                  enum pru_latency latency);
void fw_bench_close(struct fw_bench *bench);

/* Runs for a while. */
void fw_bench_run(struct fw_bench *bench, uint32_t cycles);

/* A command with its arguments already in shared memory; the error, or -1 without an answer
 * within 5 ms. */
int fw_bench_command(struct fw_bench *bench, enum pru_command command);

/* Configures, arms 100 us ahead for n samples. -1 and why when refused. */
int fw_bench_start(struct fw_bench *bench, const struct vsource_params *params,
                   uint32_t record_mask, uint64_t n_samples);

/* The counter, 64 bits. */
uint64_t fw_bench_now(const struct fw_bench *bench);

#endif
