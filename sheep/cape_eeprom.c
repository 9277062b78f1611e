/* SPDX-License-Identifier: MIT */
#include "sheep/cape_eeprom.h"

#include "common/calibration.h"
#include "common/eeprom.h"
#include "common/schema.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

int cape_eeprom_read(const char *path, struct buf *yaml, struct err *err)
{
    struct eeprom eeprom;

    if (eeprom_read(path, &eeprom, err) < 0) {
        return -1;
    }
    buf_printf(yaml, "# %s, version %s, revision %s, %s, part %s\n", eeprom.board_name,
               eeprom.version, eeprom.revision, eeprom.manufacturer, eeprom.part_number);
    buf_printf(yaml, "# serial %s, calibrated %s, %s\n", eeprom.serial, eeprom.cal_date,
               eeprom.has_trailer ? "checksum right" : "no checksum: another tool's image");
    schema_encode(&calibration_schema, &eeprom.calibration, yaml, 0);
    return 0;
}

static int set_text(char *text, size_t size, const char *name, const char *value,
                    struct err *err)
{
    if (value == NULL) {
        return 0;
    }
    if ((size_t)snprintf(text, size, "%s", value) >= size) {
        return err_set(err, ERR_INPUT, "%s '%s' is longer than %zu letters", name, value,
                       size - 1);
    }
    return 0;
}

static void set_date(struct eeprom *eeprom)
{
    time_t now = time(NULL);
    struct tm date;

    if (gmtime_r(&now, &date) == NULL
        || strftime(eeprom->cal_date, sizeof(eeprom->cal_date), "%Y-%m-%d", &date) == 0) {
        eeprom->cal_date[0] = '\0';
    }
}

int cape_eeprom_write(const char *path, const char *calibration,
                      const struct cape_labels *labels, struct err *err)
{
    static const struct eeprom unknown = {
        .revision = "A2",
        .board_name = "BeagleBone SHEPHERD2 Cape",
        .version = "24B0",
        .part_number = "BB-SHPRD",
    };
    struct eeprom eeprom;
    struct err none = { 0 };

    if (eeprom_read(path, &eeprom, &none) < 0) {
        eeprom = unknown;
    }
    if (calibration_load(&eeprom.calibration, calibration, err) < 0
        || set_text(eeprom.serial, sizeof(eeprom.serial), "serial", labels->serial, err) < 0
        || set_text(eeprom.version, sizeof(eeprom.version), "version", labels->version, err)
               < 0) {
        return -1;
    }
    if (eeprom.calibration.is_default) {
        return err_set(err, ERR_INPUT, "%s: nominal values are no calibration", calibration);
    }
    set_date(&eeprom);
    return eeprom_write(path, &eeprom, err);
}
