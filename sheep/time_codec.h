/* SPDX-License-Identifier: MIT */
/* What clock daemons say, byte by byte: PTP management messages (IEEE 1588-2008, clause 15, and
 * linuxptp's TIME_STATUS_NP), chrony's command protocol version 6 (its candm.h) and the lines
 * that phc2sys logs. Pure: no sockets; what comes is checked, never trusted. */
#ifndef SHEEP_TIME_CODEC_H
#define SHEEP_TIME_CODEC_H

#include "common/attrs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TIME_MESSAGE_MAX = 1500,
    PTP_GET_BYTES = 54,
    CHRONY_REQUEST_BYTES = 104, /* as long as the answer, so that it cannot amplify */
};

/* ---- ptp4l ---- */

enum ptp_id {
    PTP_CURRENT_DATA_SET = 0x2001,   /* offset, path delay */
    PTP_TIME_STATUS_NP = 0xC000,     /* whether there is a grandmaster */
    PTP_PORT_PROPERTIES_NP = 0xC004, /* of each port: its state, how it stamps */
};

enum {
    PTP_PORT_SLAVE = 9,     /* IEEE 1588-2008, table 8 */
    PTP_STAMPS_SOFTWARE = 0 /* linuxptp's enum timestamp_type; all others are hardware */
};

struct ptp_status {
    int64_t offset_ns; /* from the master */
    int64_t path_delay_ns;
    uint16_t steps_removed; /* 0: it is itself the master */
    bool is_gm_present;
    uint8_t port_state; /* of the port that answered last */
    uint8_t stamps;
};

/* Writes a GET of the data set, for whom it reaches and nobody behind (no boundary hops: a
 * master on the network would answer too). */
void ptp_encode_get(uint8_t out[PTP_GET_BYTES], enum ptp_id id, uint16_t sequence);

/* Takes an answer into *status and tells which data set it was; 0: no answer of that kind. */
unsigned ptp_decode(struct ptp_status *status, const uint8_t *bytes, size_t size);

/* ---- chrony ---- */

struct chrony_tracking {
    unsigned stratum; /* 0: not synchronised */
    unsigned leap;    /* 3: not synchronised */
    double offset_s;  /* of the system clock, + is fast */
    double rms_s;
    double frequency_ppm;
    double skew_ppm;
    double root_delay_s;
    double root_dispersion_s;
};

/* Asks for "tracking". */
void chrony_encode_tracking(uint8_t out[CHRONY_REQUEST_BYTES], uint32_t sequence);
bool chrony_decode_tracking(struct chrony_tracking *tracking, uint32_t sequence,
                            const uint8_t *bytes, size_t size);

/* ---- phc2sys ---- */

struct phc2sys_line {
    int64_t offset_ns;
    int64_t frequency_ppb;
    int64_t delay_ns;
};

/* "phc2sys[21.5]: CLOCK_REALTIME phc offset -12 s2 freq +345 delay 678" */
bool phc2sys_parse(struct phc2sys_line *parsed, const char *line);

#endif
