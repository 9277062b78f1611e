/* SPDX-License-Identifier: MIT */
/* herd run: an experiment from its file. */
#include "herd/cli.h"
#include "herd/cmd.h"
#include "herd/context.h"
#include "herd/run.h"

#include "common/experiment.h"

#include <stdio.h>

static const char USAGE[] =
    "Usage: herd run [options] FILE\n\n"
    "Checks the experiment, prepares and arms every node, agrees the instant of the first\n"
    "sample, follows the recordings while they grow, and ends with a verdict and an HDF5 file\n"
    "per node. Nothing starts unless every required node has confirmed.\n\n"
    "Ctrl-C stops all nodes after one agreed sample and collects what exists; a second one\n"
    "leaves them running: herd attach then continues.\n\n"
    "  -o, --output-path DIR  folder for results; else the experiment's, else this one\n"
    "  -f, --force-overwrite  replace files whose name is taken, whatever the experiment says\n"
    "  -c, --use-cal-default  run nodes without calibration data too\n"
    "      --rate SIZE        at most so much a second of recordings from each node\n"
    "      --total-rate SIZE  and from all together; what is left comes after the end\n"
    "      --take-over        take nodes over from another controller\n\n"
    "Examples:\n"
    "  herd run solar.yaml\n"
    "  herd run -l 'sheep[0-3]' -o results solar.yaml\n"
    "  herd run --json solar.yaml | tail -n 1\n";

enum {
    OPTION_TAKE_OVER = 256,
    OPTION_RATE,
    OPTION_TOTAL_RATE
};

static const struct cli_option OPTIONS[] = {
    {'o',                "output-path",     true },
    { 'f',               "force-overwrite", false},
    { 'c',               "use-cal-default", false},
    { OPTION_TAKE_OVER,  "take-over",       false},
    { OPTION_RATE,       "rate",            true },
    { OPTION_TOTAL_RATE, "total-rate",      true },
    { 0,                 NULL,              false},
};

struct flags {
    const char *output;
    bool overwrite;
    bool use_cal_default;
    bool take_over;
    uint64_t rate;
    uint64_t total_rate;
};

static int parse(struct cli_scan *scan, struct flags *flags)
{
    const char *value = NULL;
    int option = 0;
    int status = 0;

    while (status == 0 && (option = cli_next(scan, &value)) != 0) {
        switch (option) {
        case 'o':
            flags->output = value;
            break;
        case 'f':
            flags->overwrite = true;
            break;
        case 'c':
            flags->use_cal_default = true;
            break;
        case OPTION_TAKE_OVER:
            flags->take_over = true;
            break;
        case OPTION_RATE:
            status = cli_take_rate(scan->global, "run", value, &flags->rate);
            break;
        case OPTION_TOTAL_RATE:
            status = cli_take_rate(scan->global, "run", value, &flags->total_rate);
            break;
        default:
            return EXIT_USAGE;
        }
    }
    if (status != 0) {
        return status;
    }
    if (scan->n_operands != 1) {
        return cmd_misuse(scan->global, "run", "one file, not %d", scan->n_operands);
    }
    return 0;
}

static void apply(const struct flags *flags, struct experiment *experiment)
{
    for (size_t i = 0; i < experiment->n_nodes; i++) {
        struct node_config *config = &experiment->nodes[i].config;

        if (flags->overwrite) {
            config->record.exists = EXISTS_OVERWRITE;
        }
        config->use_cal_default = config->use_cal_default || flags->use_cal_default;
    }
}

static int run(const struct cmd_options *options, int argc, char **argv)
{
    struct cli_scan scan = {
        .global = options, .options = OPTIONS, .argc = argc, .argv = argv
    };
    struct cmd_options everybody = *options;
    struct flags flags = { 0 };
    struct fault_list faults = { 0 };
    struct context context;
    struct run_request request = { .options = options, .command = "run", .context = &context };
    int status = parse(&scan, &flags);

    if (status != 0) {
        return status;
    }
    everybody.limit = NULL; /* the experiment applies it, and names what it leaves */
    status = context_open(&context, &everybody, "run", NULL, true);
    if (status != 0) {
        return status;
    }
    request.experiment =
        experiment_load(argv[scan.at], context.inventory, options->limit, &faults);
    if (request.experiment == NULL) {
        status = cmd_fail_faults(options, "run", &faults);
    } else {
        apply(&flags, request.experiment);
        request.output = flags.output;
        request.take_over = flags.take_over;
        request.rate = flags.rate;
        request.total_rate = flags.total_rate;
        status = run_execute(&request);
    }
    fault_fini(&faults);
    experiment_destroy(&request.experiment);
    context_close(&context);
    return status;
}

const struct cmd cmd_run = {
    .name = "run",
    .summary = "run an experiment",
    .usage = USAGE,
    .run = run,
};
