/* SPDX-License-Identifier: MIT */
/* Recording logs: reader, builder's decoders and recovery on records that are whole but wrong,
 * and on bytes that are nothing at all. The first byte says which: odd, the checksums of the
 * records are made right, so that what lies behind them is reached. */
#include "common/gpio_codec.h"
#include "common/rlog.h"
#include "common/rlog_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[64];

static void remove_folder(void)
{
    (void)!rlog_remove(folder, NULL);
}

static void make_folder(void)
{
    struct rlog_manifest manifest = { .mode = MODE_HARVEST };
    struct buf text = { 0 };
    char path[96];

    snprintf(folder, sizeof(folder), "/tmp/bw-fuzz-%d.rlog", (int)getpid());
    mkdir(folder, 0700);
    schema_defaults(&node_config_schema, &manifest.config);
    schema_encode(&rlog_manifest_schema, &manifest, &text, 0);
    snprintf(path, sizeof(path), "%s/manifest.yaml", folder);
    if (file_write_atomic(path, text.data, text.size, 0600, NULL) < 0) {
        abort();
    }
    buf_fini(&text);
    atexit(remove_folder);
}

/* Walks over the bytes as records and seals each one that fits. */
static void seal_all(uint8_t *bytes, size_t size)
{
    size_t at = sizeof(struct rlog_segment_header);

    while (size - at >= sizeof(struct rlog_record_header)) {
        struct rlog_record_header header;
        size_t left = size - at - sizeof(header);

        memcpy(&header, bytes + at, sizeof(header));
        header.payload_size %= 4096;
        if (rlog_padded(header.payload_size) > left) {
            header.payload_size = (uint32_t)(left & ~(size_t)7);
        }
        memset(bytes + at + sizeof(header) + header.payload_size, 0,
               rlog_padded(header.payload_size) - header.payload_size);
        rlog_seal_record(&header, bytes + at + sizeof(header), header.payload_size);
        memcpy(bytes + at, &header, sizeof(header));
        at += sizeof(header) + rlog_padded(header.payload_size);
    }
}

static void write_segment(const uint8_t *data, size_t size, bool is_sealed)
{
    static const uint8_t id[16];
    struct rlog_segment_header header = rlog_make_segment_header(0, id);
    size_t whole = sizeof(header) + size;
    uint8_t *bytes = malloc(whole);
    char path[96];
    int fd = -1;

    if (bytes == NULL) {
        abort();
    }
    memcpy(bytes, &header, sizeof(header));
    memcpy(bytes + sizeof(header), data, size);
    if (is_sealed) {
        seal_all(bytes, whole);
    }
    rlog_segment_path(folder, 0, path, sizeof(path));
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, bytes, whole) != (ssize_t)whole) {
        abort();
    }
    close(fd);
    free(bytes);
}

static void decode(const struct rlog_record *record)
{
    static uint32_t samples[RLOG_CHUNK_SAMPLES];
    static struct gpio_edge edges[4096];

    if (record->header.type == RLOG_SAMPLES) {
        (void)!rlog_record_samples(record, samples, NULL);
    } else if (record->header.type == RLOG_EDGES && record->header.count <= 4096) {
        (void)!gpio_codec_decode(record->payload, record->header.payload_size, edges,
                                 record->header.count, NULL);
    }
}

static void read_all(void)
{
    struct rlog_record record;
    struct rlog_reader *reader = rlog_reader_open(folder, NULL);

    if (reader == NULL) {
        abort();
    }
    while (rlog_reader_next(reader, &record, NULL) == RLOG_NEXT_RECORD) {
        decode(&record);
    }
    rlog_reader_close(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rlog_recovery recovery;
    struct rlog_end end;
    uint8_t digest[RLOG_DIGEST_BYTES];
    uint64_t bytes = 0;
    struct err err;

    if (folder[0] == '\0') {
        make_folder();
    }
    if (size < 1) {
        return 0;
    }
    write_segment(data + 1, size - 1, data[0] & 1);
    /* the whole way is slow, so reading alone comes more often */
    if ((data[0] & 14) != 0) {
        read_all();
        return 0;
    }
    (void)!rlog_verify(folder, &end, digest, &bytes, &err);
    /* what recovery closed, reads to its end, and has the digest that recovery said */
    if (rlog_recover(folder, &recovery, &err) == 0 && !recovery.was_closed) {
        memcpy(digest, recovery.digest, sizeof(digest));
        if (rlog_recover(folder, &recovery, &err) < 0 || !recovery.was_closed
            || memcmp(digest, recovery.digest, sizeof(digest)) != 0) {
            abort();
        }
    }
    return 0;
}
