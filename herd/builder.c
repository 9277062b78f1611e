/* SPDX-License-Identifier: MIT */
#include "herd/builder.h"

#include "common/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    VERSION =
        1, /* of the messages; both ends are one program, but an upgrade may lie between */
    MAX_WORKERS = 16,
    SOCKET_BYTES = 1024 * 1024,
};

struct task {
    bool is_busy; /* a job is with the child */
    bool wants_advance;
    bool wants_finish;
    struct builder_job job;
};

struct worker_child {
    struct builder *builder;
    pid_t pid;
    int fd;
    bool is_dead;
};

struct builder {
    struct builder_config config;
    size_t n_workers;
    struct worker_child workers[MAX_WORKERS];
    struct task *tasks;
};

static struct worker_child *worker_of(struct builder *builder, size_t i)
{
    return &builder->workers[i % builder->n_workers];
}

/* ---- children ---- */

/* In the child, between fork and exec: only what is safe there. */
static void become_worker(int fd)
{
    char *const words[] = { (char[]){ "herd" }, (char[]){ "build-worker" }, NULL };

    if (fd != BUILDER_WORK_FD) {
        if (dup2(fd, BUILDER_WORK_FD) < 0) {
            _exit(127);
        }
    } else if (fcntl(fd, F_SETFD, 0) < 0) {
        _exit(127);
    }
    execv("/proc/self/exe", words);
    _exit(127);
}

static int spawn(struct builder *builder, struct worker_child *worker, struct err *err)
{
    int pair[2] = { -1, -1 };
    int size = SOCKET_BYTES;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        return err_set_errno(err, "socket pair");
    }
    (void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    (void)setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    worker->builder = builder;
    worker->fd = pair[0];
    worker->pid = fork();
    if (worker->pid == 0) {
        become_worker(pair[1]);
    }
    if (worker->pid < 0) {
        err_set_errno(err, "fork");
        close(pair[0]);
    }
    close(pair[1]);
    return worker->pid < 0 ? -1 : 0;
}

static void answer_failure(struct builder *builder, size_t i, const char *why)
{
    struct builder_answer answer = { .version = VERSION, .work = BUILDER_FINISH, .i = i };

    answer.result = -1;
    err_set(&answer.err, ERR_SYSTEM, "%s", why);
    builder->tasks[i].is_busy = false;
    builder->tasks[i].wants_advance = false;
    builder->tasks[i].wants_finish = false;
    builder->config.on_answer(builder->config.arg, &answer);
}

