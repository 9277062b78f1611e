/* SPDX-License-Identifier: MIT */
#include "pru/sim/cape.h"

#include <stdio.h>
#include <string.h>

struct cape_pins cape_pins_24(void)
{
    return (struct cape_pins){
        .clock = 0,
        .data = 1,
        .answer = 2,
        .adc = {[CAPE_ADC_HRV_V] = 6, [CAPE_ADC_HRV_I] = 7, [CAPE_ADC_EMU_I] = 4 },
        .dac = { [CAPE_DAC_HRV] = 5,                   [CAPE_DAC_EMU] = 3                    },
        .power_good = 1u << 9,
        .power_good_core = 1
    };
}

struct cape_pins cape_pins_25(void)
{
    return (struct cape_pins){
        .clock = 0,
        .data = 1,
        .answer = 2,
        .adc = {[CAPE_ADC_HRV_V] = CAPE_NO_PIN,
                [CAPE_ADC_HRV_I] = CAPE_NO_PIN,
                [CAPE_ADC_EMU_I] = 4 },
        .dac = { [CAPE_DAC_HRV] = CAPE_NO_PIN,                             [CAPE_DAC_EMU] = 3},
        .power_good = 1u << 5,
        .power_good_core = 0
    };
}

static uint32_t sample_voltage(void *context)
{
    const struct cape *cape = context;

    return cape->world.io.adc_voltage == NULL
               ? 0
               : cape->world.io.adc_voltage(cape->world.io.context);
}

static uint32_t sample_current(void *context)
{
    const struct cape *cape = context;

    return cape->world.io.adc_current == NULL
               ? 0
               : cape->world.io.adc_current(cape->world.io.context);
}

static void write_dac(const struct cape *cape, enum sample_dac channel, uint32_t code)
{
    if (cape->world.io.dac_write != NULL) {
        cape->world.io.dac_write(cape->world.io.context, channel, code);
    }
}

/* Channel B is the transducer's voltage; A is not wired. */
static void harvester_changed(void *context, unsigned channel, uint32_t code)
{
    if (channel == 1) {
        write_dac(context, SAMPLE_DAC_HARVEST, code);
    }
}

static void emulator_changed(void *context, unsigned channel, uint32_t code)
{
    write_dac(context, channel == 1 ? SAMPLE_DAC_TARGET : SAMPLE_DAC_AUX, code);
}

void cape_init(struct cape *cape, const struct cape_pins *pins, const struct cape_world *world)
{
    memset(cape, 0, sizeof(*cape));
    cape->pins = *pins;
    cape->world = *world;
    ads8691_init(&cape->adc[CAPE_ADC_HRV_V], sample_voltage, cape);
    ads8691_init(&cape->adc[CAPE_ADC_HRV_I], sample_current, cape);
    ads8691_init(&cape->adc[CAPE_ADC_EMU_I], sample_current, cape);
    dac8562_init(&cape->dac[CAPE_DAC_HRV], harvester_changed, cape);
    dac8562_init(&cape->dac[CAPE_DAC_EMU], emulator_changed, cape);
}

static bool level(uint32_t bits, unsigned pin)
{
    return pin < CAPE_NO_PIN && (bits >> pin & 1u) != 0;
}

static bool is_selected(uint32_t r30, unsigned pin)
{
    return pin < CAPE_NO_PIN && !level(r30, pin);
}

/* Two chip selects may be low together as long as nothing is clocked: that triggers two ADCs.
 */
static void watch_sharing(struct cape *cape, uint64_t cycle, uint32_t r30)
{
    unsigned n = 0;

    if (!level(r30 & ~cape->r30, cape->pins.clock)) {
        return;
    }
    for (unsigned i = 0; i < CAPE_ADCS; i++) {
        n += is_selected(r30, cape->pins.adc[i]) ? 1 : 0;
    }
    for (unsigned i = 0; i < CAPE_DACS; i++) {
        n += is_selected(r30, cape->pins.dac[i]) ? 1 : 0;
    }
    if (n > 1) {
        cape->first_shared_cycle = cape->n_shared == 0 ? cycle : cape->first_shared_cycle;
        cape->n_shared++;
    }
}

