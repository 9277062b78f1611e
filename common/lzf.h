/* SPDX-License-Identifier: MIT */
/* Decoder for LZF, the compression of many files that h5py wrote (HDF5 filter 32000). */
#ifndef COMMON_LZF_H
#define COMMON_LZF_H

#include <stddef.h>
#include <stdint.h>

/* The decoded size; 0 when the data is malformed or does not fit into capacity. Any input is
 * safe. */
size_t lzf_decode(const uint8_t *data, size_t size, uint8_t *out, size_t capacity);

#endif
