/* SPDX-License-Identifier: MIT */
#include "sheep/node_journal.h"

#include "common/buf.h"
#include "common/schema.h"

#include <stdio.h>
#include <string.h>

#define FIELD(type_, member_)                                                                \
    {                                                                                        \
        .name = #member_, .type = (type_), .offset = offsetof(struct node_journal, member_), \
        .size = sizeof(((struct node_journal *)0)->member_)                                  \
    }

static const struct field FIELDS[] = {
    FIELD(FIELD_U64, experiment),
    FIELD(FIELD_U64, controller),
    FIELD(FIELD_STRING, experiment_name),
    FIELD(FIELD_STRING, owner),
    FIELD(FIELD_STRING, user),
    FIELD(FIELD_STRING, log),
    FIELD(FIELD_U64, n_planned),
    FIELD(FIELD_BOOL, is_going),
    FIELD(FIELD_I64, T_ns),
    FIELD(FIELD_U64, arm_n),
    { .name = NULL },
};

static const struct schema SCHEMA = {
    .name = "journal",
    .help = "the experiment that is on this node",
    .fields = FIELDS,
    .size = sizeof(struct node_journal),
};

static void make_path(const char *state_dir, char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%s/journal", state_dir);
}

int node_journal_load(struct node_journal *journal, const char *state_dir, struct err *err)
{
    char path[PATH_SIZE];
    struct fault_list faults = { 0 };
    struct yaml_doc *doc = NULL;
    int result = 0;
    struct err why;

    memset(journal, 0, sizeof(*journal));
    make_path(state_dir, path);
    doc = yaml_load(path, &why);
    if (doc == NULL) {
        if (why.code == ERR_NOT_FOUND) {
            return 0;
        }
        return err_set(err, why.code, "%s", why.text);
    }
    schema_decode(&SCHEMA, yaml_root(doc), journal, &faults);
    result = fault_check(&faults, err);
    if (result == 0 && journal->experiment != 0
        && !name_is_safe(journal->log, PROTO_NAME_SIZE - 1)) {
        result = err_set(err, ERR_CORRUPT, "%s: log '%s'", path, journal->log);
    }
    if (result < 0) {
        memset(journal, 0, sizeof(*journal));
    }
    fault_fini(&faults);
    yaml_destroy(&doc);
    return result;
}

int node_journal_save(const struct node_journal *journal, const char *state_dir,
                      struct err *err)
{
    char path[PATH_SIZE];
    struct buf text = { 0 };
    int result = 0;

    make_path(state_dir, path);
    schema_encode(&SCHEMA, journal, &text, 0);
    result = text.failed ? err_set(err, ERR_MEMORY, "journal")
                         : file_write_atomic(path, text.data, text.size, 0600, err);
    buf_fini(&text);
    return result;
}
