/* SPDX-License-Identifier: MIT */
/* Channels of industrial I/O devices, where the node has such (the kernel's
 * Documentation/ABI/testing/sysfs-bus-iio): each a channel of the stream iio, read once per
 * interval and stamped in the middle of its reading. */
#ifndef SHEEP_MONITOR_IIO_H
#define SHEEP_MONITOR_IIO_H

#include "sheep/monitor.h"

struct monitor_iio;
/* `root` as in monitor_system.h. NULL with ERR_NOT_FOUND: there is no such device. */
struct monitor_iio *monitor_iio_create(const char *root, const struct monitor_out *out,
                                       struct err *err);
void monitor_iio_sample(struct monitor_iio *iio);
void monitor_iio_destroy(struct monitor_iio **iio);

#endif
