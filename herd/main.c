/* SPDX-License-Identifier: MIT */
/* herd: the controller. */
#include "herd/cli.h"

#include <czmq.h>

#include <signal.h>
#include <stddef.h>

static const struct cmd *const COMMANDS[] = {
    &cmd_check,  &cmd_status, &cmd_alive,  &cmd_clock,      &cmd_ls, &cmd_rm,
    &cmd_keygen, &cmd_sim,    &cmd_enroll, &cmd_completion, NULL,
};

int main(int argc, char **argv)
{
    /* Commands that run long watch signals themselves; a pipe that closes is an error of
     * write. */
    zsys_handler_set(NULL);
    signal(SIGPIPE, SIG_IGN);
    return cli_main(COMMANDS, argc, argv);
}
