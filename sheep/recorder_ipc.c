/* SPDX-License-Identifier: MIT */
#include "sheep/recorder_ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    BACKLOG = 4,
    READ_TRIES = 50,
    READ_SPINS = 10, /* of those without a rest: a write takes about a microsecond */
    READ_REST_NS = 100000
};

/* The page is copied in words, so that its size must be whole ones. */
_Static_assert(sizeof(struct recorder_page) % sizeof(uint32_t) == 0, "page of words");
_Static_assert(offsetof(struct recorder_page, pid) == 2 * sizeof(uint32_t), "version, lock");

void recorder_ipc_socket_path(const char *state_dir, char *path, size_t size)
{
    snprintf(path, size, "%s/recorder.sock", state_dir);
}

void recorder_ipc_page_path(const char *state_dir, char *path, size_t size)
{
    snprintf(path, size, "%s/recorder.page", state_dir);
}

static int make_address(const char *state_dir, struct sockaddr_un *address, struct err *err)
{
    char path[PATH_SIZE + 32];

    recorder_ipc_socket_path(state_dir, path, sizeof(path));
    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof(address->sun_path)) {
        return err_set(err, ERR_INPUT, "path of a socket is longer than %zu bytes: %s",
                       sizeof(address->sun_path) - 1, path);
    }
    memcpy(address->sun_path, path, strlen(path) + 1);
    return 0;
}

static int make_socket(void)
{
    return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

int recorder_ipc_connect(const char *state_dir, struct err *err)
{
    struct sockaddr_un address;
    int fd = -1;

    if (make_address(state_dir, &address, err) < 0) {
        return -1;
    }
    fd = make_socket();
    if (fd < 0) {
        return err_set_errno(err, "socket to the recorder");
    }
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        err_set_errno(err, "no recorder at %s", address.sun_path);
        if (err != NULL) {
            err->code = ERR_UNREACHABLE;
        }
        close(fd);
        return -1;
    }
    return fd;
}

int recorder_ipc_send(int fd, struct recorder_request *request, struct err *err)
{
    request->version = RECORDER_IPC_VERSION;
    request->size = sizeof(*request);
    if (send(fd, request, sizeof(*request), MSG_NOSIGNAL) != (ssize_t)sizeof(*request)) {
        return err_set_errno(err, "request to the recorder");
    }
    return 0;
}

bool recorder_ipc_send_row(int fd, struct recorder_row *row)
{
    row->version = RECORDER_IPC_VERSION;
    row->kind = RECORDER_ROW_KIND;
    return send(fd, row, sizeof(*row), MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(*row);
}

int recorder_ipc_receive(int fd, struct recorder_event *event, struct err *err)
{
    ssize_t size = recv(fd, event, sizeof(*event), 0);

    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        return 0;
    }
    if (size < 0) {
        return err_set_errno(err, "recorder");
    }
    if (size == 0) {
        return err_set(err, ERR_UNREACHABLE, "the recorder closed its socket");
    }
    if (size != (ssize_t)sizeof(*event) || event->version != RECORDER_IPC_VERSION) {
        return err_set(err, ERR_INPUT, "the recorder speaks another version");
    }
    event->text[sizeof(event->text) - 1] = '\0';
    return 1;
}

int recorder_ipc_listen(const char *state_dir, struct err *err)
{
    struct sockaddr_un address;
    struct err ignored;
    int fd = recorder_ipc_connect(state_dir, &ignored);

    if (fd >= 0) {
        close(fd);
        return err_set(err, ERR_EXISTS, "another recorder runs on %s", state_dir);
    }
    if (make_address(state_dir, &address, err) < 0) {
        return -1;
    }
    if (unlink(address.sun_path) < 0 && errno != ENOENT) {
        return err_set_errno(err, "%s", address.sun_path);
    }
    fd = make_socket();
    if (fd < 0) {
        return err_set_errno(err, "socket of the recorder");
    }
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0
        || chmod(address.sun_path, S_IRUSR | S_IWUSR) < 0 || listen(fd, BACKLOG) < 0) {
        err_set_errno(err, "%s", address.sun_path);
        close(fd);
        return -1;
    }
    return fd;
}

