/* SPDX-License-Identifier: MIT */
/* Asks ptp4l (its management socket) and chrony (its command port) and never waits: what they
 * answer is taken when it is there. A daemon that comes later, or again, is heard from then on.
 * One thread. */
#ifndef SHEEP_TIME_ASK_H
#define SHEEP_TIME_ASK_H

#include "common/err.h"
#include "sheep/time_codec.h"

#include <stdbool.h>

enum time_ask_daemon {
    TIME_ASK_PTP,
    TIME_ASK_CHRONY,
    N_TIME_ASK
};

struct time_ask_options {
    const char *ptp4l_socket; /* "": is not asked; loans until create returns */
    const char *own_socket;   /* where ptp4l answers to; nobody else's */
    unsigned chrony_port;     /* on 127.0.0.1; 0: is not asked */
    /* status holds the newest of every data set; id: which of them came. */
    void (*on_ptp)(void *arg, const struct ptp_status *status, enum ptp_id id);
    void (*on_chrony)(void *arg, const struct chrony_tracking *tracking);
    void *arg;
};

struct time_ask;
struct time_ask *time_ask_create(const struct time_ask_options *options, struct err *err);
void time_ask_destroy(struct time_ask **ask);

bool time_ask_is_wanted(const struct time_ask *ask, enum time_ask_daemon daemon);

/* Sends the questions. may_open: also looks for a daemon that was not there. */
void time_ask_send(struct time_ask *ask, enum time_ask_daemon daemon, bool may_open);

/* To wait for, -1: none; takes what has come. */
int time_ask_fd(const struct time_ask *ask, enum time_ask_daemon daemon);
void time_ask_take(struct time_ask *ask, enum time_ask_daemon daemon);

#endif
