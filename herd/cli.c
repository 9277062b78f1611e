/* SPDX-License-Identifier: MIT */
#include "herd/cli.h"

#include "herd/report.h"

#include "common/buf.h"
#include "common/log.h"
#include "common/schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the words before the command's own are about. */
struct globals {
    struct cmd_options options;
    bool wants_help;
    bool wants_version;
    const char *missing; /* an option without its value */
};

static enum exit_status exit_of(enum err_code code)
{
    switch (code) {
    case ERR_NONE:
        return EXIT_ALL_VALID;
    case ERR_NO_SPACE:
    case ERR_STATE:
    case ERR_CORRUPT:
    case ERR_HARDWARE:
        return EXIT_NODE_FAILED;
    case ERR_TIMEOUT:
    case ERR_UNREACHABLE:
        return EXIT_NOBODY;
    case ERR_INTERRUPTED:
        return EXIT_INTERRUPTED;
    case ERR_USAGE:
    case ERR_INPUT:
    case ERR_SYSTEM:
    case ERR_MEMORY:
    case ERR_NOT_FOUND:
    case ERR_EXISTS:
    case ERR_DENIED:
    case N_ERR_CODES:
        return EXIT_USAGE;
    }
    return EXIT_USAGE;
}

int cmd_fail(const struct cmd_options *options, const char *name, const struct err *err)
{
    struct buf line = { 0 };
    struct json json = { .out = &line };

    if (options->is_json) {
        json_open(&json, NULL, '{');
        json_text(&json, "command", name);
        json_text(&json, "error", err_code_name(err->code));
        json_text(&json, "text", err->text);
        json_close(&json, '}');
        json_line(&json, stderr);
    } else {
        fprintf(stderr, "herd %s: %s\n", name, err->text);
    }
    buf_fini(&line);
    return (int)exit_of(err->code);
}

