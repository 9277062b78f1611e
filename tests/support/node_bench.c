/* SPDX-License-Identifier: MIT */
#include "tests/support/node_bench.h"

#include "common/clock.h"
#include "common/log.h"
#include "sheep/recorder_main.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    PORT_TRIES = 100,
    LOOK_MS = 2
};

/* ---- the node ---- */

/* A socket that holds the port while the next one is looked at; -1: taken. */
static int try_port(uint16_t port, uint16_t *got)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0
        && (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0
            || getsockname(fd, (struct sockaddr *)&address, &size) < 0)) {
        close(fd);
        return -1;
    }
    *got = ntohs(address.sin_port);
    return fd;
}

/* Two that follow each other. */
static unsigned find_ports(void)
{
    for (int i = 0; i < PORT_TRIES; i++) {
        uint16_t first = 0;
        uint16_t second = 0;
        int first_fd = try_port(0, &first);
        int second_fd = first_fd < 0 ? -1 : try_port((uint16_t)(first + 1), &second);

        if (first_fd >= 0) {
            close(first_fd);
        }
        if (second_fd >= 0) {
            close(second_fd);
            return first;
        }
    }
    fail_msg("no two free ports");
    return 0;
}

static void make_key(const struct node_bench *bench, struct key_pair *pair, const char *name,
                     enum proto_role role)
{
    char path[TEMP_PATH_SIZE];
    char file[KEY_NAME_SIZE + 32];
    struct err err = { 0 };

    assert_int_equal(key_generate(pair, name, role, &err), 0);
    if (role == ROLE_SHEEP) {
        assert_int_equal(key_save(pair, bench->folder, "sheep", false, &err), 0);
        return;
    }
    snprintf(file, sizeof(file), "authorized/%s.pub", name);
    temp_folder_path(bench->folder, file, path);
    assert_int_equal(key_save_public(pair, path, &err), 0);
}

