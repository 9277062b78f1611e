/* SPDX-License-Identifier: MIT */
/* Builds storages from what a data sheet says. */
#ifndef COMMON_STORAGE_BUILD_H
#define COMMON_STORAGE_BUILD_H

#include "common/vsource_config.h"

/* A capacitor or supercapacitor: full at rated_V; R_leak_Ohm of 0: no self-discharge. */
struct storage_config storage_build_capacitor(double C_uF, double rated_V, double R_series_Ohm,
                                              double R_leak_Ohm);

/* A lithium-polymer cell. Curves of M. Chen and G. Rincon-Mora, "Accurate electrical battery
 * model capable of predicting runtime and I-V performance", IEEE Trans. Energy Conversion
 * 21(2), 2006, measured on a cell of 860 mAh; the series resistance goes with the inverse of
 * the capacity, as that of cells in parallel does. */
struct storage_config storage_build_lipo(double capacity_mAh);

/* A lead-acid battery of 12 V nominal (6 cells); curves measured at 1.2 Ah, resistance scaled
 * likewise. */
struct storage_config storage_build_lead_acid(double capacity_mAh);

#endif
