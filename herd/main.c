/* SPDX-License-Identifier: MIT */
/* herd: the controller. */
#include "herd/cli.h"

#include "common/wire.h"

#include <signal.h>
#include <stddef.h>

static const struct cmd *const COMMANDS[] = {
    &cmd_check,  &cmd_status, &cmd_alive,  &cmd_clock,      &cmd_ls, &cmd_rm,
    &cmd_keygen, &cmd_sim,    &cmd_enroll, &cmd_completion, NULL,
};

int main(int argc, char **argv)
{
    wire_init();
    /* A pipe that closes is an error of write. */
    signal(SIGPIPE, SIG_IGN);
    return cli_main(COMMANDS, argc, argv);
}
