/* SPDX-License-Identifier: MIT */
#include "sheep/info.h"

#include "common/keys.h"
#include "sheep/node_journal.h"
#include "sheep/recorder_ipc.h"
#include "sheep/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct info {
    char public_key[KEY_TEXT_SIZE];
    size_t n_authorized;
    size_t n_logs;
    uint64_t log_bytes;
    uint64_t free_bytes;
    const char *recorder; /* "not running", or its state */
    struct node_journal journal;
};

static const char *const RECORDER_STATES[] = { "idle", "prepared", "starting", "running",
                                               "closing" };

struct count {
    const struct store *store;
    struct info *info;
};

static void count_log(void *arg, const char *log)
{
    struct count *count = arg;

    count->info->n_logs++;
    count->info->log_bytes += store_log_bytes(count->store, log);
}

/* The page outlives its recorder; only a process that lives gives it a meaning. */
static const char *recorder_state(const char *state_dir)
{
    const struct recorder_page *page = NULL;
    struct recorder_page copy;
    const char *state = "not running";

    if (recorder_page_map(state_dir, &page, NULL) < 0) {
        return state;
    }
    if (recorder_page_read(page, &copy) && copy.state < ARRAY_LEN(RECORDER_STATES)) {
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d", copy.pid);
        if (copy.pid > 0 && access(path, F_OK) == 0) {
            state = RECORDER_STATES[copy.state];
        }
    }
    recorder_page_unmap(&page);
    return state;
}

static int gather(const struct sheep_config *config, struct info *info, struct err *err)
{
    char state_dir[PATH_SIZE];
    struct store store;
    struct count count = { &store, info };
    struct key_pair key;
    struct keyring *ring = NULL;

    if (store_open(&store, config, err) < 0 || store_each(&store, count_log, &count, err) < 0
        || sheep_config_folder(config, "state", state_dir, err) < 0
        || key_load(&key, config->secret_key, err) < 0) {
        return -1;
    }
    memcpy(info->public_key, key.public_key, sizeof(info->public_key));
    key_wipe(&key);
    info->free_bytes = store_free_bytes(&store);
    info->recorder = recorder_state(state_dir);
    if (node_journal_load(&info->journal, state_dir, err) < 0) {
        return -1;
    }
    ring = keyring_open(config->authorized, err);
    if (ring == NULL) {
        return -1;
    }
    info->n_authorized = keyring_count(ring);
    keyring_close(&ring);
    return 0;
}

static void write_text(const struct sheep_config *config, const struct info *info,
                       struct buf *out)
{
    buf_printf(out, "name:         %s\n", config->name);
    buf_printf(out, "version:      %s\n", BW_VERSION);
    buf_printf(out, "board:        %s, %s\n", config->board,
               config->has_calibration ? "calibrated" : "no calibration");
    buf_printf(out, "listens at:   %s, ports %u to %u\n", config->address, config->port,
               config->port + 1);
    buf_printf(out, "public key:   %s\n", info->public_key);
    buf_printf(out, "authorized:   %zu keys in %s\n", info->n_authorized, config->authorized);
    buf_printf(out, "recordings:   %zu, %.1f MB in %s\n", info->n_logs,
               (double)info->log_bytes / 1e6, config->data);
    buf_printf(out, "disk:         %.1f MB free, %.1f MB in reserve\n",
               (double)info->free_bytes / 1e6, (double)config->disk_reserve / 1e6);
    buf_printf(out, "recorder:     %s\n", info->recorder);
    if (info->journal.experiment != 0) {
        buf_printf(out, "experiment:   %s of %s\n", info->journal.experiment_name,
                   info->journal.owner);
    }
}

/* What comes from files of people is quoted; the rest are words of ours, or Z85. */
static void write_json_text(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, "\"%s\":\"", name);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            buf_printf(out, "\\%c", *text);
        } else if ((unsigned char)*text >= ' ') {
            buf_append(out, text, 1);
        }
    }
    buf_text(out, "\",");
}

static void write_json(const struct sheep_config *config, const struct info *info,
                       struct buf *out)
{
    buf_text(out, "{");
    write_json_text(out, "name", config->name);
    write_json_text(out, "version", BW_VERSION);
    write_json_text(out, "board", config->board);
    write_json_text(out, "address", config->address);
    write_json_text(out, "public_key", info->public_key);
    write_json_text(out, "data", config->data);
    write_json_text(out, "recorder", info->recorder);
    write_json_text(out, "experiment", info->journal.experiment_name);
    buf_printf(out,
               "\"port\":%u,\"has_calibration\":%s,\"n_authorized\":%zu,\"n_logs\":%zu,"
               "\"log_bytes\":%" PRIu64 ",\"disk_free_bytes\":%" PRIu64
               ",\"disk_reserve_bytes\":%" PRIu64 "}\n",
               config->port, config->has_calibration ? "true" : "false", info->n_authorized,
               info->n_logs, info->log_bytes, info->free_bytes, config->disk_reserve);
}

int info_write(const struct sheep_config *config, bool is_json, struct buf *out,
               struct err *err)
{
    struct info info = { 0 };

    if (gather(config, &info, err) < 0) {
        return -1;
    }
    if (is_json) {
        write_json(config, &info, out);
    } else {
        write_text(config, &info, out);
    }
    return out->failed ? err_set(err, ERR_MEMORY, "info") : 0;
}
