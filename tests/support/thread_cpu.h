/* SPDX-License-Identifier: MIT */
/* Time on a processor by thread, from /proc; ends the program where there is none. */
#ifndef TESTS_SUPPORT_THREAD_CPU_H
#define TESTS_SUPPORT_THREAD_CPU_H

#include <stdint.h>

/* Nanoseconds of this process's threads whose name is not `except`; of those that live. */
int64_t thread_cpu_ns(const char *except);

#endif