void node_bench_init(struct node_bench *bench, const char *sim)
{
    char text[1024];
    char path[TEMP_PATH_SIZE];
    struct err err = { 0 };

    memset(bench, 0, sizeof(*bench));
    log_set_level(LOG_LEVEL_ERROR);
    signal(SIGCHLD, SIG_IGN); /* as main does: a recorder that ends leaves no zombie */
    temp_folder_make(bench->folder);
    temp_folder_path(bench->folder, "authorized", path);
    assert_int_equal(mkdir(path, 0755), 0);
    make_key(bench, &bench->node, "sheep0", ROLE_SHEEP);
    make_key(bench, &bench->ann, "ann", ROLE_OPERATOR);
    make_key(bench, &bench->bob, "bob", ROLE_OPERATOR);
    make_key(bench, &bench->olga, "olga", ROLE_OBSERVER);
    snprintf(text, sizeof(text),
             "name: sheep0\naddress: 127.0.0.1\nport: %u\ndisk_reserve: 1 MiB\n"
             "clock: { source: sim, locked: true, claimed_bound_us: 10 }\nsim: { %s }\n",
             find_ports(), sim);
    temp_folder_write(bench->folder, "sheep.yaml", text);
    temp_folder_path(bench->folder, "sheep.yaml", bench->config_path);
    temp_folder_path(bench->folder, "data/state", bench->state_dir);
    if (sheep_config_load(&bench->config, bench->config_path, &err) < 0
        || sheep_config_make_folders(&bench->config, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

void node_bench_fini(struct node_bench *bench)
{
    sheep_config_fini(&bench->config);
    key_wipe(&bench->node);
    temp_folder_remove(bench->folder);
}

bool node_bench_is_recorder(int argc, char **argv, int *status)
{
    struct sheep_config config;
    struct err err = { 0 };

    if (argc != 4 || strcmp(argv[1], "recorder") != 0) {
        return false;
    }
    log_set_level(LOG_LEVEL_ERROR);
    *status = 1;
    if (sheep_config_load(&config, argv[3], &err) == 0) {
        *status = recorder_main(&config, NULL, &err) < 0 ? 1 : 0;
        sheep_config_fini(&config);
    }
    return true;
}

/* Whether the process is `... recorder -c CONFIG` of this node. */
static bool is_our_recorder(const struct node_bench *bench, const char *pid)
{
    char path[64];
    char words[TEMP_PATH_SIZE + 64] = "";
    FILE *file = NULL;
    size_t size = 0;
    size_t length = strlen(bench->config_path);

    snprintf(path, sizeof(path), "/proc/%.20s/cmdline", pid);
    file = fopen(path, "rbe");
    if (file == NULL) {
        return false;
    }
    size = fread(words, 1, sizeof(words) - 1, file);
    fclose(file);
    return size > length + 1 && strcmp(words + size - length - 1, bench->config_path) == 0;
}

static unsigned kill_recorders(const struct node_bench *bench)
{
    DIR *folder = opendir("/proc");
    const struct dirent *entry = NULL;
    unsigned n_killed = 0;

    assert_non_null(folder);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own */
    while ((entry = readdir(folder)) != NULL) {
        int64_t pid = 0;

        if (text_to_i64(entry->d_name, &pid) && is_our_recorder(bench, entry->d_name)) {
            kill((pid_t)pid, SIGKILL);
            n_killed++;
        }
    }
    closedir(folder);
    return n_killed;
}

void node_bench_end_recorders(const struct node_bench *bench)
{
    for (int ms = 0; kill_recorders(bench) != 0 && ms < NODE_BENCH_WAIT_MS; ms++) {
        poll(NULL, 0, 1);
    }
}

/* ---- the loop ---- */

struct wish {
    bool (*is_done)(void *arg);
    void *arg;
    int64_t deadline_ns;
};

static int look(zloop_t *loop, int timer, void *arg)
{
    const struct wish *wish = arg;

    (void)loop;
    (void)timer;
    return wish->is_done(wish->arg) || clock_mono_ns() > wish->deadline_ns ? -1 : 0;
}

bool node_bench_run(zloop_t *loop, bool (*is_done)(void *arg), void *arg)
{
    struct wish wish = { is_done, arg, clock_mono_ns() + NODE_BENCH_WAIT_MS * NS_PER_MS };
    int timer = zloop_timer(loop, LOOK_MS, 0, look, &wish);

    zloop_start(loop);
    zloop_timer_end(loop, timer);
    return is_done(arg);
}

/* ---- the controller ---- */

void node_client_open(struct node_client *client, const struct node_bench *bench,
                      const struct key_pair *key, const char *id)
{
    struct err err = { 0 };

    memset(client, 0, sizeof(*client));
    for (unsigned port = 0; port < N_SERVER_PORTS; port++) {
        char endpoint[64];

        snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%u", bench->config.port + port);
        client->sockets[port] = wire_client(ZMQ_ROUTER, key, id, &err);
        assert_non_null(client->sockets[port]);
        assert_int_equal(wire_connect(client->sockets[port], endpoint, bench->node.public_key,
                                      "sheep0", &err),
                         0);
    }
}

void node_client_close(struct node_client *client)
{
    for (unsigned port = 0; port < N_SERVER_PORTS; port++) {
        zsock_destroy(&client->sockets[port]);
    }
    buf_fini(&client->payload);
}

void node_client_tell(struct node_client *client, enum server_port port, enum proto_verb verb,
                      const void *body, struct proto_frame payload)
{
    struct err err = { 0 };

    client->token.seq++;
    for (int ms = 0; ms < NODE_BENCH_WAIT_MS; ms++) {
        if (wire_tell(client->sockets[port], "sheep0", verb, &client->token, body, payload,
                      &err)
            == 0) {
            return;
        }
        poll(NULL, 0, 1);
    }
    fail_msg("%s", err.text);
}

enum proto_verb node_client_hear(struct node_client *client, enum server_port port,
                                 int timeout_ms)
{
    zmq_pollitem_t item = { .socket = zsock_resolve(client->sockets[port]),
                            .events = ZMQ_POLLIN };
    struct wire_message got;
    struct err err = { 0 };

    if (zmq_poll(&item, 1, timeout_ms) != 1
        || wire_recv(client->sockets[port], &got, &err) != 1) {
        return VERB_NONE;
    }
    if (proto_decode(&client->message, got.frames, got.n_frames, ROLE_SHEEP, &err) < 0) {
        fail_msg("%s", err.text);
    }
    buf_clear(&client->payload);
    buf_append(&client->payload, client->message.payload.data, client->message.payload.size);
    client->message.payload =
        (struct proto_frame){ client->payload.data, client->payload.size };
    wire_message_fini(&got);
    return client->message.verb;
}

enum proto_verb node_client_ask(struct node_client *client, enum server_port port,
                                enum proto_verb verb, const void *body,
                                struct proto_frame payload)
{
    enum proto_verb heard = VERB_NONE;

    node_client_tell(client, port, verb, body, payload);
    do {
        heard = node_client_hear(client, port, NODE_BENCH_WAIT_MS);
    } while (heard != VERB_NONE && client->message.token.seq != client->token.seq);
    return heard;
}
