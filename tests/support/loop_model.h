/* SPDX-License-Identifier: MIT */
/* A boost and buck converter around a capacitor in plain doubles, to hold against pru/core.
 *
 * Written from the equations alone: P_in = eta(V, I) V I charges the store, P_out = V_out I /
 * eta(I) discharges it, Q' = (P_in - P_out) / V - V / R_leak; the output switches at thresholds
 * that are looked at every interval, and charging the output's capacitor takes C V^2 / 2.
 * Efficiencies lie at the middles of their bins: (k + 1/2) 2^n uV, 1.5 x 2^(n + k - 1) nA. */
#ifndef TESTS_SUPPORT_LOOP_MODEL_H
#define TESTS_SUPPORT_LOOP_MODEL_H

#include "common/vsource_config.h"

#include <stdbool.h>

struct loop_model {
    const struct source_config *source; /* a loan; finished */
    double Q_As;
    double V_mid_V;
    double V_out_V;
    double in_Ws; /* behind the input stage, so far */
    double out_Ws;
    unsigned check_count;
    bool is_on;
};

/* For sources with boost, buck and a store whose voltage is proportional to its charge. */
void loop_model_init(struct loop_model *model, const struct source_config *source);

/* One sample of 10 us: what the harvester gives, and what the target draws at V_out_V. */
void loop_model_step(struct loop_model *model, double V_in_V, double I_in_A, double I_target_A);

#endif
