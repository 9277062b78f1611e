/* SPDX-License-Identifier: MIT */
/* The options that commands over SSH share: --timeout, --ssh-port, --identity, --known-hosts.
 */
#ifndef HERD_SSH_OPTIONS_H
#define HERD_SSH_OPTIONS_H

#include "herd/cmd.h"
#include "herd/ssh.h"

enum {
    SSH_OPTION_TIMEOUT = 't',
    SSH_OPTION_PORT = 'p',
    SSH_OPTION_IDENTITY = 256,
    SSH_OPTION_KNOWN_HOSTS,
    SSH_OPTION_END /* the first that a command may use for long options of its own */
};

/* Takes one of them into *target, which keeps `value` as a loan. 0, or EXIT_USAGE when the
 * value is wrong (said in the name of `command`) or the option is none of them. */
int ssh_option_take(const struct cmd_options *options, const char *command, int option,
                    const char *value, struct ssh_target *target);

#endif
