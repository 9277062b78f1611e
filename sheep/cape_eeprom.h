/* SPDX-License-Identifier: MIT */
/* The calibration in a cape's EEPROM, read into and written from a file. */
#ifndef SHEEP_CAPE_EEPROM_H
#define SHEEP_CAPE_EEPROM_H

#include "common/buf.h"
#include "common/err.h"

/* A file of calibration (common/calibration.h), with the cape's labels as comments. */
MUST_CHECK int cape_eeprom_read(const char *path, struct buf *yaml, struct err *err);

struct cape_labels {
    const char *serial; /* NULL: as it is there, or none */
    const char *version;
};

/* Writes a file of calibration; what else the image says about the cape stays, when there is a
 * sound one, but for the date, which is today's. Nominal values are refused. */
MUST_CHECK int cape_eeprom_write(const char *path, const char *calibration,
                                 const struct cape_labels *labels, struct err *err);

#endif
