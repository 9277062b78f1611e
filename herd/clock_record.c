/* SPDX-License-Identifier: MIT */
#include "herd/clock_record.h"

#include "herd/report.h"

#include "common/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- one clock ---- */

void clock_track_add(struct clock_track *track, int64_t utc_ns, int64_t offset_ns,
                     int64_t bound_ns, bool is_locked)
{
    double t = 0;
    double x = 0;

    if (track->n == 0) {
        track->first_utc_ns = utc_ns;
        track->first_ns = track->least_ns = track->most_ns = offset_ns;
    }
    t = (double)(utc_ns - track->first_utc_ns) / 1e9;
    x = (double)(offset_ns - track->first_ns);
    track->n++;
    track->n_unlocked += is_locked ? 0 : 1;
    track->least_ns = offset_ns < track->least_ns ? offset_ns : track->least_ns;
    track->most_ns = offset_ns > track->most_ns ? offset_ns : track->most_ns;
    track->worst_bound_ns = bound_ns > track->worst_bound_ns ? bound_ns : track->worst_bound_ns;
    track->sum_t += t;
    track->sum_x += x;
    track->sum_tt += t * t;
    track->sum_tx += t * x;
}

double clock_track_mean_ns(const struct clock_track *track)
{
    return track->n > 0 ? (double)track->first_ns + track->sum_x / (double)track->n : 0;
}

double clock_track_drift_ppb(const struct clock_track *track)
{
    double n = (double)track->n;
    double spread = n * track->sum_tt - track->sum_t * track->sum_t;

    return track->n > 1 && spread > 0
               ? (n * track->sum_tx - track->sum_t * track->sum_x) / spread
               : 0;
}

/* ---- the file ---- */

struct record {
    const struct cmd_options *options;
    const struct context *context;
    const struct clock_survey *survey;
    struct clock_track *tracks;
    char path[PATH_MAX];
    FILE *file;
};

static int open_file(struct record *record, const char *output, struct err *err)
{
    char now[CLOCK_TEXT_SIZE];

    clock_format_file(clock_utc_ns(), now);
    snprintf(record->path, sizeof(record->path), "%s%s%s", output != NULL ? output : "clock_",
             output != NULL ? "" : now, output != NULL ? "" : ".csv");
    record->file = fopen(record->path, "wxe"); /* what is there stays */
    if (record->file == NULL) {
        return err_set_errno(err, "%s", record->path);
    }
    fputs("utc,node,offset_to_median_ns,bound_ns,exchanges,source,is_locked,claimed_offset_ns,"
          "claimed_bound_ns\n",
          record->file);
    return 0;
}

/* A source is a word of the node: in the file it stands alone. */
static void put_source(FILE *file, const char *source)
{
    for (; *source != '\0'; source++) {
        fputc(strchr(",\"\n", *source) != NULL ? '_' : *source, file);
    }
}

static void note_node(struct record *record, size_t i, const char *now, int64_t utc_ns)
{
    const struct clock_survey *survey = record->survey;
    const struct clock_view *view = &survey->views[i];
    const struct body_clock *claim = &survey->claims[i];
    int64_t offset_ns = view->offset_ns - survey->median.offset_ns;

    fprintf(record->file, "%s,%s,", now, record->context->inventory->nodes[i].name);
    if (view->n_exchanges == 0) {
        record->tracks[i].n_silent++;
        fputs(",,0,,,,\n", record->file);
        return;
    }
    clock_track_add(&record->tracks[i], utc_ns, offset_ns, view->bound_ns, claim->is_locked);
    fprintf(record->file, "%" PRId64 ",%" PRId64 ",%u,", offset_ns, view->bound_ns,
            view->n_exchanges);
    put_source(record->file, claim->source);
    fprintf(record->file, ",%d,%" PRId64 ",%" PRId64 "\n", claim->is_locked ? 1 : 0,
            claim->claimed_offset_ns, claim->claimed_bound_ns);
}

static int note_all(struct record *record, struct err *err)
{
    int64_t utc_ns = clock_utc_ns();
    char now[CLOCK_TEXT_SIZE];

    clock_format_utc(utc_ns, now);
    for (size_t i = 0; i < record->survey->n_nodes; i++) {
        if (record->context->selected[i]) {
            note_node(record, i, now, utc_ns);
        }
    }
    if (fflush(record->file) != 0) {
        return err_set_errno(err, "%s", record->path);
    }
    return 0;
}

/* ---- the end ---- */

