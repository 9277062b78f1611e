/* SPDX-License-Identifier: MIT */
/* A command of herd: its entry in the table, and what main hands to it. */
#ifndef HERD_CMD_H
#define HERD_CMD_H

#include "common/err.h"

#include <stdbool.h>

/* DESIGN: exit status of every command. */
enum exit_status {
    EXIT_ALL_VALID = 0,
    EXIT_NODE_FAILED = 1, /* a node failed or refused */
    EXIT_USAGE = 2,       /* usage or input */
    EXIT_NOBODY = 3,      /* nobody reachable */
    EXIT_INTERRUPTED = 130,
};

/* Options that stand before or behind the command's name; all strings are loans from argv. */
struct cmd_options {
    const char *inventory; /* -i, --inventory; NULL: search */
    const char *limit;     /* -l, --limit: node set; NULL: all */
    const char *key;       /* -k, --key: this controller's secret key file; NULL: search */
    bool is_json;          /* --json */
    bool is_verbose;       /* -v */
    bool is_quiet;         /* -q */
};

/* argv[0] is the command's name; the rest is its own arguments. Returns an exit status. Prints
 * errors itself, through cmd_fail. */
typedef int (*cmd_fn)(const struct cmd_options *options, int argc, char **argv);

struct cmd {
    const char *name;
    const char *summary; /* one line, for herd --help */
    const char *usage;   /* text of `herd NAME --help`: synopsis, options, examples */
    cmd_fn run;
};

/* Each cmd_NAME.c defines one (or a few related); herd/main.c lists them. */
extern const struct cmd cmd_run;
extern const struct cmd cmd_harvest;
extern const struct cmd cmd_emulate;
extern const struct cmd cmd_attach;
extern const struct cmd cmd_check;
extern const struct cmd cmd_status;
extern const struct cmd cmd_alive;
extern const struct cmd cmd_stop;
extern const struct cmd cmd_ls;
extern const struct cmd cmd_retrieve;
extern const struct cmd cmd_rm;
extern const struct cmd cmd_distribute;
extern const struct cmd cmd_clock;
extern const struct cmd cmd_sim;
extern const struct cmd cmd_simulate;
extern const struct cmd cmd_info;
extern const struct cmd cmd_build;
extern const struct cmd cmd_verify;
extern const struct cmd cmd_export;
extern const struct cmd cmd_keygen;
extern const struct cmd cmd_completion;
extern const struct cmd cmd_enroll;
extern const struct cmd cmd_exec;
extern const struct cmd cmd_poweroff;
extern const struct cmd cmd_reboot;
extern const struct cmd cmd_blink;
extern const struct cmd cmd_inventorize;
extern const struct cmd cmd_preflight;
extern const struct cmd cmd_deploy;

/* Prints "herd NAME: text" (or a JSON object with --json) on standard error and returns the
 * exit status that belongs to the code. */
int cmd_fail(const struct cmd_options *options, const char *name, const struct err *err);

#endif
