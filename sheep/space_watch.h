/* SPDX-License-Identifier: MIT */
/* The file systems that a run depends on: told once when one runs short, and once when it is
 * out. */
#ifndef SHEEP_SPACE_WATCH_H
#define SHEEP_SPACE_WATCH_H

#include "common/experiment.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    SPACE_PLACES = 3
};

/* Below early_bytes it is told, below end_bytes the run should end (0: never). */
struct space_place {
    const char *name; /* a loan: "disk" */
    char folder[PATH_SIZE];
    bool is_memory; /* see space_free */
    uint64_t early_bytes;
    uint64_t end_bytes;
    dev_t device;
    bool is_early_told;
    bool is_end_told;
};

struct space_watch {
    struct space_place places[SPACE_PLACES];
    unsigned n_places;
};

/* Adds a copy of the place, unless its file system is watched already or cannot be asked. */
void space_watch_add(struct space_watch *watch, const struct space_place *place);

/* A place of the system's own, with what is short on a file system of its size: a sixteenth or
 * 64 MiB, whichever is less, and a quarter of that when runs shall end. */
void space_watch_add_system(struct space_watch *watch, const char *name, const char *folder,
                            bool ends_runs);

enum space_news {
    SPACE_NOTHING_NEW,
    SPACE_SHORT,     /* room runs short */
    SPACE_OUT,       /* less than end_bytes */
    SPACE_READ_ONLY, /* remounted so, as the kernel does when a file system is broken */
};

struct space_room {
    uint64_t free_bytes;
    bool is_read_only;
};

/* Pure: each of them once. */
enum space_news space_judge(struct space_place *place, const struct space_room *room);

/* Asks the system, and judges. What cannot be asked is nothing new. */
enum space_news space_watch_look(struct space_place *place, struct space_room *room);

#endif
