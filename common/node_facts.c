/* SPDX-License-Identifier: MIT */
#include "common/node_facts.h"

#define MEMBER(type_, kind_, member_, help_)                                           \
    {                                                                                  \
        .name = #member_, .type = (kind_), .offset = offsetof(type_, member_),         \
        .size = sizeof(((type_ *)NULL)->member_), .is_optional = true, .help = (help_) \
    }

#define DISK(kind, member, help) MEMBER(struct fact_disk, FIELD_##kind, member, help)
#define LINK(kind, member, help) MEMBER(struct fact_link, FIELD_##kind, member, help)
#define FACT(kind, member, help) MEMBER(struct node_facts, FIELD_##kind, member, help)

static const struct field DISK_FIELDS[] = {
    DISK(STRING, name, "as in /dev"),
    DISK(STRING, model, "as it calls itself"),
    DISK(STRING, serial, "its number"),
    DISK(U64, size_bytes, "its size"),
    { .name = NULL },
};

static const struct schema DISK_SCHEMA = { .name = "disk",
                                           .help = "a disk",
                                           .fields = DISK_FIELDS,
                                           .size = sizeof(struct fact_disk) };

static const struct field LINK_FIELDS[] = {
    LINK(STRING, name, "of the interface"),
    LINK(STRING, address, "its MAC"),
    LINK(U64, speed_mbit, "of the link"),
    { .name = NULL },
};

static const struct schema LINK_SCHEMA = { .name = "link",
                                           .help = "a network interface",
                                           .fields = LINK_FIELDS,
                                           .size = sizeof(struct fact_link) };

static const struct field FACT_FIELDS[] = {
    FACT(STRING, machine, "its model"),
    FACT(STRING, serial, "its number"),
    FACT(STRING, system, "distribution"),
    FACT(STRING, kernel, "release"),
    FACT(STRING, architecture, "of the kernel"),
    FACT(STRING, governor, "of the processor's frequency"),
    FACT(U64, n_processors, "how many"),
    FACT(U64, memory_bytes, "in all"),
    FACT(U64, uptime_s, "since the boot"),
    FACT(STRING, sheep_version, "of the agent"),
    FACT(STRING, board, "its kind"),
    FACT(BOOL, has_calibration, "it was measured"),
    FACT(BOOL, has_realtime, "the recorder may have real-time priority and locked memory"),
    FACT(STRING, data_filesystem, "where recordings go"),
    FACT(STRING, data_options, "of its mount"),
    FACT(U64, data_size_bytes, "of that file system"),
    FACT(U64, data_free_bytes, "of that, free"),
    {.name = "disks",
                                             .type = FIELD_LIST,
                                             .offset = offsetof(struct node_facts, disks),
                                             .sub = &DISK_SCHEMA,
                                             .max_count = FACTS_MAX_DISKS,
                                             .count_offset = offsetof(struct node_facts, n_disks),
                                             .is_optional = true,
                                             .help = "without those in memory" },
    { .name = "links",
                                             .type = FIELD_LIST,
                                             .offset = offsetof(struct node_facts, links),
                                             .sub = &LINK_SCHEMA,
                                             .max_count = FACTS_MAX_LINKS,
                                             .count_offset = offsetof(struct node_facts, n_links),
                                             .is_optional = true,
                                             .help = "without the loopback" },
    { .name = NULL                 },
};

const struct schema node_facts_schema = {
    .name = "node_facts",
    .help = "what a node is made of",
    .fields = FACT_FIELDS,
    .size = sizeof(struct node_facts),
};

int node_facts_parse(struct node_facts *facts, const void *data, size_t size, struct err *err)
{
    struct fault_list faults = { 0 };
    struct yaml_doc *doc = NULL;
    int result = 0;

    if (size > FACTS_MAX_BYTES) {
        return err_set(err, ERR_INPUT, "inventory: %zu bytes, more than %d", size,
                       FACTS_MAX_BYTES);
    }
    doc = yaml_parse(size > 0 ? data : "", size, "inventory", err);
    if (doc == NULL) {
        return -1;
    }
    schema_decode(&node_facts_schema, yaml_root(doc), facts, &faults);
    result = fault_check(&faults, err);
    fault_fini(&faults);
    yaml_destroy(&doc);
    return result;
}
