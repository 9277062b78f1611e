/* SPDX-License-Identifier: MIT */
/* Room for recordings: on a disk, or in memory for those that shall not touch it. */
#ifndef SHEEP_SPACE_H
#define SHEEP_SPACE_H

#include "common/err.h"
#include "common/rlog_format.h"

#include <stdbool.h>
#include <stdint.h>

/* Stays free of the node's memory, whatever is recorded there. */
static const uint64_t SPACE_MEMORY_RESERVE = UINT64_C(32) << 20;

/* A recording in memory gives back what herd has: so much of it is there at once while herd
 * follows, three segments, of which the last is being written. */
static const uint64_t SPACE_MEMORY_WINDOW = UINT64_C(3) * RLOG_SEGMENT_BYTES;

/* Of a recording of so many bytes, what must be free before it starts. */
uint64_t space_needed(bool is_memory, uint64_t bytes);

/* What may be written to the file system of `folder`; in memory, no more than the system has
 * available, because a tmpfs promises what may not be there. */
MUST_CHECK int space_free(const char *folder, bool is_memory, uint64_t *bytes, struct err *err);

/* MemAvailable of /proc/meminfo's text, in bytes; 0 without. */
uint64_t space_parse_available(const char *meminfo);

#endif
