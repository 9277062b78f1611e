/* SPDX-License-Identifier: MIT */
#include "pru/core/sampler.h"

enum {
    INPUT_MASK = PRU_INPUT_SAMPLES - 1,
};

bool sampler_has_input(const struct sampler *sampler)
{
    return sampler->mode != PRU_MODE_EMULATE
           || shm_load_u32(&sampler->control->input_write_idx) != sampler->input_read_idx
           || shm_load_u32(&sampler->control->input_end) != 0;
}

/* The next sample of input. Without one nothing is harvested; unless the input has ended, one
 * is missing. */
static struct curve_point next_input(struct sampler *s)
{
    struct curve_point point = { 0, 0 };
    struct pru_input sample;
    const struct pru_input *input = &s->input[s->input_read_idx & INPUT_MASK];

    s->lacks_input = 0;
    if (shm_load_u32(&s->control->input_write_idx) == s->input_read_idx) {
        /* The host stores input_end behind the last index: look at the index once more. */
        if (shm_load_u32(&s->control->input_end) == 0) {
            s->lacks_input = 1;
            return point;
        }
        if (shm_load_u32(&s->control->input_write_idx) == s->input_read_idx) {
            return point;
        }
    }
    sample = *input; /* both words at once: they come from afar */
    point.voltage_uV = sample.voltage_uV;
    point.current_nA = sample.current_nA;
    s->input_read_idx++;
    shm_store_u32(&s->control->input_read_idx, s->input_read_idx);
    shm_store_u32(&s->control->inputs_done, s->control->inputs_done + 1);
    return point;
}

void sampler_take_input(struct sampler *sampler)
{
    vsource_harvest(&sampler->source, next_input(sampler));
}
