/* SPDX-License-Identifier: MIT */
#include "common/h5_seal.h"

#include "common/h5_digest.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Computed over the file as a reader will find it: closed and opened again. */
static int write_digest(const char *path, struct err *err)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t integrity = file < 0 ? -1 : H5Gopen2(file, "/integrity", H5P_DEFAULT);
    char text[DIGEST_TEXT_SIZE];
    int result = -1;

    if (integrity < 0) {
        h5_fail(err, ERR_SYSTEM, "%s", path);
    } else if (h5_put_text(integrity, "description",
                           "CRC-32C per chunk; digest is BLAKE2b-256 over the rest, see "
                           "h5_layout.md",
                           err)
                   == 0
               && h5_digest(file, text, err) == 0) {
        result = h5_put_text(integrity, "digest", text, err);
    }
    h5_close(&integrity);
    if (file >= 0 && H5Fclose(file) < 0 && result == 0) {
        result = h5_fail(err, ERR_SYSTEM, "%s", path);
    }
    return result;
}

static int sync_path(const char *path, int flags, uint64_t *size, struct err *err)
{
    int fd = open(path, flags | O_CLOEXEC);
    struct stat info = { 0 };
    int result = 0;

    if (fd < 0 || fsync(fd) < 0 || fstat(fd, &info) < 0) {
        result = err_set_errno(err, "sync of %s", path);
    }
    if (fd >= 0) {
        close(fd);
    }
    *size = (uint64_t)info.st_size;
    return result;
}

static int put_in_place(const char *part_path, const char *final_path, uint64_t *size,
                        struct err *err)
{
    char folder[PATH_MAX];
    uint64_t ignored = 0;
    char *slash = NULL;

    if (sync_path(part_path, O_RDONLY, size, err) < 0) {
        return -1;
    }
    if (rename(part_path, final_path) < 0) {
        return err_set_errno(err, "%s", final_path);
    }
    snprintf(folder, sizeof(folder), "%s", final_path);
    slash = strrchr(folder, '/');
    if (slash == NULL) {
        return sync_path(".", O_RDONLY | O_DIRECTORY, &ignored, err);
    }
    slash[slash == folder] = '\0'; /* "/name" is in "/" */
    return sync_path(folder, O_RDONLY | O_DIRECTORY, &ignored, err);
}

int h5_seal(const char *part_path, const char *final_path, uint64_t *file_bytes,
            struct err *err)
{
    if (write_digest(part_path, err) < 0) {
        return -1;
    }
    return put_in_place(part_path, final_path, file_bytes, err);
}
