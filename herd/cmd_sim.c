/* SPDX-License-Identifier: MIT */
/* herd sim: simulated sheep as processes of their own, for trying and for tests. */
#include "herd/ask.h"
#include "herd/cli.h"
#include "herd/cmd.h"
#include "herd/report.h"
#include "herd/sim_farm.h"

#include "common/buf.h"
#include "common/keys.h"
#include "common/log.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char USAGE[] =
    "Usage: herd sim [options]\n\n"
    "Starts simulated sheep: the real agent and recorder, on boards that compute the world\n"
    "around them (a solar cell under a sky, a target that boots, sleeps and sends). Each is a\n"
    "process with keys, clock, oscillator and converter errors of its own.\n\n"
    "The folder then holds herd.yml (the inventory), herd.key (yours), and one folder per\n"
    "sheep. A folder that exists is started again as it is.\n\n"
    "  -n, --count N           how many; default 4\n"
    "  -d, --dir DIR           the folder; default sim\n"
    "  -e, --environment CSV   irradiance over time; default: a constant lamp\n"
    "  -f, --firmware DIR      board iss: the PRU's own program files, executed cycle by\n"
    "                          cycle, slower than time passes\n"
    "  -s, --seed S            everything but the keys follows from it; default 1\n"
    "  -p, --base-port PORT    first port, ten per sheep; default 4240\n"
    "      --detach            return when all are ready; --stop ends them\n"
    "      --no-start          only write the folder\n"
    "      --stop              end the sheep of the folder\n\n"
    "Without --detach it stays until Ctrl-C, then ends them in order.\n\n"
    "Examples:\n"
    "  herd sim -n 4 -d farm --detach\n"
    "  herd -i farm/herd.yml status\n"
    "  herd -i farm/herd.yml harvest -d 10\n"
    "  herd sim -d farm --stop\n";

enum {
    OPTION_DETACH = 256,
    OPTION_NO_START,
    OPTION_STOP,
    READY_BASE_MS = 20000,
    READY_PER_NODE_MS = 200,
    QUOTE_SIZE = 200,
    LOOK_MS = 200,
    DEFAULT_COUNT = 4,
};

static const struct cli_option OPTIONS[] = {
    {'n',              "count",       true },
    { 'd',             "dir",         true },
    { 'e',             "environment", true },
    { 'f',             "firmware",    true },
    { 's',             "seed",        true },
    { 'p',             "base-port",   true },
    { OPTION_DETACH,   "detach",      false},
    { OPTION_NO_START, "no-start",    false},
    { OPTION_STOP,     "stop",        false},
    { 0,               NULL,          false},
};

struct request {
    struct farm_plan plan;
    bool is_planned; /* something was said about how the farm is made */
    bool detach;
    bool no_start;
    bool stop;
};

static int take_number(const struct cmd_options *options, const char *text, uint64_t maximum,
                       const char *what, uint64_t *value)
{
    if (!text_to_u64(text, value) || *value > maximum) {
        return cmd_misuse(options, "sim", "%s: '%s' is not a number up to %llu", what, text,
                          (unsigned long long)maximum);
    }
    return 0;
}

static int take_option(const struct cmd_options *options, struct request *request, int option,
                       const char *value)
{
    uint64_t number = 0;
    int status = 0;

    request->is_planned = request->is_planned || (value != NULL && option != 'd');
    switch (option) {
    case 'n':
        status = take_number(options, value, FARM_MAX_NODES, "count", &number);
        request->plan.n_nodes = (unsigned)number;
        break;
    case 'd':
        request->plan.folder = value;
        break;
    case 'e':
        request->plan.environment = value;
        break;
    case 'f':
        request->plan.firmware = value;
        break;
    case 's':
        status = take_number(options, value, UINT64_MAX, "seed", &request->plan.seed);
        break;
    case 'p':
        status = take_number(options, value, UINT16_MAX, "port", &number);
        request->plan.base_port = (uint16_t)number;
        break;
    case OPTION_DETACH:
        request->detach = true;
        break;
    case OPTION_NO_START:
        request->no_start = true;
        break;
    case OPTION_STOP:
        request->stop = true;
        break;
    default:
        return EXIT_USAGE; /* cli_next has said why */
    }
    return status;
}

static int parse(const struct cmd_options *options, int argc, char **argv,
                 struct request *request)
{
    struct cli_scan scan = {
        .global = options, .options = OPTIONS, .argc = argc, .argv = argv
    };
    const char *value = NULL;
    int option = 0;
    int status = 0;

