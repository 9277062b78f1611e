/* SPDX-License-Identifier: MIT */
/* PRU0, harvest: the transducer's voltage and current in, the voltage it is held at out. The
 * sources of pru/core are part of this file, so that the compiler sees the whole image and
 * nothing else is in it. */
#define SAMPLER_MODE PRU_MODE_HARVEST

#include "pru/core/sampler.h"
#include "pru/fw/cape.h"
#include "pru/fw/converters.h"
#include "pru/fw/hardware.h"
#include "pru/fw/link.h"

#include "pru/core/adc_harvester.c"
#include "pru/core/calib.c"
#include "pru/core/fx.c"
#include "pru/core/fx_asm.c"
#include "pru/core/sampler.c"
#include "pru/core/sampler_state.c"

enum {
    ADC_MASK = 1 << CAPE_CS_HRV_ADC_V | 1 << CAPE_CS_HRV_ADC_I,
};

struct adc_watch {
    uint32_t code;
    uint32_t code_before;
    uint32_t n_equal; /* how often that came in a row */
};

static uint32_t trigger_tick;

static struct {
    struct adc_watch voltage;
    struct adc_watch current;
} adcs;

static uint32_t read_adc(uint32_t cs, struct adc_watch *watch)
{
    uint32_t code = 0;

    ads8691_await(trigger_tick);
    code = spi_read_18(cs);
    watch->code = code;
    return code;
}

uint32_t sample_io_adc_voltage(const struct sample_io *io)
{
    (void)io;
    return read_adc(CAPE_CS_HRV_ADC_V, &adcs.voltage);
}

uint32_t sample_io_adc_current(const struct sample_io *io)
{
    (void)io;
    return read_adc(CAPE_CS_HRV_ADC_I, &adcs.current);
}

void sample_io_dac_write(const struct sample_io *io, enum sample_dac channel, uint32_t code)
{
    (void)io;
    if (channel == SAMPLE_DAC_HARVEST) {
        dac8562_write(CAPE_CS_HRV_DAC, DAC8562_B | code);
    }
}

void sample_io_power_good(const struct sample_io *io, bool is_good)
{
    (void)io;
    (void)is_good; /* PRU1 drives it, and it stays low */
}

static void count_equal(struct adc_watch *watch)
{
    watch->n_equal = watch->code == watch->code_before ? watch->n_equal + 1 : 0;
    watch->code_before = watch->code;
}

static void adcs_count(void)
{
    count_equal(&adcs.voltage);
    count_equal(&adcs.current);
}

static uint32_t adcs_find_silent(void)
{
    if (!ads8691_start(CAPE_CS_HRV_ADC_V)) {
        return PRU_ADC_HARVESTER_VOLTAGE;
    }
    return ads8691_start(CAPE_CS_HRV_ADC_I) ? 0 : PRU_ADC_HARVESTER_CURRENT;
}

static void converters_start(void)
{
    dac8562_write(CAPE_CS_EMU_DAC, DAC8562_POWER_DOWN);
    dac8562_start(CAPE_CS_HRV_DAC);
    dac8562_write(CAPE_CS_HRV_DAC, DAC8562_B | CALIB_DAC_MAX); /* its reset shorts the source */
}

static void check(struct link *link, uint32_t cs, struct adc_watch *watch)
{
    watch->n_equal = 0;
    if (ads8691_is_present(cs)) {
        return;
    }
    sampler_flag(&link->sampler, PRU_BLOCK_ADC);
    if (!ads8691_start(cs)) {
        link->silent_adc =
            cs == CAPE_CS_HRV_ADC_V ? PRU_ADC_HARVESTER_VOLTAGE : PRU_ADC_HARVESTER_CURRENT;
    }
}

static void adcs_check(struct link *link, uint32_t n_equal)
{
    if (adcs.voltage.n_equal >= n_equal) {
        check(link, CAPE_CS_HRV_ADC_V, &adcs.voltage);
    } else if (adcs.current.n_equal >= n_equal) {
        check(link, CAPE_CS_HRV_ADC_I, &adcs.current);
    }
}

#include "pru/fw/pru0_loop.h"

int main(void)
{
    run();
}
