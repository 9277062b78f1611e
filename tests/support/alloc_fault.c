/* SPDX-License-Identifier: MIT */
#include "tests/support/alloc_fault.h"

#include <errno.h>
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

static bool is_failing(void)
{
    if (!is_counting || n_calls++ != fail_at) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return is_failing() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_failing() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return is_failing() ? NULL : __real_realloc(old, size);
}

int __wrap_posix_memalign(void **memory, size_t alignment, size_t size)
{
    return is_failing() ? ENOMEM : __real_posix_memalign(memory, alignment, size);
}

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    return is_failing() ? MAP_FAILED : __real_mmap(at, size, protection, flags, fd, offset);
}
