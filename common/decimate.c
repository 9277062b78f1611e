/* SPDX-License-Identifier: MIT */
#include "common/decimate.h"

void decimate_init(struct decimator *decimator, uint32_t window, decimate_emit_fn emit,
                   void *arg)
{
    decimator->window = window;
    decimator->emit = emit;
    decimator->arg = arg;
    decimator->row = 0;
    decimator->sum = 0;
    decimator->n_samples = 0;
    decimator->first_row = 0;
    decimator->count = 0;
}

void decimate_flush(struct decimator *decimator)
{
    if (decimator->count > 0) {
        decimator->emit(decimator->arg, decimator->first_row, decimator->rows,
                        decimator->count);
    }
    decimator->count = 0;
}

static void close_row(struct decimator *decimator)
{
    uint64_t n_samples = decimator->n_samples;
    uint32_t mean = 0;

    if (n_samples == 0) {
        return;
    }
    mean = (uint32_t)((decimator->sum + n_samples / 2) / n_samples);
    if (decimator->row != decimator->first_row + decimator->count) {
        decimate_flush(decimator);
    }
    if (decimator->count == 0) {
        decimator->first_row = decimator->row;
    }
    decimator->rows[decimator->count++] = mean;
    decimator->sum = 0;
    decimator->n_samples = 0;
    if ((decimator->row + 1) % RLOG_CHUNK_SAMPLES == 0) {
        decimate_flush(decimator);
    }
}

static uint64_t sum_of(const uint32_t *samples, size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        sum += samples[i];
    }
    return sum;
}

void decimate_add(struct decimator *decimator, uint64_t first, const uint32_t *samples,
                  size_t count)
{
    uint64_t next = first;
    size_t at = 0;

    while (at < count) {
        size_t room = decimator->window - (size_t)(next % decimator->window);
        size_t part = count - at < room ? count - at : room;

        if (next / decimator->window != decimator->row) {
            close_row(decimator);
            decimator->row = next / decimator->window;
        }
        decimator->sum += sum_of(samples + at, part);
        decimator->n_samples += part;
        at += part;
        next += part;
        if (next % decimator->window == 0) {
            close_row(decimator);
        }
    }
}

void decimate_finish(struct decimator *decimator)
{
    close_row(decimator);
    decimate_flush(decimator);
}
