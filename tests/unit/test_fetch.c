/* SPDX-License-Identifier: MIT */
/* Fetching from played nodes, with real sockets on loopback. */
#include "herd/fetch.h"

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
    N_NODES = 2,
    BOOT_ID = 5,
    PIECE = 100000,
    SEGMENT_BYTES = 1500000, /* more than is acknowledged at once */
    N_SEGMENTS = 2,
};

static const char MANIFEST[] = "node: played\n";

/* Serves two segments of bytes that follow from their place. */
struct part {
    char name[32];
    struct key_pair pair;
    zsock_t *control;
    zsock_t *bulk;
    zactor_t *actor;
    unsigned port;
    bool is_refusing;
    bool is_mute;    /* answers no FETCH */
    unsigned n_lost; /* pieces that are lost on the way, then all arrive */
    unsigned n_manifests;
};

struct world {
    char folder[64];
    struct key_pair herd;
    struct zap *zap;
    struct part parts[N_NODES];
    struct inventory *inventory;
};

static void hush(enum log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

static char byte_at(uint64_t segment, uint64_t offset)
{
    return (char)((segment * 31 + offset * 7 + offset / 251) & 0x7f);
}

static void tell(zsock_t *socket, const struct wire_message *got,
                 const struct proto_message *message, enum proto_verb verb, const void *body,
                 struct proto_frame payload)
{
    struct proto_token token = message->token;

    token.boot_id = BOOT_ID;
    /* Whoever asked may be gone by now. */
    if (wire_tell(socket, got->peer_id, verb, &token, body, payload, NULL) < 0) {
        return;
    }
}

static void serve_bytes(struct part *part, const struct wire_message *got,
                        const struct proto_message *message)
{
    char piece[PIECE];
    const struct body_fetch *fetch = PROTO_CONST_BODY(message, body_fetch);
    struct body_data body = { .segment = fetch->segment, .offset = fetch->offset };
    uint64_t credit = fetch->credit_bytes;

    snprintf(body.log, sizeof(body.log), "%s", fetch->log);
    if (credit == 0) {
        tell(part->bulk, got, message, VERB_DATA, &body, (struct proto_frame){ NULL, 0 });
    }
    while (credit > 0 && body.segment < N_SEGMENTS) {
        size_t size = PIECE;

        size =
            size < SEGMENT_BYTES - body.offset ? size : (size_t)(SEGMENT_BYTES - body.offset);
        size = size < credit ? size : (size_t)credit;
        for (size_t k = 0; k < size; k++) {
            piece[k] = byte_at(body.segment, body.offset + k);
        }
        body.is_segment_end = body.offset + size == SEGMENT_BYTES;
        body.is_log_end = body.is_segment_end && body.segment + 1 == N_SEGMENTS;
        if (part->n_lost > 0) {
            part->n_lost--;
        } else {
            tell(part->bulk, got, message, VERB_DATA, &body,
                 (struct proto_frame){ piece, size });
        }
        credit -= size;
        body.offset += size;
        if (body.is_segment_end) {
            body.segment++;
            body.offset = 0;
        }
    }
}

static void serve(struct part *part, const struct wire_message *got,
                  const struct proto_message *message)
{
    const struct body_fetch *fetch = PROTO_CONST_BODY(message, body_fetch);
    const struct proto_frame nothing = { NULL, 0 };
    struct body_refused refused = { .why = "no such log", .code = "not-found" };
    struct body_data body = { .is_manifest = true };

    if (part->is_mute) {
        return;
    }
    if (part->is_refusing) {
        tell(part->bulk, got, message, VERB_REFUSED, &refused, nothing);
    } else if (fetch->manifest) {
        part->n_manifests++;
        snprintf(body.log, sizeof(body.log), "%s", fetch->log);
        tell(part->bulk, got, message, VERB_DATA, &body,
             (struct proto_frame){ MANIFEST, sizeof(MANIFEST) - 1 });
    } else {
        serve_bytes(part, got, message);
    }
}

static void play(struct part *part, zsock_t *socket, const struct wire_message *got)
{
    struct body_welcome welcome = { .boot_id = BOOT_ID, .version = "0", .board = "sim" };
    const struct proto_frame nothing = { NULL, 0 };
    struct proto_message message;

    if (proto_decode(&message, got->frames, got->n_frames, ROLE_OPERATOR, NULL) < 0) {
        return;
    }
    if (message.verb == VERB_HELLO) {
        tell(socket, got, &message, VERB_WELCOME, &welcome, nothing);
    } else if (message.verb == VERB_PING) {
        tell(socket, got, &message, VERB_PONG, PROTO_BODY(&message, body_clock), nothing);
    } else if (message.verb == VERB_FETCH) {
        serve(part, got, &message);
    }
}

static void part_run(zsock_t *pipe, void *arg)
{
    struct part *part = arg;
    zpoller_t *poller = zpoller_new(pipe, part->control, part->bulk, NULL);
    struct wire_message got;
    zsock_t *which = NULL;
    int result = 0;

    zsock_signal(pipe, 0);
    while ((which = zpoller_wait(poller, -1)) != NULL && which != pipe) {
        while ((result = wire_recv(which, &got, NULL)) != 0) {
            if (result > 0) {
                play(part, which, &got);
                wire_message_fini(&got);
            }
        }
    }
    zpoller_destroy(&poller);
}

static zsock_t *bind_port(const struct key_pair *pair, unsigned port)
{
    char endpoint[64];
    struct err err = { 0 };

    snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%u", port);
    return wire_bind(ZMQ_ROUTER, endpoint, pair, &err);
}

static void open_part(struct part *part, unsigned i, struct buf *inventory)
{
    struct err err = { 0 };

    snprintf(part->name, sizeof(part->name), "sheep%u", i);
    assert_int_equal(key_generate(&part->pair, part->name, ROLE_SHEEP, &err), 0);
    for (unsigned try = 0; part->bulk == NULL && try < 100; try++) {
        zsock_destroy(&part->control);
        part->port = 32000 + (unsigned)getpid() % 500 * 40 + try * 20 + i * 4;
        part->control = bind_port(&part->pair, part->port);
        part->bulk = part->control != NULL ? bind_port(&part->pair, part->port + 1) : NULL;
    }
    assert_non_null(part->bulk);
    buf_printf(inventory,
               "    %s: {ansible_host: 127.0.0.1, port: %u, public_key: ", part->name,
               part->port);
    yaml_emit_scalar(part->pair.public_key, inventory);
    buf_text(inventory, "}\n");
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    struct buf text = { 0 };
    struct fault_list faults = { 0 };
    struct err err = { 0 };

    assert_non_null(world);
    log_set_sink(hush, NULL);
    snprintf(world->folder, sizeof(world->folder), "/tmp/test_fetch.XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    assert_int_equal(key_generate(&world->herd, "ann", ROLE_OPERATOR, &err), 0);
    assert_int_equal(key_save(&world->herd, world->folder, "herd", true, &err), 0);
    world->zap = zap_start(world->folder, &err);
    assert_non_null(world->zap);
    buf_text(&text, "sheep:\n  hosts:\n");
    for (unsigned i = 0; i < N_NODES; i++) {
        open_part(&world->parts[i], i, &text);
    }
    world->inventory = inventory_parse(text.data, "played", &faults);
    assert_non_null(world->inventory);
    fault_fini(&faults);
    buf_fini(&text);
    *state = world;
    return 0;
}

static void curtain(struct world *world)
{
    for (unsigned i = 0; i < N_NODES; i++) {
        world->parts[i].actor = zactor_new(part_run, &world->parts[i]);
        assert_non_null(world->parts[i].actor);
    }
}

static int tear_down(void **state)
{
    struct world *world = *state;
    char command[128];

    for (unsigned i = 0; i < N_NODES; i++) {
        zactor_destroy(&world->parts[i].actor);
        zsock_destroy(&world->parts[i].control);
        zsock_destroy(&world->parts[i].bulk);
    }
    inventory_destroy(&world->inventory);
    zap_stop(&world->zap);
    snprintf(command, sizeof(command), "rm -r '%s'", world->folder);
    log_set_sink(NULL, NULL);
    free(world);
    return system(command);
}

static struct fetch_job job_of(const struct world *world, size_t node, const char *log)
{
    struct fetch_job job = { .node = node };

    snprintf(job.log, sizeof(job.log), "%s", log);
    snprintf(job.folder, sizeof(job.folder), "%s/out/%s_%zu.rlog", world->folder, log, node);
    return job;
}

static void fetch(const struct world *world, struct fetch_job *jobs, size_t n_jobs,
                  int silence_ms)
{
    const struct fetch_options options = { .inventory = world->inventory,
                                           .key = &world->herd,
                                           .silence_ms = silence_ms };
    struct err err = { 0 };

    if (fetch_all(&options, jobs, n_jobs, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

static void assert_whole(const struct fetch_job *job)
{
    struct buf text = { 0 };
    struct err err = { 0 };

    if (!job->is_whole) {
        fail_msg("%s: %s", job->log, job->err.text);
    }
    assert_int_equal(job->bytes, N_SEGMENTS * SEGMENT_BYTES);
    for (unsigned segment = 0; segment < N_SEGMENTS; segment++) {
        char path[PATH_MAX + 32];

        snprintf(path, sizeof(path), "%s/%06u.seg", job->folder, segment);
        buf_clear(&text);
        assert_int_equal(buf_read_file(&text, path, (size_t)2 * SEGMENT_BYTES, &err), 0);
        assert_int_equal(text.size, SEGMENT_BYTES);
        for (size_t k = 0; k < text.size; k++) {
            if (text.data[k] != byte_at(segment, k)) {
                fail_msg("segment %u differs at %zu", segment, k);
            }
        }
    }
    buf_fini(&text);
}

static void test_all_logs_of_all_nodes_come_whole(void **state)
{
    struct world *world = *state;
    struct fetch_job jobs[] = { job_of(world, 0, "a"), job_of(world, 1, "b"),
                                job_of(world, 0, "c") };

    curtain(world);
    fetch(world, jobs, ARRAY_LEN(jobs), 10000);
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
        assert_whole(&jobs[i]);
    }
    assert_string_equal(jobs[0].digest, jobs[2].digest);
    assert_int_equal(strlen(jobs[0].digest), 64);
}

static void test_lost_pieces_are_asked_for_again(void **state)
{
    struct world *world = *state;
    struct fetch_job job = job_of(world, 0, "a");

    world->parts[0].n_lost = 3;
    curtain(world);
    fetch(world, &job, 1, 10000);
    assert_whole(&job);
}

static void test_a_copy_is_gone_on_with(void **state)
{
    struct world *world = *state;
    struct fetch_job job = job_of(world, 0, "a");
    static char begin[PIECE];
    char path[PATH_MAX + 32];
    struct err err = { 0 };

    for (size_t k = 0; k < sizeof(begin); k++) {
        begin[k] = byte_at(0, k);
    }
    assert_int_equal(dir_make(job.folder, 0755, &err), 0);
    snprintf(path, sizeof(path), "%s/000000.seg", job.folder);
    assert_int_equal(file_write_atomic(path, begin, sizeof(begin), 0644, &err), 0);
    curtain(world);
    fetch(world, &job, 1, 10000);
    assert_whole(&job);
}

static void test_who_refuses_or_is_silent_stops_nobody_else(void **state)
{
    struct world *world = *state;
    struct fetch_job jobs[] = { job_of(world, 0, "a"), job_of(world, 1, "b"),
                                job_of(world, 0, "c") };

    world->parts[0].is_refusing = true;
    curtain(world);
    fetch(world, jobs, ARRAY_LEN(jobs), 10000);
    assert_whole(&jobs[1]);
    assert_false(jobs[0].is_whole);
    assert_false(jobs[2].is_whole);
    assert_string_equal(jobs[2].err.text, "no such log");
}

static void test_a_mute_node_is_given_up(void **state)
{
    struct world *world = *state;
    struct fetch_job jobs[] = { job_of(world, 0, "a"), job_of(world, 0, "b") };

    world->parts[0].is_mute = true;
    curtain(world);
    fetch(world, jobs, ARRAY_LEN(jobs), 500);
    assert_int_equal(jobs[0].err.code, ERR_TIMEOUT);
    assert_int_equal(jobs[1].err.code, ERR_TIMEOUT);
}

static void test_no_jobs_need_no_nodes(void **state)
{
    fetch(*state, NULL, 0, 500);
}

#define FETCH_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FETCH_TEST(test_all_logs_of_all_nodes_come_whole),
        FETCH_TEST(test_lost_pieces_are_asked_for_again),
        FETCH_TEST(test_a_copy_is_gone_on_with),
        FETCH_TEST(test_who_refuses_or_is_silent_stops_nobody_else),
        FETCH_TEST(test_a_mute_node_is_given_up),
        FETCH_TEST(test_no_jobs_need_no_nodes),
    };

    wire_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
