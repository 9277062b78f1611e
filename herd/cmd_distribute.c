/* SPDX-License-Identifier: MIT */
/* herd distribute: brings input files to the nodes before an experiment needs them. */
#include "herd/cli.h"
#include "herd/cmd.h"
#include "herd/context.h"
#include "herd/flock.h"
#include "herd/inputs.h"
#include "herd/report.h"
#include "herd/supply.h"

#include "common/buf.h"
#include "common/clock.h"
#include "common/h5_input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char USAGE[] =
    "Usage: herd distribute [options] FILE...\n\n"
    "Brings harvests (HDF5) to the nodes that do not hold them yet, so that a run need not.\n"
    "Each file is decoded once and known by its content: what a node has is not sent again.\n"
    "{node} in a file's name stands for the name of each node.\n\n"
    "  -t, --timeout S   a node that takes nothing for so long is given up; default 10\n\n"
    "Examples:\n"
    "  herd distribute environments/solar_day.h5\n"
    "  herd -l sheep[0-3] distribute 'results/hrv_{node}.h5'\n";

enum {
    SILENCE_MS = 10000,
    TICK_MS = 50,
};

static const struct cli_option OPTIONS[] = {
    {'t', "timeout", true },
    { 0,  NULL,      false},
};

struct distribution {
    const struct cmd_options *options;
    int silence_ms;
    struct context context;
    const struct inventory_node **nodes; /* those that are meant */
    size_t n_nodes;
    char folder[PATH_SIZE]; /* of decoded streams */
    struct inputs inputs;
    struct herd_flock *flock;
    struct supply *supply;
    uint64_t n_moved; /* bytes there, when something moved last */
    int64_t moved_ns;
};

/* Replaces {node}; the path is the same for all nodes without it. */
static int expand(const char *pattern, const char *node, char path[PATH_SIZE], struct err *err)
{
    static const char MARK[] = "{node}";
    const char *mark = strstr(pattern, MARK);
    int length = 0;

    if (mark == NULL) {
        length = snprintf(path, PATH_SIZE, "%s", pattern);
    } else {
        length = snprintf(path, PATH_SIZE, "%.*s%s%s", (int)(mark - pattern), pattern, node,
                          mark + sizeof(MARK) - 1);
    }
    return length < PATH_SIZE ? 0 : err_set(err, ERR_INPUT, "%s: path too long", pattern);
}

static struct input_stream *find_source(const struct distribution *distribution,
                                        const char *path)
{
    for (size_t i = 0; i < distribution->inputs.n_streams; i++) {
        if (strcmp(distribution->inputs.streams[i].source, path) == 0) {
            return &distribution->inputs.streams[i];
        }
    }
    return NULL;
}

static int decode(struct distribution *distribution, const char *path, struct err *err)
{
    struct inputs *inputs = &distribution->inputs;
    struct input_stream *grown =
        realloc(inputs->streams, (inputs->n_streams + 1) * sizeof(*grown));
    struct input_stream stream = { 0 };
    struct h5_input_info info;
    struct stat status = { 0 };

    if (grown == NULL) {
        return err_set(err, ERR_MEMORY, "%s", path);
    }
    inputs->streams = grown;
    snprintf(stream.source, sizeof(stream.source), "%s", path);
    if (snprintf(stream.path, sizeof(stream.path), "%s/%zu.inp", distribution->folder,
                 inputs->n_streams)
        >= PATH_SIZE) {
        return err_set(err, ERR_INPUT, "%s: path too long", distribution->folder);
    }
    if (h5_input_decode(path, stream.path, &info, stream.digest, err) < 0) {
        return -1;
    }
    stream.n_samples = info.n_samples;
    stream.window_samples = info.window_samples;
    stream.step_uV = info.voltage_step_uV;
    if (stat(stream.path, &status) < 0) {
        return err_set_errno(err, "%s", stream.path);
    }
    stream.size_bytes = (uint64_t)status.st_size;
    inputs->streams[inputs->n_streams++] = stream;
    return 0;
}

