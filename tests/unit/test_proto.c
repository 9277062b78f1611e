/* SPDX-License-Identifier: MIT */
#include "common/proto.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct proto_token TOKEN = { .experiment = UINT64_MAX,
                                          .controller = 1234567890123456789ULL,
                                          .boot_id = 0x8000000000000001ULL,
                                          .seq = UINT32_MAX };

static unsigned role_of(enum proto_verb verb)
{
    return proto_verb_info(verb)->roles;
}

/* Every byte of every field, by its kind, different from zero and from its neighbours. */
static void fill_body(const struct schema *schema, char *body)
{
    unsigned i = 1;

    memset(body, 0, schema->size);
    for (const struct field *field = schema->fields; field->name != NULL; field++, i++) {
        const uint64_t number = UINT64_MAX - i;
        const int64_t instant = INT64_MIN + (int64_t)i;
        const double measured = -1.0 / 3 * i;
        const bool yes = true;

        if (field->type == FIELD_STRING) {
            memset(body + field->offset, 'a' + (int)(i % 26), field->size - 1);
        } else if (field->type == FIELD_BOOL) {
            memcpy(body + field->offset, &yes, sizeof(yes));
        } else if (field->type == FIELD_U64) {
            memcpy(body + field->offset, &number, sizeof(number));
        } else if (field->type == FIELD_F64) {
            memcpy(body + field->offset, &measured, sizeof(measured));
        } else {
            assert_int_equal(field->type, FIELD_I64);
            memcpy(body + field->offset, &instant, sizeof(instant));
        }
    }
}

static void test_every_verb_survives_the_wire(void **state)
{
    (void)state;
    for (int i = VERB_NONE + 1; i < N_VERBS; i++) {
        enum proto_verb verb = (enum proto_verb)i;
        const struct proto_verb_info *info = proto_verb_info(verb);
        struct proto_frame payload = { "payload", info->n_payloads > 0 ? 7 : 0 };
        struct proto_message sent;
        struct proto_message got;
        struct proto_encoded encoded;
        struct err err = { 0 };

        fill_body(info->schema, sent.body.bytes);
        assert_int_equal(proto_encode(&encoded, verb, &TOKEN, sent.body.bytes, payload, &err),
                         0);
        assert_int_equal(
            proto_decode(&got, encoded.frames, encoded.n_frames, role_of(verb), &err), 0);
        assert_int_equal(got.verb, verb);
        assert_memory_equal(&got.token, &TOKEN, sizeof(TOKEN));
        assert_memory_equal(got.body.bytes, sent.body.bytes, info->schema->size);
        assert_int_equal(got.payload.size, payload.size);
        assert_int_equal(proto_verb_of(info->name, strlen(info->name)), verb);
        proto_encoded_fini(&encoded);
    }
}

static void test_zero_bodies_survive_the_wire(void **state)
{
    (void)state;
    for (int i = VERB_NONE + 1; i < N_VERBS; i++) {
        enum proto_verb verb = (enum proto_verb)i;
        struct proto_message got;
        struct proto_encoded encoded;
        struct err err = { 0 };
        const struct proto_frame nothing = { NULL, 0 };

        assert_int_equal(proto_encode(&encoded, verb, &TOKEN, NULL, nothing, &err), 0);
        if (proto_decode(&got, encoded.frames, encoded.n_frames, role_of(verb), &err) < 0) {
            fail_msg("%s", err.text);
        }
        for (size_t k = 0; k < proto_verb_info(verb)->schema->size; k++) {
            assert_int_equal(got.body.bytes[k], 0);
        }
        proto_encoded_fini(&encoded);
    }
}

