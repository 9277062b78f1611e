/* SPDX-License-Identifier: MIT */
#include "herd/simulate_sweep.h"

#include "common/units.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a child says over its pipe. */
struct answer {
    int status;
    struct err err;
    struct simulation_result result;
};

static const struct field *find_field(const struct schema *schema, const char *name)
{
    for (const struct field *field = schema->fields; field->name != NULL; field++) {
        if (strcmp(field->name, name) == 0) {
            return field;
        }
    }
    return NULL;
}

/* Takes "prefix." from the name. */
static bool take_prefix(const char **name, const char *prefix)
{
    size_t length = strlen(prefix);

    if (strncmp(*name, prefix, length) != 0) {
        return false;
    }
    *name += length;
    return true;
}

static int find_parameter(struct sweep *sweep, enum experiment_mode mode, struct err *err)
{
    const char *name = sweep->name;
    const struct schema *schema = &source_schema;

    sweep->is_of_harvester = take_prefix(&name, "harvester.") || mode == MODE_HARVEST;
    sweep->is_of_storage = !sweep->is_of_harvester && take_prefix(&name, "storage.");
    if (sweep->is_of_harvester) {
        schema = &harvester_schema;
    } else if (sweep->is_of_storage) {
        schema = &storage_schema;
    }
    sweep->field = find_field(schema, name);
    if (sweep->field == NULL) {
        return err_set(err, ERR_INPUT, "%s: no parameter of a %s", name, schema->name);
    }
    if (sweep->field->type != FIELD_F64 && sweep->field->type != FIELD_U32
        && sweep->field->type != FIELD_BOOL) {
        return err_set(err, ERR_INPUT, "%s: not a single number", name);
    }
    return 0;
}

static int parse_value(struct sweep *sweep, const char *text, struct err *err)
{
    const struct field *field = sweep->field;
    double value = 0;

    if (sweep->n_values == SWEEP_MAX_VALUES) {
        return err_set(err, ERR_INPUT, "%s: more than %d values", field->name,
                       SWEEP_MAX_VALUES);
    }
    if (field->type == FIELD_BOOL
        && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)) {
        value = text[0] == 't';
    } else if (quantity_parse(text, field->unit, &value) != UNIT_OK) {
        return err_set(err, ERR_INPUT, "%s: '%.60s' is not a number", field->name, text);
    }
    if ((field->minimum != 0 || field->maximum != 0)
        && (value < field->minimum || value > field->maximum)) {
        return err_set(err, ERR_INPUT, "%s: %g is not between %g and %g", field->name, value,
                       field->minimum, field->maximum);
    }
    if (field->type != FIELD_F64 && (value < 0 || value > UINT32_MAX)) {
        return err_set(err, ERR_INPUT, "%s: %g is out of range", field->name, value);
    }
    sweep->values[sweep->n_values++] = value;
    return 0;
}

int sweep_parse(struct sweep *sweep, const char *text, enum experiment_mode mode,
                struct err *err)
{
    const char *equals = strchr(text, '=');
    const char *at = NULL;

    memset(sweep, 0, sizeof(*sweep));
    if (equals == NULL || equals == text || (size_t)(equals - text) >= sizeof(sweep->name)) {
        return err_set(err, ERR_INPUT, "'%.60s' is not NAME=VALUE,VALUE,...", text);
    }
    memcpy(sweep->name, text, (size_t)(equals - text));
    if (find_parameter(sweep, mode, err) < 0) {
        return -1;
    }
    at = equals + 1;
    for (;;) {
        size_t length = strcspn(at, ",");
        char word[80];

        snprintf(word, sizeof(word), "%.*s", (int)length, at);
        if (length >= sizeof(word)) {
            return err_set(err, ERR_INPUT, "%s: value too long", sweep->name);
        }
        if (parse_value(sweep, word, err) < 0) {
            return -1;
        }
        if (at[length] == '\0') {
            return 0;
        }
        at += length + 1;
    }
}