/* Everything is decoded before anything is sent: a wrong file moves nothing. */
static int decode_all(struct distribution *distribution, char **files, int n_files,
                      struct err *err)
{
    for (int k = 0; k < n_files; k++) {
        for (size_t i = 0; i < distribution->n_nodes; i++) {
            char path[PATH_SIZE];

            if (expand(files[k], distribution->nodes[i]->name, path, err) < 0
                || (find_source(distribution, path) == NULL
                    && decode(distribution, path, err) < 0)) {
                return -1;
            }
        }
    }
    return 0;
}

static void on_bulk(void *arg, size_t i, const struct flock_message *message)
{
    struct distribution *distribution = arg;

    if (distribution->supply != NULL) {
        supply_take(distribution->supply, i, message);
    }
}

static int on_tick(zloop_t *loop, int timer_id, void *arg)
{
    struct distribution *distribution = arg;
    uint64_t n_all = 0;
    bool is_over = false;

    (void)loop;
    (void)timer_id;
    supply_tick(distribution->supply);
    for (size_t i = 0; i < distribution->n_nodes; i++) {
        uint64_t n_there = 0;
        uint64_t n_wanted = 0;

        supply_progress(distribution->supply, i, &n_there, &n_wanted);
        n_all += n_there;
    }
    if (n_all != distribution->n_moved) {
        distribution->n_moved = n_all;
        distribution->moved_ns = clock_mono_ns();
    }
    is_over =
        supply_is_done(distribution->supply)
        || clock_mono_ns() - distribution->moved_ns > distribution->silence_ms * NS_PER_MS;
    if (is_over) {
        flock_pause(distribution->flock);
    }
    return is_over ? -1 : 0;
}

static void put_result(const struct distribution *distribution, size_t i, const char *path)
{
    const char *why = supply_failure(distribution->supply, i);
    const char *node = distribution->nodes[i]->name;
    struct buf line = { 0 };
    struct json json = { .out = &line };

    if (distribution->options->is_json) {
        json_open(&json, NULL, '{');
        json_text(&json, "node", node);
        json_text(&json, "file", path);
        json_bool(&json, "is_there", why[0] == '\0');
        json_text(&json, "fault", why);
        json_close(&json, '}');
        json_line(&json, stdout);
        buf_fini(&line);
    } else if (why[0] != '\0') {
        fprintf(stderr, "herd distribute: %s: %s: %s\n", node, path, why);
    } else if (!distribution->options->is_quiet) {
        printf("%s: has %s\n", node, path);
    }
}

static int open_flock(struct distribution *distribution, struct err *err)
{
    const struct flock_config config = { .nodes = distribution->nodes,
                                         .n_nodes = distribution->n_nodes,
                                         .key = &distribution->context.key,
                                         .name = distribution->context.key.name,
                                         .controller = (uint64_t)clock_utc_ns(),
                                         .arg = distribution,
                                         .on_bulk = on_bulk };

    distribution->flock = flock_open(&config, err);
    return distribution->flock != NULL ? 0 : -1;
}

/* The flock first: what is still asked answers to the supply. */
static void close_flock(struct distribution *distribution)
{
    flock_close(&distribution->flock);
    supply_close(&distribution->supply);
}

/* Runs until all have the file, or nothing moves any more. */
static int run_flock(struct distribution *distribution, struct err *err)
{
    distribution->n_moved = 0;
    distribution->moved_ns = clock_mono_ns();
    if (zloop_timer(flock_loop(distribution->flock), TICK_MS, 0, on_tick, distribution) < 0
        || flock_run(distribution->flock) < 0) {
        return err_set(err, ERR_SYSTEM, "the reactor ended early");
    }
    return 0;
}

