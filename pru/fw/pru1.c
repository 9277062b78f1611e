/* SPDX-License-Identifier: MIT */
/* PRU1: time base, commands, the harvester of an emulation, pins of the target, power-good,
 * utilisation, and an eye on PRU0.
 *
 * One loop of duties. Wherever 200 ns have passed pru/fw/looks.py puts a look at the pins
 * between two instructions; an edge is stored there and then by pin_event. Commands are looked
 * for only while PRU0 takes no sample: pru/fw/link.h. */
#include "pru/core/fx.h"
#include "pru/core/timebase.h"
#include "pru/core/tracer.h"
#include "pru/fw/cape.h"
#include "pru/fw/hardware.h"
#include "pru/fw/link.h"

enum {
    LED_SHIFT = 24,         /* of the counter: 84 ms */
    NEAR_TICKS = 1500,      /* 7.5 us before a sample is due PRU0 is told */
    SILENCE_TICKS = 400000, /* 2 ms without a sign from PRU0 */
};

/* For pru/fw/pin_look.S: the pins that are watched as bits of r31, and above them their state.
 */
register uint32_t pins_r12 __asm__("r12");

static struct {
    struct tracer tracer;
    struct timebase timebase; /* of the next sample to be ordered */
    uint64_t n_ordered;       /* samples of this run */
    uint64_t tick_before;     /* of the last but one */
    uint32_t done_seq;        /* the last sample that was accounted for */
    uint32_t good;            /* power-good, as a pin of an event */
    uint32_t turns;
    uint32_t last_tick;
    uint32_t alive;
    uint32_t other_alive;
    uint32_t other_seen_at;
    bool is_booted; /* PRU0 has said what it can do */
} pru1;

/* ---- what the sampler asks of the converters while no sample is under way: PRU0 does it ----
 */

void sample_io_dac_write(const struct sample_io *io, enum sample_dac channel, uint32_t code)
{
    struct link *link = link_memory();

    (void)io;
    link->dac[channel] = code;
    shm_store_u32(&link->dac_seq, link->dac_seq + 1);
}

void sample_io_power_good(const struct sample_io *io, bool is_good)
{
    (void)io;
    (void)is_good; /* drive_outputs sees it in control->outputs */
}

/* ---- time and pins ---- */

static uint64_t now_64(uint32_t low)
{
    uint32_t turns = pru1.turns + ((pru1.turns ^ (low >> 31)) & 1u);

    return fx_join(turns >> 1, low);
}

/* Something has changed: raw is what was seen in r31, at least of the pins that are watched. */
void pin_event(uint32_t raw)
{
    uint64_t tick = now_64(hardware_ticks());

    tracer_store(&pru1.tracer, cape_pins(raw) | pru1.good, tick);
}

/* Power-good and the mute may have changed: stores that, and sets right what looks compare
 * with. No look comes in between. */
static void __attribute__((noinline)) settle(void)
{
    uint32_t raw = 0;
    uint32_t watched = 0;

    tracer_listen(&pru1.tracer);
    watched = cape_r31(pru1.tracer.watched);
    __asm__ volatile("mov %0, r31" : "=r"(raw)); /* once: the compiler would read it again */
    if (tracer_has_edge(&pru1.tracer, cape_pins(raw) | pru1.good)) {
        pin_event(raw);
    }
    pins_r12 = watched | (raw & watched) << 16;
}

/* The counter's upper half, the loop's length, signs of life. */
static void keep_time(void)
{
    uint32_t low = hardware_ticks();
    uint32_t loop = low - pru1.last_tick;

    pru1.last_tick = low;
    if (((pru1.turns ^ (low >> 31)) & 1u) != 0) {
        pru1.turns++;
        shm_store_u32(&link_control()->counter_turns, pru1.turns);
    }
    if (loop > link_memory()->loop_ticks) {
        link_memory()->loop_ticks = loop;
    }
    shm_store_u32(&link_memory()->pru1_alive, ++pru1.alive);
}

/* What the sampler wants: the power-good pin, and which pins are watched. */
static void drive_outputs(void)
{
    uint32_t r30 = (pru1.last_tick >> LED_SHIFT & 1u) != 0 ? CAPE_PRU1_LED_ALIVE : 0;
    uint32_t good = 0;

    if ((shm_load_u32(&link_control()->outputs) & PRU_OUTPUT_POWER_GOOD) != 0) {
        r30 |= (uint32_t)(CAPE_PRU1_POWER_GOOD | CAPE_PRU1_LED_POWER_GOOD);
        good = 1u << PRU_GPIO_POWER_GOOD_BIT;
    }
    hardware_r30 = r30;
    pru1.good = good;
    settle();
}

/* ---- samples ---- */

/* For the next sample that is ordered: as soon as the one before it is done, whose store the
 * harvester may follow, or no longer needs what the harvester is about to change. */
static void take_input(void)
{
    struct link *link = link_memory();
    struct sampler *sampler = &link->sampler;
    uint32_t before = link->input_seq;

    if (before == link->due_seq || sampler->mode != PRU_MODE_EMULATE) {
        return;
    }
    if (shm_load_u32(&link->done_seq) == before
        || (vsource_is_ahead(&sampler->source) && shm_load_u32(&link->used_seq) == before)) {
        sampler_take_input(sampler);
        shm_store_u32(&link->input_seq, before + 1);
    }
}

