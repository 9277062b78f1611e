/* SPDX-License-Identifier: MIT */
/* Input streams: one file of voltage and current records, the same bytes for the same samples.
 */
#include "common/rlog_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    INPUT_LEVEL = 1
};

struct rlog_input_writer {
    char path[PATH_SIZE];
    int fd;
    crypto_generichash_state *digest;
    struct rlog_deflate *deflate;
    uint64_t n_samples; /* in records already */
    uint32_t n_records;
    size_t fill;
    uint32_t voltage[RLOG_CHUNK_SAMPLES];
    uint32_t current[RLOG_CHUNK_SAMPLES];
    uint32_t scratch[RLOG_CHUNK_SAMPLES];
    uint8_t *packed;
};

static int put(struct rlog_input_writer *writer, const void *data, size_t size, struct err *err)
{
    crypto_generichash_update(writer->digest, data, size);
    return rlog_write_all(writer->fd, data, size, writer->path, err);
}

static int put_record(struct rlog_input_writer *writer, struct rlog_record_header header,
                      const void *payload, size_t size, struct err *err)
{
    static const uint8_t zeros[8];

    rlog_seal_record(&header, payload, size);
    writer->n_records++;
    if (put(writer, &header, sizeof(header), err) < 0 || put(writer, payload, size, err) < 0) {
        return -1;
    }
    return put(writer, zeros, rlog_padded(size) - size, err);
}

static int put_samples(struct rlog_input_writer *writer, uint8_t stream,
                       const uint32_t *samples, struct err *err)
{
    struct rlog_record_header header = { .type = RLOG_SAMPLES,
                                         .stream = stream,
                                         .count = (uint32_t)writer->fill,
                                         .first = writer->n_samples };
    size_t size = rlog_deflate_u32(writer->deflate, samples, writer->fill, writer->scratch,
                                   writer->packed, rlog_deflate_bound(RLOG_CHUNK_SAMPLES));

    if (size > 0) {
        header.flags = RLOG_FLAG_DEFLATED;
        return put_record(writer, header, writer->packed, size, err);
    }
    return put_record(writer, header, samples, writer->fill * sizeof(uint32_t), err);
}

static int put_chunk(struct rlog_input_writer *writer, struct err *err)
{
    if (writer->fill == 0) {
        return 0;
    }
    if (put_samples(writer, RLOG_STREAM_INPUT_VOLTAGE, writer->voltage, err) < 0
        || put_samples(writer, RLOG_STREAM_INPUT_CURRENT, writer->current, err) < 0) {
        return -1;
    }
    writer->n_samples += writer->fill;
    writer->fill = 0;
    return 0;
}

struct rlog_input_writer *rlog_input_create(const char *path, struct err *err)
{
    static const uint8_t no_id[16];
    struct rlog_segment_header header = rlog_make_segment_header(0, no_id);
    struct rlog_input_writer *writer = calloc(1, sizeof(*writer));

    if (writer == NULL || sodium_init() < 0) {
        free(writer);
        err_set(err, ERR_MEMORY, "input stream %s", path);
        return NULL;
    }
    snprintf(writer->path, sizeof(writer->path), "%s", path);
    writer->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (writer->fd < 0) {
        err_set_errno(err, "%s", path);
        goto fail;
    }
    writer->digest = sodium_malloc(sizeof(*writer->digest));
    writer->deflate = rlog_deflate_create(INPUT_LEVEL, err);
    writer->packed = malloc(rlog_deflate_bound(RLOG_CHUNK_SAMPLES));
    if (writer->digest == NULL || writer->deflate == NULL || writer->packed == NULL) {
        err_set(err, ERR_MEMORY, "input stream %s", path);
        goto fail;
    }
    crypto_generichash_init(writer->digest, NULL, 0, RLOG_DIGEST_BYTES);
    if (put(writer, &header, sizeof(header), err) < 0) {
        goto fail;
    }
    return writer;
fail:
    rlog_input_destroy(&writer);
    return NULL;
}

