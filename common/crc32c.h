/* SPDX-License-Identifier: MIT */
/* CRC-32C (Castagnoli polynomial, RFC 3720 appendix B.4), as records and chunks carry it: by
 * the instruction of SSE 4.2 in three lanes, elsewhere by tables. */
#ifndef COMMON_CRC32C_H
#define COMMON_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continues from crc; 0 begins. */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);

/* The same by tables, whatever the machine has. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t size);

#endif
