/* SPDX-License-Identifier: MIT */
#include "common/inventory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One place of the search; tried collects the misses. */
static char *try_path(const char *folder, const char *rest, struct buf *tried)
{
    struct buf path = { 0 };

    if (folder == NULL || folder[0] == '\0') {
        return NULL;
    }
    buf_printf(&path, "%s%s", folder, rest);
    if (!path.failed && access(path.data, R_OK) == 0) {
        return path.data;
    }
    buf_printf(tried, "%s%s", tried->size > 0 ? ", " : "", path.data != NULL ? path.data : "");
    buf_fini(&path);
    return NULL;
}

char *inventory_find(const char *given, struct err *err)
{
    /* NOLINTBEGIN(concurrency-mt-unsafe): nobody calls setenv */
    const char *home = getenv("HOME");
    const char *config = getenv("XDG_CONFIG_HOME");
    /* NOLINTEND(concurrency-mt-unsafe) */
    bool has_config = config != NULL && config[0] != '\0';
    const char *const places[][2] = {
        {"./",                        "herd.yml"                             },
        { "./inventory/",             "herd.yml"                             },
        { home,                       "/herd.yml"                            },
        { has_config ? config : home,
         has_config ? "/bellwether/herd.yml" : "/.config/bellwether/herd.yml"},
        { "/etc/bellwether/",         "herd.yml"                             },
    };
    struct buf tried = { 0 };
    char *found = NULL;

    if (given != NULL) {
        found = access(given, R_OK) == 0 ? strdup(given) : NULL;
        if (found == NULL) {
            err_set_errno(err, "inventory %s", given);
        }
        return found;
    }
    for (size_t i = 0; found == NULL && i < ARRAY_LEN(places); i++) {
        found = try_path(places[i][0], places[i][1], &tried);
    }
    if (found == NULL) {
        err_set(err, ERR_NOT_FOUND, "no inventory found; tried %s; give one with -i",
                tried.data != NULL ? tried.data : "nothing");
    }
    buf_fini(&tried);
    return found;
}
