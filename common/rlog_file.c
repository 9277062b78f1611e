/* SPDX-License-Identifier: MIT */
#include "common/rlog_file.h"

#include "common/crc32c.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const size_t SEGMENT_CRC_BYTES = offsetof(struct rlog_segment_header, crc32c);
static const size_t RECORD_CRC_BYTES = offsetof(struct rlog_record_header, crc32c);

struct rlog_segment_header rlog_make_segment_header(uint32_t number, const uint8_t id[16])
{
    struct rlog_segment_header header = { .version = RLOG_VERSION, .number = number };

    memcpy(header.magic, RLOG_MAGIC, sizeof(header.magic));
    memcpy(header.recording_id, id, sizeof(header.recording_id));
    header.crc32c = crc32c(0, &header, SEGMENT_CRC_BYTES);
    return header;
}

int rlog_check_segment_header(const struct rlog_segment_header *header, uint32_t number,
                              struct err *err)
{
    static const struct rlog_segment_header EMPTY;

    if (memcmp(header, &EMPTY, sizeof(*header)) == 0) {
        return err_set(
            err, ERR_CORRUPT,
            "segment %u is empty: never written, or given back by a recording in memory",
            number);
    }
    if (memcmp(header->magic, RLOG_MAGIC, sizeof(header->magic)) != 0) {
        return err_set(err, ERR_CORRUPT, "segment %u: not a segment of a recording log",
                       number);
    }
    if (header->crc32c != crc32c(0, header, SEGMENT_CRC_BYTES)) {
        return err_set(err, ERR_CORRUPT, "segment %u: its header's checksum is wrong", number);
    }
    if (header->version != RLOG_VERSION) {
        return err_set(err, ERR_INPUT, "segment %u: version %u, this program reads %d", number,
                       header->version, RLOG_VERSION);
    }
    if (header->number != number) {
        return err_set(err, ERR_CORRUPT, "segment %u says that it is number %u", number,
                       header->number);
    }
    return 0;
}

void rlog_seal_record(struct rlog_record_header *header, const void *payload, size_t size)
{
    header->payload_size = (uint32_t)size;
    header->crc32c = crc32c(rlog_header_crc(header), payload, size);
}

uint32_t rlog_header_crc(const struct rlog_record_header *header)
{
    return crc32c(0, header, RECORD_CRC_BYTES);
}

bool rlog_is_record_header(const struct rlog_record_header *header)
{
    return header->type >= RLOG_START && header->type <= RLOG_PRODUCT
           && header->stream < RLOG_N_STREAMS && header->payload_size <= RLOG_MAX_PAYLOAD;
}

bool rlog_is_record_intact(const struct rlog_record_header *header, const void *payload)
{
    static const uint8_t zeros[8];
    size_t size = header->payload_size;
    const uint8_t *padding = (const uint8_t *)payload + size;

    return header->crc32c == crc32c(rlog_header_crc(header), payload, size)
           && memcmp(padding, zeros, rlog_padded(size) - size) == 0;
}

int rlog_write_all(int fd, const void *data, size_t size, const char *what, struct err *err)
{
    const char *at = data;

    while (size > 0) {
        ssize_t n = write(fd, at, size);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return err_set_errno(err, "writing %s", what);
        }
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

int rlog_sync_folder(const char *folder, struct err *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = 0;

    if (fd < 0 || fsync(fd) < 0) {
        result = err_set_errno(err, "sync of %s", folder);
    }
    if (fd >= 0) {
        close(fd);
    }
    return result;
}

void rlog_segment_path(const char *folder, uint32_t number, char *path, size_t size)
{
    snprintf(path, size, "%s/%06u.seg", folder, number);
}

void rlog_digest_text(const uint8_t digest[RLOG_DIGEST_BYTES], char text[DIGEST_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < RLOG_DIGEST_BYTES; i++) {
        *text++ = digits[digest[i] >> 4];
        *text++ = digits[digest[i] & 15];
    }
    *text = '\0';
}
