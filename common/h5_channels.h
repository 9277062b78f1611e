/* SPDX-License-Identifier: MIT */
/* Named channels of a log (common/channel.h) into GROUP/NAME/time and GROUP/NAME/value. */
#ifndef COMMON_H5_CHANNELS_H
#define COMMON_H5_CHANNELS_H

#include "common/h5_chunked.h"
#include "common/rlog.h"

#include <stdbool.h>

struct h5_channels;

/* The group exists; it is copied. `packer` and `file` are loans until destroy. */
struct h5_channels *h5_channels_create(hid_t file, struct h5_packer *packer, const char *group,
                                       struct err *err);

/* RLOG_TEXT or RLOG_ROW. *is_taken is false when some of it has no meaning: a text that is no
 * channel, or another meaning of a name that is taken; a value of a number without a name. */
MUST_CHECK int h5_channels_add(struct h5_channels *channels, const struct rlog_record *record,
                               bool *is_taken, struct err *err);
MUST_CHECK int h5_channels_finish(struct h5_channels *channels, struct err *err);
void h5_channels_destroy(struct h5_channels **channels);

#endif
