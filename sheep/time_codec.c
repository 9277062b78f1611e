/* SPDX-License-Identifier: MIT */
#include "sheep/time_codec.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static uint64_t load(const uint8_t *at, unsigned n_bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < n_bytes; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

static void store(uint8_t *at, unsigned n_bytes, uint64_t value)
{
    for (unsigned i = 0; i < n_bytes; i++) {
        at[i] = (uint8_t)(value >> (8 * (n_bytes - 1 - i)));
    }
}

/* ---- ptp4l: IEEE 1588-2008, 13.3, 15.4, 15.5; TIME_STATUS_NP as linuxptp has it ---- */

enum {
    PTP_TYPE = 0,
    PTP_VERSION = 1,
    PTP_LENGTH = 2,
    PTP_SEQUENCE = 30,
    PTP_CONTROL = 32,
    PTP_INTERVAL = 33,
    PTP_TARGET = 34, /* clock identity and port: all ones is everybody */
    PTP_TARGET_BYTES = 10,
    PTP_ACTION = 46,
    PTP_TLV = 48,
    PTP_TLV_LENGTH = 50,
    PTP_ID = 52,
    PTP_DATA = 54,
    PTP_MANAGEMENT = 0xD,
    PTP_CONTROL_MANAGEMENT = 4,
    PTP_ACTION_RESPONSE = 2,
    PTP_TLV_MANAGEMENT = 1,
    CURRENT_DATA_SET_BYTES = 18,
    TIME_STATUS_BYTES = 50,
    GM_PRESENT = 38, /* in TIME_STATUS_NP */
    PORT_STATE = 10, /* in PORT_PROPERTIES_NP */
    PORT_STAMPS = 11,
    PORT_PROPERTIES_BYTES = 12,
};

void ptp_encode_get(uint8_t out[PTP_GET_BYTES], enum ptp_id id, uint16_t sequence)
{
    memset(out, 0, PTP_GET_BYTES);
    out[PTP_TYPE] = PTP_MANAGEMENT;
    out[PTP_VERSION] = 2;
    store(out + PTP_LENGTH, 2, PTP_GET_BYTES);
    store(out + PTP_SEQUENCE, 2, sequence);
    out[PTP_CONTROL] = PTP_CONTROL_MANAGEMENT;
    out[PTP_INTERVAL] = 0x7F;
    memset(out + PTP_TARGET, 0xFF, PTP_TARGET_BYTES);
    store(out + PTP_TLV, 2, PTP_TLV_MANAGEMENT);
    store(out + PTP_TLV_LENGTH, 2, 2);
    store(out + PTP_ID, 2, id);
}

/* A TimeInterval: ns times 2^16. */
static int64_t load_interval_ns(const uint8_t *at)
{
    return (int64_t)load(at, 8) / 65536;
}

unsigned ptp_decode(struct ptp_status *status, const uint8_t *bytes, size_t size)
{
    const uint8_t *data = bytes + PTP_DATA;
    size_t length = 0;

    if (size < PTP_DATA || (bytes[PTP_TYPE] & 0xF) != PTP_MANAGEMENT
        || (bytes[PTP_VERSION] & 0xF) != 2 || (bytes[PTP_ACTION] & 0xF) != PTP_ACTION_RESPONSE
        || load(bytes + PTP_TLV, 2) != PTP_TLV_MANAGEMENT) {
        return 0;
    }
    length = load(bytes + PTP_TLV_LENGTH, 2);
    if (length < 2 || length - 2 > size - PTP_DATA) {
        return 0;
    }
    length -= 2;
    switch (load(bytes + PTP_ID, 2)) {
    case PTP_CURRENT_DATA_SET:
        if (length < CURRENT_DATA_SET_BYTES) {
            return 0;
        }
        status->steps_removed = (uint16_t)load(data, 2);
        status->offset_ns = load_interval_ns(data + 2);
        status->path_delay_ns = load_interval_ns(data + 10);
        return PTP_CURRENT_DATA_SET;
    case PTP_TIME_STATUS_NP:
        if (length < TIME_STATUS_BYTES) {
            return 0;
        }
        status->is_gm_present = load(data + GM_PRESENT, 4) != 0;
        return PTP_TIME_STATUS_NP;
    case PTP_PORT_PROPERTIES_NP:
        if (length < PORT_PROPERTIES_BYTES) {
            return 0;
        }
        status->port_state = data[PORT_STATE];
        status->stamps = data[PORT_STAMPS];
        return PTP_PORT_PROPERTIES_NP;
    default:
        return 0;
    }
}

/* ---- chrony: candm.h, protocol version 6 ---- */

