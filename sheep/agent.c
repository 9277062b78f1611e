/* SPDX-License-Identifier: MIT */
#include "sheep/agent.h"

#include "common/log.h"
#include "sheep/agent_state.h"

#include <sodium.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum {
    TICK_MS = 20,
    SECOND_MS = 1000,
    PUMP_MS = 1,
    PIECES_PER_TURN = 4, /* then whoever else waits in the loop has its turn */
    PEERS = 256,
};

bool agent_is_log_live(void *arg, const char *log, struct rlog_position *durable)
{
    struct agent *agent = arg;
    bool is_current = agent->node.state != NODE_IDLE && strcmp(agent->journal.log, log) == 0;
    struct store_entry entry;

    memset(durable, 0, sizeof(*durable));
    if (is_current && agent->node.state != NODE_DONE) {
        if (agent->page.experiment == agent->node.experiment) {
            *durable = agent->page.durable;
        }
        return true;
    }
    /* Until it is closed nothing of it is certain. */
    return store_find(&agent->store, log, &entry, NULL) < 0;
}

static int send_data(void *arg, const char *peer_id, const struct proto_token *token,
                     const struct body_data *body, struct proto_frame payload, struct err *err)
{
    struct agent *agent = arg;
    struct proto_token answer = server_answer_token(agent->server, token);
    struct proto_encoded encoded;
    int result = 0;

    if (proto_encode(&encoded, VERB_DATA, &answer, body, payload, err) < 0) {
        return -1;
    }
    result = server_send(agent->server, SERVER_BULK, peer_id, &encoded, err);
    proto_encoded_fini(&encoded);
    return result;
}

static int on_pump(zloop_t *loop, int timer, void *arg)
{
    struct agent *agent = arg;

    (void)loop;
    (void)timer;
    agent->is_pumping = false;
    agent_pump(agent);
    return 0;
}

void agent_pump(struct agent *agent)
{
    if (agent->is_pumping) {
        return;
    }
    if (log_server_pump(agent->logs, PIECES_PER_TURN) == PIECES_PER_TURN) {
        agent->is_pumping = true;
        zloop_timer(agent->loop, PUMP_MS, 1, on_pump, agent);
    }
}

void agent_read_claim(struct agent *agent)
{
    bool was_locked = agent->claim.is_locked;

    if (agent->clock_watch == NULL) {
        clock_claim_read(&agent->claim, agent->config);
        return;
    }
    clock_watch_claim(agent->clock_watch, &agent->claim);
    if (was_locked && !agent->claim.is_locked) {
        log_warn("clock: %s", agent->claim.why);
    } else if (!was_locked && agent->claim.is_locked) {
        log_info("clock: %s is locked", agent->claim.source);
    }
}

static int on_tick(zloop_t *loop, int timer, void *arg)
{
    struct agent *agent = arg;
    struct node_event event = { .kind = NODE_EVENT_TIME };

    (void)loop;
    (void)timer;
    if (*agent->stop_signal != 0) {
        return -1;
    }
    if (clock_mono(&agent->clock) >= node_experiment_deadline_ns(&agent->node)) {
        agent_feed(agent, &event);
    }
    agent_look_at_page(agent);
    agent_keep_monitors(agent);
    agent_pump(agent);
    if (agent->n_ticks++ % (LIVE_MS / TICK_MS) == 0) {
        agent_keep_live(agent);
    }
    return 0;
}

/* Without a doorkeeper nobody can come in any more: somebody must start us anew. */
static int on_second(zloop_t *loop, int timer, void *arg)
{
    struct agent *agent = arg;
    struct zap_stats stats;

    (void)loop;
    (void)timer;
    if (agent->clock_watch != NULL) {
        clock_watch_tick(agent->clock_watch);
        agent_read_claim(agent);
    }
    if (server_refresh_keys(agent->server) && agent->live != NULL) {
        live_end_all(agent->live);
    }
    if (zap_check(agent->zap, &stats, &agent->failure) < 0) {
        return -1;
    }
    return 0;
}

static int make_boot_id(struct agent *agent, struct err *err)
{
    if (sodium_init() < 0) {
        return err_set(err, ERR_SYSTEM, "no random numbers");
    }
    do {
        randombytes_buf(&agent->boot_id, sizeof(agent->boot_id));
    } while (agent->boot_id == 0);
    return 0;
}

static int open_stores(struct agent *agent, struct err *err)
{
    struct log_server_options options = {
        .store = &agent->store,
        .arg = agent,
        .is_live = agent_is_log_live,
        .send = send_data,
    };

    if (sheep_config_make_folders(agent->config, err) < 0
        || sheep_config_folder(agent->config, "state", agent->state_dir, err) < 0
        || store_open(&agent->store, agent->config, err) < 0
        || input_store_open(&agent->inputs, agent->config, err) < 0) {
        return -1;
    }
    agent->plan = calloc(1, sizeof(*agent->plan));
    if (agent->plan == NULL) {
        return err_set(err, ERR_MEMORY, "plan");
    }
    agent->cache = reply_cache_create(err);
    agent->logs = log_server_create(&options, err);
    return agent->cache == NULL || agent->logs == NULL ? -1 : 0;
}

