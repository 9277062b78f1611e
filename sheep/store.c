/* SPDX-License-Identifier: MIT */
#include "sheep/store.h"

#include "common/rlog.h"
#include "common/schema.h"
#include "sheep/space.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAX_NUMBER = 9999,
    MAX_SEGMENTS = 100000,
    LIST_MAX_BYTES = PROTO_MAX_PAYLOAD / 2
};

static const char SUFFIX[] = ".rlog";

#define FIELD(type_, member_)                                                               \
    {                                                                                       \
        .name = #member_, .type = (type_), .offset = offsetof(struct store_entry, member_), \
        .size = sizeof(((struct store_entry *)0)->member_)                                  \
    }

static const struct field FIELDS[] = {
    FIELD(FIELD_U64, experiment),
    FIELD(FIELD_U64, n_samples),
    FIELD(FIELD_U64, n_gap_samples),
    FIELD(FIELD_U64, reason),
    FIELD(FIELD_U64, log_bytes),
    FIELD(FIELD_STRING, digest),
    FIELD(FIELD_STRING, text),
    FIELD(FIELD_BOOL, is_released),
    { .name = NULL },
};

static const struct schema SCHEMA = {
    .name = "index",
    .help = "what is known of a log",
    .fields = FIELDS,
    .size = sizeof(struct store_entry),
};

/* A name of its own below the tmpfs, since several agents of one machine may share that: FNV-1a
 * over where the recordings are. */
static int choose_memory(struct store *store, const char *parent, struct err *err)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    char *real = NULL;

    if (parent[0] == '\0') {
        return 0;
    }
    real = realpath(store->recordings, NULL);
    if (real == NULL) {
        return err_set_errno(err, "%s", store->recordings);
    }
    for (const char *at = real; *at != '\0'; at++) {
        hash = (hash ^ (uint8_t)*at) * UINT64_C(1099511628211);
    }
    free(real);
    snprintf(store->memory_parent, sizeof(store->memory_parent), "%s", parent);
    if ((size_t)snprintf(store->memory, sizeof(store->memory), "%s/sheep-%016" PRIx64, parent,
                         hash)
        >= sizeof(store->memory)) {
        return err_set(err, ERR_INPUT, "path is too long: %s", parent);
    }
    return 0;
}

int store_open(struct store *store, const struct sheep_config *config, struct err *err)
{
    memset(store, 0, sizeof(*store));
    store->reserve_bytes = config->disk_reserve;
    store->retention = config->retention;
    if (sheep_config_folder(config, "recordings", store->recordings, err) < 0
        || sheep_config_folder(config, "state/index", store->index, err) < 0
        || dir_make(store->recordings, 0755, err) < 0) {
        return -1;
    }
    if (dir_make(store->index, 0755, err) < 0) {
        return -1;
    }
    return choose_memory(store, config->memory, err);
}

static int log_path_in(const char *folder, const char *log, char path[PATH_SIZE],
                       struct err *err)
{
    if (!name_is_safe(log, PROTO_NAME_SIZE - 1)) {
        return err_set(err, ERR_INPUT, "a log cannot have this name");
    }
    if ((size_t)snprintf(path, PATH_SIZE, "%s/%s%s", folder, log, SUFFIX) >= PATH_SIZE) {
        return err_set(err, ERR_INPUT, "path of log %s is too long", log);
    }
    return 0;
}

bool store_is_in_memory(const struct store *store, const char *log)
{
    char path[PATH_SIZE];
    struct stat status;

    return store->memory[0] != '\0' && log_path_in(store->memory, log, path, NULL) == 0
           && lstat(path, &status) == 0;
}

int store_log_path(const struct store *store, const char *log, char path[PATH_SIZE],
                   struct err *err)
{
    return log_path_in(store_is_in_memory(store, log) ? store->memory : store->recordings, log,
                       path, err);
}

/* Everybody may write to a tmpfs: a folder that somebody else made is not used. */
static int make_memory(const struct store *store, struct err *err)
{
    struct stat status;

    if (store->memory[0] == '\0') {
        return err_set(
            err, ERR_INPUT,
            "this node keeps no recording in memory: name a tmpfs as `memory` in its "
            "sheep.yaml, or record with where: disk");
    }
    if ((mkdir(store->memory, 0700) < 0 && errno != EEXIST)
        || lstat(store->memory, &status) < 0) {
        return err_set_errno(err, "%s", store->memory);
    }
    if (!S_ISDIR(status.st_mode) || status.st_uid != geteuid()) {
        return err_set(err, ERR_INPUT, "%s belongs to somebody else: remove it", store->memory);
    }
    return 0;
}

int store_new_path(const struct store *store, const char *log, enum record_where where,
                   char path[PATH_SIZE], struct err *err)
{
    if (where == WHERE_RAM && make_memory(store, err) < 0) {
        return -1;
    }
    return log_path_in(where == WHERE_RAM ? store->memory : store->recordings, log, path, err);
}

