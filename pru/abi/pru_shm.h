/* SPDX-License-Identifier: MIT */
/* The memory that Linux and the PRU share: control block, input ring, block ring, GPIO ring.
 *
 * Fixed widths, no pointers, one writer per field ("host" is the recorder on Linux, "pru" the
 * firmware or its simulation). Indices of rings run freely in 32 bits and wrap; a ring holds
 * write - read entries. A producer stores the entry first and the index afterwards with
 * shm_store_u32; a consumer loads the index with shm_load_u32 before it looks at the entry.
 * 64-bit fields change only before such a store of a 32-bit word beside them (command_seq,
 * state, an index), never on their own, so that no reader sees half of one. The table of byte
 * offsets is in pru/abi/README.md. */
#ifndef PRU_ABI_PRU_SHM_H
#define PRU_ABI_PRU_SHM_H

#include "pru/abi/vsource_params.h"

#include <stddef.h>
#include <stdint.h>

enum {
    PRU_ABI_VERSION = 1,
    PRU_TICK_NS = 5, /* IEP at 200 MHz, AM335x TRM 4.4.3.2 */
    PRU_SAMPLE_RATE_HZ = 100000,
    PRU_SAMPLE_TICKS = 2000,  /* 10 us */
    PRU_BLOCK_SAMPLES = 1000, /* 10 ms */
    PRU_BLOCK_COUNT = 512,    /* 8 MiB, 5.12 s */
    PRU_BLOCK_ARRAYS = 4,
    PRU_GPIO_EVENT_COUNT = 2097152, /* 16 MiB of 8 bytes */
    PRU_INPUT_SAMPLES = 8192,       /* 64 KiB of OCMC, 82 ms */
    PRU_UTIL_COUNT = 64,
    PRU_CONTROL_BYTES = 12288, /* the PRUs' shared RAM */
    PRU_PARAMS_OFFSET = 4096,
};

static const uint32_t PRU_CANARY = 0x5AFEBE11u;
/* 2000 ticks in Q20; one LSB is 0.48 ppb. Range of steering: +-200 ppm. */
static const uint32_t PRU_PERIOD_NOMINAL_Q20 = 2000u << 20;
static const uint64_t PRU_NO_STOP = UINT64_MAX;

enum pru_mode {
    PRU_MODE_NONE = 0,
    PRU_MODE_HARVEST = 0x10,
    PRU_MODE_EMULATE = 0x20,
};

/* pru -> host */
enum pru_state {
    PRU_STATE_UNKNOWN = 0,
    PRU_STATE_IDLE = 0x10,  /* booted; nothing configured */
    PRU_STATE_READY = 0x20, /* parameters copied, input looked at */
    PRU_STATE_ARMED = 0x21, /* waits for start_tick */
    PRU_STATE_RUNNING = 0x30,
    PRU_STATE_DONE = 0x40,  /* stop_sample reached, last block handed over */
    PRU_STATE_FAULT = 0xF0, /* target off; error says why */
};

/* host -> pru; executed when command_seq changes, acknowledged in command_ack */
enum pru_command {
    PRU_COMMAND_NONE = 0,
    PRU_COMMAND_CONFIGURE = 1, /* copy mode and params: IDLE or DONE -> READY */
    PRU_COMMAND_ARM = 2,       /* READY or ARMED -> ARMED, takes start_tick */
    PRU_COMMAND_DISARM = 3,    /* ARMED -> READY */
    PRU_COMMAND_STOP_AT =
        4, /* RUNNING: takes stop_sample; already past means now, at the next one */
    PRU_COMMAND_HALT = 5, /* any -> IDLE at once, target off */
};

enum pru_error {
    PRU_ERROR_NONE = 0,
    PRU_ERROR_ABI_VERSION = 1,
    PRU_ERROR_COMMAND = 2, /* not possible in this state */
    PRU_ERROR_PARAMS = 3,  /* a parameter the firmware cannot run */
    PRU_ERROR_CANARY = 4,
    PRU_ERROR_START_MISSED = 5, /* start_tick already past when armed */
    PRU_ERROR_ADC = 6,
    PRU_ERROR_WATCHDOG = 7, /* the other core is silent */
};

