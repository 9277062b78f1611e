/* SPDX-License-Identifier: MIT */
/* `sheep info`: what this node is, from its configuration and its folders, without the agent.
 */
#ifndef SHEEP_INFO_H
#define SHEEP_INFO_H

#include "common/buf.h"
#include "common/err.h"
#include "sheep/config.h"

#include <stdbool.h>

MUST_CHECK int info_write(const struct sheep_config *config, bool is_json, struct buf *out,
                          struct err *err);

#endif
