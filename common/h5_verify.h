/* SPDX-License-Identifier: MIT */
/* The proof of a recording's file, inside the process: for tests, and for those who are in a
 * process of their own already. Others call h5_verify(). */
#ifndef COMMON_H5_VERIFY_H
#define COMMON_H5_VERIFY_H

#include "common/h5_build.h"

MUST_CHECK int h5_verify_here(const char *path, struct h5_summary *summary, struct err *err);

/* What the attributes say, without a proof. */
MUST_CHECK int h5_read_summary(const char *path, struct h5_summary *summary, struct err *err);

#endif
