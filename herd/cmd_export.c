/* SPDX-License-Identifier: MIT */
/* herd export: a recording's channels as CSV, its pins as VCD. */
#include "herd/cli.h"
#include "herd/cmd.h"

#include "common/buf.h"
#include "common/h5_export.h"

#include <stdio.h>
#include <string.h>

static const char USAGE[] =
    "Usage: herd export [options] FILE\n\n"
    "Writes a channel of an HDF5 recording, ours or Shepherd's, as CSV with every value in its\n"
    "unit, or the pins as VCD for waveform viewers.\n\n"
    "  -o, --output PATH      default: standard output; .vcd means --vcd\n"
    "  -c, --channel NAME     samples (voltage and current, default), storage, gpio, uart,\n"
    "                         kernel, sheep, sys_util, ptp, phc2sys, ntp, pru_util, sync, gaps,\n"
    "                         overview/voltage/64 and so on\n"
    "  -s, --start SECONDS    from the first sample on; default: everything\n"
    "  -e, --end SECONDS      up to here\n"
    "      --separator CHAR   default: ,\n"
    "      --vcd              value change dump, of gpio\n\n"
    "Examples:\n"
    "  herd export -s 1.5 -e 1.6 emu_day.h5 > piece.csv\n"
    "  herd export -c gpio -o pins.vcd emu_day.h5\n";

enum {
    OPTION_VCD = 256,
    OPTION_SEPARATOR
};

static const struct cli_option OPTIONS[] = {
    {'o',               "output",    true },
    { 'c',              "channel",   true },
    { 's',              "start",     true },
    { 'e',              "end",       true },
    { OPTION_SEPARATOR, "separator", true },
    { OPTION_VCD,       "vcd",       false},
    { 0,                NULL,        false},
};

struct request {
    const struct cmd_options *options;
    const char *output;
    struct h5_export job;
};

static bool parse_seconds(const char *text, double *seconds)
{
    return text_to_f64(text, seconds) && *seconds >= 0 && *seconds < 1e9;
}

static int set_option(struct request *request, int option, const char *value)
{
    const struct cmd_options *options = request->options;
    size_t length = value != NULL ? strlen(value) : 0;

    switch (option) {
    case 'o':
        request->output = value;
        request->job.is_vcd =
            request->job.is_vcd || (length > 4 && strcmp(value + length - 4, ".vcd") == 0);
        return EXIT_ALL_VALID;
    case 'c':
        request->job.channel = value;
        return EXIT_ALL_VALID;
    case 's':
    case 'e':
        if (!parse_seconds(value,
                           option == 's' ? &request->job.begin_s : &request->job.end_s)) {
            return cmd_misuse(options, "export", "'%s' is not a number of seconds", value);
        }
        return EXIT_ALL_VALID;
    case OPTION_SEPARATOR:
        if (length != 1) {
            return cmd_misuse(options, "export", "the separator is one character");
        }
        request->job.separator = value[0];
        return EXIT_ALL_VALID;
    case OPTION_VCD:
        request->job.is_vcd = true;
        return EXIT_ALL_VALID;
    default:
        return EXIT_USAGE;
    }
}

static int write_export(struct request *request)
{
    struct err err = { 0 };
    uint64_t n_rows = 0;
    int result = 0;

    request->job.out = request->output == NULL ? stdout : fopen(request->output, "we");
    if (request->job.out == NULL) {
        err_set_errno(&err, "%s", request->output);
        return cmd_fail(request->options, "export", &err);
    }
    result = h5_export(&request->job, &n_rows, &err);
    if (request->output != NULL && fclose(request->job.out) != 0 && result == 0) {
        result = err_set_errno(&err, "%s", request->output);
    }
    if (result < 0) {
        return cmd_fail(request->options, "export", &err);
    }
    if (n_rows == 0 && !request->options->is_quiet && !request->options->is_json) {
        fprintf(stderr, "herd export: nothing of channel '%s' between start and end\n",
                request->job.channel);
    }
    if (request->output != NULL && !request->options->is_quiet) {
        if (request->options->is_json) {
            printf("{\"rows\": %llu}\n", (unsigned long long)n_rows);
        } else {
            printf("%s: %llu rows\n", request->output, (unsigned long long)n_rows);
        }
    }
    return EXIT_ALL_VALID;
}

static int run(const struct cmd_options *options, int argc, char **argv)
{
    struct cli_scan scan = {
        .global = options, .options = OPTIONS, .argc = argc, .argv = argv
    };
    struct request request = {
        .options = options, .job = {.end_s = -1, .separator = ','}
    };
    const char *value = NULL;
    int option = 0;

    while ((option = cli_next(&scan, &value)) != 0) {
        int status = option == '?' ? EXIT_USAGE : set_option(&request, option, value);

        if (status != EXIT_ALL_VALID) {
            return status;
        }
    }
    if (scan.n_operands != 1) {
        return cmd_misuse(options, "export", "one file, not %d", scan.n_operands);
    }
    if (request.job.end_s >= 0 && request.job.end_s < request.job.begin_s) {
        return cmd_misuse(options, "export", "the end is before the start");
    }
    if (request.job.channel == NULL) {
        request.job.channel = request.job.is_vcd ? "gpio" : "samples";
    }
    request.job.path = argv[scan.at];
    return write_export(&request);
}

const struct cmd cmd_export = {
    .name = "export",
    .summary = "write a recording's channels as CSV, its pins as VCD",
    .usage = USAGE,
    .run = run,
};
