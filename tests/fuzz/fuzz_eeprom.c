/* SPDX-License-Identifier: MIT */
/* Images of a cape's EEPROM: what is taken can be written, and reads back as the same. */
#include "common/eeprom.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t image[EEPROM_IMAGE_SIZE];
    struct eeprom eeprom;
    struct eeprom again;

    if (eeprom_decode(data, size, &eeprom, NULL) < 0) {
        return 0;
    }
    if (eeprom_encode(&eeprom, image, NULL) < 0
        || eeprom_decode(image, sizeof(image), &again, NULL) < 0) {
        abort();
    }
    eeprom.has_trailer = true;
    if (memcmp(&eeprom, &again, sizeof(eeprom)) != 0) {
        abort();
    }
    return 0;
}
