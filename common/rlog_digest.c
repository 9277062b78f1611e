/* SPDX-License-Identifier: MIT */
#include "common/rlog_digest.h"

#include "common/crc32c.h"
#include "common/rlog_file.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* Where in a segment the next byte is. */
enum part {
    SEGMENT_HEADER,
    HEADER,
    PAYLOAD,
    PADDING,
    LOST, /* behind what is no record: nobody knows where the next one begins */
};

struct rlog_digest {
    crypto_generichash_state state; /* first: it is aligned to a cache line */
    enum part part;
    uint32_t left; /* bytes of the part that are still to come */
    uint32_t crc;  /* of the record so far */
    struct rlog_record_header header;
};

static void enter(struct rlog_digest *digest, enum part part, size_t size)
{
    digest->part = part;
    digest->left = (uint32_t)size;
}

static void count(struct rlog_digest *digest, const void *data, size_t size)
{
    crypto_generichash_update(&digest->state, data, size);
}

struct rlog_digest *rlog_digest_create(void)
{
    struct rlog_digest *digest = NULL;

    if (sodium_init() >= 0) {
        digest = aligned_alloc(_Alignof(struct rlog_digest), sizeof(*digest));
    }
    if (digest != NULL) {
        memset(digest, 0, sizeof(*digest));
        rlog_digest_reset(digest);
    }
    return digest;
}

void rlog_digest_destroy(struct rlog_digest **digest)
{
    free(*digest);
    *digest = NULL;
}

void rlog_digest_reset(struct rlog_digest *digest)
{
    crypto_generichash_init(&digest->state, NULL, 0, RLOG_DIGEST_BYTES);
    enter(digest, SEGMENT_HEADER, sizeof(struct rlog_segment_header));
}

/* What is missing of a part counts, too. */
static void count_rest(struct rlog_digest *digest)
{
    size_t have = sizeof(digest->header) - digest->left;

    if (digest->part == HEADER) {
        count(digest, &digest->header, have);
    } else if (digest->part != LOST) {
        count(digest, &digest->left, sizeof(digest->left));
        count(digest, &digest->crc, sizeof(digest->crc));
    }
}

void rlog_digest_next_segment(struct rlog_digest *digest)
{
    count_rest(digest);
    enter(digest, SEGMENT_HEADER, sizeof(struct rlog_segment_header));
}

static void end_header(struct rlog_digest *digest)
{
    const struct rlog_record_header *header = &digest->header;

    count(digest, header, sizeof(*header));
    if (rlog_is_record_header(header)) {
        digest->crc = rlog_header_crc(header);
        enter(digest, PAYLOAD, header->payload_size);
    } else {
        enter(digest, LOST, 0);
    }
}

static void end_payload(struct rlog_digest *digest)
{
    const struct rlog_record_header *header = &digest->header;

    if (digest->crc != header->crc32c) {
        count(digest, &digest->crc, sizeof(digest->crc));
    }
    enter(digest, PADDING, rlog_padded(header->payload_size) - header->payload_size);
}

/* On to the first part that wants bytes. */
static void advance(struct rlog_digest *digest)
{
    while (digest->left == 0 && digest->part != LOST) {
        if (digest->part == HEADER) {
            end_header(digest);
        } else if (digest->part == PAYLOAD) {
            end_payload(digest);
        } else {
            enter(digest, HEADER, sizeof(digest->header));
        }
    }
}

/* `size` bytes that all belong to the part. */
static void take(struct rlog_digest *digest, const uint8_t *data, size_t size)
{
    switch (digest->part) {
    case SEGMENT_HEADER:
    case LOST:
        count(digest, data, size);
        break;
    case HEADER:
        memcpy((uint8_t *)&digest->header + sizeof(digest->header) - digest->left, data, size);
        break;
    case PAYLOAD:
        digest->crc = crc32c(digest->crc, data, size);
        break;
    case PADDING:
        for (size_t i = 0; i < size; i++) {
            count(digest, data + i, data[i] != 0);
        }
        break;
    }
}

void rlog_digest_update(struct rlog_digest *digest, const void *data, size_t size)
{
    const uint8_t *at = data;

    while (size > 0) {
        bool is_within = digest->part == LOST || size < digest->left;
        size_t n = is_within ? size : digest->left;

        take(digest, at, n);
        at += n;
        size -= n;
        if (digest->part != LOST) {
            digest->left -= (uint32_t)n;
            advance(digest);
        }
    }
}

void rlog_digest_record(struct rlog_digest *digest, const struct rlog_record_header *header)
{
    count(digest, header, sizeof(*header));
}

void rlog_digest_get(const struct rlog_digest *digest, uint8_t out[RLOG_DIGEST_BYTES])
{
    struct rlog_digest copy = *digest;

    count_rest(&copy);
    crypto_generichash_final(&copy.state, out, RLOG_DIGEST_BYTES);
}
