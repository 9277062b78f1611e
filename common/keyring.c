/* SPDX-License-Identifier: MIT */
/* The folder of keys that may come in; the part of keys.h that watches a folder. */
#include "common/keys.h"

#include "common/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct keyring {
    char folder[PATH_MAX];
    uint64_t fingerprint;  /* of names, times, sizes; 0: nothing was read */
    struct key_pair *keys; /* sorted by public key, each once */
    size_t n_keys;
};

static uint64_t hash_bytes(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *bytes = data;

    /* FNV-1a: it notices changes, it does not defend; who can write here is in anyway. */
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static uint64_t hash_file(const char *name, const struct stat *info)
{
    const int64_t facts[] = {
        info->st_mtim.tv_sec,  info->st_mtim.tv_nsec,  info->st_ctim.tv_sec,
        info->st_ctim.tv_nsec, (int64_t)info->st_size, (int64_t)info->st_ino,
    };

    return hash_bytes(hash_bytes(UINT64_C(0xcbf29ce484222325), name, strlen(name)), facts,
                      sizeof(facts));
}

static bool is_public_file(const char *name)
{
    size_t length = strlen(name);

    return name[0] != '.' && length > 4 && strcmp(name + length - 4, ".pub") == 0;
}

/* A folder that others can write to lets others in. */
static int check_folder(DIR *dir, const char *folder, struct err *err)
{
    struct stat info = { 0 };

    if (fstat(dirfd(dir), &info) < 0) {
        return err_set_errno(err, "%s", folder);
    }
    if ((info.st_mode & 022) != 0) {
        return err_set(err, ERR_DENIED, "%s: mode %04o lets others add keys; chmod go-w it",
                       folder, info.st_mode & 07777U);
    }
    return 0;
}

/* The sum over all files, so that the order of the folder does not matter. */
static uint64_t take_fingerprint(DIR *dir)
{
    const struct dirent *entry = NULL;
    uint64_t fingerprint = 1;

    /* A stream of our own: safe in glibc. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while ((entry = readdir(dir)) != NULL) {
        struct stat info = { 0 };

        if (is_public_file(entry->d_name)
            && fstatat(dirfd(dir), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0) {
            fingerprint += hash_file(entry->d_name, &info);
        }
    }
    return fingerprint;
}

static int compare_keys(const void *a, const void *b)
{
    const struct key_pair *left = a;
    const struct key_pair *right = b;
    int order = strcmp(left->public_key, right->public_key);

    return order != 0 ? order : left->role - right->role;
}

static int read_key(struct keyring *ring, DIR *dir, const char *name, struct err *err)
{
    char path[PATH_MAX];
    struct stat info = { 0 };
    struct key_pair *grown = NULL;
    struct key_pair pair;

    if (snprintf(path, sizeof(path), "%s/%s", ring->folder, name) >= (int)sizeof(path)) {
        return err_set(err, ERR_INPUT, "%s: path too long", name);
    }
    if (fstatat(dirfd(dir), name, &info, AT_SYMLINK_NOFOLLOW) < 0) {
        return err_set_errno(err, "%s", path);
    }
    if (S_ISLNK(info.st_mode)) {
        return err_set(err, ERR_DENIED, "%s: a link is no key", path);
    }
    if (key_load_public(&pair, path, err) < 0) {
        return -1;
    }
    if (pair.role == ROLE_SHEEP) {
        return err_set(err, ERR_DENIED, "%s: a sheep does not command", path);
    }
    if (ring->n_keys >= KEY_MAX_AUTHORIZED) {
        return err_set(err, ERR_NO_SPACE, "%s: more than %d keys", path, KEY_MAX_AUTHORIZED);
    }
    grown = realloc(ring->keys, (ring->n_keys + 1) * sizeof(*grown));
    if (grown == NULL) {
        return err_set(err, ERR_MEMORY, "%s", path);
    }
    ring->keys = grown;
    ring->keys[ring->n_keys++] = pair;
    return 0;
}

static void forget(struct keyring *ring)
{
    free(ring->keys);
    ring->keys = NULL;
    ring->n_keys = 0;
    ring->fingerprint = 0;
}

/* A key that two files claim has the lesser of their roles. */
static void sort_keys(struct keyring *ring)
{
    size_t n_kept = 0;

    if (ring->n_keys == 0) {
        return;
    }
    qsort(ring->keys, ring->n_keys, sizeof(*ring->keys), compare_keys);
    for (size_t i = 0; i < ring->n_keys; i++) {
        if (n_kept == 0
            || strcmp(ring->keys[n_kept - 1].public_key, ring->keys[i].public_key) != 0) {
            ring->keys[n_kept++] = ring->keys[i];
        }
    }
    ring->n_keys = n_kept;
}

static void read_keys(struct keyring *ring, DIR *dir)
{
    const struct dirent *entry = NULL;

    /* A stream of our own: safe in glibc. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while ((entry = readdir(dir)) != NULL) {
        struct err err = { 0 };

        if (is_public_file(entry->d_name) && read_key(ring, dir, entry->d_name, &err) < 0) {
            log_warn("key refused: %s", err.text);
        }
    }
    sort_keys(ring);
}

int keyring_refresh(struct keyring *ring, struct err *err)
{
    uint64_t fingerprint = 0;
    DIR *dir = opendir(ring->folder);

    if (dir == NULL) {
        forget(ring);
        return err_set_errno(err, "authorized keys: %s", ring->folder);
    }
    if (check_folder(dir, ring->folder, err) < 0) {
        forget(ring);
        closedir(dir);
        return err_prepend(err, "authorized keys");
    }
    fingerprint = take_fingerprint(dir);
    if (fingerprint != ring->fingerprint) {
        forget(ring);
        rewinddir(dir);
        read_keys(ring, dir);
        /* Of before the reading: what changed meanwhile is read at the next refresh. */
        ring->fingerprint = fingerprint;
    }
    closedir(dir);
    return 0;
}

struct keyring *keyring_open(const char *folder, struct err *err)
{
    struct keyring *ring = calloc(1, sizeof(*ring));

    if (ring == NULL) {
        err_set(err, ERR_MEMORY, "keyring");
        return NULL;
    }
    if (snprintf(ring->folder, sizeof(ring->folder), "%s", folder)
        >= (int)sizeof(ring->folder)) {
        err_set(err, ERR_INPUT, "%s: path too long", folder);
        goto fail;
    }
    if (keyring_refresh(ring, err) < 0) {
        goto fail;
    }
    return ring;
fail:
    keyring_close(&ring);
    return NULL;
}

void keyring_close(struct keyring **ring)
{
    if (*ring == NULL) {
        return;
    }
    forget(*ring);
    free(*ring);
    *ring = NULL;
}

static int compare_text(const void *key, const void *pair)
{
    return strcmp(key, ((const struct key_pair *)pair)->public_key);
}

const struct key_pair *keyring_find(const struct keyring *ring, const char *public_key)
{
    if (ring->n_keys == 0) {
        return NULL;
    }
    return bsearch(public_key, ring->keys, ring->n_keys, sizeof(*ring->keys), compare_text);
}

uint64_t keyring_version(const struct keyring *ring)
{
    return ring->fingerprint;
}

size_t keyring_count(const struct keyring *ring)
{
    return ring->n_keys;
}
