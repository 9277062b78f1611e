/* SPDX-License-Identifier: MIT */
#include "common/units.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NUMBER_TEXT_SIZE = 64,
    MAX_EXPONENT = 10000 /* no double has one */
};

struct scale {
    const char *name;
    int64_t factor;
};

/* Ascending; formatters take the last that divides. */
static const struct scale duration_scales[] = {
    {"ns",   1                           },
    { "us",  1000                        },
    { "ms",  1000LL * 1000               },
    { "s",   1000LL * 1000 * 1000        },
    { "min", 60LL * 1000 * 1000 * 1000   },
    { "h",   3600LL * 1000 * 1000 * 1000 },
    { "d",   86400LL * 1000 * 1000 * 1000},
};

/* Other spellings. */
static const struct scale duration_aliases[] = {
    {"\xC2\xB5s",  1000                     },
    { "\xCE\xBCs", 1000                     },
    { "sec",       1000LL * 1000 * 1000     },
    { "m",         60LL * 1000 * 1000 * 1000},
};

static const struct scale byte_scales[] = {
    {"B",    1        },
    { "KiB", 1LL << 10},
    { "MiB", 1LL << 20},
    { "GiB", 1LL << 30},
    { "TiB", 1LL << 40},
};

static const struct scale byte_aliases[] = {
    {"kB",  1000                       },
    { "KB", 1000                       },
    { "MB", 1000LL * 1000              },
    { "GB", 1000LL * 1000 * 1000       },
    { "TB", 1000LL * 1000 * 1000 * 1000},
};

static int64_t scale_find(const struct scale *scales, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(scales[i].name, name) == 0) {
            return scales[i].factor;
        }
    }
    return 0;
}

/* Splits "1.5 ms" into number and unit; the unit is a loan from text. */
static bool split(const char *text, char number[NUMBER_TEXT_SIZE], const char **unit)
{
    size_t size = strspn(text, "+-0123456789.");

    /* An exponent belongs to the number only when digits follow. */
    if (size > 0 && (text[size] == 'e' || text[size] == 'E')) {
        size_t sign = text[size + 1] == '-' || text[size + 1] == '+' ? 1 : 0;
        size_t digits = strspn(text + size + 1 + sign, "0123456789");

        size += digits > 0 ? 1 + sign + digits : 0;
    }
    if (size == 0 || size >= NUMBER_TEXT_SIZE) {
        return false;
    }
    memcpy(number, text, size);
    number[size] = '\0';
    *unit = text + size + strspn(text + size, " ");
    return true;
}

/* Whole numbers exactly, others through double. */
static enum unit_result scale_signed(const char *number, int64_t factor, int64_t *value)
{
    double real = 0;

    if (text_to_i64(number, value)) {
        return __builtin_mul_overflow(*value, factor, value) ? UNIT_OUT_OF_RANGE : UNIT_OK;
    }
    if (!text_to_f64(number, &real)) {
        return UNIT_NOT_A_NUMBER;
    }
    real = rint(real * (double)factor);
    if (fabs(real) >= 0x1p63) {
        return UNIT_OUT_OF_RANGE;
    }
    *value = (int64_t)real;
    return UNIT_OK;
}

int64_t duration_unit_ns(const char *unit)
{
    int64_t factor = scale_find(duration_scales, ARRAY_LEN(duration_scales), unit);

    return factor != 0 ? factor
                       : scale_find(duration_aliases, ARRAY_LEN(duration_aliases), unit);
}

enum unit_result duration_parse(const char *text, const char *bare_unit, int64_t *ns)
{
    char number[NUMBER_TEXT_SIZE];
    const char *unit = NULL;
    int64_t factor = 0;

    if (!split(text, number, &unit)) {
        return UNIT_NOT_A_NUMBER;
    }
    if (unit[0] == '\0') {
        unit = bare_unit != NULL ? bare_unit : "s";
    }
    factor = duration_unit_ns(unit);
    return factor == 0 ? UNIT_UNKNOWN : scale_signed(number, factor, ns);
}

void duration_format(int64_t ns, struct buf *out)
{
    size_t best = 0;

    for (size_t i = 0; i < ARRAY_LEN(duration_scales) && ns != 0; i++) {
        best = ns % duration_scales[i].factor == 0 ? i : best;
    }
    if (ns == 0) {
        buf_text(out, "0 s");
        return;
    }
    buf_printf(out, "%" PRId64 " %s", ns / duration_scales[best].factor,
               duration_scales[best].name);
}