static int open_recorder(struct agent *agent, struct err *err)
{
    struct recorder_link_options options = {
        .loop = agent->loop,
        .state_dir = agent->state_dir,
        .config_path = agent->config->path,
        .arg = agent,
        .on_up = agent_recorder_up,
        .on_event = agent_recorder_event,
        .on_lost = agent_recorder_lost,
    };

    agent->link = recorder_link_create(&options, err);
    return agent->link == NULL ? -1 : 0;
}

static int open_clock(struct agent *agent, struct err *err)
{
    struct err why = { 0 };

    agent->clock_watch = clock_watch_create(agent->config, agent->state_dir, &why);
    if (why.code != ERR_NONE) {
        return err_set(err, why.code, "%s", why.text);
    }
    if (agent->clock_watch != NULL) {
        clock_watch_tick(agent->clock_watch);
    }
    agent_read_claim(agent);
    return 0;
}

/* A second agent would take the recorder away from the first. */
static int lock_state(struct agent *agent, struct err *err)
{
    char path[PATH_SIZE + 32];

    snprintf(path, sizeof(path), "%s/agent.lock", agent->state_dir);
    agent->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (agent->lock_fd < 0) {
        return err_set_errno(err, "%s", path);
    }
    if (flock(agent->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        return err_set(err, ERR_EXISTS, "another agent runs on %s", agent->config->data);
    }
    return 0;
}

/* The doorkeeper comes before the doors, and what is here is known before anybody asks. */
static int open_all(struct agent *agent, struct err *err)
{
    struct server_options options = {
        .config = agent->config,
        .clock = &agent->clock,
        .on_message = agent_dispatch,
        .arg = agent,
    };
    struct err why = { 0 };

    if (make_boot_id(agent, err) < 0 || wire_limits(PEERS, err) < 0
        || open_stores(agent, err) < 0) {
        return -1;
    }
    if (lock_state(agent, err) < 0) {
        return -1;
    }
    agent->zap = zap_start(agent->config->authorized, err);
    agent->loop = zloop_new();
    if (agent->zap == NULL || agent->loop == NULL) {
        return agent->zap == NULL ? -1 : err_set(err, ERR_MEMORY, "loop");
    }
    agent->journalist = worker_create(agent->loop, err);
    agent->worker = worker_create(agent->loop, err);
    if (agent->journalist == NULL || agent->worker == NULL) {
        return -1;
    }
    node_experiment_init(&agent->node, agent->boot_id);
    if (open_clock(agent, err) < 0 || open_recorder(agent, err) < 0) {
        return -1;
    }
    agent_restore(agent);
    options.loop = agent->loop;
    options.boot_id = agent->boot_id;
    agent->server = server_open(&options, err);
    if (agent->server == NULL) {
        return -1;
    }
    agent->live = live_open(agent->config, agent->boot_id, &why);
    if (agent->live == NULL) {
        log_warn("no live view: %s", why.text);
    }
    if (zloop_timer(agent->loop, TICK_MS, 0, on_tick, agent) < 0
        || zloop_timer(agent->loop, SECOND_MS, 0, on_second, agent) < 0) {
        return err_set(err, ERR_SYSTEM, "timers");
    }
    return 0;
}

/* An idle recorder has no reason to stay; a busy one refuses, and goes on. */
static void quit_recorder(struct agent *agent)
{
    struct recorder_request request = { .kind = RECORDER_QUIT };

    if (agent->link != NULL && recorder_link_is_up(agent->link)
        && recorder_link_send(agent->link, &request, NULL, NULL) < 0) {
        log_debug("the recorder was gone already");
    }
}

static void close_all(struct agent *agent)
{
    agent_stop_monitors(agent);
    agent_machine_end(agent);
    quit_recorder(agent);
    worker_destroy(&agent->journalist);
    worker_destroy(&agent->worker);
    recorder_link_destroy(&agent->link);
    clock_watch_destroy(&agent->clock_watch);
    log_server_destroy(&agent->logs);
    live_close(&agent->live);
    server_close(&agent->server);
    zap_stop(&agent->zap);
    reply_cache_destroy(&agent->cache);
    if (agent->loop != NULL) {
        zloop_destroy(&agent->loop);
    }
    free(agent->plan);
    if (agent->lock_fd >= 0) {
        close(agent->lock_fd);
    }
}

int agent_run(const struct sheep_config *config, int64_t start_mono_ns,
              const volatile sig_atomic_t *stop_signal, struct err *err)
{
    struct agent *agent = calloc(1, sizeof(*agent));
    int result = -1;

    if (agent == NULL) {
        return err_set(err, ERR_MEMORY, "agent");
    }
    agent->lock_fd = -1;
    agent->config = config;
    agent->clock = sheep_config_clock(config);
    agent->start_mono_ns = start_mono_ns;
    agent->stop_signal = stop_signal;
    if (open_all(agent, err) == 0) {
        log_info("%s ready in %lld ms, %s port %u", config->name,
                 (long long)((clock_mono_ns() - start_mono_ns) / NS_PER_MS), config->address,
                 config->port);
        agent_scan_logs(agent);
        zloop_start(agent->loop);
        result = 0;
        if (agent->failure.code != ERR_NONE) {
            result = err_set(err, agent->failure.code, "%s", agent->failure.text);
        }
    }
    close_all(agent);
    free(agent);
    return result;
}
