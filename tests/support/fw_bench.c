/* SPDX-License-Identifier: MIT */
#include "tests/support/fw_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CORE_SAMPLES = 0,
    CORE_TIME = 1,
    BOOT_CYCLES = 20 * FW_MS,
    ANSWER_CYCLES = 5 * FW_MS,
    STEP_CYCLES = 2000,
    LEAD_TICKS = 20000,
    DDR_BYTES = PRU_MAP_DDR_BLOCKS_BYTES + PRU_MAP_DDR_GPIO_BYTES,
};

static const char *image_name(unsigned core, enum pru_mode mode)
{
    if (core == CORE_TIME) {
        return "pru1-24.elf";
    }
    return mode == PRU_MODE_HARVEST ? "pru0-harvest-24.elf" : "pru0-emulate-24.elf";
}

bool fw_bench_has_images(const char *folder)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s/%s", folder, image_name(CORE_TIME, PRU_MODE_NONE));
    return access(path, R_OK) == 0;
}

static uint32_t read_adc(struct fw_bench *bench, uint64_t *n, bool is_voltage)
{
    return bench->adc_code == NULL ? 0 : bench->adc_code((*n)++, is_voltage);
}

static uint32_t world_voltage(void *context)
{
    struct fw_bench *bench = context;

    return read_adc(bench, &bench->n_voltage, true);
}

static uint32_t world_current(void *context)
{
    struct fw_bench *bench = context;

    return read_adc(bench, &bench->n_current, false);
}

static void world_dac(void *context, enum sample_dac channel, uint32_t code)
{
    ((struct fw_bench *)context)->dac[channel] = code;
}

static void world_good(void *context, bool is_good)
{
    ((struct fw_bench *)context)->is_power_good = is_good;
}

static uint32_t world_pins(void *context, uint64_t cycle)
{
    const struct fw_bench *bench = context;

    return bench->pin_wave != NULL ? bench->pin_wave(cycle) : bench->pins;
}

static void world_converting(void *context, uint64_t cycle, bool is_bare)
{
    struct fw_bench *bench = context;
    uint32_t state = bench->shm.control->state;

    if (is_bare && (state == PRU_STATE_RUNNING || state == PRU_STATE_ARMED)
        && bench->n_triggers < FW_TRIGGERS) {
        bench->triggers[bench->n_triggers++] = cycle;
    }
}

static void *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    void *bytes = NULL;

    if (file != NULL && fseek(file, 0, SEEK_END) == 0) {
        *size = (size_t)ftell(file);
        rewind(file);
        bytes = malloc(*size);
        if (bytes != NULL && fread(bytes, 1, *size, file) != *size) {
            free(bytes);
            bytes = NULL;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return bytes;
}

static int load(struct fw_bench *bench, const char *folder, unsigned core)
{
    char path[1024];
    size_t size = 0;
    void *bytes = NULL;
    int status = -1;

    snprintf(path, sizeof(path), "%s/%s", folder, image_name(core, bench->mode));
    bytes = read_file(path, &size);
    snprintf(bench->why, sizeof(bench->why), "%s: cannot be read", path);
    if (bytes != NULL) {
        status = pru_soc_load(bench->soc, core, bytes, size, bench->why, sizeof(bench->why));
        free(bytes);
    }
    if (status == 0) {
        pru_soc_start(bench->soc, core);
    }
    return status;
}

int fw_bench_boot(struct fw_bench *bench, const char *folder, enum pru_mode mode,
                  enum pru_latency latency)
{
    struct cape_pins pins = cape_pins_24();
    struct cape_world world = {
        .context = bench,
        .converting = world_converting,
        .pins = world_pins,
        .io = {bench, world_voltage, world_current, world_dac, world_good},
    };
    struct pru_soc_config config = { .latency = latency, .seed = 1, .ddr_bytes = DDR_BYTES };
    uint8_t *ddr = NULL;
    size_t size = 0;

    bench->mode = mode;
    cape_init(&bench->cape, &pins, &world);
    bench->cape.adc[CAPE_ADC_EMU_I].defect = bench->defect;
    config.pins = cape_soc_pins(&bench->cape);
    bench->soc = pru_soc_create(&config);
    if (bench->soc == NULL) {
        snprintf(bench->why, sizeof(bench->why), "no memory");
        return -1;
    }
    bench->shm.control = pru_soc_memory(bench->soc, PRU_MEMORY_SHARED, &size);
    bench->shm.input = pru_soc_memory(bench->soc, PRU_MEMORY_OCMC, &size);
    ddr = pru_soc_memory(bench->soc, PRU_MEMORY_DDR, &size);
    bench->shm.blocks = (struct pru_block *)(void *)ddr;
    bench->shm.gpio = (pru_gpio_event *)(void *)(ddr + PRU_MAP_DDR_BLOCKS_BYTES);
    if (load(bench, folder, CORE_TIME) < 0 || load(bench, folder, CORE_SAMPLES) < 0) {
        return -1;
    }
    for (uint64_t end = pru_soc_cycle(bench->soc) + BOOT_CYCLES;
         pru_soc_cycle(bench->soc) < end;) {
        if (bench->shm.control->state != PRU_STATE_UNKNOWN) {
            return 0;
        }
        fw_bench_run(bench, STEP_CYCLES);
    }
    pru_soc_explain(bench->soc, bench->why, sizeof(bench->why));
    snprintf(bench->why + strlen(bench->why), sizeof(bench->why) - strlen(bench->why),
             "; the firmware does not come up");
    return -1;
}

void fw_bench_close(struct fw_bench *bench)
{
    pru_soc_destroy(&bench->soc);
}

void fw_bench_run(struct fw_bench *bench, uint32_t cycles)
{
    (void)pru_soc_run(bench->soc, pru_soc_cycle(bench->soc) + cycles, 0);
}

int fw_bench_command(struct fw_bench *bench, enum pru_command command)
{
    struct pru_control *control = bench->shm.control;

    control->command = command;
    control->command_seq++;
    for (uint64_t i = 0; i < ANSWER_CYCLES / STEP_CYCLES; i++) {
        fw_bench_run(bench, STEP_CYCLES);
        if (control->command_ack == control->command_seq) {
            return (int)control->error;
        }
    }
    return -1;
}

int fw_bench_start(struct fw_bench *bench, const struct vsource_params *params,
                   uint32_t record_mask, uint64_t n_samples)
{
    struct pru_control *control = bench->shm.control;
    int error = 0;

    control->params = *params;
    control->mode = bench->mode;
    control->record_mask = record_mask;
    control->period_ticks_q20 =
        bench->period_ticks_q20 != 0 ? bench->period_ticks_q20 : PRU_PERIOD_NOMINAL_Q20;
    error = fw_bench_command(bench, PRU_COMMAND_CONFIGURE);
    if (error == 0) {
        bench->n_triggers = 0;
        bench->n_current = 0;
        bench->n_voltage = 0;
        control->start_tick = fw_bench_now(bench) + LEAD_TICKS;
        control->stop_sample = n_samples;
        error = fw_bench_command(bench, PRU_COMMAND_ARM);
    }
    if (error != 0) {
        snprintf(bench->why, sizeof(bench->why), "command %u is refused: error %d",
                 control->command, error);
        return -1;
    }
    return 0;
}

uint64_t fw_bench_now(const struct fw_bench *bench)
{
    uint32_t low = pru_soc_read(bench->soc, PRU_MAP_IEP + PRU_IEP_COUNT);
    uint32_t turns = bench->shm.control->counter_turns;

    turns += (turns ^ (low >> 31)) & 1u;
    return (uint64_t)(turns >> 1) << 32 | low;
}
