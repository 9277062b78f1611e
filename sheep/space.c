/* SPDX-License-Identifier: MIT */
#include "sheep/space.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

uint64_t space_parse_available(const char *meminfo)
{
    static const char KEY[] = "MemAvailable:";
    const char *at = strstr(meminfo, KEY);

    return at == NULL ? 0 : strtoull(at + sizeof(KEY) - 1, NULL, 10) * 1024;
}

uint64_t space_needed(bool is_memory, uint64_t bytes)
{
    return is_memory && bytes > SPACE_MEMORY_WINDOW ? SPACE_MEMORY_WINDOW : bytes;
}

static int read_available(uint64_t *bytes, struct err *err)
{
    char text[2048] = "";
    int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    if (n < 0) {
        err_set_errno(err, "/proc/meminfo");
    }
    if (fd >= 0) {
        close(fd);
    }
    *bytes = n < 0 ? 0 : space_parse_available(text);
    return n < 0 ? -1 : 0;
}

int space_free(const char *folder, bool is_memory, uint64_t *bytes, struct err *err)
{
    struct statvfs status;
    uint64_t available = 0;

    if (statvfs(folder, &status) < 0) {
        return err_set_errno(err, "space at %s", folder);
    }
    *bytes = (uint64_t)status.f_bavail * status.f_frsize;
    if (!is_memory) {
        return 0;
    }
    if (read_available(&available, err) < 0) {
        return -1;
    }
    *bytes = available < *bytes ? available : *bytes;
    return 0;
}
