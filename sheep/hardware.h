/* SPDX-License-Identifier: MIT */
/* What this machine says of itself: files of /proc, /sys and /etc become facts. */
#ifndef SHEEP_HARDWARE_H
#define SHEEP_HARDWARE_H

#include "common/node_facts.h"
#include "sheep/config.h"

/* `root` stands before every path: "" for this machine, a folder in tests. What cannot be read
 * is left empty. Reads small files only; a disk that hangs may make it wait, so it is the
 * worker's. */
void hardware_read(struct node_facts *facts, const struct sheep_config *config,
                   const char *root);

#endif
