/* SPDX-License-Identifier: MIT */
#include "common/proto.h"

#include "common/yaml_doc.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char VERSION[] = "BW1";

enum frame_idx {
    FRAME_VERSION,
    FRAME_VERB,
    FRAME_TOKEN,
    FRAME_BODY,
    FRAME_PAYLOAD,
};

enum {
    QUOTED_SIZE = 40
};

static void put_le(uint8_t *bytes, uint64_t value, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t get_le(const uint8_t *bytes, size_t n_bytes)
{
    uint64_t value = 0;

    for (size_t i = n_bytes; i > 0; i--) {
        value = value << 8 | bytes[i - 1];
    }
    return value;
}

/* Token: experiment 0..7, controller 8..15, boot id 16..23, seq 24..27, zero 28..31. */
void proto_token_encode(const struct proto_token *token, uint8_t bytes[PROTO_TOKEN_BYTES])
{
    put_le(bytes, token->experiment, 8);
    put_le(bytes + 8, token->controller, 8);
    put_le(bytes + 16, token->boot_id, 8);
    put_le(bytes + 24, token->seq, 4);
    put_le(bytes + 28, 0, 4);
}

int proto_token_decode(struct proto_token *token, const void *data, size_t size,
                       struct err *err)
{
    const uint8_t *bytes = data;

    if (size != PROTO_TOKEN_BYTES) {
        return err_set(err, ERR_INPUT, "a token has %d bytes, not %zu", PROTO_TOKEN_BYTES,
                       size);
    }
    if (get_le(bytes + 28, 4) != 0) {
        return err_set(err, ERR_INPUT, "the token's last four bytes are not zero");
    }
    token->experiment = get_le(bytes, 8);
    token->controller = get_le(bytes + 8, 8);
    token->boot_id = get_le(bytes + 16, 8);
    token->seq = (uint32_t)get_le(bytes + 24, 4);
    return 0;
}

/* What a stranger sent, made harmless for a log line. */
static const char *quote(const struct proto_frame *frame, char text[QUOTED_SIZE])
{
    const unsigned char *bytes = frame->data;
    size_t size = frame->size < QUOTED_SIZE - 1 ? frame->size : QUOTED_SIZE - 1;

    for (size_t i = 0; i < size; i++) {
        text[i] = isprint(bytes[i]) ? (char)bytes[i] : '?';
    }
    text[size] = '\0';
    return text;
}

static int check_envelope(const struct proto_frame *frames, size_t n_frames, struct err *err)
{
    char text[QUOTED_SIZE];

    if (n_frames == 0) {
        return err_set(err, ERR_INPUT, "a message without frames");
    }
    if (frames[FRAME_VERSION].size != sizeof(VERSION) - 1
        || memcmp(frames[FRAME_VERSION].data, VERSION, sizeof(VERSION) - 1) != 0) {
        return err_set(err, ERR_INPUT, "protocol '%s' is not %s",
                       quote(&frames[FRAME_VERSION], text), VERSION);
    }
    if (n_frames <= FRAME_BODY || n_frames > PROTO_MAX_FRAMES) {
        return err_set(err, ERR_INPUT, "a message of %zu frames", n_frames);
    }
    return 0;
}

static int check_payload(struct proto_message *message, const struct proto_verb_info *info,
                         const struct proto_frame *frames, size_t n_frames, struct err *err)
{
    size_t n_payloads = n_frames - FRAME_PAYLOAD;

    if (n_payloads != info->n_payloads) {
        return err_set(err, ERR_INPUT, "%zu payloads instead of %zu", n_payloads,
                       info->n_payloads);
    }
    if (n_payloads > 0) {
        if (frames[FRAME_PAYLOAD].size > PROTO_MAX_PAYLOAD) {
            return err_set(err, ERR_INPUT, "a payload of %zu bytes, %d are allowed",
                           frames[FRAME_PAYLOAD].size, PROTO_MAX_PAYLOAD);
        }
        message->payload = frames[FRAME_PAYLOAD];
    }
    return 0;
}

static int decode_body(struct proto_message *message, const struct proto_verb_info *info,
                       const struct proto_frame *body, struct err *err)
{
    struct fault_list faults = { 0 };
    struct yaml_doc *doc = NULL;
    int result = 0;

    if (body->size > PROTO_MAX_BODY) {
        return err_set(err, ERR_INPUT, "a body of %zu bytes, %d are allowed", body->size,
                       PROTO_MAX_BODY);
    }
    doc = yaml_parse(body->size > 0 ? body->data : "", body->size, "body", err);
    if (doc == NULL) {
        return -1;
    }
    schema_decode(info->schema, yaml_root(doc), message->body.bytes, &faults);
    result = fault_check(&faults, err);
    fault_fini(&faults);
    yaml_destroy(&doc);
    return result;
}

static int decode_rest(struct proto_message *message, const struct proto_frame *frames,
                       size_t n_frames, unsigned role, struct err *err)
{
    const struct proto_verb_info *info = proto_verb_info(message->verb);

    if (proto_token_decode(&message->token, frames[FRAME_TOKEN].data, frames[FRAME_TOKEN].size,
                           err)
        < 0) {
        return -1;
    }
    /* Before the body: what a role may not say is not even parsed. */
    if ((info->roles & role) == 0) {
        return err_set(err, ERR_DENIED, "not allowed to %s", proto_role_name(role));
    }
    if (check_payload(message, info, frames, n_frames, err) < 0) {
        return -1;
    }
    return decode_body(message, info, &frames[FRAME_BODY], err);
}

int proto_decode(struct proto_message *message, const struct proto_frame *frames,
                 size_t n_frames, unsigned role, struct err *err)
{
    char text[QUOTED_SIZE];

    memset(message, 0, sizeof(*message));
    if (check_envelope(frames, n_frames, err) < 0) {
        return -1;
    }
    message->verb = proto_verb_of(frames[FRAME_VERB].data, frames[FRAME_VERB].size);
    if (message->verb == VERB_NONE) {
        return err_set(err, ERR_INPUT, "unknown verb '%s'", quote(&frames[FRAME_VERB], text));
    }
    if (decode_rest(message, frames, n_frames, role, err) < 0) {
        return err_prepend(err, "%s", proto_verb_info(message->verb)->name);
    }
    return 0;
}

/* Length of the UTF-8 sequence at bytes, 0 when it is none; C0 and C1 controls count as none.
 */
static size_t utf8_length(const unsigned char *bytes, size_t size)
{
    size_t length = 0;

    if (bytes[0] < 0x80) {
        return bytes[0] >= 0x20 && bytes[0] != 0x7f ? 1 : 0;
    }
    if (bytes[0] >= 0xc2 && bytes[0] < 0xe0) {
        length = 2;
    } else if (bytes[0] >= 0xe0 && bytes[0] < 0xf0) {
        length = 3;
    } else if (bytes[0] >= 0xf0 && bytes[0] < 0xf5) {
        length = 4;
    }
    if (length == 0 || length > size) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    /* C1 controls, overlong forms, surrogates, beyond U+10FFFF. */
    if ((bytes[0] == 0xc2 && bytes[1] < 0xa0) || (bytes[0] == 0xe0 && bytes[1] < 0xa0)
        || (bytes[0] == 0xed && bytes[1] > 0x9f) || (bytes[0] == 0xf0 && bytes[1] < 0x90)
        || (bytes[0] == 0xf4 && bytes[1] > 0x8f)) {
        return 0;
    }
    return length;
}

/* Texts cross as one line of UTF-8, also one that snprintf cut in the middle of a character. */
static void clean_text(char *text, size_t size)
{
    size_t length = strnlen(text, size - 1);
    size_t i = 0;

    text[size - 1] = '\0';
    while (i < length) {
        size_t step = utf8_length((const unsigned char *)text + i, length - i);

        if (step == 0) {
            text[i] = isspace((unsigned char)text[i]) ? ' ' : '?';
            step = 1;
        }
        i += step;
    }
}

static void clean_body(const struct schema *schema, char *body)
{
    for (const struct field *field = schema->fields; field->name != NULL; field++) {
        if (field->type == FIELD_STRING) {
            clean_text(body + field->offset, field->size);
        }
    }
}

static int encode_body(struct buf *out, const struct proto_verb_info *info, const void *body,
                       struct err *err)
{
    struct proto_message copy;

    if (body == NULL) {
        memset(copy.body.bytes, 0, info->schema->size);
    } else {
        memcpy(copy.body.bytes, body, info->schema->size);
    }
    clean_body(info->schema, copy.body.bytes);
    schema_encode(info->schema, copy.body.bytes, out, 0);
    if (out->failed) {
        return err_set(err, ERR_MEMORY, "%s: no memory for its body", info->name);
    }
    return 0;
}

int proto_encode(struct proto_encoded *encoded, enum proto_verb verb,
                 const struct proto_token *token, const void *body, struct proto_frame payload,
                 struct err *err)
{
    const struct proto_verb_info *info = proto_verb_info(verb);

    memset(encoded, 0, sizeof(*encoded));
    if (info == NULL) {
        return err_set(err, ERR_STATE, "no verb has number %d", (int)verb);
    }
    if (payload.size > (info->n_payloads > 0 ? PROTO_MAX_PAYLOAD : 0)) {
        return err_set(err, ERR_STATE, "%s: a payload of %zu bytes", info->name, payload.size);
    }
    if (encode_body(&encoded->body, info, body, err) < 0) {
        proto_encoded_fini(encoded);
        return -1;
    }
    proto_token_encode(token, encoded->token);
    encoded->frames[FRAME_VERSION] = (struct proto_frame){ VERSION, sizeof(VERSION) - 1 };
    encoded->frames[FRAME_VERB] = (struct proto_frame){ info->name, strlen(info->name) };
    encoded->frames[FRAME_TOKEN] = (struct proto_frame){ encoded->token, PROTO_TOKEN_BYTES };
    encoded->frames[FRAME_BODY] =
        (struct proto_frame){ encoded->body.size > 0 ? encoded->body.data : "",
                              encoded->body.size };
    encoded->n_frames = FRAME_PAYLOAD;
    if (info->n_payloads > 0) {
        encoded->frames[FRAME_PAYLOAD] =
            (struct proto_frame){ payload.size > 0 ? payload.data : "", payload.size };
        encoded->n_frames++;
    }
    return 0;
}

void proto_encoded_fini(struct proto_encoded *encoded)
{
    buf_fini(&encoded->body);
    memset(encoded, 0, sizeof(*encoded));
}
