/* SPDX-License-Identifier: MIT */
/* Tables that say what a YAML map may hold; one table decodes, encodes and documents it. */
#ifndef COMMON_SCHEMA_H
#define COMMON_SCHEMA_H

#include "common/buf.h"
#include "common/yaml_doc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum field_type {
    FIELD_BOOL,        /* bool */
    FIELD_U32,         /* uint32_t */
    FIELD_U64,         /* uint64_t; also 0x.. */
    FIELD_I64,         /* int64_t */
    FIELD_F64,         /* double, finite; in `unit`, or "2.4 V" where unit is mV */
    FIELD_DURATION_NS, /* int64_t; "30 s", "1.5 ms", "2 h"; a bare number is in the field's unit
                        */
    FIELD_BYTES,       /* uint64_t; "64 MiB", "10 kB"; bare: bytes */
    FIELD_ENUM,        /* int (an enum), by names */
    FIELD_STRING,      /* char[size], at most size - 1 bytes, no control characters */
    FIELD_MAP,         /* nested struct by sub */
    FIELD_F64_LIST, /* double[max_count], exactly max_count numbers; [[..],[..]] is flattened,
                       one number alone stands for all */
    FIELD_LIST,     /* struct[max_count] by sub, count in a size_t at count_offset */
    FIELD_CUSTOM,   /* decode/encode functions */
};

struct enum_name {
    const char *name;
    int value; /* several names may share a value; the first is the one that is written */
};

struct schema;

struct field {
    const char *name;
    enum field_type type;
    size_t offset;  /* offsetof in the struct */
    size_t size;    /* of the member, for FIELD_STRING */
    double minimum; /* of numbers, in `unit` (durations: bare unit); both 0: no range */
    double maximum;
    const char *default_text; /* YAML text; NULL: required unless is_optional */
    bool is_optional;         /* no default: the member is left as it is when absent */
    const char *unit;         /* for messages, --schema, and bare durations */
    const char *open_text;    /* of durations: how -1 ns is written, as in "to the end" */
    const char *help;
    const struct enum_name *enums; /* ends with a NULL name */
    const struct schema *sub;
    size_t max_count;
    size_t count_offset;
    void (*decode)(const struct yaml_node *node, void *member, struct fault_list *faults);
    /* Writes what stands behind "name:", with its line end: " all\n", or "\n" and a block whose
     * lines start at indent + 2. */
    void (*encode)(const void *member, struct buf *out, unsigned indent);
};

struct schema {
    const char *name;
    const char *help;
    const struct field *fields; /* ends with a NULL name */
    size_t size;                /* of the struct */
};

/* Decodes map into *out (storage of schema->size, zeroed first, then defaults). Adds a fault
 * for every unknown key (with the nearest known one), wrong type, unit or range, and missing
 * key. node may be NULL or null: all defaults; a key whose value is null is as absent. A map
 * that is absent has its sub's defaults, unless is_optional. Never stops at the first fault. */
void schema_decode(const struct schema *schema, const struct yaml_node *node, void *out,
                   struct fault_list *faults);

/* All defaults. */
void schema_defaults(const struct schema *schema, void *out);

/* Block YAML of every field; decodes to the same struct. */
void schema_encode(const struct schema *schema, const void *in, struct buf *out,
                   unsigned indent);

/* The reference: name, type, unit, range, default, help; nested maps indented. */
void schema_print(const struct schema *schema, struct buf *out);

/* The nearest name within a small edit distance, or NULL. next(arg, i) returns the i-th
 * candidate or NULL behind the last. */
const char *name_nearest(const char *name, const char *(*next)(const void *arg, size_t i),
                         const void *arg);

#endif
