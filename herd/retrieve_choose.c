/* SPDX-License-Identifier: MIT */
#include "herd/retrieve_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TIME_TEXT_LENGTH = 20, /* 2026-11-28T06-51-24Z */
};

/* An experiment's number, as its manifest has it. */
static bool is_token(const char *pattern, uint64_t experiment)
{
    char text[24];

    snprintf(text, sizeof(text), "0x%016" PRIx64, experiment);
    return strcmp(pattern, text) == 0;
}

static bool is_wanted(const struct retrieval *retrieval, const struct listing_entry *entry)
{
    if (strcmp(entry->state, "recording") == 0) {
        return false;
    }
    if (retrieval->n_patterns == 0 && !retrieval->only_latest) {
        return strcmp(entry->state, "released") != 0; /* somebody has those */
    }
    for (int i = 0; i < retrieval->n_patterns; i++) {
        if (listing_matches(retrieval->patterns[i], entry->name)
            || is_token(retrieval->patterns[i], entry->experiment)) {
            return true;
        }
    }
    return retrieval->n_patterns == 0;
}

/* The length of NAME_TIME in NAME_TIME_NODE: what the recordings of one experiment share. */
static int shared_length(const char *log, const char *node)
{
    size_t length = strlen(log);
    size_t tail = strlen(node) + 1;

    if (length > tail && log[length - tail] == '_'
        && strcmp(log + length - tail + 1, node) == 0) {
        return (int)(length - tail);
    }
    return (int)length;
}

/* The time in a name; "" when it has none. It sorts as text. */
static const char *time_of(const char *log, const char *node, char text[PROTO_NAME_SIZE])
{
    int length = shared_length(log, node);

    text[0] = '\0';
    if (length > TIME_TEXT_LENGTH) {
        snprintf(text, PROTO_NAME_SIZE, "%.*s", TIME_TEXT_LENGTH,
                 log + length - TIME_TEXT_LENGTH);
    }
    return text;
}

/* A node that comes later may have a newer one, and then that is meant from there on. */
static void find_latest(struct retrieval *retrieval)
{
    for (size_t i = 0; i < retrieval->listings.n_nodes; i++) {
        for (size_t k = 0; k < retrieval->listings.nodes[i].count; k++) {
            const struct listing_entry *entry = &retrieval->listings.nodes[i].entries[k];
            char text[PROTO_NAME_SIZE];

            if (is_wanted(retrieval, entry)
                && strcmp(time_of(entry->name, retrieve_node_name(retrieval, i), text),
                          retrieval->latest)
                       > 0) {
                memcpy(retrieval->latest, text, PROTO_NAME_SIZE);
            }
        }
    }
}

static int add_job(struct retrieval *retrieval, size_t node, const struct listing_entry *entry,
                   struct err *err)
{
    struct fetch_job *job = &retrieval->jobs[retrieval->n_jobs];
    const char *name = retrieve_node_name(retrieval, node);

    *job = (struct fetch_job){ .node = node, .bytes_expected = entry->bytes };
    memcpy(job->log, entry->name, sizeof(job->log));
    if (snprintf(job->folder, PATH_SIZE, "%s/.bellwether/%.*s/%s.rlog", retrieval->output,
                 shared_length(entry->name, name), entry->name, name)
        >= PATH_SIZE) {
        return err_set(err, ERR_INPUT, "%s: path too long", retrieval->output);
    }
    retrieval->parcels[retrieval->n_jobs++].entry = entry;
    return 0;
}

int retrieve_choose(struct retrieval *retrieval, struct err *err)
{
    size_t n_entries = 0;

    for (size_t i = 0; i < retrieval->listings.n_nodes; i++) {
        n_entries += retrieval->listings.nodes[i].count;
    }
    retrieval->jobs = calloc(n_entries + 1, sizeof(*retrieval->jobs));
    retrieval->parcels = calloc(n_entries + 1, sizeof(*retrieval->parcels));
    if (retrieval->jobs == NULL || retrieval->parcels == NULL) {
        return err_set(err, ERR_MEMORY, "%zu recordings", n_entries);
    }
    find_latest(retrieval);
    for (size_t i = 0; i < retrieval->listings.n_nodes; i++) {
        for (size_t k = 0; k < retrieval->listings.nodes[i].count; k++) {
            const struct listing_entry *entry = &retrieval->listings.nodes[i].entries[k];
            char text[PROTO_NAME_SIZE];

            if (!is_wanted(retrieval, entry)
                || (retrieval->only_latest
                    && strcmp(time_of(entry->name, retrieve_node_name(retrieval, i), text),
                              retrieval->latest)
                           != 0)) {
                continue;
            }
            if (add_job(retrieval, i, entry, err) < 0) {
                return -1;
            }
        }
    }
    return 0;
}
