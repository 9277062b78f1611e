/* SPDX-License-Identifier: MIT */
/* PRU0's loop: takes a sample when PRU1 says that one is due, to the cycle; looks after the
 * converters when none is. Part of the two images, which define beforehand:
 *
 *     ADC_MASK                 chip selects that start a sample's conversion
 *     trigger_tick             low word of the last trigger
 *     converters_start()       DACs
 *     adcs_find_silent()       starts the ADCs: 0, or the enum pru_adc of one that does not
 *     adcs_count()             counts equal codes, behind a sample
 *     adcs_check()             looks after ADCs that gave so many equal codes in a row; takes
 *                              CHECK_TICKS when they are sound
 */
#ifndef PRU_FW_PRU0_LOOP_H
#define PRU_FW_PRU0_LOOP_H

enum {
    ALIGN_TICKS = 64,       /* the counter is read every 18 */
    ALIGN_COST_TICKS = 20,  /* from a reading to the chip select's rise, without any delay */
    LATE_TICKS = 200,       /* 1 us */
    CHECK_TICKS = 1400,     /* what adcs_check may take, and what is left of a period for it */
    SUSPICIOUS = 1000,      /* equal codes in a row: quiet, or dead; twice that at the price of
                             * a late sample */
    SILENCE_TICKS = 400000, /* 2 ms without a sign from the other core */
};

/* Waits until the tick, which is near, and raises the chip selects: the ADCs sample now. */
static void trigger_at(uint32_t tick)
{
    int32_t left = 0;

    hardware_r30 &= ~(uint32_t)ADC_MASK;
    do {
        left = (int32_t)(tick - hardware_ticks());
    } while (left > ALIGN_TICKS);
    hardware_rest(left - ALIGN_COST_TICKS);
    hardware_r30 |= (uint32_t)ADC_MASK;
    trigger_tick = tick;
}

static void take_sample(struct link *link)
{
    uint32_t seq = shm_load_u32(&link->due_seq);
    uint64_t tick = link->due_tick;
    int32_t late = (int32_t)(hardware_ticks() - fx_low(tick));

    shm_store_u32(&link->took_seq, seq);
    if (late > 0) {
        tick += (uint32_t)late;
    }
    if (late > LATE_TICKS) {
        sampler_flag(&link->sampler, PRU_BLOCK_LATE);
    }
    hardware_r30 |= 1u << CAPE_PRU0_LED_RUN;
    trigger_at(fx_low(tick));
    if (sampler_take(&link->sampler, tick)) {
        hardware_announce();
    }
    shm_store_u32(&link->sample_ticks, hardware_ticks() - trigger_tick);
    shm_store_u32(&link->done_seq, seq);
    adcs_count();
}

/* What PRU1 wants of the converters, and of power-good where that is a pin of PRU0. */
static void write_outputs(const struct link *link)
{
    for (uint32_t i = 0; i < 3; i++) {
        sample_io_dac_write(link->sampler.io, (enum sample_dac)i, link->dac[i]);
    }
    sample_io_power_good(link->sampler.io,
                         (link->sampler.outputs & PRU_OUTPUT_POWER_GOOD) != 0);
}

/* The other core is silent: there is no time base any more, and nobody else to say so. */
static void __attribute__((noreturn)) give_up(struct link *link)
{
    sampler_fail(&link->sampler, PRU_ERROR_WATCHDOG, 1);
    hardware_announce();
    hardware_r30 = CAPE_PRU0_IDLE | 1u << CAPE_PRU0_LED_FAULT;
    for (;;) {}
}

static void __attribute__((noreturn)) run(void)
{
    struct link *link = link_memory();
    uint32_t alive = 0;
    uint32_t seen_at = 0;
    uint32_t dac_seq = link->dac_seq;

    hardware_open_bus();
    hardware_need_counter();
    spi_init();
    converters_start();
    link->silent_adc = adcs_find_silent();
    link->took_seq = link->due_seq;
    link->used_seq = link->due_seq;
    link->done_seq = link->due_seq;
    seen_at = hardware_ticks();
    for (;;) {
        link->pru0_mode = SAMPLER_MODE;
        shm_store_u32(&link->pru0_alive, link->pru0_alive + 1);
        if (shm_load_u32(&link->pru1_alive) != alive) {
            alive = shm_load_u32(&link->pru1_alive);
            seen_at = hardware_ticks();
        } else if (hardware_ticks() - seen_at > SILENCE_TICKS) {
            give_up(link);
        }
        if (shm_load_u32(&link->due_seq) != link->done_seq) {
            take_sample(link);
        } else if (shm_load_u32(&link->dac_seq) != dac_seq) {
            dac_seq = shm_load_u32(&link->dac_seq);
            write_outputs(link);
        }
        adcs_check(link, hardware_ticks() - trigger_tick < PRU_SAMPLE_TICKS - CHECK_TICKS
                             ? SUSPICIOUS
                             : 2 * SUSPICIOUS);
    }
}

#endif
