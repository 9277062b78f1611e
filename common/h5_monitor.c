/* SPDX-License-Identifier: MIT */
#include "common/h5_monitor.h"

#include "common/h5_channels.h"
#include "common/h5_table.h"
#include "common/h5_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHUNK_ROWS = 1000,
    BYTES_CHUNK = 10000,
    MAX_UTIL_ROWS = 4096,
    CLOCK_COLUMNS = 3, /* offset, frequency, path delay */
    SYSTEM_COLUMNS = 9 /* sheep's enum system_column */
};

/* What a stream's group looks like. `text` names the texts' encoding. */
struct stream_spec {
    const char *group;
    enum {
        NO_TEXT,
        UTF8_TEXT,
        BYTES_TEXT,
        CHANNELS /* named in the log: groups of their own */
    } text;
    const char *text_description;
    size_t n_columns;
    struct h5_column_spec columns[5];
};

#define NS_COLUMN(column, cell, width, text) \
    {                                        \
        (column), (cell), (width),           \
        {                                    \
            1e-9, 0.0, "s", (text)           \
        }                                    \
    }
#define COUNT_COLUMN(column, cell, width, unit, text) \
    {                                                 \
        (column), (cell), (width),                    \
        {                                             \
            1.0, 0.0, (unit), (text)                  \
        }                                             \
    }

/* clang-format off */
static const struct stream_spec SPECS[RLOG_N_STREAMS] = {
    [RLOG_STREAM_PRU_UTIL] = { "/pru_util", NO_TEXT, NULL, 2, {
        H5_TIME_COLUMN("start of the window of 100 ms"),
        NS_COLUMN("values", H5_CELL_U16, 3,
                  "time per sample: pru0 mean, pru0 maximum, pru1 maximum; 65535 ns or more") } },
    [RLOG_STREAM_UART] = { "/uart", BYTES_TEXT, "bytes of one read, zero bytes left out", 2, {
        H5_TIME_COLUMN("time of the read"),
        COUNT_COLUMN("size", H5_CELL_U32, 0, "byte",
                     "how many of /uart/bytes this read gave") } },
    [RLOG_STREAM_KERNEL] = { "/kernel", UTF8_TEXT, "line of the kernel log", 1, {
        H5_TIME_COLUMN("time of the message") } },
    [RLOG_STREAM_SHEEP] = { "/sheep", UTF8_TEXT, "line of the node's log", 2, {
        H5_TIME_COLUMN("time of the message"),
        COUNT_COLUMN("level", H5_CELL_U8, 0, "n",
                     "10 debug, 20 info, 30 warning, 40 error") } },
    [RLOG_STREAM_SYS_UTIL] = { "/sys_util", NO_TEXT, NULL, 5, {
        H5_TIME_COLUMN("time of the reading"),
        COUNT_COLUMN("cpu", H5_CELL_U8, 0, "percent", "load of all cores"),
        COUNT_COLUMN("ram", H5_CELL_U8, 2, "percent", "memory available, used"),
        COUNT_COLUMN("io", H5_CELL_U64, 4, "n",
                     "disk reads, disk writes, bytes read, bytes written"),
        COUNT_COLUMN("net", H5_CELL_U64, 2, "byte", "bytes sent, bytes received") } },
    [RLOG_STREAM_PTP] = { "/ptp", NO_TEXT, NULL, 2, {
        H5_TIME_COLUMN("time of the reading"),
        COUNT_COLUMN("values", H5_CELL_I64, CLOCK_COLUMNS, "ns, ppb, ns",
                     "offset from the master, frequency, path delay") } },
    [RLOG_STREAM_PHC2SYS] = { "/phc2sys", NO_TEXT, NULL, 2, {
        H5_TIME_COLUMN("time of the reading"),
        COUNT_COLUMN("values", H5_CELL_I64, CLOCK_COLUMNS, "ns, ppb, ns",
                     "offset of the system clock, frequency, delay of the reading") } },
    [RLOG_STREAM_NTP] = { "/ntp", UTF8_TEXT, "line of the time daemon", 1, {
        H5_TIME_COLUMN("time of the message") } },
    [RLOG_STREAM_SYSTEM] = { "/system", CHANNELS, NULL, 0, { { 0 } } },
    [RLOG_STREAM_IIO] = { "/iio", CHANNELS, NULL, 0, { { 0 } } },
};
/* clang-format on */

static const struct h5_column_spec UART_BYTES =
    COUNT_COLUMN("bytes", H5_CELL_U8, 0, "n", "every byte received, in order");

struct stream {
    struct h5_table *table; /* NULL: nothing came yet */
    struct h5_text *text;
    struct h5_table *bytes; /* of the uart: no byte is lost */
    struct h5_channels *channels;
};

