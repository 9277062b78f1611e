/* SPDX-License-Identifier: MIT */
/* Whatever arrives after CURVE: frames cut out of the input by length bytes. A message that
 * decodes must encode again to the same meaning. */
#include "common/proto.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    MAX_FRAMES = PROTO_MAX_FRAMES + 2
};

static bool is_same_token(const struct proto_token *a, const struct proto_token *b)
{
    return a->experiment == b->experiment && a->controller == b->controller
           && a->boot_id == b->boot_id && a->seq == b->seq;
}

static void check_round_trip(const struct proto_message *message, unsigned role)
{
    struct proto_encoded encoded;
    struct proto_message again;

    if (proto_encode(&encoded, message->verb, &message->token, message->body.bytes,
                     message->payload, NULL)
        < 0) {
        abort();
    }
    if (proto_decode(&again, encoded.frames, encoded.n_frames, role, NULL) < 0
        || again.verb != message->verb || !is_same_token(&again.token, &message->token)
        || memcmp(again.body.bytes, message->body.bytes,
                  proto_verb_info(again.verb)->schema->size)
               != 0) {
        abort();
    }
    proto_encoded_fini(&encoded);
}

/* The first byte chooses the sender's role; each frame is two bytes of length and its content,
 * or a word of the protocol when the length's top bit is set. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t ZERO_TOKEN[PROTO_TOKEN_BYTES];
    struct proto_frame frames[MAX_FRAMES];
    struct proto_message message;
    size_t n_frames = 0;
    unsigned role = ROLE_OPERATOR;

    if (size > 0) {
        role = data[0] & 7U;
        data++;
        size--;
    }
    while (size >= 2 && n_frames < MAX_FRAMES) {
        unsigned head = data[0] | (unsigned)data[1] << 8;
        size_t length = head & 0x3fffU;

        data += 2;
        size -= 2;
        if ((head & 0x8000U) != 0) {
            const struct proto_verb_info *info =
                proto_verb_info((enum proto_verb)(length % N_VERBS));

            if (n_frames == 0) {
                frames[n_frames++] = (struct proto_frame){ "BW1", 3 };
            } else if (n_frames == 1 && info != NULL) {
                frames[n_frames++] = (struct proto_frame){ info->name, strlen(info->name) };
            } else {
                frames[n_frames++] = (struct proto_frame){ ZERO_TOKEN, sizeof(ZERO_TOKEN) };
            }
            continue;
        }
        length = length < size ? length : size;
        frames[n_frames++] = (struct proto_frame){ data, length };
        data += length;
        size -= length;
    }
    if (proto_decode(&message, frames, n_frames, role, NULL) == 0) {
        check_round_trip(&message, role);
    }
    return 0;
}
