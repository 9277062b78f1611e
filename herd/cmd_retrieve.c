/* SPDX-License-Identifier: MIT */
/* herd retrieve: fetches recordings from the nodes and builds HDF5 from them. */
#include "herd/ask.h"
#include "herd/builder.h"
#include "herd/cli.h"
#include "herd/cmd.h"
#include "herd/context.h"
#include "herd/fetch.h"
#include "herd/listing.h"
#include "herd/report.h"

#include "common/clock.h"
#include "common/rlog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char USAGE[] =
    "Usage: herd retrieve [options] [PATTERN...]\n\n"
    "Fetches recordings that the nodes still hold, builds HDF5 from them, and then lets the\n"
    "nodes release theirs. What a run delivered is not there any more; this is for what a run\n"
    "could not deliver, and for nodes that retain. A transfer that was cut is gone on with.\n\n"
    "  -o, --output DIR  where the HDF5 files go; default .\n"
    "  -L, --latest      only the newest experiment of those that match\n"
    "      --keep        do not tell the nodes to release\n\n"
    "PATTERN: a name, the beginning of one before a '_', or with * and ? as in a shell.\n"
    "Without one: everything that was not released yet. What is being recorded now is left\n"
    "out (herd attach); so should be what a herd run is still collecting.\n\n"
    "Examples:\n"
    "  herd retrieve\n"
    "  herd retrieve --latest -o results\n"
    "  herd -l sheep2 retrieve solar-day --keep\n";

enum {
    OPTION_KEEP = 256,
    TIMEOUT_MS = 5000,
    SILENCE_MS = 30000,
    TIME_TEXT_LENGTH = 20, /* 2026-11-28T06-51-24Z */
    MAX_NUMBERED = 10000,
    TICK_MS = 50,
};

static const struct cli_option OPTIONS[] = {
    {'o',          "output", true },
    { 'L',         "latest", false},
    { OPTION_KEEP, "keep",   false},
    { 0,           NULL,     false},
};

/* A recording on its way to a file. */
struct parcel {
    const struct listing_entry *entry; /* loan from the listings */
    char final_path[PATH_SIZE];
    struct h5_summary summary;
    bool is_built;
    bool is_released;
};

struct retrieval {
    const struct cmd_options *options;
    const char *output;
    bool only_latest;
    bool keep;
    char **patterns;
    int n_patterns;
    struct context context;
    struct ask *ask;
    struct listings listings;
    size_t n_answered;
    struct fetch_job *jobs;
    struct parcel *parcels; /* one per job */
    size_t n_jobs;
    size_t n_building;
    zloop_t *loop;
    struct builder *builder;
};

static const char *node_name(const struct retrieval *retrieval, size_t node)
{
    return retrieval->context.inventory->nodes[node].name;
}

/* ---- which ---- */

static bool is_wanted(const struct retrieval *retrieval, const struct listing_entry *entry)
{
    if (strcmp(entry->state, "recording") == 0) {
        return false;
    }
    if (retrieval->n_patterns == 0 && !retrieval->only_latest) {
        return strcmp(entry->state, "released") != 0; /* somebody has those */
    }
    for (int i = 0; i < retrieval->n_patterns; i++) {
        if (listing_matches(retrieval->patterns[i], entry->name)) {
            return true;
        }
    }
    return retrieval->n_patterns == 0;
}

/* The length of NAME_TIME in NAME_TIME_NODE: what the recordings of one experiment share. */
static int shared_length(const char *log, const char *node)
{
    size_t length = strlen(log);
    size_t tail = strlen(node) + 1;

    if (length > tail && log[length - tail] == '_'
        && strcmp(log + length - tail + 1, node) == 0) {
        return (int)(length - tail);
    }
    return (int)length;
}

/* The time in a name; "" when it has none. It sorts as text. */
static const char *time_of(const char *log, const char *node, char text[PROTO_NAME_SIZE])
{
    int length = shared_length(log, node);

    snprintf(text, PROTO_NAME_SIZE, "%.*s", length > TIME_TEXT_LENGTH ? TIME_TEXT_LENGTH : 0,
             log + length - TIME_TEXT_LENGTH);
    return text;
}

static void find_latest(const struct retrieval *retrieval, char latest[PROTO_NAME_SIZE])
{
    latest[0] = '\0';
    for (size_t i = 0; i < retrieval->listings.n_nodes; i++) {
        for (size_t k = 0; k < retrieval->listings.nodes[i].count; k++) {
            const struct listing_entry *entry = &retrieval->listings.nodes[i].entries[k];
            char text[PROTO_NAME_SIZE];

            if (is_wanted(retrieval, entry)
                && strcmp(time_of(entry->name, node_name(retrieval, i), text), latest) > 0) {
                memcpy(latest, text, PROTO_NAME_SIZE);
            }
        }
    }
}

