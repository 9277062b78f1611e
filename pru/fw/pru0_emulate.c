/* SPDX-License-Identifier: MIT */
/* PRU0, emulation: the target's current in, the target's supply out. The sources of pru/core
 * are part of this file, so that the compiler sees the whole image and nothing else is in it.
 */
#define SAMPLER_MODE PRU_MODE_EMULATE

#include "pru/core/sampler.h"
#include "pru/fw/cape.h"
#include "pru/fw/converters.h"
#include "pru/fw/hardware.h"
#include "pru/fw/link.h"

#include "pru/core/calib.c"
#include "pru/core/converter.c"
#include "pru/core/efficiency.c"
#include "pru/core/fx.c"
#include "pru/core/fx_asm.c"
#include "pru/core/sampler.c"
#include "pru/core/sampler_state.c"
#include "pru/core/store.c"
#include "pru/core/vsource.c"

enum {
    ADC_MASK = 1 << CAPE_CS_EMU_ADC,
    INPUT_LOOPS = 20000, /* of some 50 ns */
};

static uint32_t trigger_tick;

static struct {
    uint32_t code; /* of the ADC, the one before, and how often it came in a row */
    uint32_t code_before;
    uint32_t n_equal;
} adc;

uint32_t sample_io_adc_voltage(const struct sample_io *io)
{
    (void)io;
    return 0;
}

uint32_t sample_io_adc_current(const struct sample_io *io)
{
    uint32_t code = 0;

    (void)io;
    ads8691_await(trigger_tick);
    code = spi_read_18(CAPE_CS_EMU_ADC);
    adc.code = code;
    return code;
}

void sample_io_dac_write(const struct sample_io *io, enum sample_dac channel, uint32_t code)
{
    (void)io;
    if (channel == SAMPLE_DAC_TARGET) {
        spi_write_24(CAPE_CS_EMU_DAC, DAC8562_B | code);
    } else if (channel == SAMPLE_DAC_AUX) {
        __delay_cycles(DAC8562_PAUSE_CYCLES); /* the target's code was before it, if anything */
        spi_write_24(CAPE_CS_EMU_DAC, DAC8562_A | code);
    }
}

void sample_io_power_good(const struct sample_io *io, bool is_good)
{
    (void)io;
    if (is_good) {
        hardware_r30 |= (uint32_t)CAPE_PRU0_POWER_GOOD;
    } else {
        hardware_r30 &= ~(uint32_t)CAPE_PRU0_POWER_GOOD;
    }
}

static void __attribute__((noreturn)) give_up(struct link *link);

void sampler_await_input(struct sampler *sampler)
{
    struct link *link = link_memory();

    (void)sampler;
    for (uint32_t n = 0; shm_load_u32(&link->input_seq) != link->took_seq; n++) {
        if (n > INPUT_LOOPS) {
            give_up(link);
        }
    }
}

void sampler_release_input(struct sampler *sampler)
{
    struct link *link = link_memory();

    (void)sampler;
    shm_store_u32(&link->used_seq, link->took_seq);
}

static uint32_t adcs_find_silent(void)
{
    return ads8691_start(CAPE_CS_EMU_ADC) ? 0 : PRU_ADC_EMULATOR_CURRENT;
}

static void converters_start(void)
{
    if (CAPE_HAS_HARVESTER) {
        dac8562_write(CAPE_CS_HRV_DAC, DAC8562_POWER_DOWN);
    }
    dac8562_start(CAPE_CS_EMU_DAC);
}

static void adcs_count(void)
{
    adc.n_equal = adc.code == adc.code_before ? adc.n_equal + 1 : 0;
    adc.code_before = adc.code;
}

static void adcs_check(struct link *link, uint32_t n_equal)
{
    if (adc.n_equal < n_equal) {
        return;
    }
    adc.n_equal = 0;
    if (ads8691_is_present(CAPE_CS_EMU_ADC)) {
        return;
    }
    sampler_flag(&link->sampler, PRU_BLOCK_ADC);
    if (!ads8691_start(CAPE_CS_EMU_ADC)) {
        link->silent_adc = PRU_ADC_EMULATOR_CURRENT;
    }
}

#include "pru/fw/pru0_loop.h"

int main(void)
{
    run();
}
