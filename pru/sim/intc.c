/* SPDX-License-Identifier: MIT */
#include "pru/sim/intc.h"

#include <string.h>

enum intc_offset {
    REVISION = 0x000,
    GLOBAL_ENABLE = 0x010,
    SET_INDEX = 0x020,
    CLEAR_INDEX = 0x024,
    ENABLE_INDEX = 0x028,
    DISABLE_INDEX = 0x02C,
    HOST_ENABLE_INDEX = 0x034,
    HOST_DISABLE_INDEX = 0x038,
    FIRST_PENDING = 0x080, /* GPIR */
    RAW_SET = 0x200,       /* SRSR0, 1 */
    PENDING_CLEAR = 0x280, /* SECR0, 1 */
    ENABLE_SET = 0x300,
    ENABLE_CLEAR = 0x380,
    CHANNEL_MAP = 0x400,  /* CMR0..15, one byte an event */
    HOST_MAP = 0x800,     /* HMR0..2, one byte a channel */
    HOST_PENDING = 0x900, /* HIPIR0..9 */
    HOST_ENABLE = 0x1500,
};

static const uint32_t NONE_PENDING = 0x80000000u;

void intc_reset(struct intc *intc)
{
    memset(intc, 0, sizeof(*intc));
}

void intc_raise(struct intc *intc, unsigned event)
{
    if (event < INTC_EVENTS) {
        intc->raw |= 1ull << event;
    }
}

static unsigned host_of_event(const struct intc *intc, unsigned event)
{
    unsigned channel = intc->channel_of[event] & 0xFu;

    return channel < INTC_CHANNELS ? intc->host_of[channel] & 0xFu : INTC_HOSTS;
}

uint32_t intc_lines(const struct intc *intc)
{
    uint64_t pending = intc->is_on != 0 ? intc->raw & intc->enabled : 0;
    uint32_t lines = 0;

    while (pending != 0) {
        unsigned host = host_of_event(intc, (unsigned)__builtin_ctzll(pending));

        lines |= host < INTC_HOSTS ? 1u << host : 0;
        pending &= pending - 1;
    }
    return lines & intc->hosts_enabled;
}

/* The lowest event that is pending for a host line, or for any (INTC_HOSTS). */
static uint32_t first_pending(const struct intc *intc, unsigned host)
{
    uint64_t pending = intc->raw & intc->enabled;

    while (pending != 0) {
        unsigned event = (unsigned)__builtin_ctzll(pending);

        if (host == INTC_HOSTS || host_of_event(intc, event) == host) {
            return event;
        }
        pending &= pending - 1;
    }
    return NONE_PENDING;
}

static uint32_t half(uint64_t bits, uint32_t offset)
{
    return (uint32_t)((offset & 4u) != 0 ? bits >> 32 : bits);
}

static uint64_t whole(uint32_t value, uint32_t offset)
{
    return (offset & 4u) != 0 ? (uint64_t)value << 32 : value;
}

static uint32_t read_map(const uint8_t *map, uint32_t index)
{
    uint32_t value;

    memcpy(&value, &map[index], sizeof(value));
    return value;
}

uint32_t intc_read(const struct intc *intc, uint32_t offset)
{
    if (offset >= CHANNEL_MAP && offset < CHANNEL_MAP + INTC_EVENTS) {
        return read_map(intc->channel_of, offset - CHANNEL_MAP);
    }
    if (offset >= HOST_MAP && offset < HOST_MAP + sizeof(intc->host_of)) {
        return read_map(intc->host_of, offset - HOST_MAP);
    }
    if (offset >= HOST_PENDING && offset < HOST_PENDING + 4 * INTC_HOSTS) {
        return first_pending(intc, (offset - HOST_PENDING) / 4);
    }
    switch (offset) {
    case REVISION:
        return 0x4E82A900u;
    case GLOBAL_ENABLE:
        return intc->is_on;
    case FIRST_PENDING:
        return first_pending(intc, INTC_HOSTS);
    case RAW_SET:
    case RAW_SET + 4:
        return half(intc->raw, offset);
    case PENDING_CLEAR:
    case PENDING_CLEAR + 4:
        return half(intc->raw & intc->enabled, offset);
    case ENABLE_SET:
    case ENABLE_SET + 4:
        return half(intc->enabled, offset);
    case HOST_ENABLE:
        return intc->hosts_enabled;
    default:
        return 0;
    }
}

static uint64_t event_bit(uint32_t index)
{
    return index < INTC_EVENTS ? 1ull << index : 0;
}

static uint32_t host_bit(uint32_t index)
{
    return index < INTC_HOSTS ? 1u << index : 0;
}

void intc_write(struct intc *intc, uint32_t offset, uint32_t value)
{
    if (offset >= CHANNEL_MAP && offset < CHANNEL_MAP + INTC_EVENTS) {
        memcpy(&intc->channel_of[offset - CHANNEL_MAP], &value, sizeof(value));
        return;
    }
    if (offset >= HOST_MAP && offset < HOST_MAP + sizeof(intc->host_of)) {
        memcpy(&intc->host_of[offset - HOST_MAP], &value, sizeof(value));
        return;
    }
    switch (offset) {
    case GLOBAL_ENABLE:
        intc->is_on = value & 1u;
        break;
    case SET_INDEX:
        intc->raw |= event_bit(value);
        break;
    case CLEAR_INDEX:
        intc->raw &= ~event_bit(value);
        break;
    case ENABLE_INDEX:
        intc->enabled |= event_bit(value);
        break;
    case DISABLE_INDEX:
        intc->enabled &= ~event_bit(value);
        break;
    case HOST_ENABLE_INDEX:
        intc->hosts_enabled |= host_bit(value);
        break;
    case HOST_DISABLE_INDEX:
        intc->hosts_enabled &= ~host_bit(value);
        break;
    case RAW_SET:
    case RAW_SET + 4:
        intc->raw |= whole(value, offset);
        break;
    case PENDING_CLEAR:
    case PENDING_CLEAR + 4:
        intc->raw &= ~whole(value, offset);
        break;
    case ENABLE_SET:
    case ENABLE_SET + 4:
        intc->enabled |= whole(value, offset);
        break;
    case ENABLE_CLEAR:
    case ENABLE_CLEAR + 4:
        intc->enabled &= ~whole(value, offset);
        break;
    default:
        break;
    }
    if (offset == HOST_ENABLE) {
        intc->hosts_enabled = value & ((1u << INTC_HOSTS) - 1u);
    }
}
