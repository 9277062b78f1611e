/* SPDX-License-Identifier: MIT */
/* What a node is made of: machine, system, disks, interfaces. The payload of INVENTORIED, YAML
 * by its schema; the node fills it in, herd inventorize and herd preflight read it. */
#ifndef COMMON_NODE_FACTS_H
#define COMMON_NODE_FACTS_H

#include "common/schema.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FACT_TEXT_SIZE = 96,
    FACT_OPTIONS_SIZE = 256,
    FACTS_MAX_DISKS = 8,
    FACTS_MAX_LINKS = 8,
    FACTS_MAX_BYTES = 16 * 1024, /* of the YAML */
};

/* Texts are "" and numbers 0 where the system does not say. */
struct fact_disk {
    char name[FACT_TEXT_SIZE]; /* as in /dev */
    char model[FACT_TEXT_SIZE];
    char serial[FACT_TEXT_SIZE];
    uint64_t size_bytes;
};

struct fact_link {
    char name[FACT_TEXT_SIZE];
    char address[FACT_TEXT_SIZE]; /* MAC */
    uint64_t speed_mbit;
};

struct node_facts {
    char machine[FACT_TEXT_SIZE]; /* model */
    char serial[FACT_TEXT_SIZE];
    char system[FACT_TEXT_SIZE]; /* distribution */
    char kernel[FACT_TEXT_SIZE];
    char architecture[FACT_TEXT_SIZE];
    char governor[FACT_TEXT_SIZE]; /* of the processor's frequency */
    uint64_t n_processors;
    uint64_t memory_bytes;
    uint64_t uptime_s;
    char sheep_version[FACT_TEXT_SIZE];
    char board[FACT_TEXT_SIZE];
    bool has_calibration;
    bool has_realtime; /* the recorder may have real-time priority and locked memory */
    /* where recordings go */
    char data_filesystem[FACT_TEXT_SIZE];
    char data_options[FACT_OPTIONS_SIZE]; /* of its mount */
    uint64_t data_size_bytes;
    uint64_t data_free_bytes;
    struct fact_disk disks[FACTS_MAX_DISKS];
    size_t n_disks;
    struct fact_link links[FACTS_MAX_LINKS];
    size_t n_links;
};

extern const struct schema node_facts_schema;

/* Reads what a node sent. Everything in it is checked; err says what is wrong. */
MUST_CHECK int node_facts_parse(struct node_facts *facts, const void *data, size_t size,
                                struct err *err);

#endif
