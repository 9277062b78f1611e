/* SPDX-License-Identifier: MIT */
#include "tests/support/alloc_fault.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
int __real_posix_memalign(void **memory, size_t alignment, size_t size);
int __wrap_posix_memalign(void **memory, size_t alignment, size_t size);
void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);

static _Thread_local int64_t fail_at;
static _Thread_local int64_t n_calls;
static _Thread_local bool is_counting;
static _Atomic int64_t total_calls;
static _Atomic int64_t total_bytes;

void alloc_fault_fail_at(int64_t nth)
{
    n_calls = 0;
    fail_at = nth;
    is_counting = true;
}

int64_t alloc_fault_stop(void)
{
    is_counting = false;
    return n_calls;
}

struct alloc_total alloc_fault_total(void)
{
    return (struct alloc_total){ atomic_load(&total_calls), atomic_load(&total_bytes) };
}

static bool is_failing(size_t size)
{
    atomic_fetch_add(&total_calls, 1);
    atomic_fetch_add(&total_bytes, (int64_t)size);
    if (!is_counting || n_calls++ != fail_at) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return is_failing(size) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_failing(count * size) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return is_failing(size) ? NULL : __real_realloc(old, size);
}

int __wrap_posix_memalign(void **memory, size_t alignment, size_t size)
{
    return is_failing(size) ? ENOMEM : __real_posix_memalign(memory, alignment, size);
}

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    return is_failing(size) ? MAP_FAILED : __real_mmap(at, size, protection, flags, fd, offset);
}
