/* SPDX-License-Identifier: MIT */
/* Questions to a flock of played nodes, with real sockets, and the commands that ask them. */
#include "herd/ask.h"
#include "herd/cmd.h"
#include "herd/listing.h"

#include "common/buf.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/wire.h"
#include "common/zap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    N_NODES = 4,
    MAX_WORDS = 16,
    ARRIVES_MS = 5000,
    BOOT_ID = 77
};

/* How a played node behaves; set before it is asked. */
struct part {
    char name[32];
    struct key_pair pair;
    zsock_t *socket;
    zactor_t *actor;
    bool is_mute;       /* hears, never answers after WELCOME */
    bool is_refusing;   /* answers REFUSED */
    unsigned n_ignored; /* questions that are lost before one is answered */
    int64_t clock_offset_ns;
    bool is_unlocked;
    uint64_t n_samples;
    const char *listing;
    unsigned n_asked;
    char removed[256];
};

struct world {
    char folder[64];
    struct key_pair herd;
    struct zap *zap;
    struct part parts[N_NODES];
};

static void hush(enum log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

static void reply(struct part *part, const struct wire_message *got,
                  const struct proto_message *message, enum proto_verb verb, const void *body,
                  struct proto_frame payload)
{
    struct err err = { 0 };

    if (wire_tell(part->socket, got->peer_id, verb, &message->token, body, payload, &err) < 0) {
        fprintf(stderr, "%s: %s\n", part->name, err.text);
    }
}

static void reply_clock(struct part *part, const struct wire_message *got,
                        const struct proto_message *message)
{
    struct body_clock clock = *PROTO_CONST_BODY(message, body_clock);
    const struct proto_frame nothing = { NULL, 0 };

    clock.t2_ns = clock_utc_ns() + part->clock_offset_ns;
    clock.t3_ns = clock_utc_ns() + part->clock_offset_ns;
    snprintf(clock.source, sizeof(clock.source), "ptp4l");
    clock.is_locked = !part->is_unlocked;
    clock.claimed_bound_ns = 1000;
    reply(part, got, message, VERB_CLOCKED, &clock, nothing);
}

static void reply_state(struct part *part, const struct wire_message *got,
                        const struct proto_message *message)
{
    struct body_state state = { .n_samples = part->n_samples,
                                .n_planned = 1000,
                                .is_started = part->n_samples > 0,
                                .disk_free_bytes = 5000000000 };
    const struct proto_frame nothing = { NULL, 0 };

    snprintf(state.node, sizeof(state.node), "%s", part->name);
    snprintf(state.state, sizeof(state.state), part->n_samples > 0 ? "running" : "idle");
    snprintf(state.experiment_name, sizeof(state.experiment_name), "%s",
             part->n_samples > 0 ? "solar" : "");
    reply(part, got, message, VERB_STATE, &state, nothing);
}

static void reply_removed(struct part *part, const struct wire_message *got,
                          const struct proto_message *message)
{
    const struct body_log *log = PROTO_CONST_BODY(message, body_log);
    size_t length = strlen(part->removed);
    const struct proto_frame nothing = { NULL, 0 };

    snprintf(part->removed + length, sizeof(part->removed) - length, "%s ", log->log);
    reply(part, got, message, VERB_REMOVED, log, nothing);
}

static void play(struct part *part, const struct wire_message *got)
{
    struct proto_message message;
    const struct proto_frame nothing = { NULL, 0 };
    struct body_refused refused = { .why = "not today", .code = "state" };

    if (proto_decode(&message, got->frames, got->n_frames, ROLE_OPERATOR, NULL) < 0) {
        return;
    }
    if (message.verb == VERB_HELLO) {
        struct body_welcome welcome = { .version = "0.1.0",
                                        .board = "sim",
                                        .state = "idle",
                                        .boot_id = BOOT_ID,
                                        .has_calibration = true };

        snprintf(welcome.node, sizeof(welcome.node), "%s", part->name);
        reply(part, got, &message, VERB_WELCOME, &welcome, nothing);
        return;
    }
    part->n_asked++;
    if (part->is_mute || message.token.boot_id != BOOT_ID || part->n_asked <= part->n_ignored) {
        return;
    }
    if (part->is_refusing) {
        reply(part, got, &message, VERB_REFUSED, &refused, nothing);
    } else if (message.verb == VERB_STATUS) {
        reply_state(part, got, &message);
    } else if (message.verb == VERB_CLOCK) {
        reply_clock(part, got, &message);
    } else if (message.verb == VERB_LIST) {
        reply(part, got, &message, VERB_LISTING, NULL,
              (struct proto_frame){ part->listing, strlen(part->listing) });
    } else if (message.verb == VERB_REMOVE) {
        reply_removed(part, got, &message);
    }
}

static void part_run(zsock_t *pipe, void *arg)
{
    struct part *part = arg;
    zpoller_t *poller = zpoller_new(pipe, part->socket, NULL);
    struct wire_message got;
    int result = 0;

    zsock_signal(pipe, 0);
    while (zpoller_wait(poller, -1) == part->socket) {
        while ((result = wire_recv(part->socket, &got, NULL)) != 0) {
            if (result > 0) {
                play(part, &got);
                wire_message_fini(&got);
            }
        }
    }
    zpoller_destroy(&poller);
}

static void open_part(struct part *part, unsigned i, struct buf *inventory)
{
    struct err err = { 0 };
    unsigned port = 0;

    snprintf(part->name, sizeof(part->name), "sheep%u", i);
    part->listing = "[]\n";
    assert_int_equal(key_generate(&part->pair, part->name, ROLE_SHEEP, &err), 0);
    /* Three ports belong to a node; the first free one of this process's own range. */
    for (unsigned try = 0; part->socket == NULL && try < 100; try++) {
        char endpoint[64];

        port = 12000 + (unsigned)getpid() % 500 * 40 + try * 20 + i * 4;
        snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%u", port);
        part->socket = wire_bind(ZMQ_ROUTER, endpoint, &part->pair, &err);
    }
    assert_non_null(part->socket);
    buf_printf(inventory,
               "    %s: {ansible_host: 127.0.0.1, port: %u, public_key: ", part->name, port);
    yaml_emit_scalar(part->pair.public_key, inventory);
    buf_text(inventory, "}\n");
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    struct buf inventory = { 0 };
    struct err err = { 0 };
    char path[128];

    assert_non_null(world);
    log_set_sink(hush, NULL);
    snprintf(world->folder, sizeof(world->folder), "/tmp/test_ask.XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    assert_int_equal(key_generate(&world->herd, "ann", ROLE_OPERATOR, &err), 0);
    assert_int_equal(key_save(&world->herd, world->folder, "herd", true, &err), 0);
    world->zap = zap_start(world->folder, &err);
    assert_non_null(world->zap);
    buf_text(&inventory, "sheep:\n  hosts:\n");
    for (unsigned i = 0; i < N_NODES; i++) {
        open_part(&world->parts[i], i, &inventory);
    }
    snprintf(path, sizeof(path), "%s/herd.yml", world->folder);
    assert_int_equal(file_write_atomic(path, inventory.data, inventory.size, 0644, &err), 0);
    buf_fini(&inventory);
    *state = world;
    return 0;
}

/* From here on the parts belong to their threads. */
static void curtain(struct world *world)
{
    for (unsigned i = 0; i < N_NODES; i++) {
        world->parts[i].actor = zactor_new(part_run, &world->parts[i]);
        assert_non_null(world->parts[i].actor);
    }
}

static void end_play(struct world *world)
{
    for (unsigned i = 0; i < N_NODES; i++) {
        zactor_destroy(&world->parts[i].actor);
    }
}

static int tear_down(void **state)
{
    struct world *world = *state;
    char command[128];

    end_play(world);
    for (unsigned i = 0; i < N_NODES; i++) {
        zsock_destroy(&world->parts[i].socket);
    }
    zap_stop(&world->zap);
    snprintf(command, sizeof(command), "rm -r '%s'", world->folder);
    log_set_sink(NULL, NULL);
    free(world);
    return system(command);
}

/* What was printed, on both streams. */
static char printed[16384];

static int call(const struct world *world, const struct cmd *command, const char *line,
                bool is_json)
{
    char inventory[128];
    const struct cmd_options options = { .inventory = inventory, .is_json = is_json };
    char words[256];
    char *argv[MAX_WORDS + 1] = { NULL };
    char *rest = words;
    int argc = 0;
    FILE *capture = tmpfile();
    int saved_out = 0;
    int saved_err = 0;
    int result = 0;

    assert_non_null(capture);
    snprintf(inventory, sizeof(inventory), "%s/herd.yml", world->folder);
    snprintf(words, sizeof(words), "%s", line);
    for (char *word = strtok_r(words, " ", &rest); word != NULL && argc < MAX_WORDS;
         word = strtok_r(NULL, " ", &rest)) {
        argv[argc++] = word;
    }
    fflush(stdout);
    saved_out = dup(STDOUT_FILENO);
    saved_err = dup(STDERR_FILENO);
    dup2(fileno(capture), STDOUT_FILENO);
    dup2(fileno(capture), STDERR_FILENO);
    result = command->run(&options, argc, argv);
    fflush(stdout);
    dup2(saved_out, STDOUT_FILENO);
    dup2(saved_err, STDERR_FILENO);
    close(saved_out);
    close(saved_err);
    rewind(capture);
    printed[fread(printed, 1, sizeof(printed) - 1, capture)] = '\0';
    fclose(capture);
    return result;
}

static void assert_says(const char *text)
{
    if (strstr(printed, text) == NULL) {
        fail_msg("'%s' is not in:\n%s", text, printed);
    }
}

static unsigned count_lines(void)
{
    unsigned count = 0;

    for (const char *at = printed; *at != '\0'; at++) {
        count += *at == '\n' ? 1 : 0;
    }
    return count;
}

static void test_nodes_that_agree_share_a_line(void **state)
{
    struct world *world = *state;

    world->parts[2].n_samples = 500;
    curtain(world);
    assert_int_equal(call(world, &cmd_status, "status", false), 0);
    assert_int_equal(count_lines(), 3);
    assert_says("sheep[0-1,3]");
    assert_says("solar");
    assert_says("50 %");
    assert_int_equal(call(world, &cmd_status, "status -a sheep[0-1]", false), 0);
    assert_int_equal(count_lines(), 3);
    assert_says("5.0 GB");
    assert_int_equal(call(world, &cmd_status, "status", true), 0);
    assert_int_equal(count_lines(), 4);
    assert_says("{\"node\": \"sheep2\", \"state\": \"running\"");
    assert_says("\"n_samples\": 500");
}

static void test_a_silent_node_delays_nobody_and_is_named(void **state)
{
    struct world *world = *state;

    world->parts[1].is_mute = true;
    curtain(world);
    assert_int_equal(call(world, &cmd_status, "status -t 0.3", false), EXIT_NODE_FAILED);
    assert_says("sheep[0,2-3]");
    assert_says("silent");
    assert_int_equal(call(world, &cmd_alive, "alive", false), 0);
    assert_says("alive: sheep[0-3] (4)");
}

static void test_nobody_there_is_exit_3(void **state)
{
    struct world *world = *state;

    /* The sockets are open, but nobody plays. */
    assert_int_equal(call(world, &cmd_alive, "alive -t 0.2", false), EXIT_NOBODY);
    assert_says("silent: sheep[0-3] (4)");
    assert_int_equal(call(world, &cmd_alive, "alive -t 0.2 sheep1", true), EXIT_NOBODY);
    assert_says("{\"node\": \"sheep1\", \"alive\": false}");
    assert_int_equal(call(world, &cmd_status, "status -t 0.2", false), EXIT_NOBODY);
    assert_int_equal(call(world, &cmd_clock, "clock -t 0.2", false), EXIT_NOBODY);
    assert_int_equal(call(world, &cmd_alive, "alive -t never", false), EXIT_USAGE);
    assert_int_equal(call(world, &cmd_alive, "alive a b", false), EXIT_USAGE);
    assert_int_equal(call(world, &cmd_status, "status -t -1", false), EXIT_USAGE);
    assert_int_equal(call(world, &cmd_clock, "clock -n 0", false), EXIT_USAGE);
    assert_int_equal(call(world, &cmd_clock, "clock a b", false), EXIT_USAGE);
}

static void test_a_lost_question_is_asked_again(void **state)
{
    struct world *world = *state;

    world->parts[3].n_ignored = 1;
    curtain(world);
    assert_int_equal(call(world, &cmd_status, "status -t 5", false), 0);
    end_play(world);
    assert_int_equal(world->parts[3].n_asked, 2);
    assert_int_equal(world->parts[0].n_asked, 1);
}

static void test_a_refusal_is_an_answer(void **state)
{
    struct world *world = *state;

    world->parts[0].is_refusing = true;
    curtain(world);
    assert_int_equal(call(world, &cmd_status, "status", false), 0);
    assert_says("not today");
    assert_int_equal(call(world, &cmd_ls, "ls", false), EXIT_NODE_FAILED);
    assert_says("herd ls: sheep0: not today");
}

static void test_clocks_are_compared_with_the_median(void **state)
{
    struct world *world = *state;
    const int64_t second_ns = 1000000000;

    for (unsigned i = 0; i < N_NODES; i++) {
        world->parts[i].clock_offset_ns = 37 * second_ns; /* all alike: nothing is wrong */
    }
    world->parts[2].clock_offset_ns = 0;
    world->parts[3].is_unlocked = true;
    curtain(world);
    assert_int_equal(call(world, &cmd_clock, "clock -n 8", true), EXIT_NODE_FAILED);
    assert_int_equal(count_lines(), 4);
    assert_says("{\"node\": \"sheep2\", \"exchanges\": 8");
    assert_says("\"fault\": \"proven off\"");
    assert_says("\"fault\": \"not locked\"");
    assert_says("\"fault\": \"\"");
    assert_int_equal(call(world, &cmd_clock, "clock -m 100000000 sheep2", false), 0);
    assert_says("can prove");
    assert_int_equal(call(world, &cmd_clock, "clock -m 0.5 sheep[0-1]", false),
                     EXIT_NODE_FAILED);
    assert_says("claims too much");
}

static const char LISTING[] =
    "- {name: solar_1_sheep0, state: closed, bytes: 1234567, samples: 100, digest: \"ab\"}\n"
    "- {name: solar_2_sheep0, state: recording, bytes: 5, samples: 0}\n"
    "- {name: wind_1_sheep0, state: closed, bytes: 1, samples: 1}\n";

static void test_recordings_are_listed_and_removed(void **state)
{
    struct world *world = *state;

    world->parts[0].listing = LISTING;
    world->parts[1].listing = "- {name: ../../etc, state: closed}\n";
    world->parts[2].listing = "name: no list\n";
    curtain(world);
    assert_int_equal(call(world, &cmd_ls, "ls", false), EXIT_NODE_FAILED);
    assert_says("1.2 MB");
    assert_says("sheep1: listing:1:");
    assert_says("sheep2: listing: not a list");
    assert_int_equal(call(world, &cmd_ls, "ls solar", true), EXIT_NODE_FAILED);
    assert_says("\"name\": \"solar_1_sheep0\"");
    assert_null(strstr(printed, "wind"));
    assert_int_equal(call(world, &cmd_rm, "rm -n solar", false), EXIT_NODE_FAILED);
    assert_int_equal(call(world, &cmd_rm, "rm -f *_1_*", false), EXIT_NODE_FAILED);
    assert_says("sheep0: removed wind_1_sheep0");
    assert_int_equal(call(world, &cmd_rm, "rm", false), EXIT_USAGE);
    assert_int_equal(call(world, &cmd_rm, "rm -z", false), EXIT_USAGE);
    end_play(world);
    assert_string_equal(world->parts[0].removed, "solar_1_sheep0 wind_1_sheep0 ");
}

static void test_patterns_match_names(void **state)
{
    (void)state;
    assert_true(listing_matches("solar", "solar"));
    assert_true(listing_matches("solar", "solar_x"));
    assert_false(listing_matches("sol", "solar_x"));
    assert_false(listing_matches("solar_xy", "solar_x"));
    assert_true(listing_matches("*_x", "solar_x"));
    assert_false(listing_matches("s?", "solar_x"));
}

#define PLAY_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAY_TEST(test_nodes_that_agree_share_a_line),
        PLAY_TEST(test_a_silent_node_delays_nobody_and_is_named),
        PLAY_TEST(test_nobody_there_is_exit_3),
        PLAY_TEST(test_a_lost_question_is_asked_again),
        PLAY_TEST(test_a_refusal_is_an_answer),
        PLAY_TEST(test_clocks_are_compared_with_the_median),
        PLAY_TEST(test_recordings_are_listed_and_removed),
        cmocka_unit_test(test_patterns_match_names),
    };

    zsys_handler_set(NULL);
    unsetenv("BELLWETHER_KEY");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