/* Which arrays a block holds, in this order; bits of record_mask. */
enum pru_array {
    PRU_ARRAY_VOLTAGE = 0,         /* codes: ADC when harvesting, DAC when emulating */
    PRU_ARRAY_CURRENT = 1,         /* ADC codes */
    PRU_ARRAY_STORAGE_VOLTAGE = 2, /* uV */
    PRU_ARRAY_STORAGE_CURRENT = 3, /* nA + 2^31; positive charges the store */
};

/* One processed sample of input: host to PRU, 8 bytes. */
struct pru_input {
    uint32_t voltage_uV;
    uint32_t current_nA;
};

/* 64 bytes, then the arrays of 1000 u32 that record_mask names, at fixed places. */
struct pru_block {
    uint64_t first_sample;     /* number of the first sample since the start; pru */
    uint64_t first_tick;       /* counter at its trigger; pru */
    uint32_t n_samples;        /* 1..1000; below 1000 only in the last one */
    uint32_t record_mask;      /* copied from control when configured */
    uint32_t period_ticks_q20; /* in force at the first sample */
    uint32_t underruns;        /* input samples missing within this block */
    uint32_t first_underrun;   /* offset of the first of them in this block */
    uint32_t clamped;          /* samples outside the efficiency table */
    uint32_t flags;            /* enum pru_block_flag */
    uint32_t reserved[4];
    uint32_t canary; /* PRU_CANARY, stored last */
    uint32_t samples[PRU_BLOCK_ARRAYS][PRU_BLOCK_SAMPLES];
    uint32_t padding[80];
};

enum pru_block_flag {
    PRU_BLOCK_STARTING = 1u << 0,  /* start power supplies the target in (part of) this block */
    PRU_BLOCK_SATURATED = 1u << 1, /* a converter was at its limit */
    PRU_BLOCK_LATE = 1u << 2,      /* a sample was triggered more than 1 us after its time */
    PRU_BLOCK_ADC = 1u << 3, /* an ADC was silent and had to be started again: up to 2000 codes
                              * before that are not to be trusted */
};

/* GPIO event: bits 0..15 the state of the pins after the edge, bits 16..63 the counter's low
 * 48 bits (16 days at 5 ns; the reader unwraps). */
typedef uint64_t pru_gpio_event;

enum {
    PRU_GPIO_POWER_GOOD_BIT = 9,
    PRU_GPIO_PIN_COUNT = 16
};

/* error_detail of PRU_ERROR_ADC */
enum pru_adc {
    PRU_ADC_EMULATOR_CURRENT = 1,
    PRU_ADC_HARVESTER_VOLTAGE = 2,
    PRU_ADC_HARVESTER_CURRENT = 3,
};

/* How the sampler's core tells the other one, which watches the pins. */
enum pru_output {
    PRU_OUTPUT_POWER_GOOD = 1u << 0,
    PRU_OUTPUT_GPIO_MUTED =
        1u << 1, /* the target's supply is too low for its pins to mean much */
};

struct pru_util {
    uint64_t first_tick;     /* of a window of 10 000 samples */
    uint32_t pru0_max_ticks; /* longest sample */
    uint32_t pru0_sum_ticks;
    uint32_t pru0_count;
    uint32_t pru1_max_ticks; /* longest loop */
    uint32_t reserved[2];
};

