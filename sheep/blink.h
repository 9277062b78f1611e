/* SPDX-License-Identifier: MIT */
/* The node's lights blink, so that somebody who stands before a shelf of them finds it. */
#ifndef SHEEP_BLINK_H
#define SHEEP_BLINK_H

#include "common/attrs.h"
#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    BLINK_MAX_LIGHTS = 8,
    BLINK_NAME_SIZE = 64,
    BLINK_TRIGGER_SIZE = 64,
};

/* What each light did before. Zeroed: nothing blinks. One thread. */
struct blink {
    size_t n_lights;
    char names[BLINK_MAX_LIGHTS][BLINK_NAME_SIZE];
    char triggers[BLINK_MAX_LIGHTS][BLINK_TRIGGER_SIZE];
};

/* Lets the board's user lights (ROOT/sys/class/leds/beaglebone:*) blink by the kernel's timer;
 * `root` is "" but in tests. Again while they blink: nothing changes. ERR_NOT_FOUND: this
 * machine has none; ERR_DENIED: the agent may not write to them. */
MUST_CHECK int blink_start(struct blink *blink, const char *root, struct err *err);

/* Gives them back to whatever drove them before. */
void blink_stop(struct blink *blink, const char *root);

#endif