int rlog_input_append(struct rlog_input_writer *writer, const uint32_t *voltage_uV,
                      const uint32_t *current_nA, size_t count, struct err *err)
{
    while (count > 0) {
        size_t room = RLOG_CHUNK_SAMPLES - writer->fill;
        size_t part = count < room ? count : room;

        memcpy(writer->voltage + writer->fill, voltage_uV, part * sizeof(uint32_t));
        memcpy(writer->current + writer->fill, current_nA, part * sizeof(uint32_t));
        writer->fill += part;
        voltage_uV += part;
        current_nA += part;
        count -= part;
        if (writer->fill == RLOG_CHUNK_SAMPLES && put_chunk(writer, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int rlog_input_finish(struct rlog_input_writer **writer_p, char digest[DIGEST_TEXT_SIZE],
                      uint64_t *n_samples, struct err *err)
{
    struct rlog_input_writer *writer = *writer_p;
    struct rlog_end end = { 0 };
    uint8_t bytes[RLOG_DIGEST_BYTES];
    int result = put_chunk(writer, err);

    end.n_samples = writer->n_samples;
    end.n_records = writer->n_records + 1;
    if (result == 0) {
        result = put_record(writer, (struct rlog_record_header){ .type = RLOG_END }, &end,
                            sizeof(end), err);
    }
    if (result == 0 && fsync(writer->fd) < 0) {
        result = err_set_errno(err, "sync of %s", writer->path);
    }
    crypto_generichash_final(writer->digest, bytes, sizeof(bytes));
    rlog_digest_text(bytes, digest);
    *n_samples = writer->n_samples;
    rlog_input_destroy(writer_p);
    return result;
}

void rlog_input_destroy(struct rlog_input_writer **writer_p)
{
    struct rlog_input_writer *writer = *writer_p;

    if (writer == NULL) {
        return;
    }
    if (writer->fd >= 0) {
        close(writer->fd);
    }
    if (writer->digest != NULL) {
        sodium_free(writer->digest);
    }
    rlog_deflate_destroy(&writer->deflate);
    free(writer->packed);
    free(writer);
    *writer_p = NULL;
}

struct rlog_input_reader {
    char path[PATH_SIZE];
    FILE *file;
    uint64_t total; /* of the END record */
    uint64_t next;  /* first sample of the next chunk */
    size_t fill;    /* samples decoded */
    size_t at;      /* of those, given out */
    uint32_t voltage[RLOG_CHUNK_SAMPLES];
    uint32_t current[RLOG_CHUNK_SAMPLES];
    uint8_t *payload; /* RLOG_MAX_PAYLOAD would be too much: samples only */
    size_t capacity;
};

static int read_record(struct rlog_input_reader *reader, struct rlog_record *record,
                       struct err *err)
{
    struct rlog_record_header *header = &record->header;
    long at = ftell(reader->file);

    if (fread(header, sizeof(*header), 1, reader->file) != 1 || !rlog_is_record_header(header)
        || rlog_padded(header->payload_size) > reader->capacity
        || fread(reader->payload, 1, rlog_padded(header->payload_size), reader->file)
               != rlog_padded(header->payload_size)
        || !rlog_is_record_intact(header, reader->payload)) {
        return err_set(err, ERR_CORRUPT, "%s: broken or cut at byte %ld", reader->path, at);
    }
    record->payload = reader->payload;
    record->segment = 0;
    record->offset = (uint64_t)at;
    return 0;
}

/* END is the last record and of fixed size, so it is found from behind. */
static int read_total(struct rlog_input_reader *reader, struct err *err)
{
    struct rlog_record record = { 0 };
    struct rlog_end end = { 0 };
    long size = (long)(sizeof(record.header) + sizeof(end));

    if (fseek(reader->file, -size, SEEK_END) < 0) {
        return err_set(err, ERR_CORRUPT, "%s: too short for an input stream", reader->path);
    }
    if (read_record(reader, &record, err) < 0) {
        return -1;
    }
    if (record.header.type != RLOG_END || record.header.payload_size != sizeof(end)) {
        return err_set(err, ERR_CORRUPT, "%s: does not end as an input stream", reader->path);
    }
    memcpy(&end, record.payload, sizeof(end));
    reader->total = end.n_samples;
    return 0;
}

struct rlog_input_reader *rlog_input_open(const char *path, struct err *err)
{
    struct rlog_input_reader *reader = calloc(1, sizeof(*reader));
    struct rlog_segment_header header = { 0 };

    if (reader == NULL) {
        err_set(err, ERR_MEMORY, "%s", path);
        return NULL;
    }
    snprintf(reader->path, sizeof(reader->path), "%s", path);
    reader->capacity = rlog_padded(rlog_deflate_bound(RLOG_CHUNK_SAMPLES));
    reader->payload = malloc(reader->capacity);
    reader->file = fopen(path, "rbe");
    if (reader->payload == NULL || reader->file == NULL) {
        err_set_errno(err, "%s", path);
        goto fail;
    }
    if (fread(&header, sizeof(header), 1, reader->file) != 1) {
        err_set(err, ERR_CORRUPT, "%s: too short for an input stream", path);
        goto fail;
    }
    if (rlog_check_segment_header(&header, 0, err) < 0 || read_total(reader, err) < 0) {
        err_prepend(err, "%s", path);
        goto fail;
    }
    if (fseek(reader->file, (long)sizeof(header), SEEK_SET) < 0) {
        err_set_errno(err, "%s", path);
        goto fail;
    }
    return reader;
fail:
    rlog_input_close(&reader);
    return NULL;
}

uint64_t rlog_input_samples(const struct rlog_input_reader *reader)
{
    return reader->total;
}

static int read_half(struct rlog_input_reader *reader, uint8_t stream, uint32_t *samples,
                     size_t *count, struct err *err)
{
    struct rlog_record record = { 0 };

    if (read_record(reader, &record, err) < 0
        || rlog_record_samples(&record, samples, err) < 0) {
        return err_prepend(err, "%s", reader->path);
    }
    if (record.header.stream != stream || record.header.first != reader->next) {
        return err_set(err, ERR_CORRUPT, "%s: samples out of order at byte %llu", reader->path,
                       (unsigned long long)record.offset);
    }
    *count = record.header.count;
    return 0;
}

static int read_chunk(struct rlog_input_reader *reader, struct err *err)
{
    size_t n_voltage = 0;
    size_t n_current = 0;

    if (read_half(reader, RLOG_STREAM_INPUT_VOLTAGE, reader->voltage, &n_voltage, err) < 0
        || read_half(reader, RLOG_STREAM_INPUT_CURRENT, reader->current, &n_current, err) < 0) {
        return -1;
    }
    if (n_voltage != n_current) {
        return err_set(err, ERR_CORRUPT, "%s: voltage and current differ in length",
                       reader->path);
    }
    reader->next += n_voltage;
    reader->fill = n_voltage;
    reader->at = 0;
    return 0;
}

long rlog_input_read(struct rlog_input_reader *reader, uint32_t *voltage_uV,
                     uint32_t *current_nA, size_t max, struct err *err)
{
    size_t part = 0;

    if (reader->at == reader->fill) {
        if (reader->next == reader->total) {
            return 0;
        }
        if (read_chunk(reader, err) < 0) {
            return -1;
        }
    }
    part = reader->fill - reader->at;
    part = part < max ? part : max;
    memcpy(voltage_uV, reader->voltage + reader->at, part * sizeof(uint32_t));
    memcpy(current_nA, reader->current + reader->at, part * sizeof(uint32_t));
    reader->at += part;
    return (long)part;
}

void rlog_input_close(struct rlog_input_reader **reader_p)
{
    struct rlog_input_reader *reader = *reader_p;

    if (reader == NULL) {
        return;
    }
    if (reader->file != NULL) {
        fclose(reader->file);
    }
    free(reader->payload);
    free(reader);
    *reader_p = NULL;
}