/* The layout is fixed: another program, another endianness, reads the same. */
static void test_a_token_has_its_bytes_in_order(void **state)
{
    const struct proto_token token = { .experiment = 0x0807060504030201ULL,
                                       .controller = 0x100f0e0d0c0b0a09ULL,
                                       .boot_id = 0x1817161514131211ULL,
                                       .seq = 0x1c1b1a19U };
    uint8_t bytes[PROTO_TOKEN_BYTES];

    (void)state;
    proto_token_encode(&token, bytes);
    for (unsigned i = 0; i < 28; i++) {
        assert_int_equal(bytes[i], i + 1);
    }
    for (unsigned i = 28; i < 32; i++) {
        assert_int_equal(bytes[i], 0);
    }
}

static const char TOKEN_BYTES[PROTO_TOKEN_BYTES];
static char big[PROTO_MAX_PAYLOAD + 1];

#define FRAME(text)              \
    {                            \
        (text), sizeof(text) - 1 \
    }
#define TOKEN_FRAME                    \
    {                                  \
        TOKEN_BYTES, PROTO_TOKEN_BYTES \
    }

struct hostile {
    const char *what; /* must be in the message */
    size_t n_frames;
    struct proto_frame frames[PROTO_MAX_FRAMES + 1];
};

static const struct hostile HOSTILE[] = {
    {"without frames",                      0, { { NULL, 0 } }                                                                        },
    { "protocol ''",                        1, { { NULL, 0 } }                                                                        },
    { "protocol 'BW2'",                     4, { FRAME("BW2"), FRAME("HELLO"), TOKEN_FRAME, FRAME("") }                               },
    { "protocol 'BW1?'",                    4, { FRAME("BW1\n"), FRAME("HELLO"), TOKEN_FRAME, FRAME("") }                             },
    { "of 1 frames",                        1, { FRAME("BW1") }                                                                       },
    { "of 3 frames",                        3, { FRAME("BW1"), FRAME("HELLO"), TOKEN_FRAME }                                          },
    { "of 7 frames",                        7, { FRAME("BW1"), FRAME("HELLO"), TOKEN_FRAME, FRAME("") }                               },
    { "unknown verb 'hello'",               4, { FRAME("BW1"), FRAME("hello"), TOKEN_FRAME, FRAME("") }                               },
    { "unknown verb ''",                    4, { FRAME("BW1"), { NULL, 0 }, TOKEN_FRAME, FRAME("") }                                  },
    { "unknown verb 'HELL?'",               4, { FRAME("BW1"), FRAME("HELL\x1b"), TOKEN_FRAME, FRAME("") }                            },
    { "HELLO: a token has 32 bytes, not 3",
     4,                                        { FRAME("BW1"), FRAME("HELLO"), FRAME("abc"), FRAME("") }                              },
    { "last four bytes",
     4,                                        { FRAME("BW1"), FRAME("HELLO"), FRAME("0123456789abcdef0123456789abcdef"), FRAME("") } },
    { "STATUS: 1 payloads instead of 0",
     5,                                        { FRAME("BW1"), FRAME("STATUS"), TOKEN_FRAME, FRAME(""), FRAME("x") }                  },
    { "PREPARE: 0 payloads instead of 1",
     4,                                        { FRAME("BW1"), FRAME("PREPARE"), TOKEN_FRAME, FRAME("experiment_name: a\nlog: b\n") } },
    { "payload of 4194305 bytes",
     5,                                        { FRAME("BW1"),
        FRAME("PREPARE"),
        TOKEN_FRAME,
        FRAME("experiment_name: a\nlog: b\n"),
        { big, sizeof(big) } }                                                                                                 },
    { "body of 65537 bytes",
     4,                                        { FRAME("BW1"), FRAME("STATUS"), TOKEN_FRAME, { big, PROTO_MAX_BODY + 1 } }            },
    { "frobnicate",
     4,                                        { FRAME("BW1"), FRAME("STATUS"), TOKEN_FRAME, FRAME("frobnicate: 1\n") }               },
    { "version",                            4, { FRAME("BW1"), FRAME("HELLO"), TOKEN_FRAME, FRAME("name: a\n") }                      },
    { "HELLO: body:2:1:",                   4, { FRAME("BW1"), FRAME("HELLO"), TOKEN_FRAME, FRAME("[1, 2") }                          },
    { "STATUS",                             4, { FRAME("BW1"), FRAME("STATUS"), TOKEN_FRAME, FRAME("- 1\n- 2\n") }                    },
    { "STOP",                               4, { FRAME("BW1"), FRAME("STOP"), TOKEN_FRAME, FRAME("sample: -1\n") }                    },
    { "STOP",
     4,                                        { FRAME("BW1"), FRAME("STOP"), TOKEN_FRAME, FRAME("sample: 18446744073709551616\n") }  },
    { "STOP",                               4, { FRAME("BW1"), FRAME("STOP"), TOKEN_FRAME, FRAME("sample: 1.5\n") }                   },
    { "ARM",
     4,                                        { FRAME("BW1"), FRAME("ARM"), TOKEN_FRAME, FRAME("T_ns: 9223372036854775808\nn: 1\n") }},
    { "STOP",
     4,                                        { FRAME("BW1"), FRAME("STOP"), TOKEN_FRAME, FRAME("sample: 1\nsample: 2\n") }          },
};