struct h5_monitor {
    hid_t file; /* loan */
    struct h5_packer *packer;
    struct stream streams[RLOG_N_STREAMS];
    uint64_t n_ignored;
};

struct h5_monitor *h5_monitor_create(hid_t file, struct h5_packer *packer, struct err *err)
{
    struct h5_monitor *monitor = calloc(1, sizeof(*monitor));

    if (monitor == NULL) {
        err_set(err, ERR_MEMORY, "monitors");
        return NULL;
    }
    monitor->file = file;
    monitor->packer = packer;
    for (int i = 0; i < RLOG_N_STREAMS; i++) {
        hid_t group = -1;

        if (SPECS[i].group == NULL) {
            continue;
        }
        group = h5_make_group(file, SPECS[i].group, err);
        if (group < 0) {
            h5_monitor_destroy(&monitor);
            return NULL;
        }
        h5_close(&group);
    }
    return monitor;
}

static int open_stream(struct h5_monitor *monitor, unsigned number, struct err *err)
{
    const struct stream_spec *spec = &SPECS[number];
    struct stream *stream = &monitor->streams[number];
    char path[64];

    if (stream->table != NULL || stream->channels != NULL) {
        return 0;
    }
    if (spec->text == CHANNELS) {
        stream->channels = h5_channels_create(monitor->file, monitor->packer, spec->group, err);
        return stream->channels == NULL ? -1 : 0;
    }
    if (spec->text != NO_TEXT) {
        snprintf(path, sizeof(path), "%s/message", spec->group);
        stream->text = h5_text_create(monitor->file, path, spec->text == UTF8_TEXT,
                                      spec->text_description, err);
        if (stream->text == NULL) {
            return -1;
        }
    }
    if (number == RLOG_STREAM_UART) {
        stream->bytes =
            h5_table_create(monitor->packer, spec->group, BYTES_CHUNK, &UART_BYTES, 1, err);
        if (stream->bytes == NULL) {
            return -1;
        }
    }
    stream->table = h5_table_create(monitor->packer, spec->group, CHUNK_ROWS, spec->columns,
                                    spec->n_columns, err);
    return stream->table == NULL ? -1 : 0;
}

/* The length of the UTF-8 sequence at `at`, 0 when it is none (RFC 3629). */
static size_t utf8_length(const uint8_t *at, size_t left)
{
    size_t length = at[0] < 0x80   ? 1
                    : at[0] < 0xC2 ? 0
                    : at[0] < 0xE0 ? 2
                    : at[0] < 0xF0 ? 3
                                   : 4;

    if (length == 0 || length > left || at[0] > 0xF4) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    if ((at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xED && at[1] > 0x9F)
        || (at[0] == 0xF0 && at[1] < 0x90) || (at[0] == 0xF4 && at[1] > 0x8F)) {
        return 0;
    }
    return length;
}

/* A reader that decodes UTF-8 must not fail on one stray byte of a kernel line. */
static int add_utf8(struct h5_text *text, const uint8_t *bytes, size_t size, struct err *err)
{
    uint8_t *clean = malloc(size + 1);
    int result = 0;

    if (clean == NULL) {
        return err_set(err, ERR_MEMORY, "message of %zu bytes", size);
    }
    for (size_t i = 0; i < size;) {
        size_t length = utf8_length(bytes + i, size - i);

        if (length == 0) {
            clean[i++] = '?';
            continue;
        }
        memcpy(clean + i, bytes + i, length);
        i += length;
    }
    result = h5_text_append(text, clean, size, err);
    free(clean);
    return result;
}

static int add_text(struct h5_monitor *monitor, const struct rlog_record *record,
                    struct err *err)
{
    unsigned number = record->header.stream;
    struct stream *stream = &monitor->streams[number];
    uint32_t size = record->header.payload_size;
    uint8_t level =
        record->header.count > UINT8_MAX ? UINT8_MAX : (uint8_t)record->header.count;
    const void *cells[] = { &record->header.first,
                            number == RLOG_STREAM_UART ? (const void *)&size : &level };
    const void *bytes[] = { record->payload };
    int result = 0;

    if (SPECS[number].text == UTF8_TEXT) {
        result = add_utf8(stream->text, record->payload, size, err);
    } else {
        result = h5_text_append(stream->text, record->payload, size, err);
    }
    if (result < 0
        || (stream->bytes != NULL && h5_table_append(stream->bytes, bytes, size, err) < 0)) {
        return -1;
    }
    return h5_table_append(stream->table, cells, 1, err);
}

static uint8_t to_u8(int64_t value)
{
    return value < 0 ? 0 : value > UINT8_MAX ? UINT8_MAX : (uint8_t)value;
}

static int add_system(struct h5_monitor *monitor, uint64_t utc_ns, const int64_t *values,
                      struct err *err)
{
    uint8_t cpu = to_u8(values[0]);
    uint8_t ram[2] = { to_u8(values[1]), to_u8(values[2]) };
    const void *cells[] = { &utc_ns, &cpu, ram, values + 3, values + 7 };

