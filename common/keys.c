/* SPDX-License-Identifier: MIT */
#include "common/keys.h"

#include "common/buf.h"
#include "common/schema.h"
#include "common/yaml_doc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>
#include <zmq.h>

enum {
    KEY_FILE_MAX = 4096,
    MODE_NOT_OWNER = 077,
    MODE_OTHERS_WRITE = 022,
};

static const struct enum_name ROLES[] = {
    {"operator",  ROLE_OPERATOR},
    { "observer", ROLE_OBSERVER},
    { "sheep",    ROLE_SHEEP   },
    { NULL,       0            },
};

static const struct field KEY_FIELDS[] = {
    {.name = "name",
     .type = FIELD_STRING,
     .offset = offsetof(struct key_pair, name),
     .size = KEY_NAME_SIZE },
    { .name = "role",
     .type = FIELD_ENUM,
     .offset = offsetof(struct key_pair, role),
     .size = sizeof(int),
     .enums = ROLES },
    { .name = "public_key",
     .type = FIELD_STRING,
     .offset = offsetof(struct key_pair, public_key),
     .size = KEY_TEXT_SIZE },
    { .name = "secret_key",
     .type = FIELD_STRING,
     .offset = offsetof(struct key_pair, secret_key),
     .size = KEY_TEXT_SIZE,
     .is_optional = true },
    { .name = NULL},
};

static const struct schema KEY_SCHEMA = {
    .name = "key",
    .help = "a key pair, or its public half",
    .fields = KEY_FIELDS,
    .size = sizeof(struct key_pair),
};

int key_generate(struct key_pair *pair, const char *name, enum proto_role role, struct err *err)
{
    memset(pair, 0, sizeof(*pair));
    if (!name_is_safe(name, KEY_NAME_SIZE - 1)) {
        return err_set(err, ERR_INPUT, "'%s' is no name for a key", name);
    }
    if (zmq_curve_keypair(pair->public_key, pair->secret_key) < 0) {
        return err_set_errno(err, "key pair");
    }
    snprintf(pair->name, sizeof(pair->name), "%s", name);
    pair->role = (int)role;
    return 0;
}

void key_wipe(struct key_pair *pair)
{
    sodium_memzero(pair, sizeof(*pair));
}

