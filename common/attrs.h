/* SPDX-License-Identifier: MIT */
/* Compiler attributes that the project uses, in one place. */
#ifndef COMMON_ATTRS_H
#define COMMON_ATTRS_H

#define MUST_CHECK              __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define ARRAY_LEN(array)        (sizeof(array) / sizeof((array)[0]))

#endif
