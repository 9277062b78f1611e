/* SPDX-License-Identifier: MIT */
/* Tables of efficiency: over voltage (linear) and current (log2), interpolated or nearest.
 *
 * Entry k of an axis stands for the middle of bin k: (k + 1/2) 2^log2 uV; 1.5 x 2^(log2 + k)
 * nA, with the way between two powers of two taken as linear. Beyond the first and the last
 * middle the end entry holds: the last bins are open. */
#ifndef PRU_CORE_EFFICIENCY_H
#define PRU_CORE_EFFICIENCY_H

#include "pru/abi/vsource_params.h"

#include <stdbool.h>
#include <stdint.h>

/* Efficiency n20 of the input stage. */
uint32_t efficiency_input_n20(const struct vsource_converter *params, uint32_t voltage_uV,
                              uint32_t current_nA);

/* 1 / efficiency, n16, of the output stage. */
uint32_t efficiency_output_inverse_n16(const struct vsource_converter *params,
                                       uint32_t current_nA);

#endif
