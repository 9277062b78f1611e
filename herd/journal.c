/* SPDX-License-Identifier: MIT */
#include "herd/journal.h"

#include "common/buf.h"
#include "common/clock.h"
#include "common/schema.h"
#include "common/yaml_doc.h"
#include "herd/report.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum {
    MAX_BYTES = 64 * 1024 * 1024,
    NUMBER_TEXT = 24,
};

struct journal {
    int fd;
    char path[PATH_MAX];
};

static const char *const KIND_NAMES[N_JOURNAL_KINDS] = {
    [JOURNAL_BEGIN] = "begin",     [JOURNAL_NODE] = "node",     [JOURNAL_READY] = "ready",
    [JOURNAL_CLOCK] = "clock",     [JOURNAL_OUT] = "out",       [JOURNAL_ARM] = "arm",
    [JOURNAL_GO] = "go",           [JOURNAL_CANCEL] = "cancel", [JOURNAL_STOP] = "stop",
    [JOURNAL_VERDICT] = "verdict", [JOURNAL_NAME] = "name",     [JOURNAL_RELEASED] = "released",
    [JOURNAL_END] = "end",
};

/* ---- one line ---- */

#define NUMBER(member_, type_)                                                     \
    {                                                                              \
        .name = #member_, .type = (type_), .is_optional = true,                    \
        .offset = offsetof(struct journal_entry, member_), .size = sizeof(int64_t) \
    }
#define TEXT(member_)                                                \
    {                                                                \
        .name = #member_, .type = FIELD_STRING, .is_optional = true, \
        .offset = offsetof(struct journal_entry, member_),           \
        .size = sizeof(((struct journal_entry *)0)->member_)         \
    }

static const struct enum_name KIND_ENUM[] = {
    {"begin",     JOURNAL_BEGIN   },
    { "node",     JOURNAL_NODE    },
    { "ready",    JOURNAL_READY   },
    { "clock",    JOURNAL_CLOCK   },
    { "out",      JOURNAL_OUT     },
    { "arm",      JOURNAL_ARM     },
    { "go",       JOURNAL_GO      },
    { "cancel",   JOURNAL_CANCEL  },
    { "stop",     JOURNAL_STOP    },
    { "name",     JOURNAL_NAME    },
    { "verdict",  JOURNAL_VERDICT },
    { "released", JOURNAL_RELEASED},
    { "end",      JOURNAL_END     },
    { NULL,       0               },
};

static const struct field FIELDS[] = {
    {.name = "entry",
     .type = FIELD_ENUM,
     .offset = offsetof(struct journal_entry, kind),
     .size = sizeof(int),
     .enums = KIND_ENUM },
    NUMBER(at_ns, FIELD_I64),
    TEXT(node),
    TEXT(log),
    TEXT(name),
    TEXT(text),
    TEXT(digest),
    TEXT(path),
    TEXT(inventory),
    TEXT(key),
    NUMBER(experiment, FIELD_U64),
    NUMBER(controller, FIELD_U64),
    NUMBER(boot_id, FIELD_U64),
    NUMBER(n, FIELD_U64),
    NUMBER(sample, FIELD_U64),
    NUMBER(mode, FIELD_U64),
    NUMBER(T_ns, FIELD_I64),
    NUMBER(offset_ns, FIELD_I64),
    NUMBER(bound_ns, FIELD_I64),
    NUMBER(clock_error_max_ns, FIELD_I64),
    { .name = NULL},
};

static const struct schema ENTRY_SCHEMA = { .name = "entry",
                                            .help = "a line of a run's journal",
                                            .fields = FIELDS,
                                            .size = sizeof(struct journal_entry) };

/* A line break or a control character in a text would make the line unreadable for replay. */
static void flatten(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f) {
            *text = ' ';
        }
    }
}

/* What is zero or empty is left out. */
static void put_field(struct json *json, const struct field *field, const char *member)
{
    int64_t number = 0;

    if (field->type == FIELD_STRING) {
        if (member[0] != '\0') {
            json_text(json, field->name, member);
        }
        return;
    }
    memcpy(&number, member, sizeof(number));
    if (number != 0 && field->type == FIELD_I64) {
        json_i64(json, field->name, number);
    } else if (number != 0) {
        json_u64(json, field->name, (uint64_t)number);
    }
}

static void write_line(const struct journal_entry *entry, struct buf *line)
{
    struct json json = { .out = line };

    json_open(&json, NULL, '{');
    json_text(&json, "entry", KIND_NAMES[entry->kind]);
    for (const struct field *field = FIELDS + 1; field->name != NULL; field++) {
        put_field(&json, field, (const char *)entry + field->offset);
    }
    json_close(&json, '}');
    buf_text(line, "\n");
}

