/* SPDX-License-Identifier: MIT */
/* The error value: what went wrong, in one sentence for a person, and a code for the program.
 */
#ifndef COMMON_ERR_H
#define COMMON_ERR_H

#include "common/attrs.h"

enum err_code {
    ERR_NONE = 0,
    ERR_USAGE,       /* the command line */
    ERR_INPUT,       /* a file, a frame or a value that is wrong */
    ERR_SYSTEM,      /* the operating system said no; the text holds strerror */
    ERR_MEMORY,      /* allocation failed */
    ERR_NOT_FOUND,   /* a name that nothing answers to */
    ERR_EXISTS,      /* a name that is taken */
    ERR_NO_SPACE,    /* disk or buffer too small */
    ERR_STATE,       /* not possible now */
    ERR_DENIED,      /* key, role or permission */
    ERR_TIMEOUT,     /* nobody answered in time */
    ERR_UNREACHABLE, /* nobody is there */
    ERR_CORRUPT,     /* stored data whose checksum or structure is broken */
    ERR_HARDWARE,    /* board, PRU or converter */
    ERR_INTERRUPTED, /* the user or a signal ended it */
    N_ERR_CODES,
};

struct err {
    enum err_code code;
    char text[1000];
};

/* Sets code and text; always returns -1, so that it fits into a return. err may be NULL. */
int err_set(struct err *err, enum err_code code, const char *format, ...) PRINTF_LIKE(3, 4);

/* As err_set with ERR_SYSTEM (ENOSPC becomes ERR_NO_SPACE, ENOENT ERR_NOT_FOUND, EEXIST
 * ERR_EXISTS, ENOMEM ERR_MEMORY) and ": strerror(errno)" behind the text. */
int err_set_errno(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* Puts "text: " in front of what is there and keeps the code; returns -1. */
int err_prepend(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* The name of a code in lower case, for --json; never NULL. */
const char *err_code_name(enum err_code code);

#endif
