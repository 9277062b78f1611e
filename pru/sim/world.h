/* SPDX-License-Identifier: MIT */
/* The simulated world behind a simulated board: transducer, target and converters with their
 * errors.
 *
 * All randomness follows from the seed, so that a run repeats exactly. One thread. May use libc
 * and libm, unlike pru/core. Order within sample k:
 *
 *     world_advance(world, k)      the world at the trigger of sample k, under the DAC's code
 * of sample k - 1 sampler_step()               reads the ADCs through world_io, writes the DACs
 *     world_pins, world_truth      what was true at the trigger
 */
#ifndef PRU_SIM_WORLD_H
#define PRU_SIM_WORLD_H

#include "pru/core/sample_io.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WORLD_PATH_SIZE = 512,
    WORLD_TEXT_SIZE = 64,
    WORLD_PIN_COUNT = 16,
};

/* What is wrong with one converter: true value = code * nominal gain * (1 + gain_error) +
 * offset. Nominal gains (cape 2.4): ADC 5.12 V / 2^18; current 1 A / 4915200 (2 Ohm x 48); DAC
 * 5 V / 2^16. */
struct world_channel {
    double gain_error;
    double offset; /* V or A */
};

enum world_transducer_kind {
    TRANSDUCER_SOLAR,
    TRANSDUCER_CONSTANT, /* an ideal diode-less source: voltage behind a resistance */
    TRANSDUCER_REPLAY,   /* a table of I over V from a file */
};

struct world_transducer {
    enum world_transducer_kind kind;
    char environment[WORLD_PATH_SIZE]; /* CSV: time_s,irradiance_W_per_m2[,temperature_C] */
    double irradiance_W_per_m2;        /* without an environment */
    double environment_start_s;
    double time_scale; /* seconds of the environment in one second */
    double Isc_mA;     /* at 1000 W/m2 and 25 C */
    double Voc_V;
    uint32_t n_cells; /* in series */
    double ideality;
    double Rs_Ohm;
    double Rsh_Ohm;
    double temperature_C; /* without a column of it */
    double Isc_per_K;     /* relative */
    double Voc_V_per_K;
    double source_V; /* constant */
    double source_Ohm;
    char curve[WORLD_PATH_SIZE]; /* replay: CSV voltage_V,current_A, rising voltage */
};

enum world_target_kind {
    TARGET_CYCLE,  /* boots, then sleeps, computes and sends in turn */
    TARGET_REPLAY, /* a recorded current, again and again while supplied */
    TARGET_RESISTOR,
    TARGET_NONE,
};

struct world_target {
    enum world_target_kind kind;
    double V_on_V;       /* starts to boot at or above */
    double V_brownout_V; /* dies below */
    bool needs_power_good;
    double off_uA;
    double boot_ms;
    double boot_uA;
    double sleep_ms;
    double sleep_uA;
    double compute_ms;
    double compute_uA;
    double send_ms;
    double send_uA;
    double resistance_Ohm;
    char trace[WORLD_PATH_SIZE]; /* replay: CSV time_us,current_nA at 100 kHz */
};

struct world_config {
    uint64_t seed;
    double noise_lsb_rms; /* of every ADC */
    struct world_channel hrv_dac_V;
    struct world_channel hrv_adc_V;
    struct world_channel hrv_adc_I;
    struct world_channel emu_dac_V_A;
    struct world_channel emu_dac_V_B;
    struct world_channel emu_adc_I_A;
    struct world_channel emu_adc_I_B;
    struct world_transducer transducer;
    struct world_target target;
};

/* Sound values for everything: a small cell under 1000 W/m2, a cycling target, half an LSB of
 * noise. */
struct world_config world_config_default(void);

struct world;

/* NULL and *why (static or until the next call of a world_create in this thread: file, line,
 * fault). */
struct world *world_create(const struct world_config *config, const char **why);
void world_destroy(struct world **world);

/* Back to the state before sample 0, generator included. */
void world_begin(struct world *world, bool is_emulation, bool is_port_B);

/* Functions for the sampler; context is the world. */
void world_io(struct world *world, struct sample_io *io);

void world_advance(struct world *world, uint64_t sample);

/* Pins at the last trigger: bit 0 running, 1 computing, 2 sending, 3 toggles with every cycle,
 * and power-good on its own bit. */
uint16_t world_pins(const struct world *world);

/* Bytes that the target has sent over its UART since the last call; returns how many. */
size_t world_uart(struct world *world, char *bytes, size_t max);

/* At the last trigger, before the converters: harvesting: voltage and current of the
 * transducer; emulating: supply and current of the target. */
struct world_truth {
    double voltage_V;
    double current_A;
    double irradiance_W_per_m2;
    uint16_t pins;
    bool is_supplied; /* the target is alive */
};
struct world_truth world_truth(const struct world *world);

#endif
