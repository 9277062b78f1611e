/* SPDX-License-Identifier: MIT */
/* Deflate for shuffled numbers: a zlib stream (RFC 1950) that any inflate reads, made several
 * times faster than zlib makes it, and mostly smaller.
 *
 * Shuffled samples are planes of bytes: the low ones are noise, the high ones stay the same.
 * zlib searches both for what repeats, and codes all planes alike. Here each plane gets a code
 * of its own; a plane of one byte is not searched at all; and only a plane in which a quick
 * look finds repetitions is given to zlib, at the level that was asked for. */
#ifndef COMMON_PLANE_DEFLATE_H
#define COMMON_PLANE_DEFLATE_H

#include "common/err.h"

#include <stddef.h>
#include <stdint.h>

struct plane_deflate; /* of one thread */

/* level 1..9 */
struct plane_deflate *plane_deflate_create(unsigned level, struct err *err);
void plane_deflate_destroy(struct plane_deflate **state);

/* Room that plane_deflate wants for `size` bytes. */
size_t plane_deflate_bound(size_t size);

/* n_planes planes of plane_size bytes, one after the other. Returns the size of the stream, or
 * 0 when that would be no gain. Allocates nothing. */
size_t plane_deflate(struct plane_deflate *state, const uint8_t *planes, size_t plane_size,
                     size_t n_planes, uint8_t *out, size_t capacity);

#endif
