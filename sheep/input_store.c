/* SPDX-License-Identifier: MIT */
#include "sheep/input_store.h"

#include "common/buf.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    DIGEST_BYTES = 32,
    READ_BYTES = 128 * 1024
};

int input_store_open(struct input_store *store, const struct sheep_config *config,
                     struct err *err)
{
    memset(store, 0, sizeof(*store));
    store->reserve_bytes = config->disk_reserve;
    if (sheep_config_folder(config, "inputs", store->folder, err) < 0) {
        return -1;
    }
    return dir_make(store->folder, 0755, err);
}

static bool is_digest(const char *text)
{
    size_t length = strlen(text);

    for (size_t i = 0; i < length; i++) {
        if (!isdigit((unsigned char)text[i]) && (text[i] < 'a' || text[i] > 'f')) {
            return false;
        }
    }
    return length == DIGEST_TEXT_SIZE - 1;
}

static int make_path(const struct input_store *store, const char *digest, const char *suffix,
                     char path[PATH_SIZE], struct err *err)
{
    if (!is_digest(digest)) {
        return err_set(err, ERR_INPUT, "input: not a digest");
    }
    if ((size_t)snprintf(path, PATH_SIZE, "%s/%s.%s", store->folder, digest, suffix)
        >= PATH_SIZE) {
        return err_set(err, ERR_INPUT, "input: path is too long");
    }
    return 0;
}

static bool file_size(const char *path, uint64_t *n_bytes)
{
    struct stat status;

    if (lstat(path, &status) < 0 || !S_ISREG(status.st_mode)) {
        return false;
    }
    *n_bytes = (uint64_t)status.st_size;
    return true;
}

int input_store_path(const struct input_store *store, const char *digest, char path[PATH_SIZE],
                     struct err *err)
{
    uint64_t n_bytes = 0;

    if (make_path(store, digest, "inp", path, err) < 0) {
        return -1;
    }
    if (!file_size(path, &n_bytes)) {
        return err_set(err, ERR_NOT_FOUND, "input %.12s... is not on this node", digest);
    }
    return 0;
}

int input_store_have(const struct input_store *store, const char *digest, uint64_t *n_bytes,
                     bool *is_whole, struct err *err)
{
    char path[PATH_SIZE];

    *n_bytes = 0;
    *is_whole = false;
    if (make_path(store, digest, "inp", path, err) < 0) {
        return -1;
    }
    if (file_size(path, n_bytes)) {
        *is_whole = true;
        return 0;
    }
    if (make_path(store, digest, "part", path, err) < 0) {
        return -1;
    }
    file_size(path, n_bytes);
    return 0;
}

static int check_piece(const struct input_store *store, const struct input_piece *piece,
                       uint64_t n_here, struct err *err)
{
    struct statvfs status;
    uint64_t end = 0;

    if (__builtin_add_overflow(piece->offset, piece->n_bytes, &end) || end > piece->size) {
        return err_set(err, ERR_INPUT, "input: a piece behind the end");
    }
    if (piece->offset > n_here) {
        return err_set(err, ERR_STATE, "input: %llu bytes are here, the piece is for %llu",
                       (unsigned long long)n_here, (unsigned long long)piece->offset);
    }
    if (statvfs(store->folder, &status) == 0
        && (uint64_t)status.f_bavail * status.f_frsize
               < piece->n_bytes + store->reserve_bytes) {
        return err_set(err, ERR_NO_SPACE, "disk: no room for the input");
    }
    return 0;
}

static int write_at(int fd, const unsigned char *data, size_t size, uint64_t offset)
{
    while (size > 0) {
        ssize_t n = pwrite(fd, data, size, (off_t)offset);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return -1;
        }
        data += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

int input_store_put(const struct input_store *store, const struct input_piece *piece,
                    uint64_t *n_bytes, struct err *err)
{
    char path[PATH_SIZE];
    bool is_whole = false;
    size_t known = 0;
    int fd = -1;

    if (input_store_have(store, piece->digest, n_bytes, &is_whole, err) < 0) {
        return -1;
    }
    if (is_whole) {
        return 0; /* nothing is overwritten */
    }
    if (check_piece(store, piece, *n_bytes, err) < 0
        || make_path(store, piece->digest, "part", path, err) < 0) {
        return -1;
    }
    if (piece->offset + piece->n_bytes <= *n_bytes) {
        return 0;
    }
    known = (size_t)(*n_bytes - piece->offset);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) {
        return err_set_errno(err, "%s", path);
    }
    if (write_at(fd, (const unsigned char *)piece->data + known, piece->n_bytes - known,
                 *n_bytes)
        < 0) {
        err_set_errno(err, "%s", path);
        close(fd);
        return -1;
    }
    close(fd);
    *n_bytes = piece->offset + piece->n_bytes;
    return 0;
}

static int hash_file(int fd, char text[DIGEST_TEXT_SIZE], struct err *err)
{
    static const size_t TEXT_SIZE = DIGEST_TEXT_SIZE;
    _Alignas(64) crypto_generichash_state state;
    unsigned char digest[DIGEST_BYTES];
    unsigned char buffer[READ_BYTES];
    ssize_t n = 0;

    crypto_generichash_init(&state, NULL, 0, sizeof(digest));
    while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
        crypto_generichash_update(&state, buffer, (unsigned long long)n);
    }
    if (n < 0) {
        return err_set_errno(err, "input");
    }
    crypto_generichash_final(&state, digest, sizeof(digest));
    sodium_bin2hex(text, TEXT_SIZE, digest, sizeof(digest));
    return 0;
}

static int sync_folder(const char *folder, struct err *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = 0;

    if (fd < 0 || fsync(fd) < 0) {
        result = err_set_errno(err, "%s", folder);
    }
    if (fd >= 0) {
        close(fd);
    }
    return result;
}

int input_store_verify(const struct input_store *store, const char *digest, struct err *err)
{
    char part[PATH_SIZE];
    char path[PATH_SIZE];
    char found[DIGEST_TEXT_SIZE];
    int result = -1;
    int fd = -1;

    if (make_path(store, digest, "part", part, err) < 0
        || make_path(store, digest, "inp", path, err) < 0) {
        return -1;
    }
    fd = open(part, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return err_set_errno(err, "%s", part);
    }
    if (hash_file(fd, found, err) < 0) {
        goto done;
    }
    if (strcmp(found, digest) != 0) {
        unlink(part);
        err_set(err, ERR_CORRUPT, "input: what arrived has digest %.12s..., not %.12s...",
                found, digest);
        goto done;
    }
    if (fsync(fd) < 0 || rename(part, path) < 0) {
        err_set_errno(err, "%s", path);
        goto done;
    }
    result = sync_folder(store->folder, err);
done:
    close(fd);
    return result;
}
