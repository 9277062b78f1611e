/* SPDX-License-Identifier: MIT */
/* File systems that run out of room on demand: statvfs, wrapped by the linker
 * (-Wl,--wrap=statvfs). */
#ifndef TESTS_SUPPORT_SPACE_FAULT_H
#define TESTS_SUPPORT_SPACE_FAULT_H

#include <stdbool.h>
#include <stdint.h>

/* From now on what lies at or below this folder (a loan) has so many bytes free of 1 GiB, and
 * is read-only or not; NULL: the truth again. */
void space_fault_set(const char *folder, uint64_t free_bytes, bool is_read_only);

#endif