static int add_job(struct retrieval *retrieval, size_t node, const struct listing_entry *entry,
                   struct err *err)
{
    struct fetch_job *job = &retrieval->jobs[retrieval->n_jobs];
    const char *name = node_name(retrieval, node);

    *job = (struct fetch_job){ .node = node, .bytes_expected = entry->bytes };
    memcpy(job->log, entry->name, sizeof(job->log));
    if (snprintf(job->folder, PATH_SIZE, "%s/.bellwether/%.*s/%s.rlog", retrieval->output,
                 shared_length(entry->name, name), entry->name, name)
        >= PATH_SIZE) {
        return err_set(err, ERR_INPUT, "%s: path too long", retrieval->output);
    }
    retrieval->parcels[retrieval->n_jobs++].entry = entry;
    return 0;
}

static int choose(struct retrieval *retrieval, struct err *err)
{
    char latest[PROTO_NAME_SIZE];
    size_t n_entries = 0;

    for (size_t i = 0; i < retrieval->listings.n_nodes; i++) {
        n_entries += retrieval->listings.nodes[i].count;
    }
    retrieval->jobs = calloc(n_entries + 1, sizeof(*retrieval->jobs));
    retrieval->parcels = calloc(n_entries + 1, sizeof(*retrieval->parcels));
    if (retrieval->jobs == NULL || retrieval->parcels == NULL) {
        return err_set(err, ERR_MEMORY, "%zu recordings", n_entries);
    }
    find_latest(retrieval, latest);
    for (size_t i = 0; i < retrieval->listings.n_nodes; i++) {
        for (size_t k = 0; k < retrieval->listings.nodes[i].count; k++) {
            const struct listing_entry *entry = &retrieval->listings.nodes[i].entries[k];
            char text[PROTO_NAME_SIZE];

            if (!is_wanted(retrieval, entry)
                || (retrieval->only_latest
                    && strcmp(time_of(entry->name, node_name(retrieval, i), text), latest)
                           != 0)) {
                continue;
            }
            if (add_job(retrieval, i, entry, err) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

/* ---- progress ---- */

static void show_progress(void *arg, const struct fetch_job *jobs, size_t n_jobs)
{
    const struct retrieval *retrieval = arg;
    uint64_t bytes = 0;
    uint64_t expected = 0;
    char here[HUMAN_TEXT_SIZE];
    char all[HUMAN_TEXT_SIZE];

    if (retrieval->options->is_json || retrieval->options->is_quiet || !isatty(STDERR_FILENO)) {
        return;
    }
    for (size_t i = 0; i < n_jobs; i++) {
        bytes += jobs[i].bytes;
        expected += jobs[i].bytes_expected;
    }
    fprintf(stderr, "\r%s of %s \033[K", human_bytes(bytes, here), human_bytes(expected, all));
}

/* ---- files ---- */

/* T of a log; -1 when it never started. */
static int find_start(const char *folder, struct rlog_manifest *manifest, int64_t *T_ns,
                      struct err *err)
{
    struct rlog_reader *reader = rlog_reader_open(folder, err);
    struct rlog_record record;
    enum rlog_next next = RLOG_NEXT_RECORD;
    int result = -1;

    if (reader == NULL) {
        return -1;
    }
    *manifest = *rlog_reader_manifest(reader);
    while (result < 0 && (next = rlog_reader_next(reader, &record, err)) == RLOG_NEXT_RECORD) {
        struct rlog_start start;

        if (record.header.type == RLOG_START && record.header.payload_size == sizeof(start)) {
            memcpy(&start, record.payload, sizeof(start));
            *T_ns = start.T_ns;
            result = 0;
        }
    }
    rlog_reader_close(&reader);
    if (result < 0 && next != RLOG_NEXT_ERROR) {
        err_set(err, ERR_STATE, "it never started: nothing to build");
    }
    return result;
}

/* A name that is free, numbered when the plain one is taken: by a file, or by another parcel.
 */
static bool is_taken(const struct retrieval *retrieval, const char *path)
{
    if (access(path, F_OK) == 0) {
        return true;
    }
    for (size_t i = 0; i < retrieval->n_jobs; i++) {
        if (strcmp(retrieval->parcels[i].final_path, path) == 0) {
            return true;
        }
    }
    return false;
}

static int name_file(struct retrieval *retrieval, size_t i,
                     const struct rlog_manifest *manifest, int64_t T_ns, struct err *err)
{
    char time_text[CLOCK_TEXT_SIZE];
    char path[PATH_SIZE];

    clock_format_file(T_ns, time_text);
    for (unsigned number = 0; number < MAX_NUMBERED; number++) {
        char suffix[16] = "";
        int length = 0;

        if (number > 0) {
            snprintf(suffix, sizeof(suffix), "_%u", number);
        }
        length = snprintf(path, sizeof(path), "%s/%s%s_%s_%s%s.h5", retrieval->output,
                          manifest->mode == MODE_HARVEST ? "hrv_" : "emu_",
                          manifest->experiment_name, time_text,
                          node_name(retrieval, retrieval->jobs[i].node), suffix);
        if (length >= PATH_SIZE - 8) {
            return err_set(err, ERR_INPUT, "%s: path too long", retrieval->output);
        }
        if (!is_taken(retrieval, path)) {
            memcpy(retrieval->parcels[i].final_path, path, sizeof(path));
            return 0;
        }
    }
    return err_set(err, ERR_EXISTS, "%s and all its numbers are taken", path);
}

/* A node's copy must be what the node said it is. */
static int check_digest(const struct retrieval *retrieval, size_t i, struct err *err)
{
    const struct listing_entry *entry = retrieval->parcels[i].entry;
    struct err ignored = { 0 };

    if (entry->digest[0] == '\0' || strcmp(entry->digest, retrieval->jobs[i].digest) == 0) {
        return 0;
    }
    /* Fetched anew next time. */
    if (rlog_remove(retrieval->jobs[i].folder, &ignored) < 0) {
        return err_set(err, ERR_CORRUPT, "the copy is not what the node holds; remove %s",
                       retrieval->jobs[i].folder);
    }
    return err_set(err, ERR_CORRUPT, "the copy is not what the node holds; fetch it again");
}

static void begin_build(struct retrieval *retrieval, size_t i)
{
    static const struct h5_evidence NOTHING;
    struct fetch_job *job = &retrieval->jobs[i];
    struct rlog_manifest manifest;
    int64_t T_ns = 0;
    char part_path[PATH_SIZE];

    if (!job->is_whole || check_digest(retrieval, i, &job->err) < 0
        || find_start(job->folder, &manifest, &T_ns, &job->err) < 0
        || name_file(retrieval, i, &manifest, T_ns, &job->err) < 0) {
        return;
    }
    snprintf(part_path, sizeof(part_path), "%.*s.part", PATH_SIZE - 8,
             retrieval->parcels[i].final_path);
    builder_set(retrieval->builder, i, job->folder, part_path);
    builder_finish(retrieval->builder, i, &NOTHING, retrieval->parcels[i].final_path);
    retrieval->n_building++;
}

static void on_built(void *arg, const struct builder_answer *answer)
{
    struct retrieval *retrieval = arg;

    if (answer->work != BUILDER_FINISH || answer->i >= retrieval->n_jobs) {
        return;
    }
    if (answer->result < 0) {
        retrieval->jobs[answer->i].err = answer->err;
    } else {
        retrieval->parcels[answer->i].is_built = true;
        retrieval->parcels[answer->i].summary = answer->summary;
    }
    retrieval->n_building--;
}

static int on_tick(zloop_t *loop, int timer_id, void *arg)
{
    struct retrieval *retrieval = arg;

    (void)loop;
    (void)timer_id;
    builder_tick(retrieval->builder);
    return retrieval->n_building == 0 ? -1 : 0;
}

static int build_all(struct retrieval *retrieval, struct err *err)
{
    struct builder_config config = { .n_nodes = retrieval->n_jobs,
                                     .on_answer = on_built,
                                     .arg = retrieval };

    retrieval->loop = zloop_new();
    if (retrieval->loop == NULL
        || zloop_timer(retrieval->loop, TICK_MS, 0, on_tick, retrieval) < 0) {
        return err_set(err, ERR_MEMORY, "the reactor");
    }
    config.loop = retrieval->loop;
    retrieval->builder = builder_open(&config, err);
    if (retrieval->builder == NULL) {
        return -1;
    }
    for (size_t i = 0; i < retrieval->n_jobs; i++) {
        begin_build(retrieval, i);
    }
    if (retrieval->n_building > 0) {
        zloop_start(retrieval->loop);
    }
    return 0;
}

/* ---- release ---- */

/* The node's next recording that may go. */
static size_t next_release(const struct retrieval *retrieval, size_t node)
{
    for (size_t i = 0; i < retrieval->n_jobs; i++) {
        const struct parcel *parcel = &retrieval->parcels[i];

        if (retrieval->jobs[i].node == node && parcel->is_built && !parcel->is_released
            && strcmp(parcel->entry->state, "closed") == 0
            && retrieval->jobs[i].err.code == ERR_NONE) {
            return i;
        }
    }
    return retrieval->n_jobs;
}

static const void *release_body(void *arg, size_t node)
{
    static struct body_log body;
    const struct retrieval *retrieval = arg;
    size_t i = next_release(retrieval, node);

    if (i == retrieval->n_jobs) {
        return NULL;
    }
    memset(&body, 0, sizeof(body));
    memcpy(body.log, retrieval->jobs[i].log, sizeof(body.log));
    memcpy(body.digest, retrieval->jobs[i].digest, sizeof(body.digest));
    return &body;
}

static uint64_t release_experiment(void *arg, size_t node)
{
    const struct retrieval *retrieval = arg;
    size_t i = next_release(retrieval, node);

    return i < retrieval->n_jobs ? retrieval->parcels[i].entry->experiment : 0;
}

static bool release_answer(void *arg, const struct ask_answer *answer)
{
    struct retrieval *retrieval = arg;
    size_t i = next_release(retrieval, answer->i);

    if (i == retrieval->n_jobs) {
        return true;
    }
    retrieval->parcels[i].is_released = true;
    if (answer->message->verb != VERB_RELEASED) {
        err_set(&retrieval->jobs[i].err, ERR_STATE, "built, but the node does not release: %s",
                answer->message->verb == VERB_REFUSED
                    ? PROTO_CONST_BODY(answer->message, body_refused)->why
                    : "it answered otherwise");
    }
    return true;
}

static void release_all(struct retrieval *retrieval)
{
    const struct ask_round round = { .verb = VERB_RELEASE,
                                     .body = release_body,
                                     .answer = release_answer,
                                     .experiment = release_experiment,
                                     .arg = retrieval,
                                     .timeout_ms = TIMEOUT_MS };
    size_t n_rounds = retrieval->n_jobs;

    /* Each round releases one recording per node. */
    while (n_rounds-- > 0 && ask_all(retrieval->ask, &round) > 0) {}
}

/* ---- report ---- */

static void put_result(const struct retrieval *retrieval, size_t i)
{
    const struct fetch_job *job = &retrieval->jobs[i];
    const struct parcel *parcel = &retrieval->parcels[i];
    const char *node = node_name(retrieval, job->node);
    char text[HUMAN_TEXT_SIZE];

    if (parcel->is_built && !retrieval->options->is_quiet) {
        printf("%s: %s, %llu samples", node, parcel->final_path,
               (unsigned long long)parcel->summary.n_samples);
        if (parcel->summary.n_gap_samples > 0) {
            printf(" (%llu missing)", (unsigned long long)parcel->summary.n_gap_samples);
        }
        printf(", %s%s\n", human_bytes(parcel->summary.file_bytes, text),
               parcel->is_released && job->err.code == ERR_NONE ? ", released" : "");
    }
    if (job->err.code != ERR_NONE) {
        fprintf(stderr, "herd retrieve: %s: %s: %s\n", node, job->log, job->err.text);
    }
}

static void put_result_json(const struct retrieval *retrieval, size_t i)
{
    const struct fetch_job *job = &retrieval->jobs[i];
    const struct parcel *parcel = &retrieval->parcels[i];
    struct buf line = { 0 };
    struct json json = { .out = &line };

    json_open(&json, NULL, '{');
    json_text(&json, "node", node_name(retrieval, job->node));
    json_text(&json, "log", job->log);
    json_text(&json, "file", parcel->is_built ? parcel->final_path : NULL);
    json_u64(&json, "samples", parcel->summary.n_samples);
    json_u64(&json, "gap_samples", parcel->summary.n_gap_samples);
    json_u64(&json, "bytes", job->bytes);
    json_u64(&json, "bytes_received", job->bytes_received);
    json_u64(&json, "bytes_repeated", job->bytes_repeated);
    json_u64(&json, "reason", parcel->summary.end_reason);
    json_bool(&json, "is_released", parcel->is_released && job->err.code == ERR_NONE);
    json_text(&json, "fault", job->err.code != ERR_NONE ? job->err.text : NULL);
    json_close(&json, '}');
    json_line(&json, stdout);
    buf_fini(&line);
}

/* The copy, and the folders above it when they are empty now. */
static void remove_copy(const char *folder)
{
    char path[PATH_SIZE];
    struct err err = { 0 };

    if (rlog_remove(folder, &err) < 0) {
        fprintf(stderr, "herd retrieve: %s\n", err.text);
        return;
    }
    snprintf(path, sizeof(path), "%.*s", PATH_SIZE - 1, folder);
    for (int level = 0; level < 2 && strrchr(path, '/') != NULL; level++) {
        *strrchr(path, '/') = '\0';
        if (rmdir(path) < 0) {
            return; /* another node's copy is there still */
        }
    }
}

/* Prints, and throws the copies away that are files now. */
static int conclude(const struct retrieval *retrieval)
{
    int status = EXIT_ALL_VALID;

    if (!retrieval->options->is_json && isatty(STDERR_FILENO)) {
        fputs("\r\033[K", stderr);
    }
    for (size_t i = 0; i < retrieval->n_jobs; i++) {
        const struct fetch_job *job = &retrieval->jobs[i];

        if (retrieval->options->is_json) {
            put_result_json(retrieval, i);
        } else {
            put_result(retrieval, i);
        }
        if (job->err.code != ERR_NONE) {
            status = EXIT_NODE_FAILED;
        }
        if (retrieval->parcels[i].is_built) {
            remove_copy(job->folder);
        }
    }
    for (size_t i = 0; i < retrieval->listings.n_nodes; i++) {
        if (retrieval->listings.faults[i][0] != '\0') {
            fprintf(stderr, "herd retrieve: %s: %s\n", node_name(retrieval, i),
                    retrieval->listings.faults[i]);
            status = EXIT_NODE_FAILED;
        }
    }
    return retrieval->n_answered == 0 ? EXIT_NOBODY : status;
}

/* ---- the whole ---- */

static int go(struct retrieval *retrieval, struct err *err)
{
    const struct fetch_options fetching = { .inventory = retrieval->context.inventory,
                                            .key = &retrieval->context.key,
                                            .silence_ms = SILENCE_MS,
                                            .progress = show_progress,
                                            .arg = retrieval };

    retrieval->ask = ask_open(retrieval->context.inventory, retrieval->context.selected,
                              &retrieval->context.key, err);
    if (retrieval->ask == NULL) {
        return -1;
    }
    retrieval->n_answered = listings_ask(&retrieval->listings, retrieval->ask,
                                         retrieval->context.inventory->n_nodes, TIMEOUT_MS);
    if (choose(retrieval, err) < 0
        || fetch_all(&fetching, retrieval->jobs, retrieval->n_jobs, err) < 0) {
        return -1;
    }
    if (retrieval->n_jobs > 0 && build_all(retrieval, err) < 0) {
        return -1;
    }
    if (!retrieval->keep) {
        release_all(retrieval);
    }
    return 0;
}

static int retrieve(struct retrieval *retrieval)
{
    struct err err = { 0 };
    int status = 0;

    if (dir_make(retrieval->output, 0755, &err) < 0 || go(retrieval, &err) < 0) {
        status = cmd_fail(retrieval->options, "retrieve", &err);
    } else {
        status = conclude(retrieval);
        if (retrieval->n_jobs == 0 && status == EXIT_ALL_VALID && !retrieval->options->is_json
            && !retrieval->options->is_quiet) {
            puts("nothing to retrieve");
        }
    }
    builder_close(&retrieval->builder);
    zloop_destroy(&retrieval->loop);
    listings_fini(&retrieval->listings);
    ask_close(&retrieval->ask);
    free(retrieval->jobs);
    free(retrieval->parcels);
    return status;
}

static int run(const struct cmd_options *options, int argc, char **argv)
{
    struct cli_scan scan = {
        .global = options, .options = OPTIONS, .argc = argc, .argv = argv
    };
    struct retrieval retrieval = { .options = options, .output = "." };
    const char *value = NULL;
    int option = 0;
    int status = 0;

    while ((option = cli_next(&scan, &value)) != 0) {
        switch (option) {
        case 'o':
            retrieval.output = value;
            break;
        case 'L':
            retrieval.only_latest = true;
            break;
        case OPTION_KEEP:
            retrieval.keep = true;
            break;
        default:
            return EXIT_USAGE; /* cli_next has said why */
        }
    }
    retrieval.patterns = argv + scan.at;
    retrieval.n_patterns = scan.n_operands;
    status = context_open(&retrieval.context, options, "retrieve", NULL, true);
    if (status == 0) {
        status = retrieve(&retrieval);
        context_close(&retrieval.context);
    }
    return status;
}

const struct cmd cmd_retrieve = {
    .name = "retrieve",
    .summary = "fetch recordings from the nodes and build HDF5",
    .usage = USAGE,
    .run = run,
};