/* All that was meant for a child that died fails, once. */
static void bury(struct builder *builder, struct worker_child *worker)
{
    int status = 0;
    char why[120];

    if (worker->is_dead) {
        return;
    }
    worker->is_dead = true;
    (void)kill(worker->pid, SIGKILL); /* one that lives but speaks nonsense */
    (void)waitpid(worker->pid, &status, 0);
    snprintf(why, sizeof(why), "the process that writes HDF5 ended (%s %d)",
             WIFSIGNALED(status) ? "signal" : "status",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    log_error("%s", why);
    for (size_t i = 0; i < builder->config.n_nodes; i++) {
        if (worker_of(builder, i) == worker
            && (builder->tasks[i].is_busy || builder->tasks[i].wants_finish)) {
            answer_failure(builder, i, why);
        }
    }
}

/* ---- work ---- */

static void push(struct builder *builder, size_t i)
{
    struct task *task = &builder->tasks[i];
    struct worker_child *worker = worker_of(builder, i);

    if (task->is_busy || (!task->wants_advance && !task->wants_finish)) {
        return;
    }
    if (worker->is_dead) {
        answer_failure(builder, i, "the process that writes HDF5 has ended");
        return;
    }
    task->job.work = task->wants_finish ? BUILDER_FINISH : BUILDER_ADVANCE;
    if (send(worker->fd, &task->job, sizeof(task->job), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        if (errno != EAGAIN && errno != ENOBUFS) {
            bury(builder, worker);
        }
        return; /* full: the next tick tries again */
    }
    task->is_busy = true;
    task->wants_advance = false;
    task->wants_finish = false;
}

static int on_answer(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    struct worker_child *worker = arg;
    struct builder *builder = worker->builder;
    struct builder_answer answer;
    ssize_t n = recv(worker->fd, &answer, sizeof(answer), MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN) {
        return 0;
    }
    if (n != (ssize_t)sizeof(answer) || answer.version != VERSION
        || answer.i >= builder->config.n_nodes) {
        zloop_poller_end(loop, item);
        bury(builder, worker);
        return 0;
    }
    builder->tasks[answer.i].is_busy = false;
    builder->config.on_answer(builder->config.arg, &answer);
    push(builder, answer.i);
    return 0;
}

void builder_set(struct builder *builder, size_t i, const char *log_folder,
                 const char *part_path)
{
    struct builder_job *job = &builder->tasks[i].job;

    job->version = VERSION;
    job->i = i;
    snprintf(job->log_folder, sizeof(job->log_folder), "%s", log_folder);
    snprintf(job->part_path, sizeof(job->part_path), "%s", part_path);
}

void builder_advance(struct builder *builder, size_t i)
{
    builder->tasks[i].wants_advance = true;
    push(builder, i);
}

void builder_finish(struct builder *builder, size_t i, const struct h5_evidence *evidence,
                    const char *final_path)
{
    struct task *task = &builder->tasks[i];

    task->wants_finish = true;
    task->job.evidence = *evidence;
    snprintf(task->job.final_path, sizeof(task->job.final_path), "%s", final_path);
    push(builder, i);
}

void builder_tick(struct builder *builder)
{
    for (size_t i = 0; i < builder->config.n_nodes; i++) {
        push(builder, i);
    }
}

/* ---- life ---- */

static size_t choose_workers(const struct builder_config *config)
{
    long n_processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t n = config->n_workers != 0 ? config->n_workers
                                      : (size_t)(n_processors > 0 ? n_processors : 1);

    n = n < config->n_nodes ? n : config->n_nodes;
    n = n < MAX_WORKERS ? n : MAX_WORKERS;
    return n > 0 ? n : 1;
}

struct builder *builder_open(const struct builder_config *config, struct err *err)
{
    struct builder *builder = calloc(1, sizeof(*builder));
    size_t n_workers = choose_workers(config);

    if (builder == NULL
        || (builder->tasks = calloc(config->n_nodes + 1, sizeof(*builder->tasks))) == NULL) {
        err_set(err, ERR_MEMORY, "builder");
        goto fail;
    }
    builder->config = *config;
    for (size_t w = 0; w < n_workers; w++) {
        zmq_pollitem_t item = { .events = ZMQ_POLLIN };

        if (spawn(builder, &builder->workers[w], err) < 0) {
            goto fail;
        }
        builder->n_workers = w + 1;
        item.fd = builder->workers[w].fd;
        if (zloop_poller(config->loop, &item, on_answer, &builder->workers[w]) < 0) {
            err_set(err, ERR_MEMORY, "builder");
            goto fail;
        }
    }
    return builder;
fail:
    builder_close(&builder);
    return NULL;
}

void builder_close(struct builder **builder_p)
{
    struct builder *builder = *builder_p;

    if (builder == NULL) {
        return;
    }
    for (size_t w = 0; w < builder->n_workers; w++) {
        struct worker_child *worker = &builder->workers[w];
        zmq_pollitem_t item = { .fd = worker->fd, .events = ZMQ_POLLIN };

        zloop_poller_end(builder->config.loop, &item);
        close(worker->fd);
        if (!worker->is_dead) {
            (void)waitpid(worker->pid, NULL, 0);
        }
    }
    free(builder->tasks);
    free(builder);
    *builder_p = NULL;
}