bool key_text_is_valid(const char *text)
{
    static const char Z85[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              ".-:+=^!/*?&<>()[]{}@%$#";

    return strlen(text) == KEY_TEXT_SIZE - 1 && strspn(text, Z85) == KEY_TEXT_SIZE - 1;
}

void key_write(const struct key_pair *pair, bool with_secret, struct buf *out)
{
    buf_printf(out, "# Bellwether, %s key of %s\nname: ", with_secret ? "SECRET" : "public",
               pair->name);
    yaml_emit_scalar(pair->name, out);
    buf_printf(out, "\nrole: %s\npublic_key: ", proto_role_name((unsigned)pair->role));
    yaml_emit_scalar(pair->public_key, out);
    if (with_secret) {
        buf_text(out, "\nsecret_key: ");
        yaml_emit_scalar(pair->secret_key, out);
    }
    buf_text(out, "\n");
}

void key_wipe_text(struct buf *text)
{
    if (text->data != NULL) {
        sodium_memzero(text->data, text->capacity);
    }
    buf_fini(text);
}

static int write_key(const struct key_pair *pair, const char *path, bool is_secret,
                     struct err *err)
{
    struct buf text = { 0 };
    int result = 0;

    key_write(pair, is_secret, &text);
    if (text.failed) {
        result = err_set(err, ERR_MEMORY, "%s: no memory for a key", path);
    } else {
        result = file_write_atomic(path, text.data, text.size, is_secret ? 0600 : 0644, err);
    }
    key_wipe_text(&text);
    return result;
}

int key_save(const struct key_pair *pair, const char *folder, const char *stem, bool overwrite,
             struct err *err)
{
    char secret_path[PATH_MAX];
    char public_path[PATH_MAX];

    if (snprintf(secret_path, PATH_MAX, "%s/%s.key", folder, stem) >= PATH_MAX
        || snprintf(public_path, PATH_MAX, "%s/%s.pub", folder, stem) >= PATH_MAX) {
        return err_set(err, ERR_INPUT, "%s: path too long", folder);
    }
    if (!overwrite && (access(secret_path, F_OK) == 0 || access(public_path, F_OK) == 0)) {
        return err_set(err, ERR_EXISTS, "%s/%s.key or its .pub exists; it is not replaced",
                       folder, stem);
    }
    if (write_key(pair, secret_path, true, err) < 0) {
        return -1;
    }
    if (write_key(pair, public_path, false, err) < 0) {
        unlink(secret_path);
        return -1;
    }
    return 0;
}

int key_save_public(const struct key_pair *pair, const char *path, struct err *err)
{
    return write_key(pair, path, false, err);
}

/* What is checked is what is read: one descriptor for both. */
static int check_file(int fd, const char *path, mode_t forbidden, struct err *err)
{
    struct stat info = { 0 };

    if (fstat(fd, &info) < 0) {
        return err_set_errno(err, "%s", path);
    }
    if (!S_ISREG(info.st_mode)) {
        return err_set(err, ERR_INPUT, "%s: not a regular file", path);
    }
    if (info.st_uid != geteuid() && info.st_uid != 0) {
        return err_set(err, ERR_DENIED, "%s: belongs to user %u", path, info.st_uid);
    }
    if ((info.st_mode & forbidden) != 0) {
        return err_set(err, ERR_DENIED, "%s: mode %04o is too wide; chmod %s it", path,
                       info.st_mode & 07777U, forbidden == MODE_NOT_OWNER ? "0600" : "go-w");
    }
    return 0;
}

static int read_file(char text[KEY_FILE_MAX], size_t *size, const char *path, mode_t forbidden,
                     struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = 0;

    *size = 0;
    if (fd < 0) {
        return err_set_errno(err, "%s", path);
    }
    if (check_file(fd, path, forbidden, err) < 0) {
        close(fd);
        return -1;
    }
    while (*size < KEY_FILE_MAX && (n = read(fd, text + *size, KEY_FILE_MAX - *size)) > 0) {
        *size += (size_t)n;
    }
    close(fd);
    if (n < 0) {
        return err_set_errno(err, "%s", path);
    }
    if (*size == KEY_FILE_MAX) {
        return err_set(err, ERR_INPUT, "%s: too long for a key", path);
    }
    return 0;
}

int key_parse(struct key_pair *pair, const char *text, size_t size, const char *file_name,
              struct err *err)
{
    struct fault_list faults = { 0 };
    struct yaml_doc *doc = yaml_parse(text, size, file_name, err);
    int result = 0;

    memset(pair, 0, sizeof(*pair));
    if (doc == NULL) {
        return -1;
    }
    schema_decode(&KEY_SCHEMA, yaml_root(doc), pair, &faults);
    result = fault_check(&faults, err);
    fault_fini(&faults);
    yaml_destroy(&doc);
    if (result < 0) {
        return -1;
    }
    if (!name_is_safe(pair->name, KEY_NAME_SIZE - 1)) {
        return err_set(err, ERR_INPUT, "%s: name: only letters, digits, '.', '_' and '-'",
                       file_name);
    }
    if (!key_text_is_valid(pair->public_key)) {
        return err_set(err, ERR_INPUT, "%s: public_key: not 40 characters of Z85", file_name);
    }
    return 0;
}

static int check_secret(const struct key_pair *pair, const char *path, struct err *err)
{
    char derived[KEY_TEXT_SIZE] = "";

    if (!key_text_is_valid(pair->secret_key)) {
        return err_set(err, ERR_INPUT, "%s: no secret_key of 40 characters of Z85", path);
    }
    if (zmq_curve_public(derived, pair->secret_key) < 0) {
        return err_set_errno(err, "%s: secret_key", path);
    }
    if (strcmp(derived, pair->public_key) != 0) {
        return err_set(err, ERR_INPUT, "%s: public_key and secret_key are no pair", path);
    }
    return 0;
}

int key_load(struct key_pair *pair, const char *path, struct err *err)
{
    char text[KEY_FILE_MAX];
    size_t size = 0;
    int result = 0;

    memset(pair, 0, sizeof(*pair));
    if (read_file(text, &size, path, MODE_NOT_OWNER, err) < 0) {
        return -1;
    }
    result = key_parse(pair, text, size, path, err);
    sodium_memzero(text, sizeof(text));
    if (result < 0 || check_secret(pair, path, err) < 0) {
        key_wipe(pair);
        return -1;
    }
    return 0;
}

int key_load_public(struct key_pair *pair, const char *path, struct err *err)
{
    char text[KEY_FILE_MAX];
    size_t size = 0;

    memset(pair, 0, sizeof(*pair));
    if (read_file(text, &size, path, MODE_OTHERS_WRITE, err) < 0) {
        return -1;
    }
    if (key_parse(pair, text, size, path, err) < 0) {
        key_wipe(pair);
        return -1;
    }
    if (pair->secret_key[0] != '\0') {
        key_wipe(pair);
        return err_set(err, ERR_DENIED, "%s: holds a secret key; make a new pair", path);
    }
    return 0;
}
