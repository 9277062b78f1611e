/* SPDX-License-Identifier: MIT */
#include "common/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static enum err_code code_of_errno(int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    case ENOENT:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    case ENOMEM:
        return ERR_MEMORY;
    case EACCES:
    case EPERM:
        return ERR_DENIED;
    default:
        return ERR_SYSTEM;
    }
}

int err_set(struct err *err, enum err_code code, const char *format, ...)
{
    va_list args;

    if (err == NULL) {
        return -1;
    }
    err->code = code;
    va_start(args, format);
    vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    return -1;
}

int err_set_errno(struct err *err, const char *format, ...)
{
    int number = errno;
    char reason[128];
    size_t used = 0;
    va_list args;

    if (err == NULL) {
        return -1;
    }
    err->code = code_of_errno(number);
    va_start(args, format);
    vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    used = strlen(err->text);
    snprintf(err->text + used, sizeof(err->text) - used, ": %s",
             strerror_r(number, reason, sizeof(reason)));
    return -1;
}

int err_prepend(struct err *err, const char *format, ...)
{
    char inner[sizeof(err->text)];
    size_t used = 0;
    va_list args;

    if (err == NULL) {
        return -1;
    }
    memcpy(inner, err->text, sizeof(inner));
    va_start(args, format);
    vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    used = strlen(err->text);
    snprintf(err->text + used, sizeof(err->text) - used, ": %s", inner);
    return -1;
}

const char *err_code_name(enum err_code code)
{
    static const char *const names[N_ERR_CODES] = {
        [ERR_NONE] = "none",
        [ERR_USAGE] = "usage",
        [ERR_INPUT] = "input",
        [ERR_SYSTEM] = "system",
        [ERR_MEMORY] = "memory",
        [ERR_NOT_FOUND] = "not_found",
        [ERR_EXISTS] = "exists",
        [ERR_NO_SPACE] = "no_space",
        [ERR_STATE] = "state",
        [ERR_DENIED] = "denied",
        [ERR_TIMEOUT] = "timeout",
        [ERR_UNREACHABLE] = "unreachable",
        [ERR_CORRUPT] = "corrupt",
        [ERR_HARDWARE] = "hardware",
        [ERR_INTERRUPTED] = "interrupted",
    };

    return code < N_ERR_CODES ? names[code] : "unknown";
}
