/* SPDX-License-Identifier: MIT */
/* What the modules of the recording log share: headers, names and whole writes. Not for others.
 */
#ifndef COMMON_RLOG_FILE_H
#define COMMON_RLOG_FILE_H

#include "common/err.h"
#include "common/rlog.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static const char RLOG_MANIFEST_NAME[] = "manifest.yaml";

struct rlog_segment_header rlog_make_segment_header(uint32_t number, const uint8_t id[16]);

/* Magic, version, number and CRC. */
MUST_CHECK int rlog_check_segment_header(const struct rlog_segment_header *header,
                                         uint32_t number, struct err *err);

/* Fills payload_size and crc32c. */
void rlog_seal_record(struct rlog_record_header *header, const void *payload, size_t size);

/* The CRC with which that of the payload begins. */
uint32_t rlog_header_crc(const struct rlog_record_header *header);

/* Type, stream and size are possible at all. */
bool rlog_is_record_header(const struct rlog_record_header *header);
/* `payload` with its padding. */
bool rlog_is_record_intact(const struct rlog_record_header *header, const void *payload);

static inline size_t rlog_padded(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

/* write(2) until everything is written. */
MUST_CHECK int rlog_write_all(int fd, const void *data, size_t size, const char *what,
                              struct err *err);

MUST_CHECK int rlog_sync_folder(const char *folder, struct err *err);

#endif
