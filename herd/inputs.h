/* SPDX-License-Identifier: MIT */
/* The inputs of an emulation on the workstation: each distinct file is checked and decoded
 * once, into a stream that nodes know by its content hash. */
#ifndef HERD_INPUTS_H
#define HERD_INPUTS_H

#include "common/err.h"
#include "common/experiment.h"

#include <stddef.h>
#include <stdint.h>

struct input_stream {
    char source[PATH_SIZE]; /* the HDF5 */
    char path[PATH_SIZE];   /* the decoded stream */
    char digest[DIGEST_TEXT_SIZE];
    uint64_t n_samples;
    uint64_t size_bytes;
    uint32_t window_samples;
    double step_uV;
    bool is_isc_voc;
};

struct inputs {
    struct input_stream *streams;
    size_t n_streams;
};

/* Looks at every distinct input of the experiment; nothing is written. A file that cannot be
 * replayed is a fault with its reason. -1 when there is one. */
MUST_CHECK int inputs_check(const struct experiment *experiment, struct err *err);

/* Decodes into `folder` (made when there is an input), and sets input_digest, input_samples,
 * input_window and input_step_uV of the nodes' configurations. `inputs` needs fini also after a
 * failure. */
MUST_CHECK int inputs_decode(struct inputs *inputs, struct experiment *experiment,
                             const char *folder, struct err *err);

/* Removes the streams too. */
void inputs_fini(struct inputs *inputs);

/* The stream with this digest; NULL: none. */
const struct input_stream *inputs_find(const struct inputs *inputs, const char *digest);

#endif