static void test_what_is_not_a_message_is_refused(void **state)
{
    (void)state;
    memset(big, ' ', sizeof(big));
    for (size_t i = 0; i < sizeof(HOSTILE) / sizeof(HOSTILE[0]); i++) {
        struct proto_message message;
        struct err err = { 0 };

        assert_int_equal(
            proto_decode(&message, HOSTILE[i].frames, HOSTILE[i].n_frames, ROLE_OPERATOR, &err),
            -1);
        if (strstr(err.text, HOSTILE[i].what) == NULL) {
            fail_msg("case %zu: '%s' does not say '%s'", i, err.text, HOSTILE[i].what);
        }
        assert_int_equal(err.code, ERR_INPUT);
    }
}

static void test_a_refusal_can_be_answered(void **state)
{
    struct proto_message message;
    struct proto_encoded encoded;
    struct err err = { 0 };
    const struct body_stop stop = { .sample = 1 };
    const struct proto_frame nothing = { NULL, 0 };

    (void)state;
    assert_int_equal(proto_encode(&encoded, VERB_STOP, &TOKEN, &stop, nothing, &err), 0);
    encoded.frames[3] = (struct proto_frame){ "bad", 3 };
    assert_int_equal(
        proto_decode(&message, encoded.frames, encoded.n_frames, ROLE_OPERATOR, &err), -1);
    assert_int_equal(message.verb, VERB_STOP);
    assert_int_equal(message.token.seq, TOKEN.seq);
    proto_encoded_fini(&encoded);
}

/* Who may say what: observers look, operators act, sheep answer, strangers nothing. */
static void test_roles_are_checked_on_every_verb(void **state)
{
    static const enum proto_verb OBSERVED[] = { VERB_HELLO,    VERB_PING, VERB_CLOCK,
                                                VERB_STATUS,   VERB_LIST, VERB_FETCH,
                                                VERB_INVENTORY };
    unsigned n_observed = 0;
    const struct proto_frame nothing = { NULL, 0 };

    (void)state;
    for (int i = VERB_NONE + 1; i < N_VERBS; i++) {
        static const unsigned ROLES[] = { 0, ROLE_OBSERVER, ROLE_OPERATOR, ROLE_SHEEP };
        struct proto_encoded encoded;
        struct proto_message message;
        struct err err = { 0 };

        assert_int_equal(
            proto_encode(&encoded, (enum proto_verb)i, &TOKEN, NULL, nothing, &err), 0);
        for (size_t k = 0; k < sizeof(ROLES) / sizeof(ROLES[0]); k++) {
            bool is_allowed = false;

            if (ROLES[k] == ROLE_SHEEP) {
                is_allowed = i >= VERB_WELCOME;
            } else if (ROLES[k] == ROLE_OPERATOR) {
                is_allowed = i < VERB_WELCOME;
            } else if (ROLES[k] == ROLE_OBSERVER) {
                for (size_t m = 0; m < sizeof(OBSERVED) / sizeof(OBSERVED[0]); m++) {
                    is_allowed = is_allowed || (int)OBSERVED[m] == i;
                }
                n_observed += is_allowed ? 1 : 0;
            }
            assert_int_equal(
                proto_decode(&message, encoded.frames, encoded.n_frames, ROLES[k], &err),
                is_allowed ? 0 : -1);
            if (!is_allowed) {
                assert_int_equal(err.code, ERR_DENIED);
            }
        }
        proto_encoded_fini(&encoded);
    }
    assert_int_equal(n_observed, sizeof(OBSERVED) / sizeof(OBSERVED[0]));
}