int journal_add(struct journal *journal, const struct journal_entry *entry, struct err *err)
{
    struct journal_entry stamped = *entry;
    struct buf line = { 0 };
    ssize_t written = 0;
    int result = 0;

    stamped.at_ns = clock_utc_ns();
    flatten(stamped.text);
    write_line(&stamped, &line);
    if (line.failed) {
        result = err_set(err, ERR_MEMORY, "a line of the journal");
    } else {
        written = write(journal->fd, line.data, line.size);
        if (written < 0) {
            result = err_set_errno(err, "%s", journal->path);
        } else if ((size_t)written != line.size) {
            result = err_set(err, ERR_NO_SPACE, "%s: written in part", journal->path);
        }
    }
    buf_fini(&line);
    return result;
}

int journal_sync(struct journal *journal, struct err *err)
{
    return fdatasync(journal->fd) < 0 ? err_set_errno(err, "%s", journal->path) : 0;
}

/* ---- files ---- */

static int run_path(const char *state_folder, const char *id, const char *name,
                    char path[PATH_MAX], struct err *err)
{
    if (!name_is_safe(id, JOURNAL_ID_SIZE - 1)) {
        return err_set(err, ERR_INPUT, "'%s' is no name of a run", id);
    }
    if (snprintf(path, PATH_MAX, "%s/runs/%s%s%s", state_folder, id, name[0] != '\0' ? "/" : "",
                 name)
        >= PATH_MAX) {
        return err_set(err, ERR_INPUT, "%s: path too long", state_folder);
    }
    return 0;
}

static struct journal *open_locked(const char *state_folder, const char *id, int flags,
                                   struct err *err)
{
    struct journal *journal = calloc(1, sizeof(*journal));

    if (journal == NULL) {
        err_set(err, ERR_MEMORY, "journal");
        return NULL;
    }
    journal->fd = -1;
    if (run_path(state_folder, id, "journal", journal->path, err) < 0) {
        goto fail;
    }
    journal->fd = open(journal->path, O_WRONLY | O_APPEND | O_CLOEXEC | flags, 0600);
    if (journal->fd < 0) {
        err_set_errno(err, "%s", journal->path);
        goto fail;
    }
    if (flock(journal->fd, LOCK_EX | LOCK_NB) < 0) {
        err_set(err, ERR_STATE, "run %s is in the hands of another herd", id);
        goto fail;
    }
    return journal;
fail:
    journal_close(&journal);
    return NULL;
}

bool journal_exists(const char *state_folder, const char *id)
{
    char path[PATH_MAX];

    return run_path(state_folder, id, "journal", path, NULL) == 0 && access(path, F_OK) == 0;
}

struct journal *journal_create(const char *state_folder, const char *id,
                               const char *experiment_text, struct err *err)
{
    char path[PATH_MAX];

    if (run_path(state_folder, id, "", path, err) < 0 || dir_make(path, 0700, err) < 0
        || run_path(state_folder, id, "experiment.yaml", path, err) < 0
        || file_write_atomic(path, experiment_text, strlen(experiment_text), 0600, err) < 0) {
        return NULL;
    }
    return open_locked(state_folder, id, O_CREAT | O_EXCL, err);
}

/* A torn last line gets its end, so that the next one is whole. */
static int mend(struct journal *journal, struct err *err)
{
    int fd = open(journal->path, O_RDONLY | O_CLOEXEC);
    off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    char last = '\n';
    int result = 0;

    if (size < 0 || (size > 0 && pread(fd, &last, 1, size - 1) != 1)
        || (last != '\n' && write(journal->fd, "\n", 1) != 1)) {
        result = err_set_errno(err, "%s", journal->path);
    }
    if (fd >= 0) {
        close(fd);
    }
    return result;
}

struct journal *journal_open(const char *state_folder, const char *id, struct err *err)
{
    struct journal *journal = NULL;

    if (!journal_exists(state_folder, id)) {
        err_set(err, ERR_NOT_FOUND, "no run '%.80s'; herd attach --list shows them", id);
        return NULL;
    }
    journal = open_locked(state_folder, id, 0, err);
    if (journal != NULL && mend(journal, err) < 0) {
        journal_close(&journal);
    }
    return journal;
}

void journal_close(struct journal **journal)
{
    if (*journal == NULL) {
        return;
    }
    if ((*journal)->fd >= 0) {
        close((*journal)->fd);
    }
    free(*journal);
    *journal = NULL;
}

/* ---- replay ---- */

