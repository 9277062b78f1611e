/* SPDX-License-Identifier: MIT */
#include "tests/support/ask_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct ask_fake ask_fake;

void ask_fake_reset(size_t n_nodes,
                    void (*answer)(size_t i, const void *body, struct proto_message *message,
                                   int64_t *received_ns))
{
    memset(&ask_fake, 0, sizeof(ask_fake));
    assert_true(n_nodes <= ASK_FAKE_NODES);
    ask_fake.n_nodes = n_nodes;
    ask_fake.answer = answer;
}

struct ask *__wrap_ask_open(const struct inventory *inventory, const bool *selected,
                            const struct key_pair *key, struct err *err);
struct ask *__wrap_ask_open(const struct inventory *inventory, const bool *selected,
                            const struct key_pair *key, struct err *err)
{
    (void)inventory;
    (void)key;
    if (ask_fake.fails_to_open) {
        err_set(err, ERR_INPUT, "no public key");
        return NULL;
    }
    for (size_t i = 0; i < ask_fake.n_nodes; i++) {
        ask_fake.states[i] = selected[i] ? ASK_SILENT : ASK_NOT_MEANT;
    }
    ask_fake.n_opened++;
    return (struct ask *)(void *)&ask_fake;
}

void __wrap_ask_close(struct ask **ask);
void __wrap_ask_close(struct ask **ask)
{
    ask_fake.n_closed += *ask != NULL ? 1 : 0;
    *ask = NULL;
}

size_t __wrap_ask_hello(struct ask *ask, int timeout_ms, bool (*gives_up)(void *arg),
                        void *arg);
size_t __wrap_ask_hello(struct ask *ask, int timeout_ms, bool (*gives_up)(void *arg), void *arg)
{
    (void)ask;
    (void)timeout_ms;
    (void)gives_up;
    (void)arg;
    ask_fake.n_hellos++;
    return ask_fake.n_nodes;
}

static bool ask_one(const struct ask_round *round, size_t i)
{
    static struct proto_message message;
    struct ask_answer answer = { .i = i, .message = &message };
    const void *body = round->body(round->arg, i);

    if (body == NULL) {
        return false;
    }
    ask_fake.n_asked[i]++;
    ask_fake.states[i] = ASK_SILENT;
    if (ask_fake.is_silent[i]) {
        return false;
    }
    memset(&message, 0, sizeof(message));
    ask_fake.answer(i, body, &message, &answer.received_ns);
    if (round->answer(round->arg, &answer)) {
        ask_fake.states[i] = ASK_ANSWERED;
    }
    return ask_fake.states[i] == ASK_ANSWERED;
}

size_t __wrap_ask_all(struct ask *ask, const struct ask_round *round);
size_t __wrap_ask_all(struct ask *ask, const struct ask_round *round)
{
    size_t n_answered = 0;

    (void)ask;
    ask_fake.verb = round->verb;
    for (size_t i = 0; i < ask_fake.n_nodes; i++) {
        if (ask_fake.states[i] != ASK_NOT_MEANT) {
            n_answered += ask_one(round, i) ? 1 : 0;
        }
    }
    return n_answered;
}

enum ask_state __wrap_ask_state(const struct ask *ask, size_t i);
enum ask_state __wrap_ask_state(const struct ask *ask, size_t i)
{
    (void)ask;
    return ask_fake.states[i];
}