enum {
    CANDM_VERSION = 6,
    CANDM_REQUEST = 1,
    CANDM_REPLY = 2,
    CANDM_TRACKING = 33,
    CANDM_TRACKING_REPLY = 5,
    REQUEST_COMMAND = 4,
    REQUEST_SEQUENCE = 8,
    REPLY_COMMAND = 4,
    REPLY_REPLY = 6,
    REPLY_STATUS = 8,
    REPLY_SEQUENCE = 16,
    REPLY_DATA = 28,
    TRACKING_STRATUM = REPLY_DATA + 24, /* behind reference id and its address */
    TRACKING_LEAP = TRACKING_STRATUM + 2,
    TRACKING_OFFSET = TRACKING_LEAP + 2 + 12, /* behind the reference time */
    TRACKING_RMS = TRACKING_OFFSET + 8,
    TRACKING_FREQUENCY = TRACKING_RMS + 4,
    TRACKING_SKEW = TRACKING_FREQUENCY + 8,
    TRACKING_ROOT_DELAY = TRACKING_SKEW + 4,
    TRACKING_ROOT_DISPERSION = TRACKING_ROOT_DELAY + 4,
    FLOAT_COEFFICIENT_BITS = 25,
};

void chrony_encode_tracking(uint8_t out[CHRONY_REQUEST_BYTES], uint32_t sequence)
{
    memset(out, 0, CHRONY_REQUEST_BYTES);
    out[0] = CANDM_VERSION;
    out[1] = CANDM_REQUEST;
    store(out + REQUEST_COMMAND, 2, CANDM_TRACKING);
    store(out + REQUEST_SEQUENCE, 4, sequence);
}

/* A number of 7 bits exponent and 25 bits coefficient, both signed: coefficient * 2^(exponent -
 * 25). */
static double load_float(const uint8_t *at)
{
    uint32_t bits = (uint32_t)load(at, 4);
    int exponent = (int)(bits >> FLOAT_COEFFICIENT_BITS);
    int coefficient = (int)(bits & ((1u << FLOAT_COEFFICIENT_BITS) - 1));
    double value = 0;

    exponent = (exponent < 64 ? exponent : exponent - 128) - FLOAT_COEFFICIENT_BITS;
    coefficient = coefficient < 1 << (FLOAT_COEFFICIENT_BITS - 1)
                      ? coefficient
                      : coefficient - (1 << FLOAT_COEFFICIENT_BITS);
    value = coefficient;
    for (; exponent > 0; exponent--) {
        value *= 2;
    }
    for (; exponent < 0; exponent++) {
        value /= 2;
    }
    return value;
}

bool chrony_decode_tracking(struct chrony_tracking *tracking, uint32_t sequence,
                            const uint8_t *bytes, size_t size)
{
    if (size < CHRONY_REQUEST_BYTES || bytes[0] != CANDM_VERSION || bytes[1] != CANDM_REPLY
        || load(bytes + REPLY_COMMAND, 2) != CANDM_TRACKING
        || load(bytes + REPLY_REPLY, 2) != CANDM_TRACKING_REPLY
        || load(bytes + REPLY_STATUS, 2) != 0 || load(bytes + REPLY_SEQUENCE, 4) != sequence) {
        return false;
    }
    tracking->stratum = (unsigned)load(bytes + TRACKING_STRATUM, 2);
    tracking->leap = (unsigned)load(bytes + TRACKING_LEAP, 2);
    /* It has the correction that is still to come; the clock is off by its opposite. */
    tracking->offset_s = -load_float(bytes + TRACKING_OFFSET);
    tracking->rms_s = load_float(bytes + TRACKING_RMS);
    tracking->frequency_ppm = load_float(bytes + TRACKING_FREQUENCY);
    tracking->skew_ppm = load_float(bytes + TRACKING_SKEW);
    tracking->root_delay_s = load_float(bytes + TRACKING_ROOT_DELAY);
    tracking->root_dispersion_s = load_float(bytes + TRACKING_ROOT_DISPERSION);
    return true;
}

/* ---- phc2sys ---- */

/* The number behind " word ". */
static bool number_behind(const char *line, const char *word, int64_t *value)
{
    const char *at = strstr(line, word);
    char *end = NULL;

    if (at == NULL) {
        return false;
    }
    at += strlen(word);
    errno = 0;
    *value = strtoll(at, &end, 10);
    return errno == 0 && end != at && (*end == ' ' || *end == '\n' || *end == '\0');
}

bool phc2sys_parse(struct phc2sys_line *parsed, const char *line)
{
    parsed->delay_ns = 0;
    /* The reading of a PPS has no delay. */
    (void)number_behind(line, " delay ", &parsed->delay_ns);
    return number_behind(line, " offset ", &parsed->offset_ns)
           && number_behind(line, " freq ", &parsed->frequency_ppb);
}
