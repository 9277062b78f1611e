/* SPDX-License-Identifier: MIT */
/* The recording log on disk: what a segment and a record look like, byte by byte.
 *
 * A log is a folder NAME.rlog/ that holds `manifest.yaml` (struct rlog_manifest) and segments
 * 000000.seg, 000001.seg, ... Nothing is rewritten. All numbers are little-endian. A segment is
 * a segment header and then records, each a record header and its payload, padded with zeros to
 * a multiple of 8. A segment ends where the next one begins to exist, or with the END record.
 * The digest of a log is BLAKE2b-256 over the headers of its segments and records in order, see
 * common/rlog_digest.h. */
#ifndef COMMON_RLOG_FORMAT_H
#define COMMON_RLOG_FORMAT_H

#include <stdint.h>

enum {
    RLOG_VERSION = 2, /* a reader takes no other: 1 had a digest over all bytes, no digest in
                         END, one pin in a number of RLOG_EDGES, no named channels */
    RLOG_SEGMENT_BYTES = 64 * 1024 * 1024, /* a segment is closed before it would exceed this */
    RLOG_CHUNK_SAMPLES = 10000,
    RLOG_MAX_PAYLOAD = 8 * 1024 * 1024,
    RLOG_DIGEST_BYTES = 32,
    RLOG_OVERVIEW_WINDOW = 64, /* samples of level 0 */
    RLOG_OVERVIEW_FACTOR = 8,  /* entries of a level that make one of the next */
    RLOG_OVERVIEW_LEVELS = 5,
};

static const char RLOG_MAGIC[8] = { 'B', 'W', 'R', 'L', 'O', 'G', '\r', '\n' };

struct rlog_segment_header {
    char magic[8];
    uint32_t version;
    uint32_t number;          /* from 0 */
    uint8_t recording_id[16]; /* random, of the whole log */
    uint32_t reserved;
    uint32_t crc32c; /* over the 36 bytes before */
};

struct rlog_record_header {
    uint8_t type;   /* enum rlog_type */
    uint8_t stream; /* enum rlog_stream */
    uint16_t flags; /* enum rlog_flag */
    uint32_t count; /* samples, edges, entries or rows in the payload */
    uint64_t first; /* first sample; or UTC ns for streams that have a time of their own */
    uint32_t payload_size; /* bytes, without padding */
    uint32_t crc32c;       /* over the 20 bytes before and the payload */
};

_Static_assert(sizeof(struct rlog_segment_header) == 40, "segment header");
_Static_assert(sizeof(struct rlog_record_header) == 24, "record header");

enum rlog_type {
    RLOG_START = 1,    /* struct rlog_start */
    RLOG_END = 2,      /* struct rlog_end; the last record of a closed log */
    RLOG_SAMPLES = 3,  /* count u32, raw or shuffled and deflated; first and count are rows,
                          which below 100 kHz are means of windows (record.samplerate) */
    RLOG_EDGES = 4,    /* GPIO edges, delta-coded, see common/gpio_codec.h */
    RLOG_OVERVIEW = 5, /* struct rlog_overview entries of one level (flags >> 8) */
    RLOG_GAP = 6,      /* struct rlog_gap */
    RLOG_ANCHOR = 7,   /* struct rlog_anchor */
    RLOG_UTIL = 8,     /* struct rlog_util rows */
    RLOG_TEXT = 9,     /* bytes; first = UTC ns; count = level for sheep's log, the number of a
                          named channel, else 0 */
    RLOG_ROW = 10,     /* count i64 values; first = UTC ns; meaning by stream */
    RLOG_REMARK = 11,  /* UTF-8 text that the verdict must repeat; first = UTC ns */
    RLOG_PRODUCT = 12, /* struct rlog_product of the count samples from first on, in front of
                          the records that hold them */
};

enum rlog_stream {
    RLOG_STREAM_NONE = 0,
    RLOG_STREAM_VOLTAGE = 1,
    RLOG_STREAM_CURRENT = 2,
    RLOG_STREAM_STORAGE_VOLTAGE = 3,
    RLOG_STREAM_STORAGE_CURRENT = 4,
    RLOG_STREAM_GPIO = 5,
    RLOG_STREAM_PRU_UTIL = 6,
    RLOG_STREAM_UART = 7,
    RLOG_STREAM_KERNEL = 8,
    RLOG_STREAM_SHEEP = 9,
    RLOG_STREAM_SYS_UTIL = 10,
    RLOG_STREAM_PTP = 11,
    RLOG_STREAM_PHC2SYS = 12,
    RLOG_STREAM_NTP = 13,
    RLOG_STREAM_INPUT_VOLTAGE = 14, /* of an input file: uV */
    RLOG_STREAM_INPUT_CURRENT = 15, /* nA */
    RLOG_STREAM_SYSTEM = 16,        /* named channels, see common/channel.h */
    RLOG_STREAM_IIO = 17,           /* the same */
    RLOG_N_STREAMS,
};

