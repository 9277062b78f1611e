/* SPDX-License-Identifier: MIT */
/* Whole logs: closing what was cut short, proving what is there, removing what is done with. */
#include "common/rlog_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a pass over all records found. */
struct survey {
    enum rlog_next last; /* END, WAIT or ERROR */
    uint32_t segment;    /* behind the last whole record */
    uint64_t offset;
    struct rlog_end counted;
    struct rlog_end said; /* of the END record */
    bool has_samples[RLOG_N_STREAMS];
    uint64_t next_sample[RLOG_N_STREAMS];
    bool is_disordered;
    uint32_t window; /* samples of one row, see struct rlog_manifest */
    uint64_t n_planned;
    bool has_only_overview;
};

/* What a row or an entry of the overview may stand for less than it seems to. */
static uint64_t slack(const struct survey *survey)
{
    return (survey->has_only_overview ? (uint64_t)RLOG_OVERVIEW_WINDOW : survey->window) - 1;
}

static void reach(struct survey *survey, uint64_t sample)
{
    if (slack(survey) > 0 && sample > survey->n_planned) {
        sample = survey->n_planned;
    }
    if (sample > survey->counted.n_samples) {
        survey->counted.n_samples = sample;
    }
}

static void take_samples(struct survey *survey, const struct rlog_record_header *header)
{
    uint64_t *next = &survey->next_sample[header->stream];

    if (header->first < *next) {
        survey->is_disordered = true;
    }
    survey->has_samples[header->stream] = true;
    *next = header->first + header->count;
    reach(survey, *next * survey->window);
}

/* Without samples the overview tells how far the recording came, to a window of its own. */
static void take_overview(struct survey *survey, const struct rlog_record_header *header)
{
    if (survey->has_only_overview && header->flags >> 8 == 0) {
        reach(survey, header->first + (uint64_t)header->count * RLOG_OVERVIEW_WINDOW);
    }
}

static void take_gap(struct survey *survey, const struct rlog_record *record)
{
    struct rlog_gap gap = { 0 };

    if (record->header.payload_size != sizeof(gap)) {
        return;
    }
    memcpy(&gap, record->payload, sizeof(gap));
    if (gap.cause != RLOG_GAP_UNDERRUN) {
        survey->counted.n_gap_samples += gap.n_samples;
    } else {
        survey->counted.n_input_underruns += gap.n_samples;
    }
}

static void take_record(struct survey *survey, const struct rlog_record *record)
{
    survey->counted.n_records++;
    survey->segment = record->segment;
    survey->offset =
        record->offset + sizeof(record->header) + rlog_padded(record->header.payload_size);
    switch ((enum rlog_type)record->header.type) {
    case RLOG_SAMPLES:
        take_samples(survey, &record->header);
        break;
    case RLOG_EDGES:
        survey->counted.n_edges += record->header.count;
        break;
    case RLOG_GAP:
        take_gap(survey, record);
        break;
    case RLOG_END:
        if (record->header.payload_size == sizeof(survey->said)) {
            memcpy(&survey->said, record->payload, sizeof(survey->said));
        }
        break;
    case RLOG_OVERVIEW:
        take_overview(survey, &record->header);
        break;
    case RLOG_START:
    case RLOG_ANCHOR:
    case RLOG_UTIL:
    case RLOG_TEXT:
    case RLOG_ROW:
    case RLOG_REMARK:
    case RLOG_PRODUCT:
        break;
    }
}

static int survey_log(const char *folder, struct survey *survey, struct err *why,
                      struct err *err)
{
    struct rlog_reader *reader = rlog_reader_open(folder, err);
    struct rlog_record record = { 0 };

    if (reader == NULL) {
        return -1;
    }
    const struct rlog_manifest *manifest = rlog_reader_manifest(reader);

    *survey = (struct survey){ .offset = sizeof(struct rlog_segment_header),
                               .window = record_window(&manifest->config.record),
                               .n_planned = manifest->n_planned,
                               .has_only_overview = manifest->config.record.overview_only };
    while ((survey->last = rlog_reader_next(reader, &record, why)) == RLOG_NEXT_RECORD) {
        take_record(survey, &record);
    }
    rlog_reader_close(&reader);
    return 0;
}

static int digest_segment(crypto_generichash_state *state, const char *path, uint64_t *bytes,
                          struct err *err)
{
    uint8_t *block = malloc(65536);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = 0;
    int result = 0;

