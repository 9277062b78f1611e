/* SPDX-License-Identifier: MIT */
/* The recording log: writing, reading, recovery and proof. Format in common/rlog_format.h. */
#ifndef COMMON_RLOG_H
#define COMMON_RLOG_H

#include "common/calibration.h"
#include "common/err.h"
#include "common/experiment.h"
#include "common/rlog_digest.h"
#include "common/rlog_format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* manifest.yaml: what a reader must know before the first record. Written once, before the
 * start. */
struct rlog_manifest {
    char experiment_name[EXPERIMENT_NAME_SIZE];
    uint64_t experiment; /* id of the token */
    char node[NODE_NAME_SIZE];
    char version[32];
    char board[16];
    enum experiment_mode mode;
    char datatype[16]; /* ivsample | ivcurve | isc_voc, of what is recorded */
    uint32_t window_samples;
    uint64_t n_planned; /* samples; 2^64-1 open end */
    bool has_voltage;
    bool has_current;
    bool has_storage;
    struct cal_channel
        voltage; /* gain and offset of the codes in each stream, SI = raw * gain + offset */
    struct cal_channel current;
    uint32_t gpio_mask;
    bool is_cal_default;
    struct node_config config; /* as resolved by herd */
};
extern const struct schema rlog_manifest_schema;

/* ---- writing: one thread ---- */

struct rlog_writer;

/* Makes FOLDER (must not exist), the manifest and segment 0, all synced. */
struct rlog_writer *rlog_writer_create(const char *folder, const struct rlog_manifest *manifest,
                                       struct err *err);

/* Appends one record; header fields crc and payload_size are filled in here. Buffers into large
 * aligned writes; allocates nothing. Opens the next segment when needed (segments are prepared
 * ahead by rlog_writer_sync). */
MUST_CHECK int rlog_writer_append(struct rlog_writer *writer, struct rlog_record_header header,
                                  const void *payload, size_t size, struct err *err);

/* Writes what is buffered and fdatasync. Afterwards durable == position. */
MUST_CHECK int rlog_writer_sync(struct rlog_writer *writer, struct err *err);

/* Position of the last durable byte, as segment and offset in it, and over all segments. */
struct rlog_position {
    uint32_t segment;
    uint64_t offset;
    uint64_t total;
};
struct rlog_position rlog_writer_durable(const struct rlog_writer *writer);

/* Appends END (n_records and digest are filled in here), syncs, and gives the digest. */
MUST_CHECK int rlog_writer_finish(struct rlog_writer *writer, const struct rlog_end *end,
                                  uint8_t digest[RLOG_DIGEST_BYTES], struct err *err);
void rlog_writer_destroy(struct rlog_writer **writer);

/* Shuffles count u32 (4-byte) and deflates with level 1..9 into out (capacity at least
 * rlog_deflate_bound(count)); returns the size, or 0 when it did not get smaller or failed.
 * scratch has count u32. `state` is reused between calls and belongs to one thread. */
struct rlog_deflate;
struct rlog_deflate *rlog_deflate_create(unsigned level, struct err *err);
void rlog_deflate_destroy(struct rlog_deflate **state);
size_t rlog_deflate_bound(size_t count);
size_t rlog_deflate_u32(struct rlog_deflate *state, const uint32_t *samples, size_t count,
                        uint32_t *scratch, uint8_t *out, size_t capacity);
/* count <= RLOG_CHUNK_SAMPLES */
MUST_CHECK int rlog_inflate_u32(const uint8_t *payload, size_t size, uint32_t *samples,
                                size_t count, struct err *err);

/* ---- reading: also while the log grows ---- */

struct rlog_reader;
struct rlog_record {
    struct rlog_record_header header;
    const uint8_t *payload; /* loan until the next call */
    uint32_t segment;
    uint64_t offset; /* of the record header in the segment */
};

struct rlog_reader *rlog_reader_open(const char *folder, struct err *err);
void rlog_reader_close(struct rlog_reader **reader);
const struct rlog_manifest *rlog_reader_manifest(const struct rlog_reader *reader);
/* Of the segment of the record that was returned last; NULL: there was no sound one so far. */
const struct rlog_segment_header *rlog_reader_segment(const struct rlog_reader *reader);

enum rlog_next {
    RLOG_NEXT_RECORD,
    RLOG_NEXT_WAIT,  /* no whole record behind the position (yet) */
    RLOG_NEXT_END,   /* END was returned before */
    RLOG_NEXT_ERROR, /* err says what is broken, and where */
};
/* A record that is not whole yet gives WAIT; the same call may succeed later. A whole record
 * whose CRC is wrong, or a broken header with more data behind it, is an ERROR. */
enum rlog_next rlog_reader_next(struct rlog_reader *reader, struct rlog_record *record,
                                struct err *err);

/* Decodes an RLOG_SAMPLES record into samples[RLOG_CHUNK_SAMPLES]. */
MUST_CHECK int rlog_record_samples(const struct rlog_record *record, uint32_t *samples,
                                   struct err *err);

/* ---- whole logs ---- */

/* Closes an unfinished log: cuts the torn tail of the last segment, appends END with
 * RLOG_END_INTERRUPTED (extent = what is there), syncs. Harmless on a closed log. */
struct rlog_recovery {
    bool was_closed;
    uint64_t cut_bytes;
    struct rlog_end end;
    uint64_t bytes; /* of all segments now */
    uint8_t digest[RLOG_DIGEST_BYTES];
};
MUST_CHECK int rlog_recover(const char *folder, struct rlog_recovery *result, struct err *err);

/* Reads everything, checks every CRC, that END's digest is that of the records in front of it,
 * the order and number of samples, and gives the digest. */
MUST_CHECK int rlog_verify(const char *folder, struct rlog_end *end,
                           uint8_t digest[RLOG_DIGEST_BYTES], uint64_t *bytes, struct err *err);

/* Removes the folder and what this module made in it; refuses a folder that holds anything
 * else. */
MUST_CHECK int rlog_remove(const char *folder, struct err *err);

/* Path of a segment. */
void rlog_segment_path(const char *folder, uint32_t number, char *path, size_t size);

void rlog_digest_text(const uint8_t digest[RLOG_DIGEST_BYTES], char text[DIGEST_TEXT_SIZE]);

/* ---- an input stream: one file in the same record format (segment header, records, END) ----
 */

struct rlog_input_writer;
struct rlog_input_writer *rlog_input_create(const char *path, struct err *err);
/* Samples in uV and nA, any count per call. */
MUST_CHECK int rlog_input_append(struct rlog_input_writer *writer, const uint32_t *voltage_uV,
                                 const uint32_t *current_nA, size_t count, struct err *err);
/* Syncs, gives the digest over the file and the number of samples. The same samples give the
 * same digest: the recording id of an input is zero. */
MUST_CHECK int rlog_input_finish(struct rlog_input_writer **writer,
                                 char digest[DIGEST_TEXT_SIZE], uint64_t *n_samples,
                                 struct err *err);
void rlog_input_destroy(struct rlog_input_writer **writer);

struct rlog_input_reader;
struct rlog_input_reader *rlog_input_open(const char *path, struct err *err);
uint64_t rlog_input_samples(const struct rlog_input_reader *reader);
/* Reads up to max samples in order; returns the number, 0 at the end, -1 on error. */
MUST_CHECK long rlog_input_read(struct rlog_input_reader *reader, uint32_t *voltage_uV,
                                uint32_t *current_nA, size_t max, struct err *err);
void rlog_input_close(struct rlog_input_reader **reader);

#endif
