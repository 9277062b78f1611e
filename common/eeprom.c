/* SPDX-License-Identifier: MIT */
#include "common/eeprom.h"

#include "common/crc32c.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const uint8_t HEADER_MAGIC[4] = { 0xAA, 0x55, 0x33, 0xEE };
static const uint8_t TRAILER_MAGIC[4] = { 'B', 'W', 'C', 'T' };

enum {
    VERSION_OFFSET = 644,
    CRC_OFFSET = 648
};

struct text_field {
    size_t image_offset;
    size_t size; /* in the image; one more in the struct */
    size_t offset;
    const char *name;
};

static const struct text_field texts[] = {
    {4,   2,  offsetof(struct eeprom, revision),     "revision"           },
    { 6,  32, offsetof(struct eeprom, board_name),   "board name"         },
    { 38, 4,  offsetof(struct eeprom, version),      "version"            },
    { 42, 16, offsetof(struct eeprom, manufacturer), "manufacturer"       },
    { 58, 16, offsetof(struct eeprom, part_number),  "part number"        },
    { 76, 12, offsetof(struct eeprom, serial),       "serial number"      },
    { 88, 12, offsetof(struct eeprom, cal_date),     "date of calibration"},
};

static const size_t channel_offsets[] = {
    offsetof(struct calibration, hrv_dac_V),   offsetof(struct calibration, hrv_dac_V_sim),
    offsetof(struct calibration, hrv_adc_V),   offsetof(struct calibration, hrv_adc_I),
    offsetof(struct calibration, emu_dac_V_A), offsetof(struct calibration, emu_dac_V_B),
    offsetof(struct calibration, emu_adc_I_A), offsetof(struct calibration, emu_adc_I_B),
};