static void put_json(const struct record *record, size_t i)
{
    const struct clock_track *track = &record->tracks[i];
    struct buf line = { 0 };
    struct json json = { .out = &line };

    json_open(&json, NULL, '{');
    json_text(&json, "node", record->context->inventory->nodes[i].name);
    json_u64(&json, "measurements", track->n);
    json_u64(&json, "silent", track->n_silent);
    json_u64(&json, "unlocked", track->n_unlocked);
    if (track->n > 0) {
        json_i64(&json, "least_ns", track->least_ns);
        json_f64(&json, "mean_ns", clock_track_mean_ns(track));
        json_i64(&json, "most_ns", track->most_ns);
        json_f64(&json, "drift_ppb", clock_track_drift_ppb(track));
        json_i64(&json, "worst_bound_ns", track->worst_bound_ns);
    }
    json_text(&json, "file", record->path);
    json_close(&json, '}');
    json_line(&json, stdout);
    buf_fini(&line);
}

static void put_row(const struct record *record, struct table *table, size_t i)
{
    const struct clock_track *track = &record->tracks[i];
    char text[HUMAN_TEXT_SIZE];

    table_cell(table, "%s", record->context->inventory->nodes[i].name);
    table_cell(table, "%zu", track->n);
    if (track->n == 0) {
        for (int k = 0; k < 5; k++) {
            table_cell(table, "-");
        }
    } else {
        table_cell(table, "%s", human_ns(track->least_ns, text));
        table_cell(table, "%s", human_ns((int64_t)clock_track_mean_ns(track), text));
        table_cell(table, "%s", human_ns(track->most_ns, text));
        table_cell(table, "%.1f ppb", clock_track_drift_ppb(track));
        table_cell(table, "+-%s", human_ns(track->worst_bound_ns, text));
    }
    table_cell(table, "%s%s%s", track->n_silent > 0 ? "silent at times" : "",
               track->n_silent > 0 && track->n_unlocked > 0 ? ", " : "",
               track->n_unlocked > 0 ? "unlocked at times" : "");
}

static int conclude(const struct record *record)
{
    static const char *const HEADERS[] = { "node", "measured", "least", "mean",
                                           "most", "drift",    "bound", "fault" };
    struct table *table = table_create(HEADERS, ARRAY_LEN(HEADERS));
    int status = EXIT_ALL_VALID;
    size_t n_heard = 0;

    for (size_t column = 1; column < ARRAY_LEN(HEADERS) - 1; column++) {
        table_align_right(table, column);
    }
    for (size_t i = 0; i < record->survey->n_nodes; i++) {
        const struct clock_track *track = &record->tracks[i];

        if (!record->context->selected[i]) {
            continue;
        }
        n_heard += track->n > 0 ? 1 : 0;
        if (track->n_silent + track->n_unlocked > 0) {
            status = EXIT_NODE_FAILED;
        }
        if (record->options->is_json) {
            put_json(record, i);
        } else {
            put_row(record, table, i);
        }
    }
    if (!record->options->is_json) {
        table_print(table, stdout);
        printf("Offsets are to the median of the nodes; every measurement is in %s.\n",
               record->path);
    }
    table_destroy(&table);
    return n_heard > 0 ? status : EXIT_NOBODY;
}

/* Until the next measurement; true when the user has had enough. */
static bool wait_until(int64_t mono_ns, const sigset_t *signals)
{
    for (;;) {
        int64_t left_ns = mono_ns - clock_mono_ns();
        struct timespec pause = { 0 };

        if (left_ns < 0) {
            left_ns = 0;
        }
        pause.tv_sec = left_ns / NS_PER_S;
        pause.tv_nsec = left_ns % NS_PER_S;
        if (sigtimedwait(signals, NULL, &pause) >= 0) {
            return true;
        }
        if (errno != EINTR) {
            return false;
        }
    }
}

static int measure(struct record *record, struct ask *ask, struct clock_survey *survey,
                   const struct clock_record_request *request, struct err *err)
{
    int64_t begin_ns = clock_mono_ns();
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    for (int64_t n = 0; n * request->interval_ns < request->duration_ns; n++) {
        if (wait_until(begin_ns + n * request->interval_ns, &signals)) {
            break;
        }
        clock_survey_run(survey, ask, request->count, request->timeout_ms);
        if (note_all(record, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int clock_record(const struct cmd_options *options, const struct context *context,
                 struct ask *ask, struct clock_survey *survey,
                 const struct clock_record_request *request)
{
    struct record record = { .options = options, .context = context, .survey = survey };
    struct err err = { .code = ERR_MEMORY, .text = "the clocks" };
    int status = 0;

    record.tracks = calloc(survey->n_nodes + 1, sizeof(*record.tracks));
    if (record.tracks == NULL || open_file(&record, request->output, &err) < 0
        || measure(&record, ask, survey, request, &err) < 0) {
        status = cmd_fail(options, "clock", &err);
    } else {
        status = conclude(&record);
    }
    if (record.file != NULL) {
        fclose(record.file);
    }
    free(record.tracks);
    return status;
}
