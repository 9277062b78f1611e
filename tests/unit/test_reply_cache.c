/* SPDX-License-Identifier: MIT */
#include "sheep/reply_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static const char USER[] = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";

static struct proto_encoded make_answer(const char *word)
{
    struct proto_encoded answer = { .n_frames = 2 };

    answer.frames[0] = (struct proto_frame){ word, strlen(word) };
    answer.frames[1] = (struct proto_frame){ NULL, 0 };
    return answer;
}

static void put(struct reply_cache *cache, uint64_t controller, uint32_t seq, const char *word)
{
    struct proto_token token = { .controller = controller, .experiment = 1, .seq = seq };
    struct proto_encoded answer = make_answer(word);

    reply_cache_put(cache, USER, VERB_ARM, &token, &answer);
}

static bool has(const struct reply_cache *cache, uint64_t controller, uint32_t seq,
                const char *word)
{
    struct proto_token token = { .controller = controller, .experiment = 1, .seq = seq };
    struct proto_frame frames[PROTO_MAX_FRAMES];

    return reply_cache_find(cache, USER, VERB_ARM, &token, frames) == 2
           && frames[0].size == strlen(word) && memcmp(frames[0].data, word, strlen(word)) == 0;
}

static void test_a_repeat_gets_the_first_answer(void **state)
{
    struct reply_cache *cache = reply_cache_create(NULL);
    struct proto_token token = { .controller = 7, .experiment = 1, .seq = 3 };
    struct proto_frame frames[PROTO_MAX_FRAMES];

    (void)state;
    put(cache, 7, 3, "first");
    put(cache, 7, 3, "second");
    assert_true(has(cache, 7, 3, "first"));
    assert_false(has(cache, 7, 4, "first"));
    assert_false(has(cache, 8, 3, "first"));
    assert_int_equal(reply_cache_find(cache, USER, VERB_GO, &token, frames), 0);
    assert_int_equal(reply_cache_find(cache, "another key", VERB_ARM, &token, frames), 0);
    token.experiment = 2;
    assert_int_equal(reply_cache_find(cache, USER, VERB_ARM, &token, frames), 0);
    reply_cache_destroy(&cache);
}

static void test_it_stays_bounded(void **state)
{
    struct reply_cache *cache = reply_cache_create(NULL);
    static char large[REPLY_CACHE_BYTES + 2];

    (void)state;
    for (uint32_t i = 1; i <= 3 * REPLY_CACHE_REPLIES; i++) {
        put(cache, 7, i, "word");
    }
    assert_false(has(cache, 7, 1, "word"));
    assert_false(has(cache, 7, 2 * REPLY_CACHE_REPLIES, "word"));
    assert_true(has(cache, 7, 3 * REPLY_CACHE_REPLIES, "word"));
    for (uint64_t i = 100; i < 100 + REPLY_CACHE_CONTROLLERS; i++) {
        put(cache, i, 1, "word");
    }
    assert_false(has(cache, 7, 3 * REPLY_CACHE_REPLIES, "word"));
    memset(large, 'x', sizeof(large) - 1);
    put(cache, 100, 2, large);
    assert_false(has(cache, 100, 2, large));
    put(cache, 100, 0, "unasked");
    assert_false(has(cache, 100, 0, "unasked"));
    reply_cache_destroy(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_repeat_gets_the_first_answer),
        cmocka_unit_test(test_it_stays_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
