/* SPDX-License-Identifier: MIT */
#include "tests/support/space_fault.h"

#include <string.h>
#include <sys/statvfs.h>

enum {
    BLOCK_BYTES = 4096
};

int __real_statvfs(const char *path, struct statvfs *status);
int __wrap_statvfs(const char *path, struct statvfs *status);

static const char *short_folder;
static uint64_t short_bytes;
static bool short_is_read_only;

void space_fault_set(const char *folder, uint64_t free_bytes, bool is_read_only)
{
    short_folder = folder;
    short_bytes = free_bytes;
    short_is_read_only = is_read_only;
}

int __wrap_statvfs(const char *path, struct statvfs *status)
{
    int result = __real_statvfs(path, status);

    if (result == 0 && short_folder != NULL
        && strncmp(path, short_folder, strlen(short_folder)) == 0) {
        status->f_frsize = BLOCK_BYTES;
        status->f_blocks = (UINT64_C(1) << 30) / BLOCK_BYTES;
        status->f_bavail = short_bytes / BLOCK_BYTES;
        status->f_flag = short_is_read_only ? ST_RDONLY : 0;
    }
    return result;
}
