/* SPDX-License-Identifier: MIT */
/* The digest of a recording log: BLAKE2b-256 over the headers of its segments and records, in
 * their order. A record's header holds the CRC-32C of itself and of its payload; so every byte
 * counts, and the payloads cost a CRC alone.
 *
 * What it promises: equal digests mean the same records, all of them, once each, in the same
 * order (BLAKE2b), and payloads that accidents spared (CRC-32C: any burst up to 32 bits and up
 * to three bits anywhere in a record are found for certain, other damage but for once in 2^32
 * records). It is no proof against someone who forges payloads on purpose: they are kept out
 * by CURVE on the wire and by the modes of files on the disk.
 *
 * Bytes whose origin is not sure go through rlog_digest_update, which checks every CRC: what a
 * header does not promise (a payload with another CRC, padding other than zeros, bytes that are
 * no record) counts itself, so that the digest is that of no sound log. One thread. */
#ifndef COMMON_RLOG_DIGEST_H
#define COMMON_RLOG_DIGEST_H

#include "common/rlog_format.h"

#include <stddef.h>
#include <stdint.h>

struct rlog_digest;

/* NULL: no memory. */
struct rlog_digest *rlog_digest_create(void);
void rlog_digest_destroy(struct rlog_digest **digest);
/* As if new. */
void rlog_digest_reset(struct rlog_digest *digest);

/* What follows belongs to the next segment; not to be called before the first one. */
void rlog_digest_next_segment(struct rlog_digest *digest);

/* Bytes of the segment, in pieces of any size. */
void rlog_digest_update(struct rlog_digest *digest, const void *data, size_t size);

/* A whole record, known to be intact: as rlog_digest_update with header, payload and padding.
 */
void rlog_digest_record(struct rlog_digest *digest, const struct rlog_record_header *header);

/* Over what came until now; more may come. */
void rlog_digest_get(const struct rlog_digest *digest, uint8_t out[RLOG_DIGEST_BYTES]);

#endif
