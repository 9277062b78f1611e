/* SPDX-License-Identifier: MIT */
/* herd verify: proves that recording logs and HDF5 files are what was written. */
#include "herd/cli.h"
#include "herd/cmd.h"
#include "herd/report.h"

#include "common/buf.h"
#include "common/h5_build.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char USAGE[] =
    "Usage: herd verify [options] PATH...\n\n"
    "Proves recording logs (folders NAME.rlog) and HDF5 files: every checksum, the order and\n"
    "number of samples, and for HDF5 every attribute, type and extent. A single flipped bit\n"
    "that changes anything is found. Exit status 1 when something is broken.\n\n"
    "  -r, --repair   close logs that a crash or a cut of power left open: the torn tail is\n"
    "                 cut, what it cost is noted, and everything before it stays\n\n"
    "Examples:\n"
    "  herd verify results/*.h5\n"
    "  herd verify --repair card/recordings/day_sheep3.rlog\n";

static const struct cli_option OPTIONS[] = {
    {'r', "repair", false},
    { 0,  NULL,     false},
};

/* What is said of a path that is sound. */
struct proof {
    const char *kind; /* log | hdf5 */
    uint64_t n_samples;
    uint64_t n_gap_samples;
    uint64_t bytes;
    char digest[DIGEST_TEXT_SIZE]; /* of a log */
    bool was_repaired;
    uint64_t cut_bytes;
};

static int repair_log(const char *path, struct proof *proof, struct err *err)
{
    struct rlog_recovery recovery;

    if (rlog_recover(path, &recovery, err) < 0) {
        return -1;
    }
    proof->was_repaired = !recovery.was_closed;
    proof->cut_bytes = recovery.cut_bytes;
    return 0;
}

static int verify_log(const char *path, bool repairs, struct proof *proof, struct err *err)
{
    struct rlog_end end;
    uint8_t digest[RLOG_DIGEST_BYTES];

    proof->kind = "log";
    if ((repairs && repair_log(path, proof, err) < 0)
        || rlog_verify(path, &end, digest, &proof->bytes, err) < 0) {
        return -1;
    }
    proof->n_samples = end.n_samples;
    proof->n_gap_samples = end.n_gap_samples;
    rlog_digest_text(digest, proof->digest);
    return 0;
}

static int verify_hdf5(const char *path, struct proof *proof, struct err *err)
{
    struct h5_summary summary;

    proof->kind = "hdf5";
    if (h5_verify(path, &summary, err) < 0) {
        return -1;
    }
    proof->n_samples = summary.n_samples;
    proof->n_gap_samples = summary.n_gap_samples;
    proof->bytes = summary.file_bytes;
    return 0;
}

static void report_json(const char *path, const struct proof *proof)
{
    struct buf line = { 0 };
    struct json json = { .out = &line };

    json_open(&json, NULL, '{');
    json_text(&json, "path", path);
    json_text(&json, "kind", proof->kind);
    json_bool(&json, "sound", true);
    json_u64(&json, "samples", proof->n_samples);
    json_u64(&json, "gap_samples", proof->n_gap_samples);
    json_u64(&json, "bytes", proof->bytes);
    json_text(&json, "digest", proof->digest[0] != '\0' ? proof->digest : NULL);
    json_bool(&json, "repaired", proof->was_repaired);
    json_u64(&json, "cut_bytes", proof->cut_bytes);
    json_close(&json, '}');
    json_line(&json, stdout);
    buf_fini(&line);
}

static void report(const char *path, const struct proof *proof)
{
    char size[HUMAN_TEXT_SIZE];

    printf("%s: sound, %llu samples, %llu missing, %s%s\n", path,
           (unsigned long long)proof->n_samples, (unsigned long long)proof->n_gap_samples,
           human_bytes(proof->bytes, size), proof->was_repaired ? ", repaired" : "");
    if (proof->was_repaired) {
        printf("  closed; a torn tail of %llu bytes was cut\n",
               (unsigned long long)proof->cut_bytes);
    }
}

static bool is_log(const char *folder)
{
    char path[PATH_MAX];

    return snprintf(path, sizeof(path), "%s/manifest.yaml", folder) < (int)sizeof(path)
           && access(path, F_OK) == 0;
}

static int verify_one(const struct cmd_options *options, const char *path, bool repairs)
{
    struct proof proof = { 0 };
    struct stat info;
    struct err err = { 0 };
    int result = -1;

    if (stat(path, &info) < 0) {
        err_set_errno(&err, "%s", path);
    } else if (S_ISDIR(info.st_mode) && !is_log(path)) {
        err_set(&err, ERR_INPUT, "%s: this folder is no recording log (NAME.rlog)", path);
    } else if (S_ISDIR(info.st_mode)) {
        result = verify_log(path, repairs, &proof, &err);
    } else {
        result = verify_hdf5(path, &proof, &err);
    }
    if (result < 0) {
        int status = cmd_fail(options, "verify", &err);

        return err.code == ERR_CORRUPT ? EXIT_NODE_FAILED : status;
    }
    if (options->is_json) {
        report_json(path, &proof);
    } else if (!options->is_quiet) {
        report(path, &proof);
    }
    return EXIT_ALL_VALID;
}

static int run(const struct cmd_options *options, int argc, char **argv)
{
    struct cli_scan scan = {
        .global = options, .options = OPTIONS, .argc = argc, .argv = argv
    };
    const char *value = NULL;
    bool repairs = false;
    int worst = EXIT_ALL_VALID;
    int option = 0;

    while ((option = cli_next(&scan, &value)) != 0) {
        if (option != 'r') {
            return EXIT_USAGE;
        }
        repairs = true;
    }
    if (scan.n_operands == 0) {
        return cmd_misuse(options, "verify", "which log or file?");
    }
    for (int i = 0; i < scan.n_operands; i++) {
        int status = verify_one(options, argv[scan.at + i], repairs);

        worst = status > worst ? status : worst;
    }
    return worst;
}

const struct cmd cmd_verify = {
    .name = "verify",
    .summary = "prove recording logs and HDF5 files, close broken-off logs",
    .usage = USAGE,
    .run = run,
};
