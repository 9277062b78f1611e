/* SPDX-License-Identifier: MIT */
/* A disk that stalls or fails on demand: write, fdatasync and fread, wrapped by the linker
 * (-Wl,--wrap=write,--wrap=fdatasync,--wrap=fread). */
#ifndef TESTS_SUPPORT_DISK_FAULT_H
#define TESTS_SUPPORT_DISK_FAULT_H

#include <stdbool.h>
#include <stdint.h>

/* Back to a disk that works; counts start at 0. */
void disk_fault_reset(void);

/* The call number `nth` (from 0, writes and syncs counted together) and all later ones fail. */
void disk_fault_fail_from(int64_t nth, int error);

/* The next sync, or write to a file, takes this long. */
void disk_fault_stall_sync(int64_t stall_ms);
void disk_fault_stall_write(int64_t stall_ms);

/* The next sync takes until the release; the second call waits until it is in it, 10 s at most
 * (then false). */
void disk_fault_hold_sync(void);
bool disk_fault_await_held(void);
void disk_fault_release_sync(void);

/* The next fread takes this long; after fail_read all of them give nothing. */
void disk_fault_stall_read(int64_t stall_ms);
void disk_fault_fail_read(void);

/* Calls since the reset. */
int64_t disk_fault_count(void);

#endif
