/* SPDX-License-Identifier: MIT */
/* A thousand nodes in one process: each has its own socket, key, CURVE session, boot id and the
 * agent's own start protocol (sheep/experiment.h). What a recorder would do is answered at
 * once. Test only. */
#ifndef TESTS_BENCH_START_SCALE_H
#define TESTS_BENCH_START_SCALE_H

#include "common/keys.h"

#include <stddef.h>
#include <stdint.h>

struct scale_node {
    struct key_pair key;
    char name[32];
    uint16_t port;
};

/* Hosts the nodes until standard input of the process is closed; an exit status. Writes "ready"
 * to `ready_fd` when all are bound. `authorized` is the folder with herd's public key. */
int scale_host(const struct scale_node *nodes, size_t n_nodes, const char *authorized,
               int ready_fd, int stop_fd);

#endif
