/* SPDX-License-Identifier: MIT */
/* Whole logs: closing what was cut short, proving what is there, removing what is done with. */
#include "common/rlog_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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
    bool has_segment; /* one at least has a sound header */
    uint64_t bytes;   /* of all segments, up to there */
    struct rlog_digest *digest;
    uint8_t digest_before[RLOG_DIGEST_BYTES]; /* of what is in front of END */
};

static int begin_survey(struct survey *survey, const struct rlog_manifest *manifest,
                        struct err *err)
{
    *survey = (struct survey){ .offset = sizeof(struct rlog_segment_header),
                               .window = record_window(&manifest->config.record),
                               .n_planned = manifest->n_planned,
                               .has_only_overview = manifest->config.record.overview_only,
                               .digest = rlog_digest_create() };
    return survey->digest == NULL ? err_set(err, ERR_MEMORY, "survey of a log") : 0;
}

static void end_survey(struct survey *survey)
{
    rlog_digest_destroy(&survey->digest);
}

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
    if (gap.stream >= RLOG_STREAM_GPIO) {
        return; /* edges or rows of monitors: every sample is there */
    }
    if (gap.cause != RLOG_GAP_UNDERRUN) {
        survey->counted.n_gap_samples += gap.n_samples;
    } else {
        survey->counted.n_input_underruns += gap.n_samples;
    }
}

static void count_segment(struct survey *survey, const struct rlog_segment_header *header)
{
    if (header->number > 0) {
        rlog_digest_next_segment(survey->digest);
    }
    rlog_digest_update(survey->digest, header, sizeof(*header));
    survey->bytes += sizeof(*header);
}

static void count_record(struct survey *survey, const struct rlog_record_header *header)
{
    rlog_digest_record(survey->digest, header);
    survey->bytes += sizeof(*header) + rlog_padded(header->payload_size);
    survey->counted.n_records++;
}

static void take_end(struct survey *survey, const struct rlog_record *record)
{
    if (record->header.payload_size == sizeof(survey->said)) {
        memcpy(&survey->said, record->payload, sizeof(survey->said));
    }
    rlog_digest_get(survey->digest, survey->digest_before);
}

static void take_record(struct survey *survey, const struct rlog_record *record)
{
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
        take_end(survey, record);
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
    count_record(survey, &record->header);
}

static int survey_log(const char *folder, struct survey *survey, struct err *why,
                      struct err *err)
{
    struct rlog_reader *reader = rlog_reader_open(folder, err);
    struct rlog_record record = { 0 };
    struct rlog_segment_header first;

    if (reader == NULL) {
        return -1;
    }
    if (begin_survey(survey, rlog_reader_manifest(reader), err) < 0) {
        rlog_reader_close(&reader);
        return -1;
    }
    while ((survey->last = rlog_reader_next(reader, &record, why)) == RLOG_NEXT_RECORD) {
        if (record.offset == sizeof(struct rlog_segment_header)) {
            count_segment(survey, rlog_reader_segment(reader));
        }
        take_record(survey, &record);
    }
    survey->has_segment = rlog_reader_segment(reader) != NULL;
    if (survey->bytes == 0 && survey->has_segment) { /* END comes into the first segment */
        first = rlog_make_segment_header(0, rlog_reader_segment(reader)->recording_id);
        count_segment(survey, &first);
    }
    rlog_reader_close(&reader);
    return 0;
}

static bool segment_exists(const char *folder, uint32_t number)
{
    char path[PATH_MAX];

    rlog_segment_path(folder, number, path, sizeof(path));
    return access(path, F_OK) == 0;
}

static int append_record(int fd, struct survey *survey, enum rlog_type type,
                         const void *payload, size_t size, struct err *err)
{
    struct rlog_record_header header = { .type = (uint8_t)type, .stream = RLOG_STREAM_NONE };

    rlog_seal_record(&header, payload, size);
    count_record(survey, &header);
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
        if (append_record(fd, survey, RLOG_GAP, &gap, sizeof(gap), err) < 0) {
            return -1;
        }
        survey->counted.n_gap_samples += gap.n_samples;
    }
    return 0;
}

