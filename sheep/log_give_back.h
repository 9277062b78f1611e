/* SPDX-License-Identifier: MIT */
/* A log in memory gives its segments back, one by one, once whoever follows it has them
 * durably: they become holes, so that sizes and places stay what they were. What is given back
 * cannot be had from this node again, and the log cannot be recovered any more. */
#ifndef SHEEP_LOG_GIVE_BACK_H
#define SHEEP_LOG_GIVE_BACK_H

#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Segments [from, upto) of the log in the folder. */
MUST_CHECK int log_give_back(const char *folder, uint32_t from, uint32_t upto, struct err *err);

/* The segment is there, and a hole from its header on. */
bool log_is_given_back(const char *folder, uint32_t segment);

#endif
