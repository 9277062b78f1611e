/* SPDX-License-Identifier: MIT */
/* What PREPARE asks for, checked against this node: the request to the recorder, or why not. */
#ifndef SHEEP_PLAN_H
#define SHEEP_PLAN_H

#include "common/err.h"
#include "common/proto.h"
#include "sheep/clock_claim.h"
#include "sheep/config.h"
#include "sheep/input_store.h"
#include "sheep/recorder_ipc.h"
#include "sheep/store.h"

#include <stdint.h>

struct plan_context {
    const struct sheep_config *config;
    const struct store *store;
    const struct input_store *inputs;
    const struct clock_claim *claim;
    uint64_t experiment;
    uint64_t boot_id;
};

struct plan {
    char log[PROTO_NAME_SIZE]; /* the name it really gets */
    struct recorder_request request;
};

/* Decodes and checks everything that needs no board: schema, names, clock, calibration, what
 * the virtual source can represent, the input, and room on the disk. */
MUST_CHECK int plan_make(struct plan *plan, const struct plan_context *context,
                         const struct body_prepare *body, struct proto_frame payload,
                         struct err *err);

/* Bytes of samples and edges that a recording may need at most. */
uint64_t plan_bytes(const struct rlog_manifest *manifest);

#endif