static int append_end(int fd, struct survey *survey, struct err *err)
{
    struct rlog_end end = survey->counted;

    end.reason = RLOG_END_INTERRUPTED;
    end.n_records++;
    rlog_digest_get(survey->digest, end.digest);
    survey->said = end;
    return append_record(fd, survey, RLOG_END, &end, sizeof(end), err);
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
        status = append_end(fd, survey, err);
    }
    if (status == 0 && fsync(fd) < 0) {
        status = err_set_errno(err, "sync of %s", folder);
    }
    close(fd);
    result->cut_bytes += dropped_bytes;
    return status < 0 ? -1 : rlog_sync_folder(folder, err);
}

/* Closes what is not closed. */
static int conclude(const char *folder, struct survey *survey, const struct err *why,
                    struct rlog_recovery *result, struct err *err)
{
    result->was_closed = survey->last == RLOG_NEXT_END;
    if (result->was_closed) {
        return 0;
    }
    /* Damage before the last segment is not a torn tail: that one was synced long ago. Without
     * a header there is nothing that END could close. */
    if (survey->last == RLOG_NEXT_ERROR
        && (!survey->has_segment || segment_exists(folder, survey->segment + 2))) {
        *err = *why;
        return -1;
    }
    return close_log(folder, survey, result, err);
}

int rlog_recover(const char *folder, struct rlog_recovery *result, struct err *err)
{
    struct survey survey = { 0 };
    struct err why = { 0 };
    int status = -1;

    *result = (struct rlog_recovery){ 0 };
    if (survey_log(folder, &survey, &why, err) == 0
        && conclude(folder, &survey, &why, result, err) == 0) {
        result->end = survey.said;
        result->bytes = survey.bytes;
        rlog_digest_get(survey.digest, result->digest);
        status = 0;
    }
    end_survey(&survey);
    return status;
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
    if (memcmp(said->digest, survey->digest_before, sizeof(said->digest)) != 0) {
        return err_set(err, ERR_CORRUPT,
                       "%s: its records are not those that were there when it was closed",
                       folder);
    }
    return 0;
}

static int compare_with_disk(const char *folder, const struct survey *survey, struct err *err)
{
    char path[PATH_MAX];
    struct stat info = { 0 };

    if (segment_exists(folder, survey->segment + 1)) {
        return err_set(err, ERR_CORRUPT, "%s: a segment follows the last one", folder);
    }
    rlog_segment_path(folder, survey->segment, path, sizeof(path));
    if (stat(path, &info) < 0 || (uint64_t)info.st_size != survey->offset) {
        return err_set(err, ERR_CORRUPT, "%s: bytes follow its END", folder);
    }
    return 0;
}

static int check_survey(const char *folder, const struct survey *survey, const struct err *why,
                        struct err *err)
{
    if (survey->last == RLOG_NEXT_ERROR) {
        *err = *why;
        return -1;
    }
    if (survey->last == RLOG_NEXT_WAIT) {
        return err_set(err, ERR_CORRUPT, "%s: not closed; `herd verify --repair` closes it",
                       folder);
    }
    return compare_with_end(folder, survey, err) < 0 ? -1
                                                     : compare_with_disk(folder, survey, err);
}

int rlog_verify(const char *folder, struct rlog_end *end, uint8_t digest[RLOG_DIGEST_BYTES],
                uint64_t *bytes, struct err *err)
{
    struct survey survey = { 0 };
    struct err why = { 0 };
    int status = -1;

    if (survey_log(folder, &survey, &why, err) == 0
        && check_survey(folder, &survey, &why, err) == 0) {
        *end = survey.said;
        *bytes = survey.bytes;
        rlog_digest_get(survey.digest, digest);
        status = 0;
    }
    end_survey(&survey);
    return status;
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
