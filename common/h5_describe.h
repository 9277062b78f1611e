/* SPDX-License-Identifier: MIT */
/* The attributes of a recording's root and /data: what it is, where it comes from, how it went.
 */
#ifndef COMMON_H5_DESCRIBE_H
#define COMMON_H5_DESCRIBE_H

#include "common/h5_build.h"
#include "common/h5_util.h"

/* Root and /data, from the manifest. */
MUST_CHECK int h5_describe_begin(hid_t file, const struct rlog_manifest *manifest,
                                 struct err *err);
/* /sync, from the START record. */
MUST_CHECK int h5_describe_start(hid_t file, const struct rlog_start *start, struct err *err);
/* Root and /sync, once everything is known. */
MUST_CHECK int h5_describe_end(hid_t file, const struct rlog_end *end,
                               const struct h5_summary *summary,
                               const struct h5_evidence *evidence, struct err *err);

/* A text that h5_describe_end wrote (verdict, remarks, manifest), as it was before. */
void h5_read_free_text(hid_t object, const char *name, char *text, size_t size);

const char *h5_end_reason_name(uint32_t reason);

#endif
