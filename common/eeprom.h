/* SPDX-License-Identifier: MIT */
/* The image in a cape's EEPROM: who it is, and its calibration. Shepherd's layout (all numbers
 * big-endian), followed by a trailer of our own:
 *
 *     0   4  magic AA 55 33 EE          76  12  serial number
 *     4   2  revision of the header     88  12  date of the calibration
 *     6  32  board name                512 128  16 doubles: gain and offset of harvester
 *    38   4  version of the board               dac_V_Hrv, dac_V_Sim, adc_V_Sense, adc_C_Hrv,
 *    42  16  manufacturer                       emulator dac_V_A, dac_V_B, adc_C_A, adc_C_B
 *    58  16  part number              640   4  "BWCT"   644  2  version 1   646  2  zero
 *                                     648   4  CRC-32C of bytes 0 to 647    652  4  zero
 *
 * Texts are padded with NUL. */
#ifndef COMMON_EEPROM_H
#define COMMON_EEPROM_H

#include "common/attrs.h"
#include "common/calibration.h"
#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    EEPROM_CAL_OFFSET = 512,
    EEPROM_TRAILER_OFFSET = 640,
    EEPROM_IMAGE_SIZE = 656,
    EEPROM_TRAILER_VERSION = 1
};

struct eeprom {
    char revision[3];
    char board_name[33];
    char version[5];
    char manufacturer[17];
    char part_number[17];
    char serial[13];
    char cal_date[13];
    bool has_trailer; /* after decoding: false for an image that another tool wrote */
    struct calibration calibration;
};

/* ERR_NOT_FOUND: erased or no cape's image. ERR_CORRUPT: the trailer's sum does not fit, or is
 * of a version that is not known. ERR_INPUT: the calibration is not plausible
 * (calibration_check). An image without our trailer is taken if it is plausible. */
MUST_CHECK int eeprom_decode(const void *image, size_t size, struct eeprom *eeprom,
                             struct err *err);

/* Always with a trailer. Refuses what decode would refuse. */
MUST_CHECK int eeprom_encode(const struct eeprom *eeprom, uint8_t image[EEPROM_IMAGE_SIZE],
                             struct err *err);

/* Files and the kernel's EEPROM nodes; write replaces the first EEPROM_IMAGE_SIZE bytes in
 * place and reads them back. */
MUST_CHECK int eeprom_read(const char *path, struct eeprom *eeprom, struct err *err);
MUST_CHECK int eeprom_write(const char *path, const struct eeprom *eeprom, struct err *err);

#endif
