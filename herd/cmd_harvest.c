/* SPDX-License-Identifier: MIT */
/* herd harvest: a harvest without a file. */
#include "herd/one_liner.h"

static const char USAGE[] =
    "Usage: herd harvest [options]\n\n"
    "Records what the transducers give, on all nodes at the same instants; as herd run with a\n"
    "short experiment.\n\n"
    "  -d, --duration S       seconds, or with a unit (5 min); without: until Ctrl-C\n"
    "  -a, --algorithm NAME   preset of a harvester: mppt_voc, mppt_po, cv20, ivcurve, ...\n"
    "      --virtual-harvester NAME  the same\n"
    "  -o, --output-path DIR  folder for results; default this one\n"
    "  -f, --force-overwrite  replace files whose name is taken\n"
    "  -c, --use-cal-default  run nodes without calibration data too\n"
    "      --name NAME        of the experiment; default harvest\n"
    "      --rate SIZE        at most so much a second of recordings from each node\n"
    "      --total-rate SIZE  and from all together; what is left comes after the end\n"
    "      --take-over        take nodes over from another controller\n\n"
    "Examples:\n"
    "  herd harvest -d 10\n"
    "  herd harvest -a mppt_voc -d '5 min' -o results -l 'sheep[0-3]'\n";

static const struct cli_option OPTIONS[] = {
    ONE_LINER_OPTIONS,
    {'a', "virtual-harvester", true },
    { 0,  NULL,                false},
};

static int run(const struct cmd_options *options, int argc, char **argv)
{
    struct cli_scan scan = {
        .global = options, .options = OPTIONS, .argc = argc, .argv = argv
    };
    struct one_liner line = { .options = options, .command = "harvest" };
    const char *value = NULL;
    int option = 0;

    while ((option = cli_next(&scan, &value)) != 0) {
        int status = one_liner_take(&line, option, value);

        if (status != 0) {
            return status;
        }
    }
    if (scan.n_operands > 0) {
        return cmd_misuse(options, "harvest", "'%s': no arguments are expected", argv[scan.at]);
    }
    return one_liner_run(&line);
}

const struct cmd cmd_harvest = {
    .name = "harvest",
    .summary = "record what transducers give, without a file",
    .usage = USAGE,
    .run = run,
};
