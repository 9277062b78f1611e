/* SPDX-License-Identifier: MIT */
/* herd build: HDF5 from a recording log, as a run does it by itself. */
#include "herd/cli.h"
#include "herd/cmd.h"
#include "herd/report.h"

#include "common/buf.h"
#include "common/h5_build.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char USAGE[] =
    "Usage: herd build [options] LOG...\n\n"
    "Builds the HDF5 of recording logs (folders NAME.rlog), as a run does it by itself.\n"
    "What the node still holds is fetched with herd retrieve; this is for logs that are here.\n\n"
    "  -o, --output PATH   the file, or a folder for NAME.h5; default: here\n"
    "  -r, --repair        close logs that a crash or a cut of power left open first\n"
    "  -f, --force         replace files that exist\n\n"
    "Examples:\n"
    "  herd build card/recordings/day_sheep3.rlog\n"
    "  herd build -r -o results card/recordings/*.rlog\n";

static const struct cli_option OPTIONS[] = {
    {'o',  "output", true },
    { 'r', "repair", false},
    { 'f', "force",  false},
    { 0,   NULL,     false},
};

struct request {
    const struct cmd_options *options;
    const char *output;
    bool repairs;
    bool replaces;
};

/* results/day.h5 of card/day.rlog/ */
static int choose_path(const struct request *request, const char *log, char *path, size_t size,
                       struct err *err)
{
    struct stat info;
    char trimmed[PATH_MAX];
    const char *name = NULL;
    size_t length = (size_t)snprintf(trimmed, sizeof(trimmed), "%s", log);
    bool is_folder =
        request->output == NULL || (stat(request->output, &info) == 0 && S_ISDIR(info.st_mode));

    if (length >= sizeof(trimmed)) {
        return err_set(err, ERR_INPUT, "%s: path too long", log);
    }
    while (length > 1 && trimmed[length - 1] == '/') {
        trimmed[--length] = '\0';
    }
    if (length > 5 && strcmp(trimmed + length - 5, ".rlog") == 0) {
        trimmed[length - 5] = '\0';
    }
    name = strrchr(trimmed, '/') != NULL ? strrchr(trimmed, '/') + 1 : trimmed;
    if (is_folder) {
        length = (size_t)snprintf(path, size, "%s/%s.h5",
                                  request->output != NULL ? request->output : ".", name);
    } else {
        length = (size_t)snprintf(path, size, "%s", request->output);
    }
    if (length >= size) {
        return err_set(err, ERR_INPUT, "%s: path too long", name);
    }
    if (!request->replaces && access(path, F_OK) == 0) {
        return err_set(err, ERR_EXISTS, "%s exists; --force replaces it", path);
    }
    return 0;
}

static int build(const struct request *request, const char *log, const char *path,
                 struct h5_summary *summary, struct err *err)
{
    struct rlog_recovery recovery;
    struct h5_builder *builder = NULL;
    char part[PATH_MAX + 8];
    int result = -1;

    if (request->repairs && rlog_recover(log, &recovery, err) < 0) {
        return -1;
    }
    snprintf(part, sizeof(part), "%s.part", path);
    builder = h5_builder_create(log, part, err);
    if (builder == NULL) {
        return -1;
    }
    result = h5_builder_advance(builder, err);
    if (result == 0) {
        result = err_set(err, ERR_STATE, "not closed; --repair closes it");
    } else if (result > 0) {
        result = h5_builder_finish(builder, NULL, path, summary, err);
    }
    h5_builder_destroy(&builder);
    if (result < 0) {
        unlink(part);
    }
    return result;
}

static void report(const struct cmd_options *options, const char *log, const char *path,
                   const struct h5_summary *summary)
{
    char size[HUMAN_TEXT_SIZE];
    struct buf line = { 0 };
    struct json json = { .out = &line };

    if (!options->is_json) {
        printf("%s: %llu samples, %llu missing, %llu edges, %s\n", path,
               (unsigned long long)summary->n_samples,
               (unsigned long long)summary->n_gap_samples, (unsigned long long)summary->n_edges,
               human_bytes(summary->file_bytes, size));
        if (summary->n_remarks > 0) {
            printf("  remarks: %s\n", summary->remarks);
        }
        return;
    }
    json_open(&json, NULL, '{');
    json_text(&json, "log", log);
    json_text(&json, "file", path);
    json_u64(&json, "samples", summary->n_samples);
    json_u64(&json, "gap_samples", summary->n_gap_samples);
    json_u64(&json, "edges", summary->n_edges);
    json_f64(&json, "energy_Ws", summary->energy_Ws);
    json_u64(&json, "bytes", summary->file_bytes);
    json_text(&json, "remarks", summary->remarks);
    json_close(&json, '}');
    json_line(&json, stdout);
    buf_fini(&line);
}

static int build_one(const struct request *request, const char *log)
{
    struct h5_summary summary = { 0 };
    char path[PATH_SIZE];
    struct err err = { 0 };

    if (choose_path(request, log, path, sizeof(path), &err) < 0) {
        return cmd_fail(request->options, "build", &err);
    }
    if (build(request, log, path, &summary, &err) < 0) {
        err_prepend(&err, "%s", log);
        return cmd_fail(request->options, "build", &err);
    }
    report(request->options, log, path, &summary);
    return EXIT_ALL_VALID;
}

static int run(const struct cmd_options *options, int argc, char **argv)
{
    struct cli_scan scan = {
        .global = options, .options = OPTIONS, .argc = argc, .argv = argv
    };
    struct request request = { .options = options };
    const char *value = NULL;
    int worst = EXIT_ALL_VALID;
    int option = 0;

    while ((option = cli_next(&scan, &value)) != 0) {
        switch (option) {
        case 'o':
            request.output = value;
            break;
        case 'r':
            request.repairs = true;
            break;
        case 'f':
            request.replaces = true;
            break;
        default:
            return EXIT_USAGE;
        }
    }
    if (scan.n_operands == 0) {
        return cmd_misuse(options, "build", "which log?");
    }
    for (int i = 0; i < scan.n_operands; i++) {
        int status = build_one(&request, argv[scan.at + i]);

        worst = status > worst ? status : worst;
    }
    return worst;
}

const struct cmd cmd_build = {
    .name = "build",
    .summary = "build HDF5 from a recording log that is here",
    .usage = USAGE,
    .run = run,
};
