/* SPDX-License-Identifier: MIT */
/* An experiment without a file: what herd harvest and herd emulate have in common. */
#ifndef HERD_ONE_LINER_H
#define HERD_ONE_LINER_H

#include "herd/cli.h"
#include "herd/cmd.h"

#include <stdbool.h>
#include <stdint.h>

/* What the command line said; NULL: not said. */
struct one_liner {
    const struct cmd_options *options;
    const char *command; /* "harvest" | "emulate" */
    const char *name;
    const char *duration;
    const char *output;
    const char *algorithm; /* preset of a harvester, or of a source */
    const char *input;     /* emulate */
    const char *io_port;
    const char *voltage_aux; /* in V, or "main" or "buffer", as Shepherd has it */
    const char *uart_baudrate;
    bool overwrite;
    bool use_cal_default;
    bool take_over;
    uint64_t rate; /* as in struct run_request */
    uint64_t total_rate;
};

enum {
    ONE_LINER_TAKE_OVER = 256,
    ONE_LINER_IO_PORT,
    ONE_LINER_UART,
    ONE_LINER_NAME,
    ONE_LINER_RATE,
    ONE_LINER_TOTAL_RATE,
};

/* The options of either; a table adds its own and ends with {0, NULL, false}. */
#define ONE_LINER_OPTIONS                                                                \
    { 'd', "duration", true }, { 'o', "output-path", true }, { 'a', "algorithm", true }, \
        { 'f', "force-overwrite", false }, { 'c', "use-cal-default", false },            \
        { ONE_LINER_NAME, "name", true }, { ONE_LINER_RATE, "rate", true },              \
        { ONE_LINER_TOTAL_RATE, "total-rate", true },                                    \
    {                                                                                    \
        ONE_LINER_TAKE_OVER, "take-over", false                                          \
    }

/* 0, or an exit status when the option is none of ours. */
int one_liner_take(struct one_liner *line, int option, const char *value);

/* Makes the experiment and runs it; an exit status. */
int one_liner_run(const struct one_liner *line);

#endif
