/* SPDX-License-Identifier: MIT */
#include "common/buf.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/wire.h"
#include "common/yaml_doc.h"
#include "sheep/agent.h"
#include "sheep/cape_eeprom.h"
#include "sheep/config.h"
#include "sheep/info.h"
#include "sheep/recorder_main.h"

#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    STATUS_OK = 0,
    STATUS_FAILED = 1,
    STATUS_USAGE = 2
};

static const char DEFAULT_CONFIG[] = "/etc/bellwether/sheep.yaml";

static const char HELP[] =
    "usage: sheep COMMAND [-c FILE] [options] [arguments]\n"
    "\n"
    "The agent of a node: it waits for herd, records, and keeps what it recorded.\n"
    "\n"
    "commands:\n"
    "  run        serve until SIGTERM; starts the recorder when none runs\n"
    "  recorder   the process that samples; run starts it by itself\n"
    "  selftest   check every element of node and cape, with a report\n"
    "  info       what this node is, from its configuration and its state\n"
    "  eeprom-read [IMAGE]       print the cape's calibration; IMAGE: default the\n"
    "                            configuration's eeprom\n"
    "  eeprom-write CAL [IMAGE]  write a file of calibration into it\n"
    "\n"
    "options:\n"
    "  -c, --config FILE   default /etc/bellwether/sheep.yaml\n"
    "  -v, --verbose       log more\n"
    "      --json          info: for machines\n"
    "      --serial TEXT   eeprom-write: of the cape; default what it says already\n"
    "      --cape VERSION  eeprom-write: of the cape, for instance 24B0\n"
    "  -h, --help          this text\n"
    "  -V, --version\n"
    "\n"
    "examples:\n"
    "  sheep run -c sheep.yaml\n"
    "  sheep selftest -c sheep.yaml\n"
    "  sheep info -c sheep.yaml --json\n"
    "  sheep eeprom-read /sys/bus/i2c/devices/2-0054/eeprom > cal.yaml\n"
    "\n"
    "exit status: 0 all right, 1 failed, 2 usage or configuration\n";

static volatile sig_atomic_t stop_signal;

static void note_signal(int number)
{
    stop_signal = number;
}

enum {
    MAX_OPERANDS = 2
};

struct options {
    const char *command;
    const char *config;
    bool is_json;
    struct cape_labels labels;
    const char *operands[MAX_OPERANDS]; /* behind the command */
    int n_operands;
};

/* 0: go on; otherwise *status says how to exit. */
static int parse(int argc, char **argv, struct options *options, int *status)
{
    static const struct option LONG[] = {
        {"config",   required_argument, NULL, 'c'},
        { "verbose", no_argument,       NULL, 'v'},
        { "json",    no_argument,       NULL, 'j'},
        { "serial",  required_argument, NULL, 's'},
        { "cape",    required_argument, NULL, 'p'},
        { "help",    no_argument,       NULL, 'h'},
        { "version", no_argument,       NULL, 'V'},
        { NULL,      0,                 NULL, 0  },
    };
    int letter = 0;

    *status = STATUS_USAGE;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is no other thread yet */
    while ((letter = getopt_long(argc, argv, "c:vhV", LONG, NULL)) != -1) {
        switch (letter) {
        case 'c':
            options->config = optarg;
            break;
        case 'v':
            log_set_level(LOG_LEVEL_DEBUG);
            break;
        case 'j':
            options->is_json = true;
            break;
        case 's':
            options->labels.serial = optarg;
            break;
        case 'p':
            options->labels.version = optarg;
            break;
        case 'h':
            fputs(HELP, stdout);
            *status = STATUS_OK;
            return -1;
        case 'V':
            printf("sheep %s\n", BW_VERSION);
            *status = STATUS_OK;
            return -1;
        default:
            return -1;
        }
    }
    options->n_operands = argc - optind - 1;
    if (options->n_operands < 0 || options->n_operands > MAX_OPERANDS) {
        fputs(HELP, stderr);
        return -1;
    }
    options->command = argv[optind];
    for (int i = 0; i < options->n_operands; i++) {
        options->operands[i] = argv[optind + 1 + i];
    }
    return 0;
}

