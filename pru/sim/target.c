/* SPDX-License-Identifier: MIT */
#include "pru/sim/target.h"

#include <stdio.h>
#include <string.h>

static const double SAMPLES_PER_MS = 100.0;

void target_init(struct target *target, const struct world_target *model,
                 const struct table *trace)
{
    *target = (struct target){ .model = model, .trace = trace };
}

static uint32_t samples_of(double duration_ms)
{
    double samples = duration_ms * SAMPLES_PER_MS + 0.5;

    return samples < 1.0 ? 1u : (uint32_t)samples;
}

/* A full buffer loses the line whole, as a target does whose reader is gone. */
static void say(struct target *target, const char *text)
{
    size_t length = strlen(text);

    if (target->uart_fill + length <= sizeof(target->uart)) {
        memcpy(target->uart + target->uart_fill, text, length);
        target->uart_fill += length;
    }
}

static void enter(struct target *target, enum target_state state, double supply_V)
{
    const struct world_target *model = target->model;
    char line[80];

    target->state = state;
    switch (state) {
    case TARGET_OFF:
        break;
    case TARGET_BOOT:
        target->n_boots++;
        target->left_n = samples_of(model->boot_ms);
        snprintf(line, sizeof(line), "boot %u\r\n", target->n_boots);
        say(target, line);
        break;
    case TARGET_SLEEP:
        target->left_n = samples_of(model->sleep_ms);
        break;
    case TARGET_COMPUTE:
        target->left_n = samples_of(model->compute_ms);
        target->is_toggled = !target->is_toggled;
        break;
    case TARGET_SEND:
        target->left_n = samples_of(model->send_ms);
        target->n_cycles++;
        snprintf(line, sizeof(line), "cycle %u supply %.3f V\r\n", target->n_cycles, supply_V);
        say(target, line);
        break;
    }
}

static void advance(struct target *target, double supply_V)
{
    if (--target->left_n > 0) {
        return;
    }
    switch (target->state) {
    case TARGET_OFF:
        break;
    case TARGET_BOOT:
    case TARGET_SEND:
        enter(target, TARGET_SLEEP, supply_V);
        break;
    case TARGET_SLEEP:
        enter(target, TARGET_COMPUTE, supply_V);
        break;
    case TARGET_COMPUTE:
        enter(target, TARGET_SEND, supply_V);
        break;
    }
}

static double draw(struct target *target, double supply_V)
{
    const struct world_target *model = target->model;

    if (model->kind == TARGET_REPLAY) {
        double current_nA = target->trace->columns[1][target->trace_idx];

        target->trace_idx = (target->trace_idx + 1) % target->trace->n_rows;
        return current_nA * 1e-9;
    }
    switch (target->state) {
    case TARGET_OFF:
        break;
    case TARGET_BOOT:
        return model->boot_uA * 1e-6;
    case TARGET_SLEEP:
        return model->sleep_uA * 1e-6;
    case TARGET_COMPUTE:
        return model->compute_uA * 1e-6;
    case TARGET_SEND:
        return model->send_uA * 1e-6;
    }
    return supply_V > 0.1 ? model->off_uA * 1e-6 : 0;
}

double target_step(struct target *target, double supply_V, bool is_power_good)
{
    const struct world_target *model = target->model;

    if (model->kind == TARGET_NONE) {
        return 0;
    }
    if (model->kind == TARGET_RESISTOR) {
        target->state = supply_V >= model->V_on_V ? TARGET_COMPUTE : TARGET_OFF;
        return supply_V / model->resistance_Ohm;
    }
    if (target->state == TARGET_OFF) {
        if (supply_V >= model->V_on_V && (is_power_good || !model->needs_power_good)) {
            enter(target, TARGET_BOOT, supply_V);
            target->trace_idx = 0;
        }
    } else if (supply_V < model->V_brownout_V) {
        enter(target, TARGET_OFF, supply_V);
    } else {
        advance(target, supply_V);
    }
    return target->state == TARGET_OFF && model->kind == TARGET_REPLAY ? 0
                                                                       : draw(target, supply_V);
}

uint16_t target_pins(const struct target *target)
{
    unsigned pins = 0;

    if (target->state == TARGET_OFF) {
        return 0;
    }
    pins |= target->state != TARGET_BOOT ? 1u << 0 : 0;
    pins |= target->state == TARGET_COMPUTE ? 1u << 1 : 0;
    pins |= target->state == TARGET_SEND ? 1u << 2 : 0;
    pins |= target->is_toggled ? 1u << 3 : 0;
    return (uint16_t)pins;
}
