/* SPDX-License-Identifier: MIT */
#include "sheep/space_watch.h"

#include "sheep/space.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum {
    SYSTEM_SHARE = 16,
    END_SHARE = 4
};

static const uint64_t SYSTEM_EARLY_BYTES = UINT64_C(64) << 20;

void space_watch_add(struct space_watch *watch, const struct space_place *place)
{
    struct space_place *added = &watch->places[watch->n_places];
    struct stat status;

    if (watch->n_places == SPACE_PLACES || stat(place->folder, &status) < 0) {
        return;
    }
    for (unsigned i = 0; i < watch->n_places; i++) {
        if (watch->places[i].device == status.st_dev) {
            return;
        }
    }
    *added = *place;
    added->device = status.st_dev;
    watch->n_places++;
}

void space_watch_add_system(struct space_watch *watch, const char *name, const char *folder,
                            bool ends_runs)
{
    struct space_place place = { .name = name };
    struct statvfs status;

    if (statvfs(folder, &status) < 0 || (status.f_flag & ST_RDONLY) != 0
        || (size_t)snprintf(place.folder, sizeof(place.folder), "%s", folder)
               >= sizeof(place.folder)) {
        return;
    }
    place.early_bytes = (uint64_t)status.f_blocks * status.f_frsize / SYSTEM_SHARE;
    if (place.early_bytes > SYSTEM_EARLY_BYTES) {
        place.early_bytes = SYSTEM_EARLY_BYTES;
    }
    place.end_bytes = ends_runs ? place.early_bytes / END_SHARE : 0;
    space_watch_add(watch, &place);
}

enum space_news space_judge(struct space_place *place, const struct space_room *room)
{
    bool is_out = room->is_read_only || room->free_bytes < place->end_bytes;

    if (is_out && !place->is_end_told) {
        place->is_end_told = true;
        return room->is_read_only ? SPACE_READ_ONLY : SPACE_OUT;
    }
    if (!is_out && !place->is_early_told && room->free_bytes < place->early_bytes) {
        place->is_early_told = true;
        return SPACE_SHORT;
    }
    return SPACE_NOTHING_NEW;
}

enum space_news space_watch_look(struct space_place *place, struct space_room *room)
{
    struct statvfs status;

    *room = (struct space_room){ 0 };
    if (statvfs(place->folder, &status) < 0
        || space_free(place->folder, place->is_memory, &room->free_bytes, NULL) < 0) {
        return SPACE_NOTHING_NEW;
    }
    room->is_read_only = (status.f_flag & ST_RDONLY) != 0;
    return space_judge(place, room);
}
