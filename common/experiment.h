/* SPDX-License-Identifier: MIT */
/* An experiment: what every node does, resolved from presets, defaults, groups and nodes. */
#ifndef COMMON_EXPERIMENT_H
#define COMMON_EXPERIMENT_H

#include "common/err.h"
#include "common/inventory.h"
#include "common/schema.h"
#include "common/vsource_config.h"
#include "common/yaml_doc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    EXPERIMENT_NAME_SIZE = 64,
    NODE_NAME_SIZE = 64,
    PATH_SIZE = 512,
    DIGEST_TEXT_SIZE = 65
};

enum experiment_mode {
    MODE_HARVEST,
    MODE_EMULATE
};
enum record_exists {
    EXISTS_NUMBER,
    EXISTS_REFUSE,
    EXISTS_OVERWRITE
};
enum record_where {
    WHERE_DISK,
    WHERE_RAM
};
/* Rows a second of what is stored: each is the mean of a window of samples. */
enum record_rate {
    RECORD_10_HZ = 10,
    RECORD_100_HZ = 100,
    RECORD_1_KHZ = 1000,
    RECORD_100_KHZ = 100000
};
enum target_port {
    PORT_A,
    PORT_B
};
enum aux_source {
    AUX_FIXED,
    AUX_MIRROR,
    AUX_STORAGE
};
enum clock_source {
    CLOCK_SOURCE_DAEMON,
    CLOCK_SOURCE_ANY
};

struct record_config {
    bool voltage;
    bool current;
    bool storage; /* V and I of the store too */
    enum record_rate samplerate;
    bool overview_only;  /* of the streams above: minimum, mean and maximum, no samples */
    int64_t delay_ns;    /* the streams above begin so much after T ... */
    int64_t duration_ns; /* ... and last so long; -1: to the end */
    uint32_t gpio_mask;  /* `gpio: all | none | [0, 3]` */
    int64_t sync_interval_ns;
    uint32_t compression; /* 0 none, 1..9 gzip-1..9 */
    enum record_exists exists;
    enum record_where where;
    uint64_t memory_bytes;
};

struct uart_config {
    bool enable;
    uint32_t baudrate;
};

struct log_config {
    int64_t system_ns; /* interval; 0 off */
    int64_t iio_ns;    /* the same */
    bool kernel;
    bool time;
    bool sheep;
    int sheep_level; /* enum log_level: lines up to it */
    struct uart_config uart;
};

/* What one node is told; travels as YAML in PREPARE. */
struct node_config {
    enum experiment_mode mode;
    int64_t duration_ns; /* -1: until the input ends (emulate), until stopped (harvest) */
    enum target_port target_port;
    char input[PATH_SIZE]; /* on the workstation; {node} already replaced; "" for harvest */
    char input_digest[DIGEST_TEXT_SIZE]; /* of the decoded stream; set by herd before PREPARE */
    uint64_t input_samples;
    uint32_t input_window;       /* window_samples of the input: ivcurve > 0 */
    double input_step_uV;        /* voltage step of the input's curves, 0 unknown */
    bool input_is_isc_voc;       /* the input holds pairs of Isc and Voc */
    uint64_t input_memory_bytes; /* that the node reads ahead, 8 a sample */
    double voltage_aux_mV;
    enum aux_source aux_source;
    double start_power_ms; /* the target is supplied before the source takes over */
    double start_power_mV;
    bool use_cal_default;
    enum clock_source clock_source;
    struct source_config source;       /* emulate */
    struct harvester_config harvester; /* harvest */
    struct record_config record;
    struct log_config log;
};
extern const struct schema node_config_schema;

enum start_require {
    REQUIRE_ALL,
    REQUIRE_SET
};
enum if_incomplete {
    INCOMPLETE_ABORT,
    INCOMPLETE_CONTINUE
};
enum on_failure {
    ON_FAILURE_CONTINUE,
    ON_FAILURE_STOP_ALL
};

struct experiment_node {
    const struct inventory_node *node; /* loan from the inventory */
    bool is_required;
    struct node_config config;
};

struct experiment {
    char name[EXPERIMENT_NAME_SIZE];
    char description[400];
    char output[PATH_SIZE]; /* folder on the workstation for results; "" = command line or . */
    int64_t align_ns;
    int64_t clock_error_max_ns;
    enum if_incomplete if_incomplete;
    enum on_failure on_failure;
    size_t n_nodes;
    struct experiment_node *nodes; /* in the inventory's order */
    struct fault_list notes;       /* what has no effect here, or may cost something */
};

/* Reads a file of ours, or Shepherd's HarvestTask, EmulationTask or Experiment
 * (common/shepherd_yaml.h). Parses, merges (preset, defaults, groups in order, node), decodes
 * and cross-checks. `limit` is a node set or NULL. Relative input paths are relative to the
 * file's folder. NULL when there are faults: all of them are in the list, with their places. */
struct experiment *experiment_load(const char *path, const struct inventory *inventory,
                                   const char *limit, struct fault_list *faults);
struct experiment *experiment_parse(const char *text, const char *file_name,
                                    const struct inventory *inventory, const char *limit,
                                    struct fault_list *faults);
void experiment_destroy(struct experiment **experiment);

/* The resolved configuration, folded where nodes agree, as `herd check` prints it. */
void experiment_print(const struct experiment *experiment, struct buf *out);

/* The reference of every key, with unit, range, default and help, as `herd check --schema`
 * prints it. */
void experiment_reference(struct buf *out);

/* The number of samples of duration_ns: exact, rounded to the nearest sample. Without a
 * duration: input_samples of an emulation, UINT64_MAX of a harvest. */
uint64_t node_config_samples(const struct node_config *config);

/* Samples of one stored row: 1, 100, 1000 or 10 000. */
uint32_t record_window(const struct record_config *record);

/* The samples that are stored, [*from, *to), as `delay` and `duration` have them; *to is
 * UINT64_MAX without an end. */
void record_range(const struct record_config *record, uint64_t *from, uint64_t *to);

/* What one stream of so many samples may need in the log, uncompressed. */
uint64_t record_bytes(const struct record_config *record, uint64_t n_samples);

#endif
