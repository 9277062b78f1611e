/* SPDX-License-Identifier: MIT */
/* How many connections are begun at once, and when the next ones are. */
#include "herd/knock.h"

#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int64_t ms(int64_t value)
{
    return value * NS_PER_MS;
}

static size_t begin_all(struct knock *knock, int64_t mono_ns)
{
    size_t n = 0;

    while (knock_next(knock, mono_ns)) {
        n++;
    }
    return n;
}

static void test_an_answer_makes_room_for_one(void **state)
{
    struct knock knock = { 0 };

    (void)state;
    assert_int_equal(begin_all(&knock, ms(1)), KNOCK_AT_ONCE);
    knock_answered(&knock, ms(2));
    knock_answered(&knock, ms(2));
    assert_int_equal(begin_all(&knock, ms(3)), 2);
}

static void test_who_is_not_there_holds_up_the_others_only_for_a_while(void **state)
{
    struct knock knock = { 0 };

    (void)state;
    assert_int_equal(begin_all(&knock, ms(1000)), KNOCK_AT_ONCE);
    for (int i = 50; i < KNOCK_QUIET_MS; i += 50) {
        assert_int_equal(begin_all(&knock, ms(1000 + i)), 0);
    }
    assert_int_equal(begin_all(&knock, ms(1000 + KNOCK_QUIET_MS)), KNOCK_AT_ONCE);
    /* a late answer of the first lot makes room as any other, and no more than there is */
    for (int i = 0; i < KNOCK_AT_ONCE + 5; i++) {
        knock_answered(&knock, ms(1260));
    }
    assert_int_equal(begin_all(&knock, ms(1260)), KNOCK_AT_ONCE);
}

static void test_who_did_not_listen_heard_no_silence(void **state)
{
    struct knock knock = { 0 };

    (void)state;
    assert_int_equal(begin_all(&knock, ms(1000)), KNOCK_AT_ONCE);
    assert_int_equal(begin_all(&knock, ms(1050)), 0);
    assert_int_equal(begin_all(&knock, ms(9000)), 0);
    assert_int_equal(begin_all(&knock, ms(9100)), 0);
    assert_int_equal(begin_all(&knock, ms(9150)), KNOCK_AT_ONCE);
}

/* A machine that ends ten handshakes a second: never more are under way than it can end within
 * the time that each has. */
static void test_slow_answers_are_waited_for(void **state)
{
    struct knock knock = { 0 };
    size_t n_begun = 0;
    size_t n_ended = 0;

    (void)state;
    for (int64_t now_ms = 0; now_ms < 100000; now_ms += 10) {
        n_begun += begin_all(&knock, ms(now_ms));
        if (now_ms % 100 == 90) {
            knock_answered(&knock, ms(now_ms));
            n_ended++;
        }
        assert_true(n_begun - n_ended <= KNOCK_AT_ONCE);
    }
    assert_int_equal(n_ended, 1000);
    assert_true(n_begun >= 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_answer_makes_room_for_one),
        cmocka_unit_test(test_who_is_not_there_holds_up_the_others_only_for_a_while),
        cmocka_unit_test(test_who_did_not_listen_heard_no_silence),
        cmocka_unit_test(test_slow_answers_are_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