    while (status == 0 && (option = cli_next(&scan, &value)) != 0) {
        status = take_option(options, request, option, value);
    }
    if (status == 0 && scan.n_operands > 0) {
        status = cmd_misuse(options, "sim", "'%s': no arguments are expected", argv[scan.at]);
    }
    if (status == 0 && (request->plan.n_nodes == 0 || request->plan.folder[0] == '\0')) {
        status = cmd_misuse(options, "sim", "at least one sheep, and a folder for it");
    }
    if (status == 0
        && request->plan.base_port + FARM_PORT_STEP * request->plan.n_nodes > UINT16_MAX) {
        status = cmd_misuse(options, "sim", "%u sheep from port %u on go beyond port 65535",
                            request->plan.n_nodes, request->plan.base_port);
    }
    return status;
}

static struct inventory *load_farm(const struct cmd_options *options, const char *folder,
                                   int *status)
{
    struct fault_list faults = { 0 };
    struct err err = { 0 };
    struct inventory *inventory = NULL;
    char path[PATH_MAX];

    if (farm_path(path, sizeof(path), folder, NULL, "herd.yml", &err) < 0) {
        *status = cmd_fail(options, "sim", &err);
        return NULL;
    }
    inventory = inventory_load(path, &faults);
    if (inventory == NULL) {
        *status = cmd_fail_faults(options, "sim", &faults);
    }
    fault_fini(&faults);
    return inventory;
}

/* Writes the farm unless the folder holds one. */
static int make_farm(const struct request *request, struct err *err)
{
    char path[PATH_MAX];

    if (farm_path(path, sizeof(path), request->plan.folder, NULL, "herd.yml", err) < 0) {
        return -1;
    }
    if (access(path, F_OK) != 0) {
        return farm_make(&request->plan, err);
    }
    if (request->is_planned) {
        return err_set(err, ERR_EXISTS,
                       "%s exists: start it as it is (only -d), or choose another folder",
                       path);
    }
    return 0;
}

struct agents {
    pid_t *pids;
    size_t n;
};

/* True when an agent has ended; its place is then 0. */
static bool has_loss(void *arg)
{
    struct agents *agents = arg;

    for (size_t i = 0; i < agents->n; i++) {
        if (agents->pids[i] != 0 && waitpid(agents->pids[i], NULL, WNOHANG) != 0) {
            agents->pids[i] = 0;
            return true;
        }
    }
    return false;
}

static int start_all(const struct inventory *inventory, const struct request *request,
                     struct agents *agents, struct err *err)
{
    char sheep[PATH_MAX];

    if (farm_find_sheep(sheep, sizeof(sheep), err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < inventory->n_nodes; i++) {
        if (farm_agent_pid(request->plan.folder, inventory->nodes[i].name) != 0) {
            return err_set(err, ERR_EXISTS, "%s runs already (herd sim --stop -d %s ends it)",
                           inventory->nodes[i].name, request->plan.folder);
        }
    }
    for (size_t i = 0; i < inventory->n_nodes; i++) {
        if (farm_start_node(sheep, request->plan.folder, inventory->nodes[i].name,
                            &agents->pids[i], err)
            < 0) {
            return -1;
        }
        agents->n = i + 1;
    }
    return 0;
}

/* The last line that the first silent sheep logged; "" when there is none. */
static void quote_log(const struct inventory *inventory, const struct ask *ask,
                      const struct request *request, char text[QUOTE_SIZE])
{
    char path[PATH_MAX];
    struct err err = { 0 };
    size_t i = 0;
    FILE *stream = NULL;

    text[0] = '\0';
    while (i < inventory->n_nodes && ask_state(ask, i) == ASK_ANSWERED) {
        i++;
    }
    if (i < inventory->n_nodes
        && farm_path(path, sizeof(path), request->plan.folder, inventory->nodes[i].name,
                     "sheep.log", &err)
               == 0) {
        stream = fopen(path, "re");
    }
    while (stream != NULL && fgets(text, QUOTE_SIZE, stream) != NULL) {}
    text[strcspn(text, "\n")] = '\0';
    if (stream != NULL) {
        fclose(stream);
    }
}

static int wait_welcome(const struct inventory *inventory, const struct key_pair *key,
                        const struct request *request, struct agents *agents, struct err *err)
{
    bool *everybody = malloc((inventory->n_nodes + 1) * sizeof(*everybody));
    int timeout_ms = READY_BASE_MS + READY_PER_NODE_MS * (int)inventory->n_nodes;
    struct ask *ask = NULL;
    int result = -1;

    if (everybody == NULL) {
        return err_set(err, ERR_MEMORY, "the list of sheep");
    }
    memset(everybody, true, inventory->n_nodes * sizeof(*everybody));
    ask = ask_open(inventory, everybody, key, err);
    if (ask != NULL) {
        size_t n_ready = ask_hello(ask, timeout_ms, has_loss, agents);
        char text[QUOTE_SIZE];

        if (n_ready == inventory->n_nodes) {
            result = 0;
        } else {
            quote_log(inventory, ask, request, text);
            err_set(err, ERR_STATE, "%zu of %zu sheep became ready%s%s", n_ready,
                    inventory->n_nodes, text[0] != '\0' ? ": " : "", text);
        }
    }
    ask_close(&ask);
    free(everybody);
    return result;
}

static int wait_ready(const struct inventory *inventory, const struct request *request,
                      struct agents *agents, struct err *err)
{
    struct key_pair key;
    char path[PATH_MAX];
    int result = -1;