/* Maps STATE/recorder.page; the recorder gives it its size. */
static void *map_page(const char *state_dir, bool is_writer, struct err *err)
{
    char path[PATH_SIZE + 32];
    int flags = is_writer ? O_RDWR | O_CREAT | O_CLOEXEC : O_RDONLY | O_CLOEXEC;
    int protection = is_writer ? PROT_READ | PROT_WRITE : PROT_READ;
    void *memory = MAP_FAILED;
    struct stat status;
    int fd = -1;

    recorder_ipc_page_path(state_dir, path, sizeof(path));
    fd = open(path, flags, S_IRUSR | S_IWUSR);
    if (fd < 0 || (is_writer && ftruncate(fd, sizeof(struct recorder_page)) < 0)
        || fstat(fd, &status) < 0) {
        err_set_errno(err, "%s", path);
        goto done;
    }
    if (status.st_size != (off_t)sizeof(struct recorder_page)) {
        err_set(err, ERR_INPUT, "%s: size of another version", path);
        goto done;
    }
    memory = mmap(NULL, sizeof(struct recorder_page), protection, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        err_set_errno(err, "%s", path);
    }
done:
    if (fd >= 0) {
        close(fd);
    }
    return memory == MAP_FAILED ? NULL : memory;
}

int recorder_page_map(const char *state_dir, const struct recorder_page **page, struct err *err)
{
    *page = map_page(state_dir, false, err);
    return *page == NULL ? -1 : 0;
}

void recorder_page_unmap(const struct recorder_page **page)
{
    if (*page != NULL) {
        munmap((void *)(uintptr_t)*page, sizeof(**page));
        *page = NULL;
    }
}

int recorder_page_create(const char *state_dir, struct recorder_page **page, struct err *err)
{
    static const struct recorder_page nothing;

    *page = map_page(state_dir, true, err);
    if (*page == NULL) {
        return -1;
    }
    if ((*page)->version != RECORDER_IPC_VERSION || (*page)->lock % 2 != 0) {
        recorder_page_write(*page, &nothing);
        __atomic_store_n(&(*page)->version, RECORDER_IPC_VERSION, __ATOMIC_RELAXED);
    }
    return 0;
}

void recorder_page_destroy(struct recorder_page **page)
{
    if (*page != NULL) {
        munmap(*page, sizeof(**page));
        *page = NULL;
    }
}

void recorder_page_write(struct recorder_page *page, const struct recorder_page *now)
{
    uint32_t *words = (uint32_t *)(void *)page;
    const uint32_t *from = (const uint32_t *)(const void *)now;
    /* Odd already when the recorder before this one died while it wrote. */
    uint32_t lock = __atomic_load_n(&page->lock, __ATOMIC_RELAXED) | 1u;

    __atomic_store_n(&page->lock, lock, __ATOMIC_RELAXED);
    /* Whoever sees one of these words sees the odd lock as well. */
    for (size_t i = 2; i < sizeof(*page) / sizeof(uint32_t); i++) {
        __atomic_store_n(&words[i], from[i], __ATOMIC_RELEASE);
    }
    __atomic_store_n(&page->lock, lock + 1, __ATOMIC_RELEASE);
}

/* A writer that was preempted needs the processor; one that is dead must not hold up the agent:
 * all tries together take some milliseconds. */
static void rest_between_tries(int tries)
{
    static const struct timespec rest = { 0, READ_REST_NS };

    if (tries >= READ_SPINS) {
        nanosleep(&rest, NULL);
    }
}

bool recorder_page_read(const struct recorder_page *page, struct recorder_page *copy)
{
    const uint32_t *words = (const uint32_t *)(const void *)page;
    uint32_t *to = (uint32_t *)(void *)copy;

    for (int tries = 0; tries < READ_TRIES; tries++) {
        uint32_t lock = __atomic_load_n(&page->lock, __ATOMIC_ACQUIRE);

        for (size_t i = 0; i < sizeof(*page) / sizeof(uint32_t); i++) {
            to[i] = __atomic_load_n(&words[i], __ATOMIC_ACQUIRE);
        }
        if (lock % 2 == 0 && __atomic_load_n(&page->lock, __ATOMIC_RELAXED) == lock) {
            return copy->version == RECORDER_IPC_VERSION;
        }
        rest_between_tries(tries);
    }
    return false;
}
