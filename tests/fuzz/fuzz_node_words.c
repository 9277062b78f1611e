/* SPDX-License-Identifier: MIT */
/* Payloads that are YAML: what herd reads of nodes (LISTING, INVENTORIED) and nodes of herd
 * (the config of PREPARE). What is taken is safe to use and survives being written and read
 * again. */
#include "herd/listing.h"

#include "common/buf.h"
#include "common/experiment.h"
#include "common/node_facts.h"
#include "common/schema.h"
#include "common/yaml_doc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    N_KINDS = 3,
    TEXT_MAX = 16384
};

static const char LISTING[] = "- {name: day_1, state: closed, bytes: 4096, samples: 100, "
                              "experiment: 42, reason: 1}\n";
static const char FACTS[] = "machine: board\nkernel: '6.1'\nn_processors: 1\n"
                            "disks:\n- {name: sda, model: m, serial: s, size_bytes: 1000}\n"
                            "links:\n- {name: eth0, address: '02:00:00:00:00:01'}\n";
static const char CONFIG[] = "mode: harvest\nduration: 10 s\nuse_cal_default: true\n"
                             "harvester: {algorithm: cv, voltage_mV: 2000}\n"
                             "record: {voltage: true, compression: gzip-1}\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static void try_listing(const char *text, size_t size)
{
    struct listing listing;

    if (listing_parse(&listing, text, size, NULL) < 0) {
        return;
    }
    for (size_t i = 0; i < listing.count; i++) {
        if (!name_is_safe(listing.entries[i].name, PROTO_NAME_SIZE - 1)
            || memchr(listing.entries[i].state, '\0', PROTO_NAME_SIZE) == NULL
            || memchr(listing.entries[i].digest, '\0', sizeof(listing.entries[i].digest))
                   == NULL) {
            abort();
        }
    }
    listing_fini(&listing);
}

static int decode(const struct schema *schema, const char *text, size_t size, void *out)
{
    struct fault_list faults = { 0 };
    struct yaml_doc *doc = yaml_parse(text, size, "fuzz", NULL);
    int result = -1;

    if (doc != NULL) {
        schema_decode(schema, yaml_root(doc), out, &faults);
        result = faults.count > 0 ? -1 : 0;
    }
    fault_fini(&faults);
    yaml_destroy(&doc);
    return result;
}

static void try_schema(const struct schema *schema, const char *text, size_t size)
{
    void *first = calloc(1, schema->size);
    void *again = calloc(1, schema->size);
    struct buf out = { 0 };

    if (first != NULL && again != NULL && decode(schema, text, size, first) == 0) {
        schema_encode(schema, first, &out, 0);
        if (decode(schema, out.size > 0 ? out.data : "", out.size, again) < 0
            || memcmp(first, again, schema->size) != 0) {
            abort();
        }
    }
    buf_fini(&out);
    free(first);
    free(again);
}

static void try_facts(const char *text, size_t size)
{
    static struct node_facts facts;

    if (node_facts_parse(&facts, text, size, NULL) == 0) {
        try_schema(&node_facts_schema, text, size);
    }
}

/* What is changed is sound as it stands: else no change would reach far. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static struct node_facts facts;
    static struct node_config config;
    struct listing listing;

    (void)argc;
    (void)argv;
    if (listing_parse(&listing, LISTING, strlen(LISTING), NULL) < 0
        || node_facts_parse(&facts, FACTS, strlen(FACTS), NULL) < 0
        || decode(&node_config_schema, CONFIG, strlen(CONFIG), &config) < 0) {
        abort();
    }
    listing_fini(&listing);
    return 0;
}

/* The first byte chooses whose words they are and whether the rest is all of them, or stands
 * within sound ones at the place that the second byte names. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const SOUND[N_KINDS] = { LISTING, FACTS, CONFIG };
    char text[TEXT_MAX];
    const char *sound = "";
    size_t at = 0;
    size_t length = 0;

    if (size < 2 || size > TEXT_MAX / 2) {
        return 0;
    }
    if ((data[0] & 0x80U) != 0) {
        sound = SOUND[data[0] % N_KINDS];
        at = data[1] % strlen(sound);
    }
    memcpy(text, sound, at);
    memcpy(text + at, data + 2, size - 2);
    length = at + size - 2;
    memcpy(text + length, sound + at, strlen(sound) - at);
    length += strlen(sound) - at;
    switch (data[0] % N_KINDS) {
    case 0:
        try_listing(text, length);
        break;
    case 1:
        try_facts(text, length);
        break;
    default:
        try_schema(&node_config_schema, text, length);
        break;
    }
    return 0;
}
