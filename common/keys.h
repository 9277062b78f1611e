/* SPDX-License-Identifier: MIT */
/* Key pairs and the folder of keys that may come in. */
#ifndef COMMON_KEYS_H
#define COMMON_KEYS_H

#include "common/attrs.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/proto.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    KEY_TEXT_SIZE = 41, /* 40 characters of Z85 */
    KEY_NAME_SIZE = 64,
    KEY_MAX_AUTHORIZED = 4096,
};

/* One file's content, YAML: name, role, public_key, and in a NAME.key secret_key too. */
struct key_pair {
    char name[KEY_NAME_SIZE];
    int role; /* enum proto_role */
    char public_key[KEY_TEXT_SIZE];
    char secret_key[KEY_TEXT_SIZE]; /* "" in what a .pub file held */
};

MUST_CHECK int key_generate(struct key_pair *pair, const char *name, enum proto_role role,
                            struct err *err);

/* Overwrites the secret; every holder of a pair calls it when done. */
void key_wipe(struct key_pair *pair);

/* Writes FOLDER/STEM.key (mode 0600) and FOLDER/STEM.pub, both whole or not at all. A pair that
 * exists is refused with ERR_EXISTS unless `overwrite`. */
MUST_CHECK int key_save(const struct key_pair *pair, const char *folder, const char *stem,
                        bool overwrite, struct err *err);

/* Writes one public file, for instance into a node's `authorized` folder. */
MUST_CHECK int key_save_public(const struct key_pair *pair, const char *path, struct err *err);

/* A secret key file: a regular file of this user (or root's), mode 0600 or less, whose public
 * key belongs to its secret one. ERR_DENIED names the chmod that is missing. */
MUST_CHECK int key_load(struct key_pair *pair, const char *path, struct err *err);

/* A public key file; not writable by group or others. */
MUST_CHECK int key_load_public(struct key_pair *pair, const char *path, struct err *err);

/* A file's content, for one that is written elsewhere; key_wipe_text frees it unread. */
void key_write(const struct key_pair *pair, bool with_secret, struct buf *out);
void key_wipe_text(struct buf *text);

/* The content of either kind of file; secret_key is as it stands there. For readers and
 * fuzzers. */
MUST_CHECK int key_parse(struct key_pair *pair, const char *text, size_t size,
                         const char *file_name, struct err *err);

/* True when text is 40 characters of Z85. */
bool key_text_is_valid(const char *text);

/* The keys of all *.pub files in a folder. A file that is wrong grants nothing, is logged once
 * per reading, and does not disturb the others. Not thread safe: one keyring per thread. */
struct keyring;
struct keyring *keyring_open(const char *folder, struct err *err);
void keyring_close(struct keyring **ring);

/* Reads the folder again if it changed (names, times, sizes); cheap otherwise, so that it can
 * run every second: a removed file is a revoked key. When the folder cannot be read nobody is
 * let in, and -1 says why. */
int keyring_refresh(struct keyring *ring, struct err *err);

/* NULL: unknown or revoked. A loan until the next refresh. */
const struct key_pair *keyring_find(const struct keyring *ring, const char *public_key);
uint64_t keyring_version(const struct keyring *ring); /* another one after each change */
size_t keyring_count(const struct keyring *ring);

#endif
