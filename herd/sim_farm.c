/* SPDX-License-Identifier: MIT */
#include "herd/sim_farm.h"

#include "common/buf.h"
#include "common/calibration.h"
#include "common/keys.h"
#include "common/schema.h"
#include "common/yaml_doc.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How much nodes of one make differ. */
static const double GAIN_ERROR = 0.01;
static const double OFFSET_V = 5e-3;
static const double OFFSET_A = 20e-6;
static const double OSCILLATOR_PPM = 50;
static const double CLOCK_US = 5; /* what a disciplined clock is off by */

enum {
    CLOCK_BOUND_US = 20, /* and claims at most */
};

int farm_path(char *path, size_t size, const char *folder, const char *node, const char *file,
              struct err *err)
{
    int length = node != NULL ? snprintf(path, size, "%s/%s/%s", folder, node, file)
                              : snprintf(path, size, "%s/%s", folder, file);

    if (length < 0 || (size_t)length >= size) {
        return err_set(err, ERR_INPUT, "%s: path too long", folder);
    }
    return 0;
}

/* SplitMix64 (Steele, Lea, Flood 2014): one stream per farm, the same on every machine. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Evenly in [-limit, limit]. */
static double next_error(uint64_t *state, double limit)
{
    return ((double)(next_random(state) >> 11) / 9007199254740992.0 * 2.0 - 1.0) * limit;
}

static int make_controller(const char *folder, struct key_pair *controller, struct err *err)
{
    if (dir_make(folder, 0755, err) < 0
        || key_generate(controller, "herd", ROLE_OPERATOR, err) < 0) {
        return -1;
    }
    return key_save(controller, folder, "herd", true, err);
}

/* The secret of a node stays in its folder; only the public half comes back. */
static int make_node_keys(const char *folder, const char *node,
                          const struct key_pair *controller, char public_key[KEY_TEXT_SIZE],
                          struct err *err)
{
    char path[PATH_MAX];
    struct key_pair pair;
    int result = -1;

    if (farm_path(path, sizeof(path), folder, node, "authorized", err) < 0
        || dir_make(path, 0755, err) < 0
        || farm_path(path, sizeof(path), folder, node, "authorized/herd.pub", err) < 0
        || key_save_public(controller, path, err) < 0
        || farm_path(path, sizeof(path), folder, node, ".", err) < 0
        || key_generate(&pair, node, ROLE_SHEEP, err) < 0) {
        return -1;
    }
    result = key_save(&pair, path, "sheep", true, err);
    memcpy(public_key, pair.public_key, KEY_TEXT_SIZE);
    key_wipe(&pair);
    return result;
}

static int write_text(const char *folder, const char *node, const char *file, struct buf *text,
                      struct err *err)
{
    char path[PATH_MAX];

    if (text->failed) {
        return err_set(err, ERR_MEMORY, "%s", file);
    }
    if (farm_path(path, sizeof(path), folder, node, file, err) < 0) {
        return -1;
    }
    return file_write_atomic(path, text->data, text->size, 0644, err);
}

/* What differs between two boards of one make: true value = nominal * (1 + gain_error) +
 * offset. The world has these errors, and the calibration is what someone who measured them
 * wrote. */
struct channel_error {
    const char *name;  /* in the map `sim` */
    size_t cal_offset; /* of the channel in struct calibration */
    bool is_current;
    double gain_error;
    double offset;
};

#define CHANNEL(name_, is_current_)                                        \
    {                                                                      \
        .name = #name_, .cal_offset = offsetof(struct calibration, name_), \
        .is_current = (is_current_)                                        \
    }

static const struct channel_error CHANNELS[] = {
    CHANNEL(hrv_dac_V, false),   CHANNEL(hrv_adc_V, false),   CHANNEL(hrv_adc_I, true),
    CHANNEL(emu_dac_V_A, false), CHANNEL(emu_dac_V_B, false), CHANNEL(emu_adc_I_A, true),
    CHANNEL(emu_adc_I_B, true),
};

static void scatter(struct channel_error *channels, uint64_t *random)
{
    for (size_t i = 0; i < ARRAY_LEN(CHANNELS); i++) {
        double limit = CHANNELS[i].is_current ? OFFSET_A : OFFSET_V;

        channels[i] = CHANNELS[i];
        channels[i].gain_error = next_error(random, GAIN_ERROR);
        /* Never above zero: a code of 0 then lies at or below 0 V or 0 A, and nothing small is
         * out of reach. */
        channels[i].offset = (next_error(random, limit) - limit) / 2.0;
    }
}

static struct calibration measure(const struct channel_error *channels)
{
    struct calibration cal = calibration_default();

    cal.is_default = false;
    for (size_t i = 0; i < ARRAY_LEN(CHANNELS); i++) {
        struct cal_channel *channel = (void *)((char *)&cal + channels[i].cal_offset);

        channel->gain *= 1.0 + channels[i].gain_error;
        channel->offset += channels[i].offset;
    }
    return cal;
}

struct farm_node {
    char name[INVENTORY_NAME_SIZE];
    unsigned port;
    uint64_t seed;
    double oscillator_ppm;
    double clock_offset_us;
    struct channel_error channels[ARRAY_LEN(CHANNELS)];
    char public_key[KEY_TEXT_SIZE];
};