static void catch_signals(void)
{
    struct sigaction action = { .sa_handler = note_signal };
    struct sigaction ignore = { .sa_handler = SIG_IGN };

    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGCHLD, &ignore, NULL); /* a recorder that ends leaves no zombie */
}

static int run_agent(const struct sheep_config *config, const struct options *options,
                     struct err *err)
{
    (void)options;
    wire_init();
    return agent_run(config, clock_mono_ns(), &stop_signal, err);
}

static int run_recorder(const struct sheep_config *config, const struct options *options,
                        struct err *err)
{
    (void)options;
    return recorder_main(config, &stop_signal, err);
}

static int run_selftest(const struct sheep_config *config, const struct options *options,
                        struct err *err)
{
    struct buf report = { 0 };
    int result = recorder_selftest_main(config, &report, err);

    (void)options;
    fputs(report.data != NULL ? report.data : "", stdout);
    buf_fini(&report);
    return result;
}

static int run_info(const struct sheep_config *config, const struct options *options,
                    struct err *err)
{
    struct buf text = { 0 };
    int result = info_write(config, options->is_json, &text, err);

    if (result == 0) {
        fputs(text.data != NULL ? text.data : "", stdout);
    }
    buf_fini(&text);
    return result;
}

/* The image that is named, or the configuration's. */
static int find_image(const struct sheep_config *config, const char *named, const char **path,
                      struct err *err)
{
    *path = named != NULL ? named : config->eeprom;
    return **path != '\0'
               ? 0
               : err_set(err, ERR_INPUT, "no image named, and no eeprom in %s", config->path);
}

static int run_eeprom_read(const struct sheep_config *config, const struct options *options,
                           struct err *err)
{
    struct buf text = { 0 };
    const char *path = NULL;
    int result = find_image(config, options->operands[0], &path, err);

    if (result == 0) {
        result = cape_eeprom_read(path, &text, err);
    }
    if (result == 0) {
        fputs(text.data, stdout);
    }
    buf_fini(&text);
    return result;
}

static int run_eeprom_write(const struct sheep_config *config, const struct options *options,
                            struct err *err)
{
    const char *path = NULL;

    if (find_image(config, options->operands[1], &path, err) < 0) {
        return -1;
    }
    return cape_eeprom_write(path, options->operands[0], &options->labels, err);
}

struct command {
    const char *name;
    int (*run)(const struct sheep_config *config, const struct options *options,
               struct err *err);
    int min_operands;
    int max_operands; /* with all of them no configuration is needed, unless there are none */
};

static const struct command COMMANDS[] = {
    {"run",           run_agent,        0, 0},
    { "recorder",     run_recorder,     0, 0},
    { "selftest",     run_selftest,     0, 0},
    { "info",         run_info,         0, 0},
    { "eeprom-read",  run_eeprom_read,  0, 1},
    { "eeprom-write", run_eeprom_write, 1, 2},
};

static int run_command(const struct command *command, const struct options *options)
{
    static struct sheep_config config;
    struct err err = { 0 };
    int status = STATUS_OK;
    bool needs_config =
        command->max_operands == 0 || options->n_operands < command->max_operands;

    if (options->n_operands < command->min_operands
        || options->n_operands > command->max_operands) {
        fputs(HELP, stderr);
        return STATUS_USAGE;
    }
    if (needs_config && sheep_config_load(&config, options->config, &err) < 0) {
        fprintf(stderr, "sheep %s: %s\n", options->command, err.text);
        return STATUS_USAGE;
    }
    if (command->run(&config, options, &err) < 0) {
        fprintf(stderr, "sheep %s: %s\n", options->command, err.text);
        status = STATUS_FAILED;
    }
    sheep_config_fini(&config);
    return status;
}

int main(int argc, char **argv)
{
    struct options options = { .config = DEFAULT_CONFIG };
    int status = STATUS_USAGE;

    if (parse(argc, argv, &options, &status) < 0) {
        return status;
    }
    for (size_t i = 0; i < ARRAY_LEN(COMMANDS); i++) {
        if (strcmp(COMMANDS[i].name, options.command) == 0) {
            catch_signals();
            return run_command(&COMMANDS[i], &options);
        }
    }
    fprintf(stderr, "sheep: no command '%s'; sheep --help lists them\n", options.command);
    return STATUS_USAGE;
}
