/* SPDX-License-Identifier: MIT */
#include "herd/session.h"

#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct proto_message welcome(uint64_t boot_id)
{
    struct proto_message message = { .verb = VERB_WELCOME, .token = { .boot_id = boot_id } };

    PROTO_BODY(&message, body_welcome)->boot_id = boot_id;
    return message;
}

static struct proto_message pong(uint64_t boot_id)
{
    return (struct proto_message){ .verb = VERB_PONG, .token = { .boot_id = boot_id } };
}

static int64_t ms(int64_t value)
{
    return value * NS_PER_MS;
}

static void test_greets_until_it_is_welcome(void **state)
{
    struct session session;
    struct proto_message message = welcome(7);
    unsigned n_hellos = 0;

    (void)state;
    session_init(&session, 0, 0);
    for (int64_t now = 0; now < 2000; now += 50) {
        n_hellos += (session_tick(&session, ms(now)) & SESSION_DO_HELLO) != 0;
    }
    assert_in_range(n_hellos, 3, 5); /* at 0, 250, 750, 1750: it backs off */
    assert_int_equal(session_hear(&session, ms(2000), &message), SESSION_NEWS_WELCOME);
    assert_int_equal(session.link, SESSION_UP);
    assert_int_equal(session_tick(&session, ms(2050)) & SESSION_DO_HELLO, 0);
}

static void test_beats_every_second_and_does_not_catch_up(void **state)
{
    struct session session;
    struct proto_message message = welcome(7);
    unsigned n_beats = 0;

    (void)state;
    session_init(&session, 0, 0);
    session_hear(&session, 0, &message);
    for (int64_t now = 0; now <= 2900; now += 50) {
        n_beats += (session_tick(&session, ms(now)) & SESSION_DO_BEAT) != 0;
    }
    assert_int_equal(n_beats, 3);
    /* a process that was stopped for six seconds sends one, not six */
    assert_true((session_tick(&session, ms(9000)) & SESSION_DO_BEAT) != 0);
    assert_int_equal(session_tick(&session, ms(9050)) & SESSION_DO_BEAT, 0);
}

static void test_silent_then_lost_then_anew_with_back_off(void **state)
{
    struct session session;
    struct proto_message message = welcome(7);
    unsigned due = 0;

    (void)state;
    session_init(&session, 0, 0);
    session_hear(&session, 0, &message);
    assert_int_equal(session_tick(&session, ms(2999)) & SESSION_IS_CHANGED, 0);
    assert_true((session_tick(&session, ms(3000)) & SESSION_IS_CHANGED) != 0);
    assert_int_equal(session.link, SESSION_SILENT);
    due = session_tick(&session, ms(10000));
    assert_true((due & SESSION_DO_RECONNECT) != 0);
    assert_int_equal(session.link, SESSION_LOST);
    assert_int_equal(session_tick(&session, ms(19900)) & SESSION_DO_RECONNECT, 0);
    assert_true((session_tick(&session, ms(20000)) & SESSION_DO_RECONNECT) != 0);
    assert_int_equal(session_tick(&session, ms(39900)) & SESSION_DO_RECONNECT, 0);
    assert_true((session_tick(&session, ms(40000)) & SESSION_DO_RECONNECT) != 0);
    assert_int_equal(session_hear(&session, ms(41000), &message), SESSION_NEWS_WELCOME);
    assert_int_equal(session.link, SESSION_UP);
    /* and the next loss starts with the short wait again */
    assert_true((session_tick(&session, ms(51000)) & SESSION_DO_RECONNECT) != 0);
}

static void test_while_nobody_listened_nobody_was_silent(void **state)
{
    struct session session;
    struct proto_message message = welcome(7);

    (void)state;
    session_init(&session, 0, 0);
    session_hear(&session, 0, &message);
    session_forgive(&session, ms(12000), ms(11000));
    assert_int_equal(session_tick(&session, ms(12000)) & SESSION_IS_CHANGED, 0);
    assert_int_equal(session_tick(&session, ms(13999)) & SESSION_IS_CHANGED, 0);
    assert_true((session_tick(&session, ms(14000)) & SESSION_IS_CHANGED) != 0);
    assert_true((session_tick(&session, ms(21000)) & SESSION_DO_RECONNECT) != 0);
    session_forgive(&session, ms(25000), ms(4000));
    assert_int_equal(session_tick(&session, ms(34999)) & SESSION_DO_RECONNECT, 0);
    assert_true((session_tick(&session, ms(35000)) & SESSION_DO_RECONNECT) != 0);
    /* who was heard in between is not heard in the future */
    session_hear(&session, ms(40000), &message);
    session_forgive(&session, ms(41000), ms(5000));
    assert_int_equal(session.heard_ns, ms(41000));
}

static void test_a_new_boot_is_news_and_the_old_one_is_ignored(void **state)
{
    struct session session;
    struct proto_message first = welcome(7);
    struct proto_message second = welcome(8);
    struct proto_message old = pong(7);
    struct proto_message young = pong(9);

    (void)state;
    session_init(&session, 0, 0);
    assert_int_equal(session_hear(&session, 0, &old), SESSION_NEWS_IGNORE);
    assert_int_equal(session_hear(&session, 0, &first), SESSION_NEWS_WELCOME);
    assert_int_equal(session_hear(&session, 1, &old), SESSION_NEWS_NONE);
    assert_int_equal(session_hear(&session, 2, &second), SESSION_NEWS_REBOOT);
    assert_int_equal(session.boot_id, 8);
    assert_int_equal(session_hear(&session, 3, &young), SESSION_NEWS_IGNORE);
    /* who speaks with another boot's id is greeted at once */
    assert_true((session_tick(&session, 3) & SESSION_DO_HELLO) != 0);
}

static void test_links_have_names(void **state)
{
    (void)state;
    for (int link = SESSION_CONNECTING; link <= SESSION_LOST; link++) {
        assert_true(strlen(session_link_name((enum session_link)link)) > 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greets_until_it_is_welcome),
        cmocka_unit_test(test_beats_every_second_and_does_not_catch_up),
        cmocka_unit_test(test_silent_then_lost_then_anew_with_back_off),
        cmocka_unit_test(test_while_nobody_listened_nobody_was_silent),
        cmocka_unit_test(test_a_new_boot_is_news_and_the_old_one_is_ignored),
        cmocka_unit_test(test_links_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
