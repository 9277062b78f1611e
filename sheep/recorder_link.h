/* SPDX-License-Identifier: MIT */
/* The agent's end of the line to the recorder: starts one when none answers, maps its page,
 * notices its death. One thread, that of the loop. */
#ifndef SHEEP_RECORDER_LINK_H
#define SHEEP_RECORDER_LINK_H

#include "common/err.h"
#include "sheep/recorder_ipc.h"

#include <czmq.h>

#include <stdbool.h>

struct recorder_link_options {
    zloop_t *loop;
    const char *state_dir;
    const char *config_path; /* for `sheep recorder -c` */
    void *arg;
    /* Connected, page mapped. is_again: the line broke, but the recorder lives, and has
     * cancelled what was only prepared. One that is dying may look alive for a moment: on_lost
     * follows then. */
    void (*on_up)(void *arg, bool is_again);
    void (*on_event)(void *arg, const struct recorder_event *event);
    void (*on_lost)(void *arg, const char *why); /* was up before */
};

struct recorder_link;

/* Looks for a recorder at once: on_up may be called before this returns. Otherwise it starts
 * one, and again after each death, at growing intervals. Strings are copied. */
struct recorder_link *recorder_link_create(const struct recorder_link_options *options,
                                           struct err *err);

/* Closes the line; the recorder goes on with what has a start. */
void recorder_link_destroy(struct recorder_link **link);

bool recorder_link_is_up(const struct recorder_link *link);

/* A descriptor of the line for rows, see recorder_ipc_send_row: the caller's, and harmless once
 * the recorder is gone. -1 when the line is down. */
int recorder_link_dup(const struct recorder_link *link);

/* Queues the request; its ANSWER has the number that is returned. ERR_UNREACHABLE: no recorder.
 */
MUST_CHECK int recorder_link_send(struct recorder_link *link, struct recorder_request *request,
                                  uint32_t *seq, struct err *err);

/* The page as it is now; false: none, or torn. After the recorder's death it is its last word.
 */
bool recorder_link_page(const struct recorder_link *link, struct recorder_page *page);

#endif
