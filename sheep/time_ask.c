/* SPDX-License-Identifier: MIT */
#include "sheep/time_ask.h"

#include "common/experiment.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    ANSWERS_AT_ONCE = 16
};

struct time_ask {
    struct time_ask_options options; /* its texts are the two below */
    char ptp4l_socket[PATH_SIZE];
    char own_socket[PATH_SIZE];
    int fds[N_TIME_ASK];
    uint16_t ptp_sequence;
    uint32_t chrony_sequence;
    struct ptp_status ptp;
};

struct time_ask *time_ask_create(const struct time_ask_options *options, struct err *err)
{
    struct time_ask *ask = calloc(1, sizeof(*ask));

    if (ask == NULL) {
        err_set(err, ERR_MEMORY, "asking for the time");
        return NULL;
    }
    ask->options = *options;
    snprintf(ask->ptp4l_socket, sizeof(ask->ptp4l_socket), "%s", options->ptp4l_socket);
    snprintf(ask->own_socket, sizeof(ask->own_socket), "%s", options->own_socket);
    for (size_t i = 0; i < N_TIME_ASK; i++) {
        ask->fds[i] = -1;
    }
    return ask;
}

static void close_daemon(struct time_ask *ask, enum time_ask_daemon daemon)
{
    if (ask->fds[daemon] < 0) {
        return;
    }
    close(ask->fds[daemon]);
    ask->fds[daemon] = -1;
    if (daemon == TIME_ASK_PTP) {
        unlink(ask->own_socket);
    }
}

void time_ask_destroy(struct time_ask **ask)
{
    if (*ask == NULL) {
        return;
    }
    close_daemon(*ask, TIME_ASK_PTP);
    close_daemon(*ask, TIME_ASK_CHRONY);
    free(*ask);
    *ask = NULL;
}

bool time_ask_is_wanted(const struct time_ask *ask, enum time_ask_daemon daemon)
{
    return daemon == TIME_ASK_PTP ? ask->ptp4l_socket[0] != '\0'
                                  : ask->options.chrony_port != 0;
}

int time_ask_fd(const struct time_ask *ask, enum time_ask_daemon daemon)
{
    return ask->fds[daemon];
}

/* ---- ptp4l ---- */

/* It answers to the address that asks, so there must be one. */
static void open_ptp(struct time_ask *ask)
{
    struct sockaddr_un own = { .sun_family = AF_UNIX };
    struct sockaddr_un server = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return;
    }
    snprintf(own.sun_path, sizeof(own.sun_path), "%s", ask->own_socket);
    snprintf(server.sun_path, sizeof(server.sun_path), "%s", ask->ptp4l_socket);
    unlink(ask->own_socket);
    if (bind(fd, (const struct sockaddr *)&own, sizeof(own)) < 0) {
        close(fd);
        return;
    }
    ask->fds[TIME_ASK_PTP] = fd;
    if (connect(fd, (const struct sockaddr *)&server, sizeof(server)) < 0) {
        close_daemon(ask, TIME_ASK_PTP);
    }
}

static void send_ptp(struct time_ask *ask)
{
    static const enum ptp_id IDS[] = { PTP_TIME_STATUS_NP, PTP_CURRENT_DATA_SET,
                                       PTP_PORT_PROPERTIES_NP };
    uint8_t message[PTP_GET_BYTES];

    for (size_t i = 0; i < ARRAY_LEN(IDS); i++) {
        ptp_encode_get(message, IDS[i], ask->ptp_sequence++);
        if (send(ask->fds[TIME_ASK_PTP], message, sizeof(message), MSG_NOSIGNAL) < 0
            && errno != EAGAIN) {
            close_daemon(ask, TIME_ASK_PTP); /* gone, or started anew: looked for again */
            return;
        }
    }
}

/* ---- chrony ---- */

static void open_chrony(struct time_ask *ask)
{
    struct sockaddr_in server = { .sin_family = AF_INET };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    server.sin_port = htons((uint16_t)ask->options.chrony_port);
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&server, sizeof(server)) < 0) {
        close(fd);
        fd = -1;
    }
    ask->fds[TIME_ASK_CHRONY] = fd;
}

static void send_chrony(struct time_ask *ask)
{
    uint8_t request[CHRONY_REQUEST_BYTES];

    chrony_encode_tracking(request, ++ask->chrony_sequence);
    /* Refused is what the question before met; this one is on its way. */
    if (send(ask->fds[TIME_ASK_CHRONY], request, sizeof(request), MSG_NOSIGNAL) < 0
        && errno != ECONNREFUSED && errno != EAGAIN) {
        close_daemon(ask, TIME_ASK_CHRONY);
    }
}

/* ---- both ---- */

void time_ask_send(struct time_ask *ask, enum time_ask_daemon daemon, bool may_open)
{
    bool is_ptp = daemon == TIME_ASK_PTP;

    if (ask->fds[daemon] < 0 && may_open && time_ask_is_wanted(ask, daemon)) {
        (is_ptp ? open_ptp : open_chrony)(ask);
    }
    if (ask->fds[daemon] >= 0) {
        (is_ptp ? send_ptp : send_chrony)(ask);
    }
}

static void take(struct time_ask *ask, enum time_ask_daemon daemon, const uint8_t *bytes,
                 size_t size)
{
    struct chrony_tracking tracking;

    if (daemon == TIME_ASK_PTP) {
        unsigned id = ptp_decode(&ask->ptp, bytes, size);

        if (id != 0) {
            ask->options.on_ptp(ask->options.arg, &ask->ptp, (enum ptp_id)id);
        }
    } else if (chrony_decode_tracking(&tracking, ask->chrony_sequence, bytes, size)) {
        ask->options.on_chrony(ask->options.arg, &tracking);
    }
}

void time_ask_take(struct time_ask *ask, enum time_ask_daemon daemon)
{
    uint8_t bytes[TIME_MESSAGE_MAX];

    for (int n = 0; n < ANSWERS_AT_ONCE && ask->fds[daemon] >= 0; n++) {
        ssize_t size = recv(ask->fds[daemon], bytes, sizeof(bytes), 0);

        if (size < 0) {
            return; /* none left; a refusal is noted by silence */
        }
        take(ask, daemon, bytes, (size_t)size);
    }
}
