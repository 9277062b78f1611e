/* SPDX-License-Identifier: MIT */
#include "herd/retrieve_parts.h"

#include "herd/report.h"

#include "common/rlog.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void retrieve_show_progress(void *arg, const struct fetch_job *jobs, size_t n_jobs)
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

static void put_result(const struct retrieval *retrieval, size_t i)
{
    const struct fetch_job *job = &retrieval->jobs[i];
    const struct parcel *parcel = &retrieval->parcels[i];
    const char *node = retrieve_node_name(retrieval, job->node);
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
    json_text(&json, "node", retrieve_node_name(retrieval, job->node));
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

static void settle_job(struct retrieval *retrieval, size_t i)
{
    const struct fetch_job *job = &retrieval->jobs[i];

    if (retrieval->options->is_json) {
        put_result_json(retrieval, i);
    } else {
        put_result(retrieval, i);
    }
    if (job->err.code == ERR_TIMEOUT && retrieval->waits) {
        retrieval->is_open[job->node] = true; /* gone in the middle; it will come back */
    } else if (job->err.code != ERR_NONE) {
        retrieval->status = EXIT_NODE_FAILED;
    }
    if (retrieval->parcels[i].is_built) {
        remove_copy(job->folder);
    }
}

static void settle_node(struct retrieval *retrieval, size_t node)
{
    const char *fault = retrieval->listings.faults[node];
    bool is_silent = !retrieval->listings.are_heard[node];

    if (!retrieval->is_open[node] || (is_silent && retrieval->waits)) {
        return;
    }
    retrieval->is_open[node] = false;
    retrieval->n_served += !is_silent;
    if (fault[0] != '\0') {
        fprintf(stderr, "herd retrieve: %s: %s\n", retrieve_node_name(retrieval, node), fault);
        retrieval->status = EXIT_NODE_FAILED;
    }
}

void retrieve_conclude(struct retrieval *retrieval)
{
    if (!retrieval->options->is_json && isatty(STDERR_FILENO)) {
        fputs("\r\033[K", stderr);
    }
    for (size_t node = 0; node < retrieval->listings.n_nodes; node++) {
        settle_node(retrieval, node);
    }
    for (size_t i = 0; i < retrieval->n_jobs; i++) {
        settle_job(retrieval, i);
    }
    retrieval->n_found += retrieval->n_jobs;
}
