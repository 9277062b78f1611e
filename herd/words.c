/* SPDX-License-Identifier: MIT */
#include "herd/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int words_init(struct words *words, const struct context *context, struct err *err)
{
    size_t n_nodes = context->inventory->n_nodes;

    memset(words, 0, sizeof(*words));
    words->context = context;
    words->texts = calloc(n_nodes + 1, sizeof(*words->texts));
    words->is_good = calloc(n_nodes + 1, sizeof(*words->is_good));
    words->is_shown = calloc(n_nodes + 1, sizeof(*words->is_shown));
    if (words->texts == NULL || words->is_good == NULL || words->is_shown == NULL) {
        return err_set(err, ERR_MEMORY, "answers of %zu nodes", n_nodes);
    }
    return 0;
}

void words_fini(struct words *words)
{
    free(words->texts);
    free(words->is_good);
    free(words->is_shown);
    memset(words, 0, sizeof(*words));
}

static bool is_alike(void *arg, size_t i)
{
    struct words *words = arg;

    if (!words->context->selected[i] || words->is_good[i] != words->is_good[words->shown]
        || strcmp(words->texts[i], words->texts[words->shown]) != 0) {
        return false;
    }
    words->is_shown[i] = true;
    return true;
}

void words_print(struct words *words)
{
    const struct context *context = words->context;

    for (size_t i = 0; i < context->inventory->n_nodes; i++) {
        if (context->selected[i] && !words->is_shown[i]) {
            struct buf set = { 0 };
            size_t count = 0;

            words->shown = i;
            count = context_fold(context, is_alike, words, &set);
            fprintf(words->is_good[i] ? stdout : stderr, "%s (%zu): %s\n",
                    set.data != NULL ? set.data : "", count, words->texts[i]);
            buf_fini(&set);
        }
    }
}