/* A link is no log: it could lead out of the folder. */
bool store_has(const struct store *store, const char *log)
{
    char path[PATH_SIZE];
    struct stat status;

    return store_log_path(store, log, path, NULL) == 0 && lstat(path, &status) == 0
           && S_ISDIR(status.st_mode);
}

static int index_path(const struct store *store, const char *log, char path[PATH_SIZE],
                      struct err *err)
{
    if (!name_is_safe(log, PROTO_NAME_SIZE - 1)
        || (size_t)snprintf(path, PATH_SIZE, "%s/%s.yaml", store->index, log) >= PATH_SIZE) {
        return err_set(err, ERR_INPUT, "a log cannot have this name");
    }
    return 0;
}

int store_note(const struct store *store, const char *log, const struct store_entry *entry,
               struct err *err)
{
    char path[PATH_SIZE];
    struct buf text = { 0 };
    int result = 0;

    if (index_path(store, log, path, err) < 0) {
        return -1;
    }
    schema_encode(&SCHEMA, entry, &text, 0);
    result = text.failed ? err_set(err, ERR_MEMORY, "index of %s", log)
                         : file_write_atomic(path, text.data, text.size, 0644, err);
    buf_fini(&text);
    return result;
}

int store_find(const struct store *store, const char *log, struct store_entry *entry,
               struct err *err)
{
    char path[PATH_SIZE];
    struct fault_list faults = { 0 };
    struct yaml_doc *doc = NULL;
    int result = 0;

    memset(entry, 0, sizeof(*entry));
    if (index_path(store, log, path, err) < 0) {
        return -1;
    }
    doc = yaml_load(path, err);
    if (doc == NULL) {
        return -1;
    }
    schema_decode(&SCHEMA, yaml_root(doc), entry, &faults);
    result = fault_check(&faults, err);
    fault_fini(&faults);
    yaml_destroy(&doc);
    return result;
}

int store_choose(const struct store *store, const char *wanted, enum record_exists exists,
                 char chosen[PROTO_NAME_SIZE], struct err *err)
{
    char path[PATH_SIZE];
    struct stat status;

    for (int i = 0; i <= MAX_NUMBER; i++) {
        int length = i == 0 ? snprintf(chosen, PROTO_NAME_SIZE, "%s", wanted)
                            : snprintf(chosen, PROTO_NAME_SIZE, "%s_%d", wanted, i);

        if (length >= PROTO_NAME_SIZE) {
            return err_set(err, ERR_INPUT, "name of the log is too long: %s", wanted);
        }
        if (store_log_path(store, chosen, path, err) < 0) {
            return -1;
        }
        if (strcmp(chosen, store->leaving) == 0) {
            return 0;
        }
        if (lstat(path, &status) < 0) {
            return errno == ENOENT ? 0 : err_set_errno(err, "%s", chosen);
        }
        if (exists == EXISTS_OVERWRITE) {
            return store_remove(store, chosen, err);
        }
        if (exists == EXISTS_REFUSE) {
            return err_set(err, ERR_EXISTS, "a log %s exists on the node", chosen);
        }
    }
    return err_set(err, ERR_EXISTS, "%d logs named %s exist on the node", MAX_NUMBER, wanted);
}

uint64_t store_free_bytes(const struct store *store)
{
    uint64_t bytes = 0;

    return space_free(store->recordings, false, &bytes, NULL) < 0 ? 0 : bytes;
}

int store_check_space(const struct store *store, enum record_where where, uint64_t needed_bytes,
                      struct err *err)
{
    bool is_memory = where == WHERE_RAM;
    uint64_t reserve_bytes = is_memory ? SPACE_MEMORY_RESERVE : store->reserve_bytes;
    uint64_t free_bytes = 0;
    uint64_t total = 0;

    if (is_memory && make_memory(store, err) < 0) {
        return -1;
    }
    if (space_free(is_memory ? store->memory : store->recordings, is_memory, &free_bytes, err)
        < 0) {
        return -1;
    }
    if (__builtin_add_overflow(needed_bytes, reserve_bytes, &total) || total > free_bytes) {
        return err_set(err, ERR_NO_SPACE,
                       "%s: %.1f MB are free, the recording may need %.1f MB, and %.1f MB "
                       "stay in reserve",
                       is_memory ? "memory" : "disk", (double)free_bytes / 1e6,
                       (double)needed_bytes / 1e6, (double)reserve_bytes / 1e6);
    }
    return 0;
}

bool store_keeps(const struct store *store, const char *log)
{
    return store->retention != RETENTION_RELEASE && !store_is_in_memory(store, log);
}

