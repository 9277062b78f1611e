/* SPDX-License-Identifier: MIT */
/* The agent: owns the network and the life of an experiment; the recorder owns the samples. */
#ifndef SHEEP_AGENT_H
#define SHEEP_AGENT_H

#include "common/err.h"
#include "sheep/config.h"

#include <signal.h>
#include <stdint.h>

/* Serves until *stop_signal is set or the doorkeeper is dead (-1). A running recording is left
 * to its recorder; an idle recorder is ended too. start_mono_ns: when the process began. */
MUST_CHECK int agent_run(const struct sheep_config *config, int64_t start_mono_ns,
                         const volatile sig_atomic_t *stop_signal, struct err *err);

#endif