/* Sets *is_whole and *is_heard to false or true as it was. */
static int send_file(struct distribution *distribution, const char *file, bool *is_whole,
                     bool *is_heard, struct err *err)
{
    char path[PATH_SIZE];

    if (open_flock(distribution, err) < 0) {
        return -1;
    }
    distribution->supply =
        supply_open(distribution->flock, &distribution->inputs, distribution->n_nodes, err);
    if (distribution->supply == NULL) {
        return -1;
    }
    for (size_t i = 0; i < distribution->n_nodes; i++) {
        if (expand(file, distribution->nodes[i]->name, path, err) < 0
            || supply_want(distribution->supply, i, find_source(distribution, path)->digest,
                           err)
                   < 0) {
            return -1;
        }
    }
    if (run_flock(distribution, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < distribution->n_nodes; i++) {
        *is_whole = *is_whole && supply_failure(distribution->supply, i)[0] == '\0';
        *is_heard =
            *is_heard || flock_session(distribution->flock, i)->link != SESSION_CONNECTING;
        if (expand(file, distribution->nodes[i]->name, path, err) == 0) {
            put_result(distribution, i, path);
        }
    }
    close_flock(distribution);
    return 0;
}

static int send_all(struct distribution *distribution, char **files, int n_files,
                    struct err *err)
{
    bool is_whole = true;
    bool is_heard = false;

    for (int k = 0; k < n_files; k++) {
        if (send_file(distribution, files[k], &is_whole, &is_heard, err) < 0) {
            return -1;
        }
    }
    if (!is_whole) {
        return is_heard ? EXIT_NODE_FAILED : EXIT_NOBODY;
    }
    return EXIT_ALL_VALID;
}

static int open_nodes(struct distribution *distribution, struct err *err)
{
    const struct inventory *inventory = distribution->context.inventory;
    char state[PATH_MAX];

    distribution->nodes = calloc(inventory->n_nodes + 1, sizeof(struct inventory_node *));
    if (distribution->nodes == NULL) {
        return err_set(err, ERR_MEMORY, "the list of nodes");
    }
    for (size_t i = 0; i < inventory->n_nodes; i++) {
        if (distribution->context.selected[i]) {
            distribution->nodes[distribution->n_nodes++] = &inventory->nodes[i];
        }
    }
    if (context_state_folder(state, err) < 0) {
        return -1;
    }
    if (snprintf(distribution->folder, PATH_SIZE, "%.400s/distribute.%d", state, (int)getpid())
        >= PATH_SIZE) {
        return err_set(err, ERR_INPUT, "%s: path too long", state);
    }
    return dir_make(distribution->folder, 0700, err);
}

static int distribute(struct distribution *distribution, char **files, int n_files)
{
    struct err err = { 0 };
    int status = -1;

    if (open_nodes(distribution, &err) == 0
        && decode_all(distribution, files, n_files, &err) == 0) {
        status = send_all(distribution, files, n_files, &err);
    }
    if (status < 0) {
        status = cmd_fail(distribution->options, "distribute", &err);
    }
    close_flock(distribution);
    inputs_fini(&distribution->inputs);
    if (distribution->folder[0] != '\0') {
        rmdir(distribution->folder);
    }
    free(distribution->nodes);
    return status;
}

static int run(const struct cmd_options *options, int argc, char **argv)
{
    struct cli_scan scan = {
        .global = options, .options = OPTIONS, .argc = argc, .argv = argv
    };
    struct distribution distribution = { .options = options, .silence_ms = SILENCE_MS };
    const char *value = NULL;
    int option = 0;
    int status = 0;

    while ((option = cli_next(&scan, &value)) != 0) {
        if (option == '?' || cli_take_timeout(&scan, value, &distribution.silence_ms) != 0) {
            return EXIT_USAGE;
        }
    }
    if (scan.n_operands == 0) {
        return cmd_misuse(options, "distribute", "which file?");
    }
    status = context_open(&distribution.context, options, "distribute", NULL, true);
    if (status == 0) {
        status = distribute(&distribution, argv + scan.at, scan.n_operands);
        context_close(&distribution.context);
    }
    return status;
}

const struct cmd cmd_distribute = {
    .name = "distribute",
    .summary = "bring input files to the nodes",
    .usage = USAGE,
    .run = run,
};
