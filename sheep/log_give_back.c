/* SPDX-License-Identifier: MIT */
#include "sheep/log_give_back.h"

#include "common/rlog.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int open_segment(const char *folder, uint32_t segment, int mode,
                        char path[PATH_SIZE + 32])
{
    rlog_segment_path(folder, segment, path, PATH_SIZE + 32);
    return open(path, mode | O_CLOEXEC | O_NOFOLLOW);
}

/* Up to where a segment can end: its last page is only freed as a whole. */
static int make_hole(const char *folder, uint32_t segment, struct err *err)
{
    char path[PATH_SIZE + 32];
    int fd = open_segment(folder, segment, O_WRONLY, path);
    int result = 0;

    if (fd < 0) {
        return err_set_errno(err, "%s", path);
    }
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, RLOG_SEGMENT_BYTES) < 0) {
        result = err_set_errno(err, "%s", path);
    }
    close(fd);
    return result;
}

int log_give_back(const char *folder, uint32_t from, uint32_t upto, struct err *err)
{
    for (uint32_t segment = from; segment < upto; segment++) {
        if (make_hole(folder, segment, err) < 0) {
            return -1;
        }
    }
    return 0;
}

bool log_is_given_back(const char *folder, uint32_t segment)
{
    static const struct rlog_segment_header HOLE;
    struct rlog_segment_header header;
    char path[PATH_SIZE + 32];
    int fd = open_segment(folder, segment, O_RDONLY, path);
    bool is_hole = fd >= 0 && read(fd, &header, sizeof(header)) == (ssize_t)sizeof(header)
                   && memcmp(&header, &HOLE, sizeof(header)) == 0;

    if (fd >= 0) {
        close(fd);
    }
    return is_hole;
}
