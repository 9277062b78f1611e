/* SPDX-License-Identifier: MIT */
/* The monitors' streams of a log (uart, kernel, sheep, ntp, sys_util, ptp, phc2sys, pru_util,
 * system, iio) into their groups. The groups always exist; datasets once there is something to
 * hold. */
#ifndef COMMON_H5_MONITOR_H
#define COMMON_H5_MONITOR_H

#include "common/h5_chunked.h"
#include "common/rlog.h"

#include <stdint.h>

struct h5_monitor;
struct h5_monitor *h5_monitor_create(hid_t file, struct h5_packer *packer, struct err *err);
/* RLOG_TEXT, RLOG_ROW or RLOG_UTIL. What is not of its stream's kind and width is counted and
 * left out; ignored says how many. */
MUST_CHECK int h5_monitor_add(struct h5_monitor *monitor, const struct rlog_record *record,
                              struct err *err);
MUST_CHECK int h5_monitor_finish(struct h5_monitor *monitor, struct err *err);
uint64_t h5_monitor_ignored(const struct h5_monitor *monitor);
void h5_monitor_destroy(struct h5_monitor **monitor);

#endif