void sweep_apply(const struct sweep *sweep, size_t i, struct node_config *config)
{
    struct harvester_config *harvester =
        config->mode == MODE_HARVEST ? &config->harvester : &config->source.harvester;
    char *storage = (char *)&config->source.storage;
    char *source = sweep->is_of_storage ? storage : (char *)&config->source;
    char *member = (sweep->is_of_harvester ? (char *)harvester : source) + sweep->field->offset;
    uint32_t number = (uint32_t)sweep->values[i];
    bool is_set = sweep->values[i] != 0;

    if (sweep->field->type == FIELD_F64) {
        memcpy(member, &sweep->values[i], sizeof(double));
    } else if (sweep->field->type == FIELD_U32) {
        memcpy(member, &number, sizeof(number));
    } else {
        memcpy(member, &is_set, sizeof(is_set));
    }
    harvester_config_finish(harvester);
    if (config->mode == MODE_EMULATE) {
        source_config_finish(&config->source);
    }
}

/* ---- processes ---- */

struct child {
    pid_t pid;
    int fd;
};

/* Held back around fork: a child must not take the parent's handler for its own end. */
static void set_signals(int how)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    (void)sigprocmask(how, &set, NULL); // NOLINT(concurrency-mt-unsafe)
}

/* The child's part: never returns. */
static void run_variant(const struct sweep *sweep, const struct simulation *simulation,
                        size_t i, int fd)
{
    struct node_config config = *simulation->config;
    struct simulation variant = *simulation;
    struct answer answer;

    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
    set_signals(SIG_UNBLOCK);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    memset(&answer, 0, sizeof(answer));
    sweep_apply(sweep, i, &config);
    variant.config = &config;
    variant.take = NULL;
    answer.status = simulate(&variant, &answer.result, &answer.err);
    /* Below PIPE_BUF: whole or not at all. */
    _exit(write(fd, &answer, sizeof(answer)) == (ssize_t)sizeof(answer) ? 0 : 1);
}

_Static_assert(sizeof(struct answer) <= 4096, "an answer fits a pipe's atomic write");

static int start_child(struct child *child, const struct sweep *sweep,
                       const struct simulation *simulation, size_t i, struct err *err)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0) {
        return err_set_errno(err, "pipe");
    }
    fflush(NULL);
    set_signals(SIG_BLOCK);
    child->pid = fork();
    if (child->pid == 0) {
        close(ends[0]);
        run_variant(sweep, simulation, i, ends[1]);
    }
    set_signals(SIG_UNBLOCK);
    close(ends[1]);
    child->fd = ends[0];
    if (child->pid < 0) {
        close(ends[0]);
        return err_set_errno(err, "process for %s", sweep->name);
    }
    return 0;
}

/* Waits for one that runs; the others meanwhile go on. */
static int end_child(struct child *child, const struct sweep *sweep, size_t i,
                     struct simulation_result *result, struct err *err)
{
    struct answer answer;
    ssize_t size = 0;

    do {
        size = read(child->fd, &answer, sizeof(answer));
    } while (size < 0 && errno == EINTR);
    close(child->fd);
    while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR) {}
    if (size != (ssize_t)sizeof(answer)) {
        return err_set(err, ERR_SYSTEM, "%s=%g: its process ended without a result",
                       sweep->name, sweep->values[i]);
    }
    if (answer.status < 0) {
        *err = answer.err;
        return err_prepend(err, "%s=%g", sweep->name, sweep->values[i]);
    }
    *result = answer.result;
    return 0;
}

static unsigned count_cores(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) < 0 ? 1u : (unsigned)CPU_COUNT(&set);
}

int sweep_run(const struct sweep *sweep, const struct simulation *simulation,
              unsigned n_processes, struct simulation_result *results, struct err *err)
{
    struct child children[SWEEP_MAX_VALUES];
    size_t n_started = 0;
    size_t n_ended = 0;
    int result = 0;

    n_processes = n_processes != 0 ? n_processes : count_cores();
    while (n_ended < sweep->n_values) {
        if (result == 0 && n_started < sweep->n_values && n_started - n_ended < n_processes) {
            result = start_child(&children[n_started], sweep, simulation, n_started, err);
            n_started += result == 0 ? 1 : 0;
        } else if (n_ended == n_started) {
            break; /* none could be started, or a failure has ended the rest */
        } else {
            struct err own = { 0 };

            if (end_child(&children[n_ended], sweep, n_ended, &results[n_ended], &own) < 0
                && result == 0) {
                result = -1;
                *err = own;
            }
            n_ended++;
        }
    }
    return result;
}
