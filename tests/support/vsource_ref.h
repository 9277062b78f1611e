/* SPDX-License-Identifier: MIT */
/* The virtual source in double precision, written from pru/core/README.md; shares no code with
 * pru/core. Takes what the harvester hands on and the target's current; the harvester itself is
 * integers by definition. */
#ifndef TESTS_SUPPORT_VSOURCE_REF_H
#define TESTS_SUPPORT_VSOURCE_REF_H

#include "common/vsource_config.h"

#include <stdbool.h>

struct vsource_ref {
    struct source_config config; /* finished */
    bool has_store;
    bool has_boost;
    bool has_feedback;
    double enable_V; /* thresholds as the documentation derives them */
    double disable_V;
    /* state, SI units */
    double soc;
    double V_mid;
    double V_out;
    double I_mid;    /* into the store */
    double charge_V; /* what the output capacitor is charged to */
    long charge_n;
    long charge_total_n;
    long check_count;
    long startup_n;
    bool is_on;
    bool is_power_good;
    bool is_regulated;
    /* what it would decide by itself, for comparison */
    bool wants_on;
    /* energies since the start, J */
    double E_input;  /* into store and converter, behind the input stage */
    double E_output; /* V_out x I_out of the target */
};

void vsource_ref_init(struct vsource_ref *ref, const struct source_config *config,
                      bool has_curves);

/* One sample, SI units. is_on: the switching decision to take, that of the run it is compared
 * with; wants_on says what its own would have been when this sample was a check. */
void vsource_ref_step(struct vsource_ref *ref, double V_harvest, double I_harvest, double I_out,
                      bool is_on);

/* Content of a store at a state of charge, J: the area under V_oc over charge. */
double vsource_ref_energy(const struct storage_config *storage, double soc);

#endif
