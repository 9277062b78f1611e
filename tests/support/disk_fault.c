/* SPDX-License-Identifier: MIT */
#include "tests/support/disk_fault.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

size_t __real_fread(void *data, size_t size, size_t count, FILE *file);
size_t __wrap_fread(void *data, size_t size, size_t count, FILE *file);

static _Atomic int64_t stall_read_ms;
static _Atomic bool is_read_failing;
static _Atomic int64_t n_calls;
static _Atomic int64_t fail_from = INT64_MAX;
static _Atomic int fail_error;
static _Atomic int64_t stall_ms;
static _Atomic int64_t stall_write_ms;
static _Atomic bool is_hold_wanted;
static _Atomic bool is_held;

void disk_fault_reset(void)
{
    atomic_store(&fail_from, INT64_MAX);
    atomic_store(&stall_ms, 0);
    atomic_store(&stall_write_ms, 0);
    atomic_store(&stall_read_ms, 0);
    atomic_store(&is_read_failing, false);
    atomic_store(&n_calls, 0);
    disk_fault_release_sync();
}

static void nap(void)
{
    static const struct timespec pause = { 0, 1000000 };

    nanosleep(&pause, NULL);
}

void disk_fault_hold_sync(void)
{
    atomic_store(&is_hold_wanted, true);
}

bool disk_fault_await_held(void)
{
    for (int ms = 0; ms < 10000 && !atomic_load(&is_held); ms++) {
        nap();
    }
    return atomic_load(&is_held);
}

void disk_fault_release_sync(void)
{
    atomic_store(&is_hold_wanted, false);
}

static void hold(void)
{
    if (atomic_load(&is_hold_wanted)) {
        atomic_store(&is_held, true);
        while (atomic_load(&is_hold_wanted)) {
            nap();
        }
        atomic_store(&is_held, false);
    }
}

void disk_fault_stall_read(int64_t ms)
{
    atomic_store(&stall_read_ms, ms);
}

void disk_fault_fail_read(void)
{
    atomic_store(&is_read_failing, true);
}

void disk_fault_fail_from(int64_t nth, int error)
{
    atomic_store(&fail_error, error);
    atomic_store(&fail_from, nth);
}

void disk_fault_stall_sync(int64_t ms)
{
    atomic_store(&stall_ms, ms);
}

void disk_fault_stall_write(int64_t ms)
{
    atomic_store(&stall_write_ms, ms);
}

int64_t disk_fault_count(void)
{
    return atomic_load(&n_calls);
}

static bool is_failing(void)
{
    if (atomic_fetch_add(&n_calls, 1) < atomic_load(&fail_from)) {
        return false;
    }
    errno = atomic_load(&fail_error);
    return true;
}

static void stall(_Atomic int64_t *once_ms)
{
    int64_t ms = atomic_exchange(once_ms, 0);
    struct timespec pause = { ms / 1000, ms % 1000 * 1000000 };

    if (ms != 0) {
        nanosleep(&pause, NULL);
    }
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    struct stat status;

    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        stall(&stall_write_ms);
        if (is_failing()) {
            return -1;
        }
    }
    return __real_write(fd, data, size);
}

size_t __wrap_fread(void *data, size_t size, size_t count, FILE *file)
{
    stall(&stall_read_ms);
    return atomic_load(&is_read_failing) ? 0 : __real_fread(data, size, count, file);
}

int __wrap_fdatasync(int fd)
{
    stall(&stall_ms);
    hold();
    return is_failing() ? -1 : __real_fdatasync(fd);
}
