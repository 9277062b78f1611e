/* SPDX-License-Identifier: MIT */
#include "sheep/blink.h"

#include "common/attrs.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char FOLDER[] = "/sys/class/leds";
static const char OURS[] = "beaglebone:";
static const char PERIOD_MS[] = "120"; /* on, and off again */

/* errno says why not. */
static int write_light(const char *root, const char *name, const char *part, const char *text)
{
    char path[PATH_MAX];
    FILE *file = NULL;
    int result = 0;

    snprintf(path, sizeof(path), "%s%s/%s/%s", root, FOLDER, name, part);
    file = fopen(path, "we");
    if (file == NULL) {
        return -1;
    }
    result = fputs(text, file) < 0 ? -1 : 0;
    return fclose(file) == 0 ? result : -1;
}

/* The one in brackets of "none timer [heartbeat] mmc0"; "none" when there is none. */
static void read_trigger(const char *root, const char *name, char trigger[BLINK_TRIGGER_SIZE])
{
    char path[PATH_MAX];
    char line[1024] = "";
    const char *begin = NULL;
    FILE *file = NULL;

    snprintf(trigger, BLINK_TRIGGER_SIZE, "none");
    snprintf(path, sizeof(path), "%s%s/%s/trigger", root, FOLDER, name);
    file = fopen(path, "re");
    if (file == NULL) {
        return;
    }
    if (fgets(line, sizeof(line), file) != NULL && (begin = strchr(line, '[')) != NULL) {
        snprintf(trigger, BLINK_TRIGGER_SIZE, "%.*s", (int)strcspn(begin + 1, "]"), begin + 1);
    }
    fclose(file);
}

static void find_lights(struct blink *blink, const char *root)
{
    char path[PATH_MAX];
    struct dirent **entries = NULL;
    int n = 0;

    snprintf(path, sizeof(path), "%s%s", root, FOLDER);
    n = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;

        if (strncmp(name, OURS, strlen(OURS)) == 0 && strlen(name) < BLINK_NAME_SIZE
            && blink->n_lights < BLINK_MAX_LIGHTS) {
            snprintf(blink->names[blink->n_lights], BLINK_NAME_SIZE, "%s", name);
            read_trigger(root, name, blink->triggers[blink->n_lights]);
            blink->n_lights++;
        }
        free(entries[i]);
    }
    free(entries);
}

int blink_start(struct blink *blink, const char *root, struct err *err)
{
    if (blink->n_lights > 0) {
        return 0;
    }
    find_lights(blink, root);
    if (blink->n_lights == 0) {
        return err_set(err, ERR_NOT_FOUND, "no lights %s* in %s", OURS, FOLDER);
    }
    for (size_t i = 0; i < blink->n_lights; i++) {
        if (write_light(root, blink->names[i], "trigger", "timer") < 0
            || write_light(root, blink->names[i], "delay_on", PERIOD_MS) < 0
            || write_light(root, blink->names[i], "delay_off", PERIOD_MS) < 0) {
            err_set_errno(err, "%s/%s (the agent needs the right to write there)", FOLDER,
                          blink->names[i]);
            blink_stop(blink, root);
            return -1;
        }
    }
    return 0;
}

void blink_stop(struct blink *blink, const char *root)
{
    for (size_t i = 0; i < blink->n_lights; i++) {
        (void)write_light(root, blink->names[i], "trigger", blink->triggers[i]);
    }
    memset(blink, 0, sizeof(*blink));
}
