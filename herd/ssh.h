/* SPDX-License-Identifier: MIT */
/* Commands on a node over SSH; the only user of libssh. */
#ifndef HERD_SSH_H
#define HERD_SSH_H

#include "common/attrs.h"
#include "common/buf.h"
#include "common/err.h"

#include <stddef.h>

struct ssh_target {
    const char *host;
    const char *user;        /* NULL or "": as ~/.ssh/config or the login name say */
    unsigned port;           /* 0: as ~/.ssh/config says, or 22 */
    const char *known_hosts; /* NULL: ~/.ssh/known_hosts */
    const char *identity;    /* NULL: the agent, then the usual files */
    long timeout_s;
};

/* Connects, checks the host key strictly (an unknown or changed one is ERR_DENIED; nothing is
 * ever added to known_hosts) and authenticates by agent or key files; never asks for a
 * password. Blocks at most about timeout_s. */
struct ssh_link;
struct ssh_link *ssh_link_open(const struct ssh_target *target, struct err *err);
void ssh_link_close(struct ssh_link **link);

/* Runs a shell command with `input` as its standard input; appends at most max_output bytes of
 * its standard output. -1: it could not run, or its exit status was not 0 (the first line of
 * its standard error is in err). */
MUST_CHECK int ssh_link_run(struct ssh_link *link, const char *command, const char *input,
                            struct buf *output, size_t max_output, struct err *err);

/* What a command said and how it ended. */
struct ssh_answer {
    struct buf out;
    struct buf err;
    int status; /* -1: ended by a signal */
};
void ssh_answer_fini(struct ssh_answer *answer);

/* As ssh_link_run, but a status that is not 0 is an answer too. `answer` starts zeroed; each of
 * its streams is bounded by max_output. */
MUST_CHECK int ssh_link_exec(struct ssh_link *link, const char *command, const char *input,
                             struct ssh_answer *answer, size_t max_output, struct err *err);

/* Appends text as one word for a shell, whatever is in it. */
void ssh_quote_word(const char *text, struct buf *out);

#endif
