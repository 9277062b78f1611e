/* SPDX-License-Identifier: MIT */
/* The map `sim:` of sheep.yaml: the world around a simulated board, and the board's own faults.
 */
#ifndef SHEEP_SIM_CONFIG_H
#define SHEEP_SIM_CONFIG_H

#include "common/err.h"
#include "common/experiment.h"
#include "common/schema.h"
#include "common/yaml_doc.h"
#include "pru/sim/world.h"

#include <stdbool.h>
#include <stdint.h>

enum sim_speed {
    SIM_REAL, /* a sample every 10 us of the host's clock */
    SIM_FAST, /* as fast as the recorder takes them, without loss */
};

/* Board iss: what the PRU's reads of OCMC and DDR take, as enum pru_latency of
 * pru/sim/pru_soc.h. */
enum sim_latency {
    SIM_LATENCY_BEST,
    SIM_LATENCY_WORST,
    SIM_LATENCY_RANDOM,
};

/* Board iss: what is wrong with an ADC of the cape; enum ads8691_defect of pru/sim/ads8691.h.
 */
enum sim_adc_fault {
    SIM_ADC_SOUND,
    SIM_ADC_SILENT,
    SIM_ADC_STUCK_HIGH,
    SIM_ADC_SAME_CODE,
    SIM_ADC_FORGETFUL,
};

struct sim_config {
    struct world_config world;
    double oscillator_ppm; /* of the PRU's counter against the host's clock */
    enum sim_speed speed;
    double fast_limit;        /* speed fast: at most so many times real time; 0: no limit */
    char firmware[PATH_SIZE]; /* board iss: folder of the PRU's program files */
    uint32_t cape;            /* board iss: revision, 24 or 25 */
    enum sim_latency memory_latency;
    char pin_file[PATH_SIZE];  /* its first byte becomes 1 the moment that sample 0 is taken */
    char uart_link[PATH_SIZE]; /* becomes a link to the target's serial line; "": STATE/uart */
    bool truth; /* what was true at every sample is written beside: 32 bytes a sample */
    /* faults */
    uint32_t late_samples; /* the board starts so much late and does not say so */
    uint64_t hang_at;      /* takes no sample from this one on; 0: never */
    uint64_t stall_at;     /* keeps the recorder waiting from this one on; 0: never */
    uint32_t stall_ms;     /* for so long; the ring holds 5.12 s */
    /* board iss alone */
    bool impatient;     /* virtual time does not wait for room in the rings, nor for input */
    uint32_t hang_core; /* which core hang_at stops */
    enum sim_adc_fault adc_fault;
    uint64_t adc_fault_at; /* from this sample on; 0: never */
    uint64_t ddr_stall_at; /* DDR does not answer then, once; 0: never */
    uint32_t ddr_stall_us;
    uint64_t overwrite_at; /* a canary of the shared memory is lost then; 0: never */
};

extern const struct schema sim_config_schema;

/* What the map leaves out is as world_config_default() has it. `map` may be NULL; paths in it
 * are relative to the folder of `file`. All faults in one error. */
MUST_CHECK int sim_config_load(struct sim_config *config, const struct yaml_node *map,
                               const char *file, struct err *err);

#endif