/* Offsets are part of the interface; the assertions below and the README table state them. */
struct pru_control {
    uint32_t abi_version; /* pru, at boot, last of all fields */
    uint32_t canary_head; /* pru at boot; both sides check */
    /* written by the host */
    uint32_t command;
    uint32_t command_seq;      /* changes with every command */
    uint32_t mode;             /* enum pru_mode */
    uint32_t record_mask;      /* bits of enum pru_array */
    uint32_t gpio_mask;        /* pins that are recorded */
    uint32_t period_ticks_q20; /* may change while running */
    uint64_t start_tick;       /* of sample 0 */
    uint64_t stop_sample;      /* samples [0, stop_sample) are taken; read at ARM and STOP_AT */
    uint32_t block_read_idx;
    uint32_t gpio_read_idx;
    uint32_t input_write_idx;
    uint32_t util_read_idx;
    uint32_t input_end; /* 1: no more input follows; repeat nothing, deliver 0 */
    uint32_t host_reserved[7];
    /* written by the PRU */
    uint32_t state; /* enum pru_state; offset 96 */
    uint32_t error; /* enum pru_error */
    uint32_t error_detail;
    uint32_t command_ack;  /* command_seq of the last command executed */
    uint64_t started_tick; /* counter at which sample 0 was really triggered */
    uint32_t samples_done; /* low 32 bits of the number taken, also those not yet in a block */
    uint32_t inputs_done;  /* low 32 bits of the number of input samples consumed */
    uint32_t block_write_idx;
    uint32_t gpio_write_idx;
    uint32_t input_read_idx;
    uint32_t util_write_idx;
    uint32_t blocks_lost; /* ring was full; their samples are missing */
    uint32_t gpio_lost;
    uint32_t input_underruns; /* samples */
    uint32_t clamped;         /* samples outside the efficiency table */
    uint32_t alive;           /* counts up at least every 100 ms */
    uint32_t outputs; /* enum pru_output; what the sampler drives beside the converters */
    /* Upper 33 bits of the 64-bit counter, of which the hardware has the lower 32: its bit 31
     * is in both, so that a reader knows whether this is already up to date. */
    uint32_t counter_turns;
    uint32_t pru_reserved[5];
    struct pru_util util[PRU_UTIL_COUNT]; /* offset 192 */
    uint8_t reserved[PRU_PARAMS_OFFSET - 192 - PRU_UTIL_COUNT * 32 - 4];
    uint32_t canary_middle;       /* offset 4092 */
    struct vsource_params params; /* host; copied by the PRU at CONFIGURE */
};

_Static_assert(sizeof(struct pru_block) == 16384, "block");
_Static_assert(offsetof(struct pru_block, n_samples) == 16, "block");
_Static_assert(offsetof(struct pru_block, canary) == 60, "block");
_Static_assert(offsetof(struct pru_block, samples) == 64, "block");
_Static_assert(sizeof(struct pru_util) == 32, "util");
_Static_assert(sizeof(struct pru_input) == 8, "input");
_Static_assert(offsetof(struct pru_control, start_tick) == 32, "control");
_Static_assert(offsetof(struct pru_control, stop_sample) == 40, "control");
_Static_assert(offsetof(struct pru_control, block_read_idx) == 48, "control");
_Static_assert(offsetof(struct pru_control, state) == 96, "control");
_Static_assert(offsetof(struct pru_control, started_tick) == 112, "control");
_Static_assert(offsetof(struct pru_control, block_write_idx) == 128, "control");
_Static_assert(offsetof(struct pru_control, outputs) == 164, "control");
_Static_assert(offsetof(struct pru_control, util) == 192, "control");
_Static_assert(offsetof(struct pru_control, canary_middle) == 4092, "control");
_Static_assert(offsetof(struct pru_control, params) == PRU_PARAMS_OFFSET, "control");
_Static_assert(sizeof(struct pru_control) <= PRU_CONTROL_BYTES, "control");

/* Everything a board maps, as the host sees it. */
struct pru_shm {
    struct pru_control *control;
    struct pru_input *input;  /* PRU_INPUT_SAMPLES */
    struct pru_block *blocks; /* PRU_BLOCK_COUNT */
    pru_gpio_event *gpio;     /* PRU_GPIO_EVENT_COUNT */
};

#if __STDC_HOSTED__
static inline uint32_t shm_load_u32(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void shm_store_u32(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}
#else
/* A PRU executes in order, and its stores reach a memory in their order: only the compiler has
 * to leave them so. */
static inline uint32_t shm_load_u32(const uint32_t *word)
{
    uint32_t value = *(const volatile uint32_t *)word;

    __asm__ volatile("" ::: "memory");
    return value;
}

static inline void shm_store_u32(uint32_t *word, uint32_t value)
{
    __asm__ volatile("" ::: "memory");
    *(volatile uint32_t *)word = value;
}
#endif

/* Copies out of shared memory what no ring hands over; needs no library. */
static inline void shm_read(void *to, const void *from, size_t size)
{
    const volatile unsigned char *source = (const volatile unsigned char *)from;
    unsigned char *target = (unsigned char *)to;

    for (size_t i = 0; i < size; i++) {
        target[i] = source[i];
    }
}

#endif
