/* SPDX-License-Identifier: MIT */
/* The recorder and its self-test with what sheep.yaml says. */
#ifndef SHEEP_RECORDER_MAIN_H
#define SHEEP_RECORDER_MAIN_H

#include "common/buf.h"
#include "common/err.h"
#include "sheep/config.h"

#include <signal.h>

/* Makes the folders that the recorder needs and runs it, see recorder_run. */
MUST_CHECK int recorder_main(const struct sheep_config *config,
                             const volatile sig_atomic_t *stop_signal, struct err *err);

/* `sheep selftest`, see recorder_selftest. */
MUST_CHECK int recorder_selftest_main(const struct sheep_config *config, struct buf *report,
                                      struct err *err);

#endif
