/* SPDX-License-Identifier: MIT */
/* The cape that an image is built for: CAPE is 24 or 25. Another board is another header. */
#ifndef PRU_FW_CAPE_H
#define PRU_FW_CAPE_H

#if CAPE == 24
#    include "pru/fw/cape_24.h"
#elif CAPE == 25
#    include "pru/fw/cape_25.h"
#else
#    error "CAPE names no revision: 24 or 25"
#endif

#endif