    if (block == NULL || fd < 0) {
        result = block == NULL ? err_set(err, ERR_MEMORY, "%s", path)
                               : err_set_errno(err, "%s", path);
    } else {
        while ((n = read(fd, block, 65536)) > 0) {
            crypto_generichash_update(state, block, (size_t)n);
            *bytes += (uint64_t)n;
        }
        if (n < 0) {
            result = err_set_errno(err, "%s", path);
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    free(block);
    return result;
}

static int digest_log(const char *folder, uint32_t n_segments,
                      uint8_t digest[RLOG_DIGEST_BYTES], uint64_t *bytes, struct err *err)
{
    crypto_generichash_state *state = sodium_malloc(sizeof(*state));
    int result = 0;

    if (state == NULL) {
        return err_set(err, ERR_MEMORY, "digest of %s", folder);
    }
    crypto_generichash_init(state, NULL, 0, RLOG_DIGEST_BYTES);
    *bytes = 0;
    for (uint32_t i = 0; i < n_segments && result == 0; i++) {
        char path[PATH_MAX];

        rlog_segment_path(folder, i, path, sizeof(path));
        result = digest_segment(state, path, bytes, err);
    }
    crypto_generichash_final(state, digest, RLOG_DIGEST_BYTES);
    sodium_free(state);
    return result;
}

static bool segment_exists(const char *folder, uint32_t number)
{
    char path[PATH_MAX];

    rlog_segment_path(folder, number, path, sizeof(path));
    return access(path, F_OK) == 0;
}

static int append_record(int fd, uint8_t type, uint8_t stream, const void *payload, size_t size,
                         struct err *err)
{
    struct rlog_record_header header = { .type = type, .stream = stream };

    rlog_seal_record(&header, payload, size);
    if (rlog_write_all(fd, &header, sizeof(header), "the end of a log", err) < 0) {
        return -1;
    }
    return rlog_write_all(fd, payload, size, "the end of a log", err); /* sizes are whole */
}

/* A stream that ends before another one does has lost the rest to the cut. */
static int append_cut_gaps(int fd, struct survey *survey, struct err *err)
{
    for (uint32_t i = 0; i < RLOG_N_STREAMS; i++) {
        uint64_t first = survey->next_sample[i] * survey->window;
        struct rlog_gap gap = { first, survey->counted.n_samples - first, RLOG_GAP_CUT, i };

        if (!survey->has_samples[i] || first >= survey->counted.n_samples) {
            continue;
        }
        if (append_record(fd, RLOG_GAP, RLOG_STREAM_NONE, &gap, sizeof(gap), err) < 0) {
            return -1;
        }
        survey->counted.n_records++;
        survey->counted.n_gap_samples += gap.n_samples;
    }
    return 0;
}

/* Opens the last segment without its torn tail; a segment without a whole header begins anew.
 */
static int open_tail(const char *folder, struct survey *survey, uint64_t *cut_bytes,
                     struct err *err)
{
    struct stat info = { 0 };
    char path[PATH_MAX];
    int fd = -1;

    rlog_segment_path(folder, survey->segment, path, sizeof(path));
    fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &info) < 0) {
        goto fail;
    }
    if ((uint64_t)info.st_size < survey->offset) {
        close(fd);
        return err_set(err, ERR_CORRUPT, "%s: not even a whole header; nothing to rescue",
                       path);
    }
    *cut_bytes = (uint64_t)info.st_size - survey->offset;
    if (*cut_bytes > 0 && ftruncate(fd, (off_t)survey->offset) < 0) {
        goto fail;
    }
    return fd;
fail:
    err_set_errno(err, "%s", path);
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

/* Segments behind the one that holds the last whole record: begun, but without a record in
 * them. */
static int drop_empty_segments(const char *folder, uint32_t last, uint64_t *cut_bytes,
                               struct err *err)
{
    for (uint32_t i = last + 1; segment_exists(folder, i); i++) {
        struct stat info = { 0 };
        char path[PATH_MAX];

        rlog_segment_path(folder, i, path, sizeof(path));
        if (stat(path, &info) == 0) {
            *cut_bytes += (uint64_t)info.st_size;
        }
        if (unlink(path) < 0) {
            return err_set_errno(err, "%s", path);
        }
    }
    return 0;
}

static int close_log(const char *folder, struct survey *survey, struct rlog_recovery *result,
                     struct err *err)
{
    uint64_t dropped_bytes = 0;
    int fd = open_tail(folder, survey, &result->cut_bytes, err);
    int status = -1;

