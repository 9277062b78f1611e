/* SPDX-License-Identifier: MIT */
#include "common/buf.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/yaml_doc.h"
#include "sheep/agent.h"
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
    "usage: sheep COMMAND [-c FILE] [options]\n"
    "\n"
    "The agent of a node: it waits for herd, records, and keeps what it recorded.\n"
    "\n"
    "commands:\n"
    "  run        serve until SIGTERM; starts the recorder when none runs\n"
    "  recorder   the process that samples; run starts it by itself\n"
    "  selftest   boot the board, look at its counter, pass samples through the rings\n"
    "  info       what this node is, from its configuration and its state\n"
    "\n"
    "options:\n"
    "  -c, --config FILE   default /etc/bellwether/sheep.yaml\n"
    "  -v, --verbose       log more\n"
    "      --json          info: for machines\n"
    "  -h, --help          this text\n"
    "  -V, --version\n"
    "\n"
    "examples:\n"
    "  sheep run -c sheep.yaml\n"
    "  sheep selftest -c sheep.yaml\n"
    "  sheep info -c sheep.yaml --json\n"
    "\n"
    "exit status: 0 all right, 1 failed, 2 usage or configuration\n";

static volatile sig_atomic_t stop_signal;

static void note_signal(int number)
{
    stop_signal = number;
}

struct options {
    const char *command;
    const char *config;
    bool is_json;
};

/* 0: go on; otherwise *status says how to exit. */
static int parse(int argc, char **argv, struct options *options, int *status)
{
    static const struct option LONG[] = {
        {"config",   required_argument, NULL, 'c'},
        { "verbose", no_argument,       NULL, 'v'},
        { "json",    no_argument,       NULL, 'j'},
        { "help",    no_argument,       NULL, 'h'},
        { "version", no_argument,       NULL, 'V'},
        { NULL,      0,                 NULL, 0  },
    };
    int letter = 0;

    *status = STATUS_USAGE;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is no other thread yet */
    while ((letter = getopt_long(argc, argv, "c:vjhV", LONG, NULL)) != -1) {
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
    if (argc - optind != 1) {
        fputs(HELP, stderr);
        return -1;
    }
    options->command = argv[optind];
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

static const struct {
    const char *name;
    int (*run)(const struct sheep_config *config, const struct options *options,
               struct err *err);
} COMMANDS[] = {
    {"run",       run_agent   },
    { "recorder", run_recorder},
    { "selftest", run_selftest},
    { "info",     run_info    },
};

int main(int argc, char **argv)
{
    struct options options = { .config = DEFAULT_CONFIG };
    struct sheep_config config;
    struct err err = { 0 };
    int status = STATUS_USAGE;

    if (parse(argc, argv, &options, &status) < 0) {
        return status;
    }
    for (size_t i = 0; i < ARRAY_LEN(COMMANDS); i++) {
        if (strcmp(COMMANDS[i].name, options.command) != 0) {
            continue;
        }
        catch_signals();
        if (sheep_config_load(&config, options.config, &err) < 0) {
            fprintf(stderr, "sheep %s: %s\n", options.command, err.text);
            return STATUS_USAGE;
        }
        status = STATUS_OK;
        if (COMMANDS[i].run(&config, &options, &err) < 0) {
            fprintf(stderr, "sheep %s: %s\n", options.command, err.text);
            status = STATUS_FAILED;
        }
        sheep_config_fini(&config);
        return status;
    }
    fprintf(stderr, "sheep: no command '%s'; sheep --help lists them\n", options.command);
    return STATUS_USAGE;
}
