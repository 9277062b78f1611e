/* SPDX-License-Identifier: MIT */
/* The command line: finds the command, its global options and its help. */
#ifndef HERD_CLI_H
#define HERD_CLI_H

#include "herd/cmd.h"

#include "common/err.h"
#include "common/yaml_doc.h"

#include <stddef.h>
#include <stdint.h>

/* Parses argv, runs the command it names and returns the exit status. `commands` ends with
 * NULL. Global options are taken out of argv wherever they stand, up to "--". */
int cli_main(const struct cmd *const *commands, int argc, char **argv);

/* Every fault of a file, a line each (or one JSON object), on standard error; EXIT_USAGE. */
int cmd_fail_faults(const struct cmd_options *options, const char *name,
                    const struct fault_list *faults);

/* A mistake on the command line; hints at --help. EXIT_USAGE. */
int cmd_misuse(const struct cmd_options *options, const char *name, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* getopt for commands, without state: the next option of argv[*at], or 0 at the end (operands
 * have been moved behind the options; *at is the first), or '?' after cmd_misuse was called.
 * *value is the argument of an option that has one. */
struct cli_option {
    int id;                /* what cli_next returns; a letter also stands for "-x" */
    const char *long_name; /* without "--"; NULL: none */
    bool has_value;
};
struct cli_scan {
    const struct cmd_options *global;
    const struct cli_option *options; /* ends with id 0 */
    int argc;
    char **argv; /* argv[0] is the command's name */
    int at;      /* 0 at the start; at the end of cli_next, the first operand */
    int n_operands;
    bool is_raw; /* behind "--" */
};
int cli_next(struct cli_scan *scan, const char **value);

/* What commands that ask nodes have in common: the value of --timeout, seconds up to a day,
 * into *timeout_ms; and, behind the options, at most one set of nodes, into *nodes (a loan from
 * argv; NULL: none). 0, or EXIT_USAGE after cmd_misuse was called. */
int cli_take_timeout(const struct cli_scan *scan, const char *value, int *timeout_ms);
int cli_take_nodes(const struct cli_scan *scan, const char **nodes);

/* The value of --rate or --total-rate of the command `name`, bytes a second, at least 1 kB;
 * returns as above. */
int cli_take_rate(const struct cmd_options *options, const char *name, const char *value,
                  uint64_t *rate);

#endif
