/* SPDX-License-Identifier: MIT */
#include "common/storage_build.h"

#include <stdio.h>
#include <string.h>

static const double As_PER_mAh = 3.6;

struct storage_config storage_build_capacitor(double C_uF, double rated_V, double R_series_Ohm,
                                              double R_leak_Ohm)
{
    struct storage_config storage = storage_capacitor(C_uF, rated_V, 0.8 * rated_V);

    storage.p_Rs[2] = R_series_Ohm;
    storage.R_leak_Ohm = R_leak_Ohm;
    return storage;
}

/* What a battery was measured with, and on how large a one. */
struct battery {
    const char *name;
    double measured_mAh;
    double p_VOC[6];
    double p_Rs[6];
    double leak_Ohm_mAh; /* R_leak x capacity */
};

/* Of the six numbers of a resistance, all but the two exponents' rates are resistances. */
static struct storage_config build(const struct battery *battery, double capacity_mAh)
{
    struct storage_config storage;
    double scale = battery->measured_mAh / capacity_mAh;

    schema_defaults(&storage_schema, &storage);
    snprintf(storage.name, sizeof(storage.name), "%s", battery->name);
    storage.is_present = true;
    storage.q_As = capacity_mAh * As_PER_mAh;
    memcpy(storage.p_VOC, battery->p_VOC, sizeof(storage.p_VOC));
    for (int i = 0; i < 6; i++) {
        storage.p_Rs[i] = i == 1 ? battery->p_Rs[i] : battery->p_Rs[i] * scale;
    }
    storage.R_leak_Ohm = battery->leak_Ohm_mAh / capacity_mAh;
    return storage;
}

struct storage_config storage_build_lipo(double capacity_mAh)
{
    static const struct battery lipo = {
        .name = "LiPo",
        .measured_mAh = 860,
        .p_VOC = {-0.852,  63.867, 3.6297, 0.559,  0.51,   0.508 },
        .p_Rs = { 0.1463, 30.27,  0.1037, 0.0584, 0.1747, 0.1288},
        .leak_Ohm_mAh = 55.9e6,
    };

    return build(&lipo, capacity_mAh);
}

struct storage_config storage_build_lead_acid(double capacity_mAh)
{
    static const struct battery lead_acid = {
        .name = "lead-acid",
        .measured_mAh = 1200,
        .p_VOC = {5.429,  117.5, 11.32,  2.706,  2.04,   1.026 },
        .p_Rs = { 1.578, 8.527, 0.7808, -1.887, -2.404, -0.649},
        .leak_Ohm_mAh = 174e6,
    };

    return build(&lead_acid, capacity_mAh);
}