static void test_texts_become_one_clean_line(void **state)
{
    static const struct {
        const char *in;
        const char *out;
    } CASES[] = {
        {"two\nlines\t\x01",                           "two lines ?"                 },
        { "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x91",
         "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x91"                                 },
        { "cut \xe2\x82",                              "cut ??"                      },
        { "overlong \xc0\xaf \xe0\x80\xaf",            "overlong ?? ???"             },
        { "surrogate \xed\xa0\x80",                    "surrogate ???"               },
        { "c1 \xc2\x85",                               "c1 ??"                       },
        { "beyond \xf4\x90\x80\x80 \xf8",              "beyond ???? ?"               },
        { "# no: [comment] 'quote\" \\n",              "# no: [comment] 'quote\" \\n"},
        { " true",                                     " true"                       },
        { "null",                                      "null"                        },
        { "~",                                         "~"                           },
        { "12",                                        "12"                          },
    };
    const struct proto_frame nothing = { NULL, 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct body_refused refused = { 0 };
        struct proto_encoded encoded;
        struct proto_message message;
        struct err err = { 0 };

        snprintf(refused.why, sizeof(refused.why), "%s", CASES[i].in);
        assert_int_equal(proto_encode(&encoded, VERB_REFUSED, &TOKEN, &refused, nothing, &err),
                         0);
        if (proto_decode(&message, encoded.frames, encoded.n_frames, ROLE_SHEEP, &err) < 0) {
            fail_msg("case %zu: %s", i, err.text);
        }
        assert_string_equal(PROTO_BODY(&message, body_refused)->why, CASES[i].out);
        proto_encoded_fini(&encoded);
    }
}

static void test_what_cannot_be_sent_is_not_encoded(void **state)
{
    struct proto_encoded encoded;
    struct err err = { 0 };
    const struct proto_frame some = { "x", 1 };
    const struct proto_frame much = { big, sizeof(big) };

    (void)state;
    assert_int_equal(proto_encode(&encoded, VERB_STATUS, &TOKEN, NULL, some, &err), -1);
    assert_int_equal(proto_encode(&encoded, VERB_DATA, &TOKEN, NULL, much, &err), -1);
    assert_int_equal(proto_encode(&encoded, VERB_NONE, &TOKEN, NULL, some, &err), -1);
    assert_int_equal(proto_encode(&encoded, N_VERBS, &TOKEN, NULL, some, &err), -1);
    assert_null(proto_verb_info(VERB_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_verb_survives_the_wire),
        cmocka_unit_test(test_zero_bodies_survive_the_wire),
        cmocka_unit_test(test_a_token_has_its_bytes_in_order),
        cmocka_unit_test(test_what_is_not_a_message_is_refused),
        cmocka_unit_test(test_a_refusal_can_be_answered),
        cmocka_unit_test(test_roles_are_checked_on_every_verb),
        cmocka_unit_test(test_texts_become_one_clean_line),
        cmocka_unit_test(test_what_cannot_be_sent_is_not_encoded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
