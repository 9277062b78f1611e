/* SPDX-License-Identifier: MIT */
/* A solar cell: single-diode model with series and shunt resistance.
 *
 *     I = Iph - I0 (exp((V + I Rs) / (n Ns Vt)) - 1) - (V + I Rs) / Rsh,   Vt = k T / q
 *
 * (Sera, Teodorescu and Rodriguez, "PV panel model based on datasheet values", ISIE 2007.) Iph
 * is proportional to the irradiance; I0 follows from the open-circuit voltage at 1000 W/m2;
 * both Isc and Voc change linearly with the temperature. */
#ifndef PRU_SIM_SOLAR_H
#define PRU_SIM_SOLAR_H

#include "pru/sim/world.h"

struct solar {
    const struct world_transducer *cell; /* a loan */
    double irradiance_W_per_m2;
    double temperature_C;
    double Iph_A;
    double I0_A;
    double slope_V; /* n Ns Vt */
    double I_A;     /* last solutions, where the next ones begin */
    double Voc_V;
};

void solar_init(struct solar *solar, const struct world_transducer *cell);
void solar_set(struct solar *solar, double irradiance_W_per_m2, double temperature_C);

/* The operating point of a sink that holds the cell at setpoint_V: there, or at the open
 * circuit when that is lower. Current is never negative. */
void solar_point(struct solar *solar, double setpoint_V, double *voltage_V, double *current_A);

#endif