/* False: torn, or of a later version. */
static bool read_line(const char *text, size_t size, struct journal_entry *entry)
{
    struct fault_list faults = { 0 };
    struct yaml_doc *doc = yaml_parse(text, size, "journal", NULL);
    bool is_good = false;

    if (doc != NULL && yaml_root(doc)->kind == YAML_MAP) {
        schema_decode(&ENTRY_SCHEMA, yaml_root(doc), entry, &faults);
        is_good = faults.count == 0 && !faults.failed;
    }
    fault_fini(&faults);
    yaml_destroy(&doc);
    return is_good;
}

int journal_replay(const char *state_folder, const char *id, journal_fn fn, void *arg,
                   struct err *err)
{
    struct buf text = { 0 };
    char path[PATH_MAX];
    size_t at = 0;
    int result = 0;

    if (run_path(state_folder, id, "journal", path, err) < 0
        || buf_read_file(&text, path, MAX_BYTES, err) < 0) {
        buf_fini(&text);
        return err_prepend(err, "run %s", id);
    }
    while (result == 0 && at < text.size) {
        const char *line = text.data + at;
        const char *end = memchr(line, '\n', text.size - at);
        size_t size = end != NULL ? (size_t)(end - line) : text.size - at;
        struct journal_entry entry;

        if (end != NULL && size > 0 && read_line(line, size, &entry)) {
            result = fn(arg, &entry, err);
        }
        at += size + 1;
    }
    buf_fini(&text);
    return result;
}

/* ---- which runs are open ---- */

static int look_for_end(void *arg, const struct journal_entry *entry, struct err *err)
{
    bool *is_over = arg;

    (void)err;
    *is_over = *is_over || entry->kind == JOURNAL_END;
    return 0;
}

struct found {
    char (*ids)[JOURNAL_ID_SIZE];
    size_t count;
};

static int compare_age(const void *a, const void *b)
{
    /* An id ends with the UTC of its preparation. */
    const char *left = a;
    const char *right = b;
    const size_t stamp = sizeof("2026-11-28T06-51-24Z") - 1;
    size_t left_size = strlen(left);
    size_t right_size = strlen(right);

    if (left_size < stamp || right_size < stamp) {
        return strcmp(right, left);
    }
    return strcmp(right + right_size - stamp, left + left_size - stamp);
}

static int keep(struct found *found, const char *name, struct err *err)
{
    char(*more)[JOURNAL_ID_SIZE] =
        realloc(found->ids, (found->count + 1) * sizeof(*found->ids));

    if (more == NULL) {
        return err_set(err, ERR_MEMORY, "the list of runs");
    }
    found->ids = more;
    snprintf(found->ids[found->count++], JOURNAL_ID_SIZE, "%.95s", name);
    return 0;
}

static int list_open(const char *state_folder, struct found *found, struct err *err)
{
    char path[PATH_MAX];
    DIR *folder = NULL;
    const struct dirent *item = NULL;
    int result = 0;

    if (snprintf(path, sizeof(path), "%s/runs", state_folder) >= (int)sizeof(path)) {
        return err_set(err, ERR_INPUT, "%s: path too long", state_folder);
    }
    folder = opendir(path);
    if (folder == NULL) {
        return errno == ENOENT ? 0 : err_set_errno(err, "%s", path);
    }
    /* One thread reads this stream. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while (result == 0 && (item = readdir(folder)) != NULL) {
        bool is_over = false;

        if (name_is_safe(item->d_name, JOURNAL_ID_SIZE - 1)
            && journal_replay(state_folder, item->d_name, look_for_end, &is_over, NULL) == 0
            && !is_over) {
            result = keep(found, item->d_name, err);
        }
    }
    closedir(folder);
    if (found->count > 0) {
        qsort(found->ids, found->count, sizeof(*found->ids), compare_age);
    }
    return result;
}

int journal_find_open(const char *state_folder, char id[JOURNAL_ID_SIZE], struct err *err)
{
    struct found found = { 0 };
    bool is_found = false;

    if (list_open(state_folder, &found, err) < 0) {
        free(found.ids);
        return -1;
    }
    for (size_t i = 0; i < found.count && !is_found; i++) {
        struct journal *journal = journal_open(state_folder, found.ids[i], NULL);

        is_found = journal != NULL;
        journal_close(&journal);
        if (is_found) {
            memcpy(id, found.ids[i], JOURNAL_ID_SIZE);
        }
    }
    free(found.ids);
    return is_found ? 0
                    : err_set(err, ERR_NOT_FOUND, "no run is left that could be attached to");
}

int journal_each_open(const char *state_folder, void (*fn)(void *arg, const char *id),
                      void *arg, struct err *err)
{
    struct found found = { 0 };
    int result = list_open(state_folder, &found, err);

    for (size_t i = 0; result == 0 && i < found.count; i++) {
        fn(arg, found.ids[i]);
    }
    free(found.ids);
    return result;
}
