/* SPDX-License-Identifier: MIT */
/* Memory that runs out on demand: malloc, calloc, realloc, posix_memalign and mmap of this
 * program's own objects, wrapped by the linker (-Wl,--wrap=malloc and so on). */
#ifndef TESTS_SUPPORT_ALLOC_FAULT_H
#define TESTS_SUPPORT_ALLOC_FAULT_H

#include <stdint.h>

/* Counts the calls of this thread from here on; number `nth` (from 0) fails, and no other. */
void alloc_fault_fail_at(int64_t nth);

/* Back to memory for all; returns the calls since fail_at. */
int64_t alloc_fault_stop(void);

/* What all threads have asked for since the program began. */
struct alloc_total {
    int64_t n_calls;
    int64_t n_bytes;
};

struct alloc_total alloc_fault_total(void);

#endif