static void plan_node(struct farm_node *node, const struct farm_plan *plan, unsigned i,
                      uint64_t *random)
{
    snprintf(node->name, sizeof(node->name), "sheep%u", i);
    node->port = plan->base_port + i * FARM_PORT_STEP;
    node->seed = next_random(random) >> 33; /* 31 bits: a number that every reader takes */
    node->oscillator_ppm = next_error(random, OSCILLATOR_PPM);
    node->clock_offset_us = next_error(random, CLOCK_US);
    scatter(node->channels, random);
}

/* Absolute paths of what the plan names. */
struct farm_files {
    char environment[PATH_MAX]; /* "": none */
    char firmware[PATH_MAX];
};

static const char *board_of(const struct farm_plan *plan)
{
    return plan->firmware != NULL ? "iss" : "sim";
}

static void put_path(struct buf *text, const char *key, const char *path)
{
    if (path[0] != '\0') {
        buf_printf(text, "%s: ", key);
        yaml_emit_scalar(path, text);
        buf_text(text, "\n");
    }
}

static void put_world(struct buf *text, const struct farm_node *node,
                      const struct farm_files *files)
{
    buf_printf(text, "sim:\n  seed: %llu\n  oscillator_ppm: %.3f\n",
               (unsigned long long)node->seed, node->oscillator_ppm);
    for (size_t i = 0; i < ARRAY_LEN(node->channels); i++) {
        buf_printf(text, "  %s: {gain_error: %.17g, offset: %.17g}\n", node->channels[i].name,
                   node->channels[i].gain_error, node->channels[i].offset);
    }
    put_path(text, "  firmware", files->firmware);
    buf_text(text, "  transducer:\n    kind: solar\n");
    put_path(text, "    environment", files->environment);
}

static int write_sheep(const struct farm_plan *plan, const struct farm_node *node,
                       const struct farm_files *files, struct err *err)
{
    struct buf text = { 0 };
    int result = 0;

    buf_printf(&text,
               "# A simulated sheep, written by herd sim\n"
               "name: %s\n"
               "data: data\n"
               "address: 127.0.0.1\n"
               "port: %u\n"
               "secret_key: sheep.key\n"
               "authorized: authorized\n"
               "board: %s\n"
               "calibration: calibration.yaml\n"
               "clock:\n"
               "  source: sim\n"
               "  locked: true\n"
               "  offset_us: %.3f\n"
               "  claimed_bound_us: %u\n",
               node->name, node->port, board_of(plan), node->clock_offset_us, CLOCK_BOUND_US);
    put_world(&text, node, files);
    result = write_text(plan->folder, node->name, "sheep.yaml", &text, err);
    buf_fini(&text);
    return result;
}

static int write_calibration(const struct farm_plan *plan, const struct farm_node *node,
                             struct err *err)
{
    const struct calibration cal = measure(node->channels);
    struct buf text = { 0 };
    int result = 0;

    schema_encode(&calibration_schema, &cal, &text, 0);
    result = write_text(plan->folder, node->name, "calibration.yaml", &text, err);
    buf_fini(&text);
    return result;
}

static int write_inventory(const struct farm_plan *plan, const struct farm_node *nodes,
                           struct err *err)
{
    struct buf text = { 0 };
    int result = 0;

    buf_text(&text, "# Simulated sheep, written by herd sim\nsheep:\n  hosts:\n");
    for (unsigned i = 0; i < plan->n_nodes; i++) {
        buf_printf(&text,
                   "    %s:\n      ansible_host: 127.0.0.1\n      port: %u\n"
                   "      board: %s\n      public_key: ",
                   nodes[i].name, nodes[i].port, board_of(plan));
        yaml_emit_scalar(nodes[i].public_key, &text);
        buf_text(&text, "\n");
    }
    result = write_text(plan->folder, NULL, "herd.yml", &text, err);
    buf_fini(&text);
    return result;
}

static int make_nodes(const struct farm_plan *plan, struct farm_node *nodes,
                      const struct farm_files *files, struct err *err)
{
    struct key_pair controller;
    uint64_t random = plan->seed;
    int result = make_controller(plan->folder, &controller, err);

    for (unsigned i = 0; result == 0 && i < plan->n_nodes; i++) {
        plan_node(&nodes[i], plan, i, &random);
        if (make_node_keys(plan->folder, nodes[i].name, &controller, nodes[i].public_key, err)
                < 0
            || write_calibration(plan, &nodes[i], err) < 0
            || write_sheep(plan, &nodes[i], files, err) < 0) {
            result = err_prepend(err, "%s", nodes[i].name);
        }
    }
    key_wipe(&controller);
    return result == 0 ? write_inventory(plan, nodes, err) : -1;
}

int farm_make(const struct farm_plan *plan, struct err *err)
{
    char path[PATH_MAX];
    struct farm_files files = { .environment = "" };
    struct farm_node *nodes = NULL;
    int result = 0;

    if (farm_path(path, sizeof(path), plan->folder, NULL, "herd.yml", err) < 0) {
        return -1;
    }
    if (access(path, F_OK) == 0) {
        return err_set(err, ERR_EXISTS, "%s exists", path);
    }
    if (plan->environment != NULL && realpath(plan->environment, files.environment) == NULL) {
        return err_set_errno(err, "environment %s", plan->environment);
    }
    if (plan->firmware != NULL && realpath(plan->firmware, files.firmware) == NULL) {
        return err_set_errno(err, "firmware %s", plan->firmware);
    }
    nodes = calloc(plan->n_nodes, sizeof(*nodes));
    if (nodes == NULL) {
        return err_set(err, ERR_MEMORY, "%u sheep", plan->n_nodes);
    }
    result = make_nodes(plan, nodes, &files, err);
    free(nodes);
    return result;
}
