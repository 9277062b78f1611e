/* SPDX-License-Identifier: MIT */
/* herd emulate: an emulation without a file. */
#include "herd/one_liner.h"

static const char USAGE[] =
    "Usage: herd emulate [options] INPUT\n\n"
    "Replays a harvest (HDF5) through a virtual source that feeds each node's target, and\n"
    "records what the target draws and what its pins do. {node} in INPUT stands for the node's\n"
    "name: each gets its own file.\n\n"
    "  -a, --algorithm NAME   preset of a virtual source: direct, BQ25504, BQ25570s, ...\n"
    "      --virtual-source NAME  the same\n"
    "  -d, --duration S       seconds, or with a unit (5 min); without: as long as INPUT\n"
    "  -o, --output-path DIR  folder for results; default this one\n"
    "  -f, --force-overwrite  replace files whose name is taken\n"
    "  -c, --use-cal-default  run nodes without calibration data too\n"
    "      --io-port A|B      the target's port\n"
    "      --pwr-port A|B     the same\n"
    "  -x, --voltage-aux V    volts for the port that is not recorded, or main or buffer: what\n"
    "                         the target's supply or the storage has\n"
    "      --uart-baudrate N  record the target's UART\n"
    "      --name NAME        of the experiment; default emulate\n"
    "      --rate SIZE        at most so much a second of recordings from each node\n"
    "      --total-rate SIZE  and from all together; what is left comes after the end\n"
    "      --take-over        take nodes over from another controller\n\n"
    "Examples:\n"
    "  herd emulate -a BQ25570s -d 10 harvest.h5\n"
    "  herd emulate -o results 'hrv_day_2026-06-21T10-00-00Z_{node}.h5'\n";

static const struct cli_option OPTIONS[] = {
    ONE_LINER_OPTIONS,
    {'a',                "virtual-source", true },
    { ONE_LINER_IO_PORT, "io-port",        true },
    { ONE_LINER_IO_PORT, "pwr-port",       true },
    { ONE_LINER_UART,    "uart-baudrate",  true },
    { 'x',               "voltage-aux",    true },
    { 0,                 NULL,             false},
};

static int run(const struct cmd_options *options, int argc, char **argv)
{
    struct cli_scan scan = {
        .global = options, .options = OPTIONS, .argc = argc, .argv = argv
    };
    struct one_liner line = { .options = options, .command = "emulate" };
    const char *value = NULL;
    int option = 0;

    while ((option = cli_next(&scan, &value)) != 0) {
        int status = one_liner_take(&line, option, value);

        if (status != 0) {
            return status;
        }
    }
    if (scan.n_operands != 1) {
        return cmd_misuse(options, "emulate", "one INPUT, not %d", scan.n_operands);
    }
    line.input = argv[scan.at];
    return one_liner_run(&line);
}

const struct cmd cmd_emulate = {
    .name = "emulate",
    .summary = "replay a harvest to targets, without a file",
    .usage = USAGE,
    .run = run,
};