    return h5_table_append(monitor->streams[RLOG_STREAM_SYS_UTIL].table, cells, 1, err);
}

static int add_row(struct h5_monitor *monitor, const struct rlog_record *record,
                   struct err *err)
{
    const struct rlog_record_header *header = &record->header;
    int64_t values[SYSTEM_COLUMNS] = { 0 };
    const void *cells[] = { &header->first, values };

    memcpy(values, record->payload, header->payload_size);
    if (header->stream == RLOG_STREAM_SYS_UTIL) {
        return add_system(monitor, header->first, values, err);
    }
    return h5_table_append(monitor->streams[header->stream].table, cells, 1, err);
}

static uint16_t to_u16(uint32_t value)
{
    return value > UINT16_MAX ? UINT16_MAX : (uint16_t)value;
}

static int add_util(struct h5_monitor *monitor, const struct rlog_record *record,
                    struct err *err)
{
    for (uint32_t i = 0; i < record->header.count; i++) {
        struct rlog_util row;
        uint16_t values[3];
        const void *cells[] = { &row.utc_ns, values };

        memcpy(&row, record->payload + i * sizeof(row), sizeof(row));
        values[0] = to_u16(row.pru0_mean_ns);
        values[1] = to_u16(row.pru0_max_ns);
        values[2] = to_u16(row.pru1_max_ns);
        if (h5_table_append(monitor->streams[RLOG_STREAM_PRU_UTIL].table, cells, 1, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Of the kind and width that its stream has. */
static bool is_fitting(const struct rlog_record_header *header)
{
    unsigned number = header->stream;
    unsigned width = number == RLOG_STREAM_SYS_UTIL ? SYSTEM_COLUMNS : CLOCK_COLUMNS;

    if (number >= RLOG_N_STREAMS || SPECS[number].group == NULL) {
        return false;
    }
    if (SPECS[number].text == CHANNELS) {
        return true; /* they look themselves */
    }
    if (SPECS[number].text != NO_TEXT) {
        return header->type == RLOG_TEXT;
    }
    if (number == RLOG_STREAM_PRU_UTIL) {
        return header->type == RLOG_UTIL && header->count <= MAX_UTIL_ROWS
               && header->payload_size == header->count * sizeof(struct rlog_util);
    }
    return header->type == RLOG_ROW && header->count == width
           && header->payload_size == width * sizeof(int64_t);
}

static int add_channels(struct h5_monitor *monitor, const struct rlog_record *record,
                        struct err *err)
{
    struct h5_channels *channels = monitor->streams[record->header.stream].channels;
    bool is_taken = false;

    if (h5_channels_add(channels, record, &is_taken, err) < 0) {
        return -1;
    }
    monitor->n_ignored += is_taken ? 0 : 1;
    return 0;
}

int h5_monitor_add(struct h5_monitor *monitor, const struct rlog_record *record,
                   struct err *err)
{
    if (!is_fitting(&record->header)) {
        monitor->n_ignored++;
        return 0;
    }
    if (open_stream(monitor, record->header.stream, err) < 0) {
        return -1;
    }
    if (SPECS[record->header.stream].text == CHANNELS) {
        return add_channels(monitor, record, err);
    }
    switch (record->header.type) {
    case RLOG_TEXT:
        return add_text(monitor, record, err);
    case RLOG_UTIL:
        return add_util(monitor, record, err);
    default:
        return add_row(monitor, record, err);
    }
}

int h5_monitor_finish(struct h5_monitor *monitor, struct err *err)
{
    for (int i = 0; i < RLOG_N_STREAMS; i++) {
        struct stream *stream = &monitor->streams[i];

        if ((stream->table != NULL && h5_table_finish(stream->table, err) < 0)
            || (stream->bytes != NULL && h5_table_finish(stream->bytes, err) < 0)
            || (stream->text != NULL && h5_text_finish(stream->text, err) < 0)
            || (stream->channels != NULL && h5_channels_finish(stream->channels, err) < 0)) {
            return -1;
        }
    }
    return 0;
}

uint64_t h5_monitor_ignored(const struct h5_monitor *monitor)
{
    return monitor->n_ignored;
}

void h5_monitor_destroy(struct h5_monitor **monitor)
{
    if (*monitor == NULL) {
        return;
    }
    for (int i = 0; i < RLOG_N_STREAMS; i++) {
        struct stream *stream = &(*monitor)->streams[i];

        h5_table_destroy(&stream->table);
        h5_table_destroy(&stream->bytes);
        h5_text_destroy(&stream->text);
        h5_channels_destroy(&stream->channels);
    }
    free(*monitor);
    *monitor = NULL;
}