    if (fd < 0) {
        return -1;
    }
    if (drop_empty_segments(folder, survey->segment, &dropped_bytes, err) == 0
        && append_cut_gaps(fd, survey, err) == 0) {
        survey->counted.reason = RLOG_END_INTERRUPTED;
        survey->counted.n_records++;
        status = append_record(fd, RLOG_END, RLOG_STREAM_NONE, &survey->counted,
                               sizeof(survey->counted), err);
    }
    if (status == 0 && fsync(fd) < 0) {
        status = err_set_errno(err, "sync of %s", folder);
    }
    close(fd);
    result->cut_bytes += dropped_bytes;
    return status < 0 ? -1 : rlog_sync_folder(folder, err);
}

int rlog_recover(const char *folder, struct rlog_recovery *result, struct err *err)
{
    struct survey survey = { 0 };
    struct err why = { 0 };

    *result = (struct rlog_recovery){ 0 };
    if (sodium_init() < 0) {
        return err_set(err, ERR_SYSTEM, "no source of randomness");
    }
    if (survey_log(folder, &survey, &why, err) < 0) {
        return -1;
    }
    if (survey.last == RLOG_NEXT_END) {
        result->was_closed = true;
        result->end = survey.said;
    } else {
        char path[PATH_MAX];
        struct stat info = { 0 };

        /* Damage before the last segment is not a torn tail: that one was synced long ago. */
        rlog_segment_path(folder, survey.segment + 2, path, sizeof(path));
        if (survey.last == RLOG_NEXT_ERROR && stat(path, &info) == 0) {
            *err = why;
            return -1;
        }
        if (close_log(folder, &survey, result, err) < 0) {
            return -1;
        }
        result->end = survey.counted;
    }
    return digest_log(folder, survey.segment + 1, result->digest, &result->bytes, err);
}

static int compare_with_end(const char *folder, const struct survey *survey, struct err *err)
{
    const struct rlog_end *said = &survey->said;
    const struct rlog_end *counted = &survey->counted;

    if (survey->is_disordered) {
        return err_set(err, ERR_CORRUPT, "%s: samples are not in order", folder);
    }
    if (said->n_records != counted->n_records || said->n_edges != counted->n_edges
        || said->n_samples + slack(survey) < counted->n_samples) {
        return err_set(err, ERR_CORRUPT,
                       "%s: holds %u records, %llu edges, samples up to %llu; its END says %u, "
                       "%llu, %llu",
                       folder, counted->n_records, (unsigned long long)counted->n_edges,
                       (unsigned long long)counted->n_samples, said->n_records,
                       (unsigned long long)said->n_edges, (unsigned long long)said->n_samples);
    }
    return 0;
}

int rlog_verify(const char *folder, struct rlog_end *end, uint8_t digest[RLOG_DIGEST_BYTES],
                uint64_t *bytes, struct err *err)
{
    struct survey survey = { 0 };
    struct err why = { 0 };

    if (sodium_init() < 0 || survey_log(folder, &survey, &why, err) < 0) {
        return -1;
    }
    if (survey.last == RLOG_NEXT_ERROR) {
        *err = why;
        return -1;
    }
    if (survey.last == RLOG_NEXT_WAIT) {
        return err_set(err, ERR_CORRUPT, "%s: not closed; `herd verify --repair` closes it",
                       folder);
    }
    *end = survey.said;
    if (compare_with_end(folder, &survey, err) < 0
        || digest_log(folder, survey.segment + 1, digest, bytes, err) < 0) {
        return -1;
    }
    if (segment_exists(folder, survey.segment + 1)) {
        return err_set(err, ERR_CORRUPT, "%s: a segment follows the last one", folder);
    }
    char path[PATH_MAX];
    struct stat info = { 0 };

    rlog_segment_path(folder, survey.segment, path, sizeof(path));
    if (stat(path, &info) < 0 || (uint64_t)info.st_size != survey.offset) {
        return err_set(err, ERR_CORRUPT, "%s: bytes follow its END", folder);
    }
    return 0;
}

static bool is_ours(const char *name)
{
    size_t length = strlen(name);
    bool is_temporary = length > 4 && strcmp(name + length - 4, ".tmp") == 0;

    if (strncmp(name, RLOG_MANIFEST_NAME, sizeof(RLOG_MANIFEST_NAME) - 1) == 0) {
        return length == sizeof(RLOG_MANIFEST_NAME) - 1 || is_temporary;
    }
    if (length != 10 || strcmp(name + 6, ".seg") != 0) {
        return false;
    }
    return strspn(name, "0123456789") == 6;
}

int rlog_remove(const char *folder, struct err *err)
{
    DIR *listing = opendir(folder);
    const struct dirent *entry = NULL;
    int result = 0;

    if (listing == NULL) {
        return err_set_errno(err, "%s", folder);
    }
    while (result == 0 && (entry = readdir(listing)) != NULL) { // NOLINT(concurrency-mt-unsafe)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0
            && !is_ours(entry->d_name)) {
            result = err_set(err, ERR_INPUT, "%s: holds %s, which no log has; not removed",
                             folder, entry->d_name);
        }
    }
    rewinddir(listing);
    while (result == 0 && (entry = readdir(listing)) != NULL) { // NOLINT(concurrency-mt-unsafe)
        if (is_ours(entry->d_name) && unlinkat(dirfd(listing), entry->d_name, 0) < 0) {
            result = err_set_errno(err, "%s/%s", folder, entry->d_name);
        }
    }
    closedir(listing);
    if (result == 0 && rmdir(folder) < 0) {
        result = err_set_errno(err, "%s", folder);
    }
    return result;
}