/* The sampler has executed a command: the schedule, or the trace of the pins, begins anew. */
static void follow_state(enum pru_state before)
{
    const struct sampler *sampler = &link_memory()->sampler;

    if (sampler->state == PRU_STATE_READY && before != PRU_STATE_ARMED) {
        pins_r12 = 0;
        tracer_start(&pru1.tracer, cape_pins(hardware_r31) | pru1.good);
        settle();
    }
    if (sampler->state == PRU_STATE_ARMED) {
        timebase_start(&pru1.timebase, sampler->start_tick);
        pru1.n_ordered = 0;
        link_memory()->loop_ticks = 0;
    }
    hardware_announce();
}

/* PRU0 is through with a sample: how long it took. */
static void account(struct link *link)
{
    uint64_t tick = pru1.done_seq == link->due_seq ? link->due_tick : pru1.tick_before;

    sampler_account(&link->sampler, tick, link->sample_ticks, link->loop_ticks);
    link->loop_ticks = 0;
}

/* No sample is due. */
static void obey(struct link *link, uint64_t now_tick)
{
    struct sampler *sampler = &link->sampler;
    enum pru_state before = sampler->state;

    if (sampler_obey(sampler, now_tick)) {
        follow_state(before);
    }
    if (link->silent_adc != 0 && sampler->state != PRU_STATE_FAULT) {
        sampler_fail(sampler, PRU_ERROR_ADC, link->silent_adc);
        hardware_announce();
    }
}

static void order_sample(struct link *link)
{
    pru1.tick_before = link->due_tick;
    link->due_tick = pru1.timebase.next_tick;
    shm_store_u32(&link->due_seq, link->due_seq + 1);
    pru1.n_ordered++;
    timebase_advance(&pru1.timebase, shm_load_u32(&link_control()->period_ticks_q20));
}

static void keep_schedule(void)
{
    struct link *link = link_memory();
    struct sampler *sampler = &link->sampler;
    uint64_t now_tick = now_64(pru1.last_tick);
    uint32_t done_seq = shm_load_u32(&link->done_seq);
    bool is_idle = done_seq == link->due_seq;
    bool is_called = sampler_is_called(sampler) || link->silent_adc != 0;

    if (done_seq != pru1.done_seq) {
        pru1.done_seq = done_seq;
        account(link);
    }
    if (is_called) {
        if (!is_idle) {
            return; /* no more samples until it is */
        }
        obey(link, now_tick);
    }
    if (!sampler_is_active(sampler)) {
        return;
    }
    if (!fx_is_less_u64(pru1.n_ordered, sampler->stop_sample)) {
        if (is_idle) {
            sampler_finish(sampler);
            hardware_announce();
        }
    } else if ((is_idle || shm_load_u32(&link->took_seq) == link->due_seq)
               && !fx_is_less_u64(now_tick + NEAR_TICKS, pru1.timebase.next_tick)) {
        order_sample(link);
    }
}

/* ---- PRU0 ---- */

static void __attribute__((noinline)) fail_other_core(void)
{
    struct pru_control *control = link_control();

    shm_store_u32(&control->outputs, 0);
    shm_store_u32(&control->error_detail, 0);
    shm_store_u32(&control->error, PRU_ERROR_WATCHDOG);
    shm_store_u32(&control->state, PRU_STATE_FAULT);
    hardware_announce();
}

/* PRU0 counts; when it stops, nobody else can say so. */
static void watch_other_core(void)
{
    uint32_t alive = shm_load_u32(&link_memory()->pru0_alive);

    if (alive != pru1.other_alive) {
        pru1.other_alive = alive;
        pru1.other_seen_at = pru1.last_tick;
    } else if (pru1.last_tick - pru1.other_seen_at > SILENCE_TICKS) {
        fail_other_core();
        for (;;) {
            /* keeps time, so that PRU0, should it live, does not mourn */
            keep_time();
            drive_outputs();
        }
    }
}

/* Nothing is known of PRU0 until it says which mode its image is for. */
static void await_other_core(void)
{
    static const struct sample_io io = { 0 };
    struct link *link = link_memory();
    struct pru_shm shm = {
        .control = link_control(),
        .input = (struct pru_input *)PRU_MAP_OCMC,
        .blocks = (struct pru_block *)PRU_MAP_DDR,
    };

    if (shm_load_u32(&link->pru0_mode) == PRU_MODE_NONE) {
        return;
    }
    sampler_boot(&link->sampler, &shm, &io);
    link->sampler.only_mode = link->pru0_mode;
    pru1.other_seen_at = pru1.last_tick;
    pru1.is_booted = true;
    hardware_announce();
}

static void __attribute__((noinline)) boot(void)
{
    struct pru_shm shm = {
        .control = link_control(),
        .gpio = (pru_gpio_event *)(PRU_MAP_DDR + PRU_MAP_DDR_BLOCKS_BYTES),
    };
    struct link *link = link_memory();

    hardware_open_bus();
    hardware_r30 = 0;
    hardware_start_counter();
    shm_store_u32(&link_control()->counter_turns, 0);
    shm_store_u32(&link_control()->outputs, 0);
    link->silent_adc = 0;
    link->input_seq = link->due_seq;
    pru1.done_seq = link->due_seq;
    shm_store_u32(&link->pru0_mode, PRU_MODE_NONE);
    tracer_boot(&pru1.tracer, &shm);
}

int main(void)
{
    boot();
    for (;;) {
        keep_time();
        drive_outputs();
        if (pru1.is_booted) {
            keep_schedule();
            take_input();
            watch_other_core();
        } else {
            await_other_core();
        }
    }
}
