/* SPDX-License-Identifier: MIT */
#include "sheep/monitor_iio.h"

#include "sheep/channel_files.h"

#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char DEVICES[] = "/sys/bus/iio/devices";
static const double MICRO = 1e-6;

struct monitor_iio {
    struct channel_files files;
};

/* (raw + offset) * scale is in the kernel's unit, which is gain of ours. */
struct quantity {
    const char *prefix;
    const char *unit;
    double gain;
};

static const struct quantity *find_quantity(const char *name)
{
    static const struct quantity QUANTITIES[] = {
        {"voltage",           "V",       1e-3},
        { "altvoltage",       "V",       1e-3},
        { "current",          "A",       1e-3},
        { "power",            "W",       1e-3},
        { "temp",             "degC",    1e-3},
        { "humidityrelative", "percent", 1e-3},
        { "pressure",         "Pa",      1e3 },
        { "resistance",       "Ohm",     1   },
        { "illuminance",      "lx",      1   },
        { "accel",            "m/s^2",   1   },
        { "anglvel",          "rad/s",   1   },
        { "magn",             "G",       1   },
        { "distance",         "m",       1   },
        { "proximity",        "n",       1   },
        { "",                 "n",       1   },
    };
    size_t i = 0;

    while (strncmp(name, QUANTITIES[i].prefix, strlen(QUANTITIES[i].prefix)) != 0) {
        i++; /* the last one fits all */
    }
    return &QUANTITIES[i];
}

static bool read_number(const char *path, double *value)
{
    char text[CHANNEL_FILE_BYTES];
    char *end = NULL;
    double number = 0;

    if (!channel_file_text(path, text)) {
        return false;
    }
    number = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(number)) {
        return false;
    }
    *value = number;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void drop_digits(char *name)
{
    char *to = name;

    for (const char *at = name; *at != '\0'; at++) {
        if (!is_digit(*at)) {
            *to++ = *at;
        }
    }
    *to = '\0';
}

/* A number for a channel or for all of its kind: of voltage0 in in_voltage0_scale, else
 * in_voltage_scale; of accel_x in in_accel_x_scale, else in_accel_scale. */
static bool find_number(const char *folder, const char *channel, const char *what,
                        double *value)
{
    char name[CHANNEL_NAME_SIZE];
    char path[PATH_SIZE + 128];

    snprintf(name, sizeof(name), "%s", channel);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/in_%s_%s", folder, name, what);
        if (read_number(path, value)) {
            return true;
        }
        if (i == 0) {
            drop_digits(name);
        } else {
            name[strcspn(name, "_-")] = '\0'; /* its modifier, or its difference's other end */
        }
    }
    return false;
}

/* "/sys/.../iio:device0/in_voltage0_raw": folder, and "voltage0". */
static bool split(const char *path, const char *suffix, char folder[PATH_SIZE],
                  char name[CHANNEL_NAME_SIZE])
{
    const char *slash = strrchr(path, '/');
    size_t length = strlen(slash) - strlen("/in_") - strlen(suffix);

    if (slash - path >= PATH_SIZE || length >= CHANNEL_NAME_SIZE) {
        return false;
    }
    snprintf(folder, PATH_SIZE, "%.*s", (int)(slash - path), path);
    snprintf(name, CHANNEL_NAME_SIZE, "%.*s", (int)length, slash + strlen("/in_"));
    return true;
}

static void add_file(struct monitor_iio *iio, const char *path, const char *suffix)
{
    bool is_raw = strcmp(suffix, "_raw") == 0;
    struct channel channel = { .gain = 1 };
    const struct quantity *quantity = NULL;
    char folder[PATH_SIZE];
    char name[CHANNEL_NAME_SIZE];
    char other[PATH_SIZE + 64];
    char device[CHANNEL_FILE_BYTES];
    double offset = 0;

    if (!split(path, suffix, folder, name)) {
        return;
    }
    snprintf(other, sizeof(other), "%s/in_%s_raw", folder, name);
    if (!is_raw && access(other, R_OK) == 0) {
        return;
    }
    quantity = find_quantity(name);
    if (!is_raw) {
        channel.gain = MICRO * quantity->gain;
    } else if (find_number(folder, name, "scale", &channel.gain)) {
        channel.gain *= quantity->gain;
        if (find_number(folder, name, "offset", &offset)) {
            channel.offset = offset * channel.gain;
        }
    } else {
        quantity = find_quantity("?"); /* counts of the converter */
    }
    snprintf(channel.unit, sizeof(channel.unit), "%s", quantity->unit);
    snprintf(other, sizeof(other), "%s/name", folder);
    if (!channel_file_text(other, device)) {
        snprintf(device, sizeof(device), "%s", strrchr(folder, '/') + 1);
    }
    channel_set_name(&channel, device, name);
    (void)channel_files_add(&iio->files, &channel, path,
                            is_raw ? NUMBER_INTEGER : NUMBER_MICRO);
}

static void find_files(struct monitor_iio *iio, const char *root, const char *suffix)
{
    char pattern[PATH_SIZE + 128];
    glob_t found = { 0 };

    snprintf(pattern, sizeof(pattern), "%s%s/iio:device*/in_*%s", root, DEVICES, suffix);
    // NOLINTNEXTLINE(concurrency-mt-unsafe): it is, without '~' in the pattern
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            add_file(iio, found.gl_pathv[i], suffix);
        }
    }
    globfree(&found);
}

struct monitor_iio *monitor_iio_create(const char *root, const struct monitor_out *out,
                                       struct err *err)
{
    struct monitor_iio *iio = calloc(1, sizeof(*iio));

    if (iio == NULL) {
        err_set(err, ERR_MEMORY, "monitor iio");
        return NULL;
    }
    channel_files_init(&iio->files, "iio", RLOG_STREAM_IIO, out);
    find_files(iio, root, "_raw");
    find_files(iio, root, "_input");
    if (iio->files.n_files == 0) {
        err_set(err, ERR_NOT_FOUND, "no sensor in %s", DEVICES);
        monitor_iio_destroy(&iio);
        return NULL;
    }
    return iio;
}

void monitor_iio_destroy(struct monitor_iio **iio)
{
    if (*iio == NULL) {
        return;
    }
    channel_files_fini(&(*iio)->files);
    free(*iio);
    *iio = NULL;
}

/* A conversion may take milliseconds: each has a stamp of its own. */
void monitor_iio_sample(struct monitor_iio *iio)
{
    struct channel_files *files = &iio->files;

    for (size_t i = 0; i < files->n_files; i++) {
        int64_t before_ns = clock_utc(&files->out.clock);
        int64_t value = 0;

        if (channel_files_read(files, i, &value)) {
            int64_t utc_ns = before_ns + (clock_utc(&files->out.clock) - before_ns) / 2;

            channel_files_put(files, utc_ns, i, value);
            channel_files_flush(files, utc_ns);
        }
    }
}
