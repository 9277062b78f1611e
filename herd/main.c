/* SPDX-License-Identifier: MIT */
/* herd: the controller. */
#include "herd/builder.h"
#include "herd/cli.h"

#include "common/wire.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>

static const struct cmd *const COMMANDS[] = {
    &cmd_run,      &cmd_harvest,     &cmd_emulate,    &cmd_attach,   &cmd_stop,
    &cmd_check,    &cmd_status,      &cmd_alive,      &cmd_clock,    &cmd_ls,
    &cmd_rm,       &cmd_retrieve,    &cmd_distribute, &cmd_keygen,   &cmd_sim,
    &cmd_simulate, &cmd_enroll,      &cmd_completion, &cmd_info,     &cmd_build,
    &cmd_verify,   &cmd_export,      &cmd_exec,       &cmd_poweroff, &cmd_reboot,
    &cmd_blink,    &cmd_inventorize, &cmd_preflight,  &cmd_deploy,   NULL,
};

int main(int argc, char **argv)
{
    wire_init();
    /* A pipe that closes is an error of write. */
    signal(SIGPIPE, SIG_IGN);
    if (argc == 2 && strcmp(argv[1], "build-worker") == 0) {
        return builder_work(BUILDER_WORK_FD); /* a child of herd run, see herd/builder.h */
    }
    return cli_main(COMMANDS, argc, argv);
}