static double get_double(const uint8_t *at)
{
    uint64_t bits = 0;
    double value = 0;

    memcpy(&bits, at, sizeof(bits));
    bits = be64toh(bits);
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static void put_double(uint8_t *at, double value)
{
    uint64_t bits = 0;

    memcpy(&bits, &value, sizeof(bits));
    bits = htobe64(bits);
    memcpy(at, &bits, sizeof(bits));
}

static uint16_t get_u16(const uint8_t *at)
{
    return (uint16_t)((unsigned)at[0] << 8 | at[1]);
}

static uint32_t get_u32(const uint8_t *at)
{
    return (uint32_t)get_u16(at) << 16 | get_u16(at + 2);
}

/* Printable ASCII, then padding: NUL, blanks, or what an erased cell holds. */
static int decode_text(const struct text_field *field, const uint8_t *image, char *text,
                       struct err *err)
{
    size_t used = field->size;

    memcpy(text, image + field->image_offset, field->size);
    while (used > 0
           && (text[used - 1] == '\0' || text[used - 1] == ' '
               || (uint8_t)text[used - 1] == 0xFF)) {
        used--;
    }
    memset(text + used, 0, field->size + 1 - used);
    for (size_t i = 0; i < used; i++) {
        if (text[i] < ' ' || text[i] > '~') {
            return err_set(err, ERR_CORRUPT, "EEPROM: %s is no text", field->name);
        }
    }
    return 0;
}

static int check_trailer(const uint8_t *image, size_t size, bool *has_trailer, struct err *err)
{
    uint32_t crc = 0;

    *has_trailer = size >= EEPROM_IMAGE_SIZE
                   && memcmp(image + EEPROM_TRAILER_OFFSET, TRAILER_MAGIC, 4) == 0;
    if (!*has_trailer) {
        return 0;
    }
    crc = crc32c(0, image, CRC_OFFSET);
    if (get_u32(image + CRC_OFFSET) != crc) {
        return err_set(
            err, ERR_CORRUPT,
            "EEPROM: CRC-32C is %08x, the trailer says %08x; damaged, or rewritten by "
            "a tool that does not know the trailer",
            crc, get_u32(image + CRC_OFFSET));
    }
    if (get_u16(image + VERSION_OFFSET) != EEPROM_TRAILER_VERSION) {
        return err_set(err, ERR_CORRUPT, "EEPROM: trailer of version %u, known is %d",
                       (unsigned)get_u16(image + VERSION_OFFSET), EEPROM_TRAILER_VERSION);
    }
    return 0;
}

int eeprom_decode(const void *image, size_t size, struct eeprom *eeprom, struct err *err)
{
    const uint8_t *bytes = image;

    *eeprom = (struct eeprom){ .has_trailer = false };
    if (size < EEPROM_TRAILER_OFFSET) {
        return err_set(err, ERR_NOT_FOUND, "EEPROM: %zu bytes are no image of a cape", size);
    }
    if (memcmp(bytes, HEADER_MAGIC, sizeof(HEADER_MAGIC)) != 0) {
        return err_set(err, ERR_NOT_FOUND, "EEPROM: erased, or not of a cape");
    }
    if (check_trailer(bytes, size, &eeprom->has_trailer, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (decode_text(&texts[i], bytes, (char *)eeprom + texts[i].offset, err) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(channel_offsets); i++) {
        const uint8_t *at = bytes + EEPROM_CAL_OFFSET + i * 2 * sizeof(double);
        struct cal_channel channel = { .gain = get_double(at),
                                       .offset = get_double(at + sizeof(double)) };

        memcpy((char *)&eeprom->calibration + channel_offsets[i], &channel, sizeof(channel));
    }
    if (calibration_check(&eeprom->calibration, err) < 0) {
        return err_prepend(err, "EEPROM");
    }
    return 0;
}

int eeprom_encode(const struct eeprom *eeprom, uint8_t image[EEPROM_IMAGE_SIZE],
                  struct err *err)
{
    struct eeprom again;
    uint32_t crc = 0;

    memset(image, 0, EEPROM_IMAGE_SIZE);
    memcpy(image, HEADER_MAGIC, sizeof(HEADER_MAGIC));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const char *text = (const char *)eeprom + texts[i].offset;

        memcpy(image + texts[i].image_offset, text, strnlen(text, texts[i].size));
    }
    for (size_t i = 0; i < ARRAY_LEN(channel_offsets); i++) {
        uint8_t *at = image + EEPROM_CAL_OFFSET + i * 2 * sizeof(double);
        struct cal_channel channel;

        memcpy(&channel, (const char *)&eeprom->calibration + channel_offsets[i],
               sizeof(channel));
        put_double(at, channel.gain);
        put_double(at + sizeof(double), channel.offset);
    }
    memcpy(image + EEPROM_TRAILER_OFFSET, TRAILER_MAGIC, sizeof(TRAILER_MAGIC));
    image[VERSION_OFFSET + 1] = EEPROM_TRAILER_VERSION;
    crc = htobe32(crc32c(0, image, CRC_OFFSET));
    memcpy(image + CRC_OFFSET, &crc, sizeof(crc));
    return eeprom_decode(image, EEPROM_IMAGE_SIZE, &again, err);
}

/* Reads up to size bytes from the start; the count, or -1. */
static ssize_t read_start(int fd, uint8_t *data, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t n = pread(fd, data + done, size - done, (off_t)done);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        if (n == 0) {
            break;
        }
        done += (size_t)n;
    }
    return (ssize_t)done;
}

int eeprom_read(const char *path, struct eeprom *eeprom, struct err *err)
{
    uint8_t image[EEPROM_IMAGE_SIZE];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = 0;

    if (fd < 0) {
        return err_set_errno(err, "%s", path);
    }
    size = read_start(fd, image, sizeof(image));
    if (size < 0) {
        err_set_errno(err, "%s", path);
        close(fd);
        return -1;
    }
    close(fd);
    if (eeprom_decode(image, (size_t)size, eeprom, err) < 0) {
        return err_prepend(err, "%s", path);
    }
    return 0;
}

static int write_image(int fd, const uint8_t image[EEPROM_IMAGE_SIZE])
{
    size_t done = 0;

    while (done < EEPROM_IMAGE_SIZE) {
        ssize_t n = pwrite(fd, image + done, EEPROM_IMAGE_SIZE - done, (off_t)done);

        if (n <= 0 && errno != EINTR) {
            return -1;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return fsync(fd);
}

int eeprom_write(const char *path, const struct eeprom *eeprom, struct err *err)
{
    uint8_t image[EEPROM_IMAGE_SIZE];
    uint8_t again[EEPROM_IMAGE_SIZE];
    int status = 0;
    int fd = -1;

    if (eeprom_encode(eeprom, image, err) < 0) {
        return err_prepend(err, "%s", path);
    }
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        return err_set_errno(err, "%s", path);
    }
    if (write_image(fd, image) < 0) {
        status = err_set_errno(err, "%s", path);
    } else if (read_start(fd, again, sizeof(again)) != EEPROM_IMAGE_SIZE
               || memcmp(image, again, sizeof(image)) != 0) {
        status = err_set(err, ERR_HARDWARE, "%s: does not read back as it was written", path);
    }
    close(fd);
    return status;
}
