/* SPDX-License-Identifier: MIT */
#include "herd/listing.h"

#include "common/buf.h"
#include "common/schema.h"
#include "common/yaml_doc.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_ENTRIES = 100000
};

#define MEMBER(member_, type_)                                                                \
    {                                                                                         \
        .name = #member_, .type = (type_), .offset = offsetof(struct listing_entry, member_), \
        .size = sizeof(((struct listing_entry *)NULL)->member_), .is_optional = true          \
    }

static const struct field FIELDS[] = {
    {.name = "name",
     .type = FIELD_STRING,
     .offset = offsetof(struct listing_entry, name),
     .size = PROTO_NAME_SIZE },
    MEMBER(state, FIELD_STRING),
    MEMBER(bytes, FIELD_U64),
    MEMBER(samples, FIELD_U64),
    MEMBER(digest, FIELD_STRING),
    MEMBER(experiment, FIELD_U64),
    MEMBER(reason, FIELD_U64),
    { .name = NULL},
};

static const struct schema SCHEMA = {
    .name = "listing",
    .help = "a recording on a node",
    .fields = FIELDS,
    .size = sizeof(struct listing_entry),
};

static void decode_all(struct listing *listing, const struct yaml_node *root,
                       struct fault_list *faults)
{
    for (size_t i = 0; i < root->count; i++) {
        struct listing_entry *entry = &listing->entries[listing->count];

        schema_decode(&SCHEMA, root->items[i], entry, faults);
        if (!name_is_safe(entry->name, PROTO_NAME_SIZE - 1)) {
            fault_add(faults, root->items[i]->place, "a name that is not safe");
        }
        listing->count++;
    }
}

int listing_parse(struct listing *listing, const void *data, size_t size, struct err *err)
{
    struct yaml_doc *doc = yaml_parse(size > 0 ? data : "", size, "listing", err);
    const struct yaml_node *root = NULL;
    struct fault_list faults = { 0 };
    int result = 0;

    memset(listing, 0, sizeof(*listing));
    if (doc == NULL) {
        return -1;
    }
    root = yaml_root(doc);
    if (root != NULL && root->kind == YAML_LIST && root->count <= MAX_ENTRIES) {
        listing->entries = calloc(root->count + 1, sizeof(*listing->entries));
        if (listing->entries == NULL) {
            result = err_set(err, ERR_MEMORY, "a list of %zu recordings", root->count);
        } else {
            decode_all(listing, root, &faults);
            result = fault_check(&faults, err);
        }
    } else if (root != NULL && root->kind != YAML_NULL) {
        result = err_set(err, ERR_INPUT, "listing: not a list of recordings");
    }
    fault_fini(&faults);
    yaml_destroy(&doc);
    if (result < 0) {
        listing_fini(listing);
    }
    return result;
}

void listing_fini(struct listing *listing)
{
    free(listing->entries);
    memset(listing, 0, sizeof(*listing));
}

static bool take_list(void *arg, const struct ask_answer *answer)
{
    struct listings *listings = arg;
    const struct proto_message *message = answer->message;
    struct err err = { 0 };

    listing_fini(&listings->nodes[answer->i]);
    if (message->verb == VERB_REFUSED) {
        err_set(&err, ERR_STATE, "%s", PROTO_CONST_BODY(message, body_refused)->why);
    } else if (message->verb != VERB_LISTING) {
        err_set(&err, ERR_INPUT, "it answered %s", proto_verb_info(message->verb)->name);
    } else if (listing_parse(&listings->nodes[answer->i], message->payload.data,
                             message->payload.size, &err)
               == 0) {
        return true;
    }
    snprintf(listings->faults[answer->i], sizeof(listings->faults[0]), "%.190s", err.text);
    return true;
}

size_t listings_ask(struct listings *listings, struct ask *ask, size_t n_nodes, int timeout_ms)
{
    const struct ask_round round = { .verb = VERB_LIST,
                                     .body = ask_no_body,
                                     .answer = take_list,
                                     .arg = listings,
                                     .timeout_ms = timeout_ms };
    size_t n_answered = 0;

    memset(listings, 0, sizeof(*listings));
    listings->nodes = calloc(n_nodes + 1, sizeof(*listings->nodes));
    listings->faults = calloc(n_nodes + 1, sizeof(*listings->faults));
    listings->are_heard = calloc(n_nodes + 1, sizeof(*listings->are_heard));
    if (listings->nodes == NULL || listings->are_heard == NULL || listings->faults == NULL) {
        return 0;
    }
    listings->n_nodes = n_nodes;
    ask_hello(ask, timeout_ms, NULL, NULL);
    n_answered = ask_all(ask, &round);
    for (size_t i = 0; i < n_nodes; i++) {
        listings->are_heard[i] = ask_state(ask, i) == ASK_ANSWERED;
        if (ask_state(ask, i) == ASK_SILENT) {
            snprintf(listings->faults[i], sizeof(listings->faults[0]), "no answer");
        }
    }
    return n_answered;
}

void listings_fini(struct listings *listings)
{
    for (size_t i = 0; i < listings->n_nodes; i++) {
        listing_fini(&listings->nodes[i]);
    }
    free(listings->nodes);
    free(listings->are_heard);
    free(listings->faults);
    memset(listings, 0, sizeof(*listings));
}

bool listing_matches(const char *pattern, const char *name)
{
    size_t length = strlen(pattern);

    if (strpbrk(pattern, "*?[") != NULL) {
        return fnmatch(pattern, name, 0) == 0;
    }
    return strncmp(pattern, name, length) == 0 && (name[length] == '\0' || name[length] == '_');
}