static void set_bus(struct cape *cape, uint64_t cycle, uint32_t r30)
{
    bool clock = level(r30, cape->pins.clock);
    bool data = level(r30, cape->pins.data);

    watch_sharing(cape, cycle, r30);
    for (unsigned i = 0; i < CAPE_ADCS; i++) {
        if (cape->pins.adc[i] < CAPE_NO_PIN
            && ads8691_set(&cape->adc[i], cycle, is_selected(r30, cape->pins.adc[i]), clock,
                           data)
            && cape->world.converting != NULL) {
            cape->world.converting(cape->world.context, cycle,
                                   cape->adc[i].lines.n_clocks == 0);
        }
    }
    for (unsigned i = 0; i < CAPE_DACS; i++) {
        if (cape->pins.dac[i] < CAPE_NO_PIN) {
            dac8562_set(&cape->dac[i], cycle, is_selected(r30, cape->pins.dac[i]), clock, data);
        }
    }
    cape->r30 = r30;
}

static void set_power_good(struct cape *cape, uint32_t r30)
{
    bool is_good = (r30 & cape->pins.power_good) != 0;

    if (is_good != cape->is_power_good) {
        cape->is_power_good = is_good;
        if (cape->world.io.power_good != NULL) {
            cape->world.io.power_good(cape->world.io.context, is_good);
        }
    }
}

static void on_output(void *context, unsigned core, uint64_t cycle, uint32_t r30)
{
    struct cape *cape = context;

    if (core == 0) {
        set_bus(cape, cycle, r30);
    }
    if (core == cape->pins.power_good_core) {
        set_power_good(cape, r30);
    }
}

static uint32_t on_input(void *context, unsigned core, uint64_t cycle)
{
    struct cape *cape = context;

    if (core != 0) {
        return cape->world.pins == NULL ? 0 : cape->world.pins(cape->world.context, cycle);
    }
    for (unsigned i = 0; i < CAPE_ADCS; i++) {
        if (cape->adc[i].lines.is_selected) {
            return (ads8691_output(&cape->adc[i], cycle) ? 1u : 0) << cape->pins.answer;
        }
    }
    return 0;
}

struct pru_pins cape_soc_pins(struct cape *cape)
{
    return (struct pru_pins){ .context = cape, .output = on_output, .input = on_input };
}

uint32_t cape_broken(const struct cape *cape)
{
    uint32_t n = cape->n_shared;

    for (unsigned i = 0; i < CAPE_ADCS; i++) {
        n += cape->adc[i].lines.account.n_total;
    }
    for (unsigned i = 0; i < CAPE_DACS; i++) {
        n += cape->dac[i].lines.account.n_total;
    }
    return n;
}

static void add_text(char *text, size_t size, const char *who, enum spi_rule rule, uint32_t n,
                     uint64_t cycle)
{
    size_t length = strlen(text);

    if (length < size) {
        (void)snprintf(text + length, size - length, "%s%s: %s (%u, first at %llu ns)",
                       length > 0 ? "; " : "", who, spi_rule_name(rule), n,
                       (unsigned long long)cycle * 5);
    }
}

static void add_account(char *text, size_t size, const char *who,
                        const struct spi_account *account)
{
    for (unsigned rule = 0; rule < SPI_RULE_COUNT; rule++) {
        if (account->n[rule] > 0) {
            add_text(text, size, who, (enum spi_rule)rule, account->n[rule],
                     account->first_cycle[rule]);
        }
    }
}

void cape_explain(const struct cape *cape, char *text, size_t size)
{
    static const char *const ADCS[CAPE_ADCS] = { "harvester's voltage ADC",
                                                 "harvester's current ADC", "emulator's ADC" };
    static const char *const DACS[CAPE_DACS] = { "harvester's DAC", "emulator's DAC" };

    text[0] = '\0';
    for (unsigned i = 0; i < CAPE_ADCS; i++) {
        add_account(text, size, ADCS[i], &cape->adc[i].lines.account);
    }
    for (unsigned i = 0; i < CAPE_DACS; i++) {
        add_account(text, size, DACS[i], &cape->dac[i].lines.account);
    }
    if (cape->n_shared > 0) {
        add_text(text, size, "bus", SPI_SELECT_SHARED, cape->n_shared,
                 cape->first_shared_cycle);
    }
}
