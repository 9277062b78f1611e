/* SPDX-License-Identifier: MIT */
/* An SSH server in a child process, on loopback, that says what a test wants to hear.
 *
 * Commands: "echo" (its input), "fail" (both streams, status 3), "much" (100 000 bytes on
 * each), "never" (nothing, no end), "signal" (ended by one), "pieces" (in three parts). */
#ifndef TESTS_SUPPORT_SSH_SERVER_H
#define TESTS_SUPPORT_SSH_SERVER_H

#include <stddef.h>
#include <sys/types.h>

struct ssh_server {
    char folder[64];
    char known_hosts[96]; /* holds the server's key */
    char identity[96];    /* is let in */
    char stranger[96];    /* is not */
    unsigned port;
    pid_t pid;
};

void ssh_server_start(struct ssh_server *server);
void ssh_server_stop(struct ssh_server *server);

/* known_hosts then names another key, of the same or another type, or none. */
enum ssh_server_known {
    SSH_SERVER_UNKNOWN,
    SSH_SERVER_CHANGED,
    SSH_SERVER_OTHER_TYPE,
};
void ssh_server_forget(const struct ssh_server *server, enum ssh_server_known known);

#endif