    if (farm_path(path, sizeof(path), request->plan.folder, NULL, "herd.key", err) == 0
        && key_load(&key, path, err) == 0) {
        result = wait_welcome(inventory, &key, request, agents, err);
        key_wipe(&key);
    }
    if (result < 0) {
        err_prepend(err, "see %s/*/sheep.log", request->plan.folder);
    }
    return result;
}

static void say_ready(const struct cmd_options *options, const struct inventory *inventory)
{
    struct buf line = { 0 };
    struct json json = { .out = &line };

    if (options->is_json) {
        json_open(&json, NULL, '{');
        json_text(&json, "event", "ready");
        json_text(&json, "inventory", inventory->path);
        json_u64(&json, "nodes", inventory->n_nodes);
        json_close(&json, '}');
        json_line(&json, stdout);
        buf_fini(&line);
    } else if (!options->is_quiet) {
        printf("%zu sheep are ready; herd -i %s status shows them\n", inventory->n_nodes,
               inventory->path);
        fflush(stdout);
    }
}

/* Until the user has had enough; a sheep that ends by itself is told of. */
static int watch_farm(const struct inventory *inventory, const struct request *request,
                      struct agents *agents, const sigset_t *signals)
{
    const struct timespec pause = { 0, LOOK_MS * 1000000L };
    bool is_whole = true;

    while (sigtimedwait(signals, NULL, &pause) < 0) {
        if (has_loss(agents)) {
            log_error("a sheep has ended by itself; %s/*/sheep.log tell why",
                      request->plan.folder);
            is_whole = false;
        }
    }
    farm_stop(inventory, request->plan.folder);
    return is_whole ? EXIT_ALL_VALID : EXIT_NODE_FAILED;
}

static int run_farm(const struct cmd_options *options, const struct inventory *inventory,
                    const struct request *request)
{
    struct agents agents = { .pids = calloc(inventory->n_nodes + 1, sizeof(pid_t)) };
    struct err err = { 0 };
    sigset_t signals;
    int status = EXIT_ALL_VALID;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (agents.pids == NULL) {
        err_set(&err, ERR_MEMORY, "the list of sheep");
    }
    if (agents.pids == NULL || start_all(inventory, request, &agents, &err) < 0
        || wait_ready(inventory, request, &agents, &err) < 0) {
        status = cmd_fail(options, "sim", &err);
        if (agents.n > 0) {
            farm_stop(inventory, request->plan.folder);
        }
    } else {
        say_ready(options, inventory);
        if (!request->detach) {
            status = watch_farm(inventory, request, &agents, &signals);
        }
    }
    free(agents.pids);
    return status;
}

static int stop_farm(const struct cmd_options *options, const struct request *request)
{
    int status = EXIT_ALL_VALID;
    struct inventory *inventory = load_farm(options, request->plan.folder, &status);

    if (inventory == NULL) {
        return status;
    }
    if (!options->is_quiet && !options->is_json) {
        printf("%u sheep ended\n", farm_stop(inventory, request->plan.folder));
    } else {
        farm_stop(inventory, request->plan.folder);
    }
    inventory_destroy(&inventory);
    return EXIT_ALL_VALID;
}

static int run(const struct cmd_options *options, int argc, char **argv)
{
    struct request request = {
        .plan = {.folder = "sim",
                 .n_nodes = DEFAULT_COUNT,
                 .seed = 1,
                 .base_port = DEFAULT_PORT}
    };
    struct inventory *inventory = NULL;
    struct err err = { 0 };
    int status = parse(options, argc, argv, &request);

    if (status != 0) {
        return status;
    }
    if (request.stop) {
        return stop_farm(options, &request);
    }
    if (make_farm(&request, &err) < 0) {
        return cmd_fail(options, "sim", &err);
    }
    if (request.no_start) {
        return EXIT_ALL_VALID;
    }
    inventory = load_farm(options, request.plan.folder, &status);
    if (inventory != NULL) {
        status = run_farm(options, inventory, &request);
        inventory_destroy(&inventory);
    }
    return status;
}

const struct cmd cmd_sim = {
    .name = "sim",
    .summary = "start simulated sheep",
    .usage = USAGE,
    .run = run,
};