int store_remove(const struct store *store, const char *log, struct err *err)
{
    char path[PATH_SIZE];
    char index[PATH_SIZE];

    if (store_log_path(store, log, path, err) < 0 || index_path(store, log, index, err) < 0) {
        return -1;
    }
    if (!store_has(store, log)) {
        return err_set(err, ERR_NOT_FOUND, "no log %s on this node", log);
    }
    if (rlog_remove(path, err) < 0) {
        return -1;
    }
    if (unlink(index) < 0 && errno != ENOENT) {
        return err_set_errno(err, "%s", index);
    }
    return 0;
}

static int each_in(const struct store *store, const char *folder,
                   void (*fn)(void *arg, const char *log), void *arg, struct err *err)
{
    struct dirent **entries = NULL;
    int n_entries = scandir(folder, &entries, NULL, alphasort);

    if (n_entries < 0) {
        return err_set_errno(err, "%s", folder);
    }
    for (int i = 0; i < n_entries; i++) {
        char *name = entries[i]->d_name;
        size_t length = strlen(name);

        if (length > sizeof(SUFFIX) - 1
            && strcmp(name + length - (sizeof(SUFFIX) - 1), SUFFIX) == 0) {
            name[length - (sizeof(SUFFIX) - 1)] = '\0';
            if (store_has(store, name)) {
                fn(arg, name);
            }
        }
        free(entries[i]);
    }
    free(entries);
    return 0;
}

int store_each(const struct store *store, void (*fn)(void *arg, const char *log), void *arg,
               struct err *err)
{
    if (each_in(store, store->recordings, fn, arg, err) < 0) {
        return -1;
    }
    if (store->memory[0] == '\0' || access(store->memory, F_OK) < 0) {
        return 0; /* nothing was recorded there yet */
    }
    return each_in(store, store->memory, fn, arg, err);
}

uint64_t store_log_bytes(const struct store *store, const char *log)
{
    char folder[PATH_SIZE];
    char path[PATH_SIZE + 32];
    uint64_t bytes = 0;
    struct stat status;

    if (store_log_path(store, log, folder, NULL) < 0) {
        return 0;
    }
    for (uint32_t i = 0; i < MAX_SEGMENTS; i++) {
        rlog_segment_path(folder, i, path, sizeof(path));
        if (lstat(path, &status) < 0) {
            break;
        }
        bytes += (uint64_t)status.st_size;
    }
    return bytes;
}

struct search {
    const struct store *store;
    uint64_t experiment;
    char *log;
    struct store_entry *entry;
    bool is_found;
};

static void look_at(void *arg, const char *log)
{
    struct search *search = arg;
    struct store_entry entry;

    if (!search->is_found && store_find(search->store, log, &entry, NULL) == 0
        && entry.experiment == search->experiment) {
        search->is_found = true;
        *search->entry = entry;
        snprintf(search->log, PROTO_NAME_SIZE, "%s", log);
    }
}

int store_find_experiment(const struct store *store, uint64_t experiment,
                          char log[PROTO_NAME_SIZE], struct store_entry *entry, struct err *err)
{
    struct search search = { store, experiment, log, entry, false };

    if (store_each(store, look_at, &search, err) < 0) {
        return -1;
    }
    return search.is_found ? 0 : err_set(err, ERR_NOT_FOUND, "no log of that experiment");
}

struct listing {
    const struct store *store;
    const char *running;
    struct buf *out;
    bool is_cut;
};

static const char *state_word(const struct listing *listing, const char *log, bool is_known,
                              const struct store_entry *entry)
{
    if (strcmp(log, listing->running) == 0) {
        return "recording";
    }
    if (!is_known) {
        return "unfinished";
    }
    return entry->is_released ? "released" : "closed";
}

static void list_one(void *arg, const char *log)
{
    struct listing *listing = arg;
    struct store_entry entry;
    bool is_known = store_find(listing->store, log, &entry, NULL) == 0;
    const char *state = state_word(listing, log, is_known, &entry);

    if (listing->out->size > LIST_MAX_BYTES) {
        listing->is_cut = true;
        return;
    }
    if (!is_known) {
        memset(&entry, 0, sizeof(entry));
    }
    buf_printf(listing->out, "- {name: ");
    yaml_emit_scalar(log, listing->out);
    buf_printf(listing->out,
               ", state: %s, bytes: %" PRIu64 ", samples: %" PRIu64 ", digest: \"%s\", "
               "experiment: %" PRIu64 ", reason: %" PRIu64 "}\n",
               state, is_known ? entry.log_bytes : store_log_bytes(listing->store, log),
               entry.n_samples, entry.digest, entry.experiment, entry.reason);
}

int store_list(const struct store *store, const char *running, struct buf *out, struct err *err)
{
    struct listing listing = { store, running, out, false };

    if (store_each(store, list_one, &listing, err) < 0) {
        return -1;
    }
    if (out->size == 0) {
        buf_text(out, "[]\n");
    }
    if (listing.is_cut) {
        return err_set(err, ERR_NO_SPACE, "more logs than a message can list");
    }
    return out->failed ? err_set(err, ERR_MEMORY, "list of logs") : 0;
}
