/* SPDX-License-Identifier: MIT */
#include "common/h5_channels.h"

#include "common/channel.h"
#include "common/h5_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHUNK_ROWS = 1000
};

struct named {
    struct channel channel;
    struct h5_table *table; /* NULL: no value came yet */
};

struct h5_channels {
    hid_t file; /* loan */
    struct h5_packer *packer;
    char group[32];
    struct named named[CHANNEL_MAX];
    size_t n_named;
    struct named *by_number[CHANNEL_MAX]; /* NULL: not named yet */
};

struct h5_channels *h5_channels_create(hid_t file, struct h5_packer *packer, const char *group,
                                       struct err *err)
{
    struct h5_channels *channels = calloc(1, sizeof(*channels));

    if (channels == NULL) {
        err_set(err, ERR_MEMORY, "%s", group);
        return NULL;
    }
    channels->file = file;
    channels->packer = packer;
    snprintf(channels->group, sizeof(channels->group), "%s", group);
    return channels;
}

/* A name keeps its meaning: its dataset has one gain. */
static bool add_name(struct h5_channels *channels, const struct rlog_record *record)
{
    struct channel channel;
    struct named *named = NULL;

    if (record->header.count >= CHANNEL_MAX
        || !channel_decode(&channel, record->payload, record->header.payload_size)) {
        return false;
    }
    for (size_t i = 0; i < channels->n_named && named == NULL; i++) {
        if (strcmp(channels->named[i].channel.name, channel.name) == 0) {
            named = &channels->named[i];
        }
    }
    if (named == NULL) {
        if (channels->n_named == CHANNEL_MAX) {
            return false;
        }
        named = &channels->named[channels->n_named++];
        named->channel = channel;
    }
    if (named->channel.gain != channel.gain || named->channel.offset != channel.offset
        || strcmp(named->channel.unit, channel.unit) != 0) {
        return false;
    }
    channels->by_number[record->header.count] = named;
    return true;
}

static int open_table(struct h5_channels *channels, struct named *named, struct err *err)
{
    const struct channel *channel = &named->channel;
    const struct h5_column_spec columns[] = {
        H5_TIME_COLUMN("time of the reading"),
        {"value",
                                 H5_CELL_I64, 0,
                                 { channel->gain, channel->offset, channel->unit, channel->name }}
    };
    char path[96];
    hid_t group = -1;

    snprintf(path, sizeof(path), "%s/%s", channels->group, channel->name);
    group = h5_make_group(channels->file, path, err);
    if (group < 0) {
        return -1;
    }
    h5_close(&group);
    named->table =
        h5_table_create(channels->packer, path, CHUNK_ROWS, columns, ARRAY_LEN(columns), err);
    return named->table == NULL ? -1 : 0;
}

static int add_pairs(struct h5_channels *channels, const struct rlog_record *record,
                     bool *is_taken, struct err *err)
{
    for (uint32_t i = 0; i + 1 < record->header.count; i += 2) {
        int64_t pair[2];
        struct named *named = NULL;
        const void *cells[] = { &record->header.first, &pair[1] };

        memcpy(pair, record->payload + i * sizeof(int64_t), sizeof(pair));
        if (pair[0] >= 0 && pair[0] < CHANNEL_MAX) {
            named = channels->by_number[pair[0]];
        }
        if (named == NULL) {
            *is_taken = false;
            continue;
        }
        if ((named->table == NULL && open_table(channels, named, err) < 0)
            || h5_table_append(named->table, cells, 1, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int h5_channels_add(struct h5_channels *channels, const struct rlog_record *record,
                    bool *is_taken, struct err *err)
{
    const struct rlog_record_header *header = &record->header;

    *is_taken = true;
    if (header->type == RLOG_TEXT) {
        *is_taken = add_name(channels, record);
        return 0;
    }
    if (header->type != RLOG_ROW || header->count % 2 != 0
        || header->payload_size != header->count * sizeof(int64_t)) {
        *is_taken = false;
        return 0;
    }
    return add_pairs(channels, record, is_taken, err);
}

int h5_channels_finish(struct h5_channels *channels, struct err *err)
{
    for (size_t i = 0; i < channels->n_named; i++) {
        if (channels->named[i].table != NULL
            && h5_table_finish(channels->named[i].table, err) < 0) {
            return -1;
        }
    }
    return 0;
}

void h5_channels_destroy(struct h5_channels **channels)
{
    if (*channels == NULL) {
        return;
    }
    for (size_t i = 0; i < (*channels)->n_named; i++) {
        h5_table_destroy(&(*channels)->named[i].table);
    }
    free(*channels);
    *channels = NULL;
}