int cmd_fail_faults(const struct cmd_options *options, const char *name,
                    const struct fault_list *faults)
{
    struct buf out = { 0 };
    struct json json = { .out = &out };

    if (!options->is_json) {
        fault_print(faults, &out);
        fprintf(stderr, "%sherd %s: %zu fault%s\n", out.data != NULL ? out.data : "", name,
                faults->count, faults->count == 1 ? "" : "s");
        buf_fini(&out);
        return EXIT_USAGE;
    }
    json_open(&json, NULL, '{');
    json_text(&json, "command", name);
    json_text(&json, "error", err_code_name(ERR_INPUT));
    json_open(&json, "faults", '[');
    for (size_t i = 0; i < faults->count; i++) {
        json_open(&json, NULL, '{');
        json_text(&json, "file", faults->faults[i].place.file);
        json_u64(&json, "line", faults->faults[i].place.line);
        json_u64(&json, "column", faults->faults[i].place.column);
        json_text(&json, "text", faults->faults[i].text);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    json_close(&json, '}');
    json_line(&json, stderr);
    buf_fini(&out);
    return EXIT_USAGE;
}

int cmd_misuse(const struct cmd_options *options, const char *name, const char *format, ...)
{
    struct err err = { .code = ERR_USAGE };
    va_list args;
    size_t length = 0;

    va_start(args, format);
    vsnprintf(err.text, sizeof(err.text), format, args);
    va_end(args);
    length = strlen(err.text);
    snprintf(err.text + length, sizeof(err.text) - length, " (see herd %s --help)", name);
    return cmd_fail(options, name, &err);
}

/* "-x VALUE", "-xVALUE", "--name VALUE" or "--name=VALUE": the value, and how many words; NULL
 * when argv[at] is something else. A value that is missing is argv[argc], NULL: *n is 1. */
static const char *match_value(char **argv, int at, char letter, const char *name, int *n)
{
    const char *word = argv[at];
    size_t length = strlen(name);

    *n = 0;
    if (word[0] != '-') {
        return NULL;
    }
    if (word[1] == letter && word[1] != '-') {
        *n = word[2] != '\0' ? 1 : 2;
        return word[2] != '\0' ? word + 2 : argv[at + 1];
    }
    if (word[1] == '-' && strncmp(word + 2, name, length) == 0) {
        if (word[2 + length] == '=') {
            *n = 1;
            return word + 3 + length;
        }
        if (word[2 + length] == '\0') {
            *n = 2;
            return argv[at + 1];
        }
    }
    return NULL;
}

static bool is_flag(const char *word, const char *short_name, const char *long_name)
{
    return strcmp(word, short_name) == 0 || strcmp(word, long_name) == 0;
}

static bool take_flag(struct globals *globals, const char *word)
{
    if (is_flag(word, "-h", "--help")) {
        globals->wants_help = true;
    } else if (is_flag(word, "-V", "--version")) {
        globals->wants_version = true;
    } else if (is_flag(word, "-v", "--verbose")) {
        globals->options.is_verbose = true;
    } else if (is_flag(word, "-q", "--quiet")) {
        globals->options.is_quiet = true;
    } else if (strcmp(word, "--json") == 0) {
        globals->options.is_json = true;
    } else {
        return false;
    }
    return true;
}

/* How many words the global option at argv[at] has; 0: none of ours. */
static int take_value(struct globals *globals, char **argv, int at)
{
    const struct {
        char letter;
        const char *name;
        const char **value;
    } OPTIONS[] = {
        {'i',  "inventory", &globals->options.inventory},
        { 'l', "limit",     &globals->options.limit    },
        { 'k', "key",       &globals->options.key      },
    };

    for (size_t i = 0; i < ARRAY_LEN(OPTIONS); i++) {
        int n = 0;
        const char *value = match_value(argv, at, OPTIONS[i].letter, OPTIONS[i].name, &n);

        if (n > 0) {
            if (value == NULL) {
                globals->missing = argv[at];
                return 1;
            }
            *OPTIONS[i].value = value;
            return n;
        }
    }
    return 0;
}

/* Takes the global options out of argv; returns the number of words that remain. */
static int take_globals(struct globals *globals, int argc, char **argv)
{
    int n_kept = 1;
    int at = 1;

    while (at < argc && strcmp(argv[at], "--") != 0) {
        int n = take_flag(globals, argv[at]) ? 1 : take_value(globals, argv, at);

        if (n == 0) {
            argv[n_kept++] = argv[at++];
        } else {
            at += n;
        }
    }
    while (at < argc) {
        argv[n_kept++] = argv[at++];
    }
    argv[n_kept] = NULL;
    return n_kept;
}

static const char *nth_name(const void *commands, size_t i)
{
    const struct cmd *const *list = commands;

    return list[i] != NULL ? list[i]->name : NULL;
}

static const struct cmd *find_command(const struct cmd *const *commands, const char *name)
{
    for (size_t i = 0; commands[i] != NULL; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

static void print_help(const struct cmd *const *commands, FILE *stream)
{
    fputs("Usage: herd [options] COMMAND [options] [arguments]\n\n"
          "Runs experiments on a flock of sheep: the same instant on every node.\n\n"
          "Commands:\n",
          stream);
    for (size_t i = 0; commands[i] != NULL; i++) {
        fprintf(stream, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
    }
    fputs("\nOptions, before or behind the command:\n"
          "  -i, --inventory FILE   the nodes that exist; else ./herd.yml,\n"
          "                         ./inventory/herd.yml, ~/herd.yml, ...\n"
          "  -l, --limit NODES      only these: sheep[0-3,7], @group, a,b, a-b, a&b\n"
          "  -k, --key FILE         this controller's secret key; else $BELLWETHER_KEY,\n"
          "                         herd.key beside the inventory, ...\n"
          "      --json             for machines\n"
          "  -v, --verbose          more;  -q, --quiet  less\n"
          "  -h, --help             this text, or the command's\n"
          "  -V, --version\n\n"
          "Examples:\n"
          "  herd sim -n 4 -d farm          start four simulated sheep\n"
          "  herd -i farm/herd.yml status   what they do\n"
          "  herd run solar.yaml            run an experiment on all nodes\n"
          "  herd harvest -d 10             record for ten seconds, without a file\n\n"
          "Exit status: 0 all valid, 1 a node failed or refused, 2 usage or input,\n"
          "3 nobody reachable, 130 interrupted.\n",
          stream);
}

/* For hands that know Shepherd: what does the work of a command that only it has; NULL: none.
 */
static const char *instead_of(const char *name)
{
    static const char *const PAIRS[][2] = {
        {"shell-cmd", "'herd exec -- COMMAND'"                                },
        { "start",    "'herd run FILE', which starts all nodes at one instant"},
        { "resync",   "'herd clock', which tells whose clock is off"          },
        { "program",  "'herd exec' with a programmer on the node"             },
        { "fix",      "'herd preflight', which tells what is wrong"           },
    };

    for (size_t i = 0; i < ARRAY_LEN(PAIRS); i++) {
        if (strcmp(name, PAIRS[i][0]) == 0) {
            return PAIRS[i][1];
        }
    }
    return NULL;
}

static int unknown_command(const struct globals *globals, const struct cmd *const *commands,
                           const char *name)
{
    const char *nearest = name_nearest(name, nth_name, commands);
    const char *ours = instead_of(name);
    struct err err = { 0 };

    if (ours != NULL) {
        err_set(&err, ERR_USAGE, "no such command; instead of Shepherd's there is %s", ours);
    } else if (nearest != NULL) {
        err_set(&err, ERR_USAGE, "no such command; did you mean '%s'?", nearest);
    } else {
        err_set(&err, ERR_USAGE, "no such command; herd --help lists them");
    }
    return cmd_fail(&globals->options, name, &err);
}

static void set_level(const struct cmd_options *options)
{
    if (options->is_verbose) {
        log_set_level(LOG_LEVEL_DEBUG);
    } else {
        log_set_level(options->is_quiet ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN);
    }
}

static int show_help(const struct globals *globals, const struct cmd *const *commands,
                     const char *name)
{
    const struct cmd *command = NULL;

    if (name == NULL) {
        print_help(commands, stdout);
        return EXIT_ALL_VALID;
    }
    command = find_command(commands, name);
    if (command == NULL) {
        return unknown_command(globals, commands, name);
    }
    fputs(command->usage, stdout);
    return EXIT_ALL_VALID;
}

int cli_main(const struct cmd *const *commands, int argc, char **argv)
{
    struct globals globals = { 0 };
    const struct cmd *command = NULL;

    argc = take_globals(&globals, argc, argv);
    if (globals.wants_version) {
        puts("herd " BW_VERSION);
        return EXIT_ALL_VALID;
    }
    if (globals.missing != NULL) {
        fprintf(stderr, "herd: %s needs a value\n", globals.missing);
        return EXIT_USAGE;
    }
    if (argc > 1 && strcmp(argv[1], "help") == 0) {
        return show_help(&globals, commands, argv[2]);
    }
    if (globals.wants_help) {
        return show_help(&globals, commands, argv[1]);
    }
    if (argc < 2) {
        print_help(commands, stderr);
        return EXIT_USAGE;
    }
    if (argv[1][0] == '-') {
        fprintf(stderr, "herd: unknown option %s (see herd --help)\n", argv[1]);
        return EXIT_USAGE;
    }
    command = find_command(commands, argv[1]);
    if (command == NULL) {
        return unknown_command(&globals, commands, argv[1]);
    }
    set_level(&globals.options);
    return command->run(&globals.options, argc - 1, argv + 1);
}