enum rlog_flag {
    RLOG_FLAG_DEFLATED =
        1u << 0,              /* shuffled by 4 bytes, then zlib, as HDF5's filters want it */
    RLOG_FLAG_GRID = 1u << 1, /* exactly RLOG_CHUNK_SAMPLES, first on a multiple of it */
};

/* Written once T has come and sample 0 was taken. */
struct rlog_start {
    int64_t T_ns;            /* agreed instant of sample 0, UTC */
    int64_t start_error_ns;  /* measured instant of sample 0 minus T, by the node's own clock */
    uint32_t start_bound_ns; /* half width of the bracket behind it */
    uint32_t arm_n;
    uint64_t boot_id;
    uint64_t first_tick;
};

enum rlog_end_reason {
    RLOG_END_COMPLETE = 0,    /* planned number of samples, or the input ended */
    RLOG_END_STOPPED = 1,     /* an agreed stop */
    RLOG_END_NO_SPACE = 2,    /* ended in order before the disk was full */
    RLOG_END_FAULT = 3,       /* board or converter fault */
    RLOG_END_INTERRUPTED = 4, /* closed by recovery after the recorder was gone */
};

struct rlog_end {
    uint64_t n_samples;     /* extent of the recording: samples [0, n_samples) */
    uint64_t n_gap_samples; /* of those, missing */
    uint64_t n_edges;
    uint64_t n_input_underruns;
    uint64_t n_clamped;
    uint16_t reason;               /* enum rlog_end_reason */
    uint8_t ring_fill_max_percent; /* of the board's ring, the fullest that it was found */
    uint8_t
        queue_fill_max_percent; /* of record.memory; both 0 where END was not the recorder's */
    uint32_t n_records;
    uint8_t digest[RLOG_DIGEST_BYTES]; /* of all that is in front of END; of an input: zeros */
};

enum rlog_gap_cause {
    RLOG_GAP_RING = 1,     /* the PRU's ring was full: the recorder came too late */
    RLOG_GAP_QUEUE = 2,    /* storage stalled longer than record.memory lasts */
    RLOG_GAP_CUT = 3,      /* lost with the torn tail of an interrupted log */
    RLOG_GAP_UNDERRUN = 4, /* input missing: recorded, but driven by the defined idle input */
    RLOG_GAP_IO = 5,
};

struct rlog_gap {
    uint64_t first_sample;
    uint64_t n_samples;
    uint32_t cause;  /* enum rlog_gap_cause */
    uint32_t stream; /* 0: all sample streams */
};

/* UTC of a sample as the node's disciplined clock has it. */
struct rlog_anchor {
    uint64_t sample;
    int64_t utc_ns;
    int64_t residual_ns; /* measured minus T + sample * 10 us */
    uint32_t bound_ns;
    uint32_t period_ticks_q20;
};

/* Codes as in the sample stream. */
struct rlog_overview {
    uint32_t minimum;
    uint32_t maximum;
    uint32_t mean;
};

/* Sums over samples that were recorded of voltage and current at once, of their codes at full
 * rate: the energy, without unpacking what is compressed. That of V * I is low + 2^32 * high.
 */
struct rlog_product {
    uint64_t voltage;
    uint64_t current;
    uint64_t low;
    uint64_t high;
};

struct rlog_util {
    int64_t utc_ns;
    uint32_t pru0_mean_ns;
    uint32_t pru0_max_ns;
    uint32_t pru1_max_ns;
    uint32_t reserved;
};

_Static_assert(sizeof(struct rlog_start) == 40, "start");
_Static_assert(sizeof(struct rlog_end) == 80, "end");
_Static_assert(sizeof(struct rlog_gap) == 24, "gap");
_Static_assert(sizeof(struct rlog_anchor) == 32, "anchor");
_Static_assert(sizeof(struct rlog_overview) == 12, "overview");
_Static_assert(sizeof(struct rlog_util) == 24, "util");
_Static_assert(sizeof(struct rlog_product) == 32, "product");

#endif
