/* SPDX-License-Identifier: MIT */
#include "sheep/recorder_link.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CONNECT_MS = 10,      /* between looks for a recorder that was just started */
    SPAWN_WAIT_MS = 5000, /* until it must have answered */
    RESPAWN_MS = 200,     /* first pause after a death; doubles */
    RESPAWN_MAX_MS = 10000,
};

struct recorder_link {
    struct recorder_link_options options;
    char state_dir[PATH_SIZE];
    char config_path[PATH_SIZE];
    int fd;
    int timer;
    uint32_t seq;
    int64_t spawned_mono_ns; /* 0: not started, or up */
    int respawn_ms;
    const struct recorder_page *page;
};

static void look(struct recorder_link *link);
static int come_up(struct recorder_link *link, struct err *err);

static int on_timer(zloop_t *loop, int timer, void *arg)
{
    struct recorder_link *link = arg;

    (void)loop;
    (void)timer;
    link->timer = -1;
    look(link);
    return 0;
}

static void look_after(struct recorder_link *link, int delay_ms)
{
    if (link->timer >= 0) {
        zloop_timer_end(link->options.loop, link->timer);
    }
    link->timer = zloop_timer(link->options.loop, (size_t)delay_ms, 1, on_timer, link);
}

static void drop(struct recorder_link *link)
{
    if (link->fd >= 0) {
        zmq_pollitem_t item = { .fd = link->fd, .events = ZMQ_POLLIN };

        zloop_poller_end(link->options.loop, &item);
        close(link->fd);
        link->fd = -1;
    }
}

/* A broken line is not a dead recorder: as long as one answers, its log is not ours to close.
 */
static bool reconnect(struct recorder_link *link)
{
    struct err err = { 0 };

    link->fd = recorder_ipc_connect(link->state_dir, &err);
    if (link->fd < 0) {
        return false;
    }
    if (come_up(link, &err) < 0) {
        close(link->fd);
        link->fd = -1;
        return false;
    }
    log_warn("the line to the recorder broke, and is there again");
    link->options.on_up(link->options.arg, true);
    return true;
}

static void lose(struct recorder_link *link, const char *why)
{
    drop(link);
    if (reconnect(link)) {
        return;
    }
    log_error("recorder is gone: %s", why);
    look_after(link, link->respawn_ms);
    link->respawn_ms =
        link->respawn_ms * 2 < RESPAWN_MAX_MS ? link->respawn_ms * 2 : RESPAWN_MAX_MS;
    link->options.on_lost(link->options.arg, why);
}

static int on_readable(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    struct recorder_link *link = arg;
    struct recorder_event event;
    struct err err = { 0 };
    int result = 0;

    (void)loop;
    (void)item;
    while (link->fd >= 0 && (result = recorder_ipc_receive(link->fd, &event, &err)) > 0) {
        link->respawn_ms = RESPAWN_MS;
        link->options.on_event(link->options.arg, &event);
    }
    if (link->fd >= 0 && result < 0) {
        lose(link, err.text);
    }
    return 0;
}

/* Our own binary, in a session of its own, with nothing of ours open but standard error. */
static int spawn(struct recorder_link *link, struct err *err)
{
    char name[] = "sheep";
    char command[] = "recorder";
    char option[] = "-c";
    char *argv[] = { name, command, option, link->config_path, NULL };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t all;
    pid_t pid = 0;
    int result = 0;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK
                                              | POSIX_SPAWN_SETSIGDEF);
    result = posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (result != 0) {
        errno = result;
        return err_set_errno(err, "start of the recorder");
    }
    link->spawned_mono_ns = clock_mono_ns();
    log_debug("recorder started, pid %d", (int)pid);
    return 0;
}

static int come_up(struct recorder_link *link, struct err *err)
{
    zmq_pollitem_t item = { .fd = link->fd, .events = ZMQ_POLLIN };

    recorder_page_unmap(&link->page);
    if (recorder_page_map(link->state_dir, &link->page, err) < 0) {
        return -1;
    }
    if (zloop_poller(link->options.loop, &item, on_readable, link) < 0) {
        return err_set(err, ERR_SYSTEM, "recorder's socket in the loop");
    }
    zloop_poller_set_tolerant(link->options.loop, &item);
    link->spawned_mono_ns = 0;
    return 0;
}

static void look(struct recorder_link *link)
{
    struct err err = { 0 };
    bool is_spawned = link->spawned_mono_ns != 0;

    link->fd = recorder_ipc_connect(link->state_dir, &err);
    if (link->fd >= 0) {
        if (come_up(link, &err) == 0) {
            link->options.on_up(link->options.arg, false);
            return;
        }
        close(link->fd);
        link->fd = -1;
    }
    if (is_spawned && clock_mono_ns() - link->spawned_mono_ns < SPAWN_WAIT_MS * NS_PER_MS) {
        look_after(link, CONNECT_MS);
        return;
    }
    if (is_spawned) {
        log_error("recorder does not answer: %s", err.text);
    }
    if (spawn(link, &err) < 0) {
        log_error("%s", err.text);
        look_after(link, RESPAWN_MAX_MS);
        return;
    }
    look_after(link, CONNECT_MS);
}

struct recorder_link *recorder_link_create(const struct recorder_link_options *options,
                                           struct err *err)
{
    struct recorder_link *link = calloc(1, sizeof(*link));

    if (link == NULL) {
        err_set(err, ERR_MEMORY, "link to the recorder");
        return NULL;
    }
    link->options = *options;
    link->fd = -1;
    link->timer = -1;
    link->respawn_ms = RESPAWN_MS;
    snprintf(link->state_dir, sizeof(link->state_dir), "%s", options->state_dir);
    snprintf(link->config_path, sizeof(link->config_path), "%s", options->config_path);
    /* A page that an earlier recorder left says what became of its recording. */
    if (recorder_page_map(link->state_dir, &link->page, NULL) < 0) {
        link->page = NULL;
    }
    look(link);
    return link;
}

void recorder_link_destroy(struct recorder_link **link_p)
{
    struct recorder_link *link = *link_p;

    if (link == NULL) {
        return;
    }
    if (link->timer >= 0) {
        zloop_timer_end(link->options.loop, link->timer);
    }
    drop(link);
    recorder_page_unmap(&link->page);
    free(link);
    *link_p = NULL;
}

int recorder_link_dup(const struct recorder_link *link)
{
    return link->fd < 0 ? -1 : fcntl(link->fd, F_DUPFD_CLOEXEC, 0);
}

bool recorder_link_is_up(const struct recorder_link *link)
{
    return link->fd >= 0;
}

int recorder_link_send(struct recorder_link *link, struct recorder_request *request,
                       uint32_t *seq, struct err *err)
{
    if (link->fd < 0) {
        return err_set(err, ERR_UNREACHABLE, "no recorder is there");
    }
    request->seq = ++link->seq;
    if (seq != NULL) {
        *seq = request->seq;
    }
    return recorder_ipc_send(link->fd, request, err);
}

bool recorder_link_page(const struct recorder_link *link, struct recorder_page *page)
{
    return link->page != NULL && recorder_page_read(link->page, page);
}
