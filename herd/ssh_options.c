/* SPDX-License-Identifier: MIT */
#include "herd/ssh_options.h"

#include "herd/cli.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    MAX_SECONDS = 86400
};

int ssh_option_take(const struct cmd_options *options, const char *command, int option,
                    const char *value, struct ssh_target *target)
{
    double seconds = 0;
    uint64_t number = 0;

    switch (option) {
    case SSH_OPTION_TIMEOUT:
        if (!text_to_f64(value, &seconds) || !(seconds >= 1 && seconds <= MAX_SECONDS)) {
            return cmd_misuse(options, command,
                              "timeout '%s' is not a number of seconds (>= 1)", value);
        }
        target->timeout_s = (long)seconds;
        return 0;
    case SSH_OPTION_PORT:
        if (!text_to_u64(value, &number) || number == 0 || number > UINT16_MAX) {
            return cmd_misuse(options, command, "'%s' is no port", value);
        }
        target->port = (unsigned)number;
        return 0;
    case SSH_OPTION_IDENTITY:
        target->identity = value;
        return 0;
    case SSH_OPTION_KNOWN_HOSTS:
        target->known_hosts = value;
        return 0;
    default:
        return EXIT_USAGE; /* cli_next has said why */
    }
}