enum unit_result bytes_parse(const char *text, uint64_t *bytes)
{
    char number[NUMBER_TEXT_SIZE];
    const char *unit = NULL;
    int64_t factor = 1;
    int64_t value = 0;
    enum unit_result result = UNIT_OK;

    if (!split(text, number, &unit)) {
        return UNIT_NOT_A_NUMBER;
    }
    if (unit[0] != '\0') {
        factor = scale_find(byte_scales, ARRAY_LEN(byte_scales), unit);
        factor = factor != 0 ? factor : scale_find(byte_aliases, ARRAY_LEN(byte_aliases), unit);
    }
    if (factor == 0) {
        return UNIT_UNKNOWN;
    }
    if (text_to_u64(number, bytes)) {
        return __builtin_mul_overflow(*bytes, (uint64_t)factor, bytes) ? UNIT_OUT_OF_RANGE
                                                                       : UNIT_OK;
    }
    result = scale_signed(number, factor, &value);
    if (result == UNIT_OK && value < 0) {
        return UNIT_OUT_OF_RANGE;
    }
    *bytes = (uint64_t)value;
    return result;
}

void bytes_format(uint64_t bytes, struct buf *out)
{
    size_t best = 0;

    for (size_t i = 1; i < ARRAY_LEN(byte_scales) && bytes != 0; i++) {
        best = bytes % (uint64_t)byte_scales[i].factor == 0 ? i : best;
    }
    if (best == 0) {
        buf_printf(out, "%" PRIu64, bytes);
    } else {
        buf_printf(out, "%" PRIu64 " %s", bytes / (uint64_t)byte_scales[best].factor,
                   byte_scales[best].name);
    }
}

/* Splits a prefix off a unit of electricity or time: "mV" is 1e-3 and "V". */
static bool prefix_split(const char *unit, int *exponent, const char **base)
{
    static const char *const bases[] = { "V", "A", "Ohm", "F", "s", "As", "W", "Hz" };
    static const struct {
        const char *text;
        int exponent;
    } prefixes[] = {
        {"",          0  },
        { "f",        -15},
        { "p",        -12},
        { "n",        -9 },
        { "u",        -6 },
        { "m",        -3 },
        { "k",        3  },
        { "\xC2\xB5", -6 },
        { "\xCE\xBC", -6 },
        { "M",        6  }
    };

    for (size_t b = 0; b < ARRAY_LEN(bases); b++) {
        for (size_t p = 0; p < ARRAY_LEN(prefixes); p++) {
            size_t size = strlen(prefixes[p].text);

            if (strncmp(unit, prefixes[p].text, size) == 0
                && strcmp(unit + size, bases[b]) == 0) {
                *exponent = prefixes[p].exponent;
                *base = bases[b];
                return true;
            }
        }
    }
    return false;
}

/* Moves the decimal exponent in the text, so that "2.4 V" is exactly the 2400 that "2400" is.
 */
static bool shift_exponent(char number[NUMBER_TEXT_SIZE], int shift)
{
    char *mark = strpbrk(number, "eE");
    long exponent = 0;
    size_t used = strlen(number);

    if (mark != NULL) {
        exponent = strtol(mark + 1, NULL, 10);
        used = (size_t)(mark - number);
    }
    if (exponent < -MAX_EXPONENT || exponent > MAX_EXPONENT) {
        return false;
    }
    exponent += shift;
    return snprintf(number + used, NUMBER_TEXT_SIZE - used, "e%ld", exponent)
           < (int)(NUMBER_TEXT_SIZE - used);
}

enum unit_result quantity_parse(const char *text, const char *unit, double *value)
{
    char number[NUMBER_TEXT_SIZE];
    const char *given = NULL;

    if (!split(text, number, &given)) {
        return UNIT_NOT_A_NUMBER;
    }
    if (given[0] != '\0' && (unit == NULL || strcmp(given, unit) != 0)) {
        const char *base_given = NULL;
        const char *base_wanted = NULL;
        int exponent_given = 0;
        int exponent_wanted = 0;

        if (unit == NULL || !prefix_split(given, &exponent_given, &base_given)
            || !prefix_split(unit, &exponent_wanted, &base_wanted)
            || strcmp(base_given, base_wanted) != 0) {
            return UNIT_UNKNOWN;
        }
        if (!shift_exponent(number, exponent_given - exponent_wanted)) {
            return UNIT_NOT_A_NUMBER;
        }
    }
    return text_to_f64(number, value) ? UNIT_OK : UNIT_NOT_A_NUMBER;
}

void number_format(double value, struct buf *out)
{
    char text[40];

    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    buf_text(out, text);
}
