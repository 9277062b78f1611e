/* SPDX-License-Identifier: MIT */
/* The options of one command; the part of cli.h that commands use. */
#include "herd/cli.h"

#include "common/buf.h"
#include "common/units.h"

#include <math.h>
#include <string.h>

enum {
    MAX_TIMEOUT_S = 86400
};

/* An operand goes to the end, so that the options stay together; the order is kept. */
static void defer_operand(struct cli_scan *scan)
{
    char *operand = scan->argv[scan->at];
    size_t n_behind = (size_t)(scan->argc - scan->at - 1);

    memmove(&scan->argv[scan->at], &scan->argv[scan->at + 1], n_behind * sizeof(*scan->argv));
    scan->argv[scan->argc - 1] = operand;
    scan->n_operands++;
}

static const struct cli_option *find_option(const struct cli_scan *scan, const char *word)
{
    size_t length = strcspn(word, "=");

    for (const struct cli_option *option = scan->options; option->id != 0; option++) {
        if (word[0] == '-' && word[1] == '-') {
            if (option->long_name != NULL && strlen(option->long_name) == length - 2
                && strncmp(option->long_name, word + 2, length - 2) == 0) {
                return option;
            }
        } else if (option->id == (unsigned char)word[1]) {
            return option;
        }
    }
    return NULL;
}

static int misuse(const struct cli_scan *scan, const char *word, const char *fault)
{
    cmd_misuse(scan->global, scan->argv[0], "%s %s", word, fault);
    return '?';
}

static int take_option(struct cli_scan *scan, const char **value)
{
    const char *word = scan->argv[scan->at++];
    const struct cli_option *option = find_option(scan, word);
    const char *attached = NULL;

    if (option == NULL) {
        return misuse(scan, word, "is no option");
    }
    if (word[1] == '-') {
        attached = strchr(word, '=') != NULL ? strchr(word, '=') + 1 : NULL;
    } else if (word[2] != '\0') {
        attached = word + 2;
    }
    if (!option->has_value) {
        return attached == NULL ? option->id : misuse(scan, word, "takes no value");
    }
    if (attached == NULL) {
        if (scan->at >= scan->argc - scan->n_operands) {
            return misuse(scan, word, "needs a value");
        }
        attached = scan->argv[scan->at++];
    }
    *value = attached;
    return option->id;
}

int cli_next(struct cli_scan *scan, const char **value)
{
    *value = NULL;
    if (scan->at == 0) {
        scan->at = 1;
    }
    while (scan->at < scan->argc - scan->n_operands) {
        const char *word = scan->argv[scan->at];

        if (!scan->is_raw && strcmp(word, "--") == 0) {
            scan->is_raw = true;
            scan->at++;
        } else if (scan->is_raw || word[0] != '-' || word[1] == '\0') {
            defer_operand(scan);
        } else {
            return take_option(scan, value);
        }
    }
    return 0;
}

int cli_take_timeout(const struct cli_scan *scan, const char *value, int *timeout_ms)
{
    double seconds = 0;

    if (!text_to_f64(value, &seconds) || seconds <= 0 || seconds > MAX_TIMEOUT_S) {
        return cmd_misuse(scan->global, scan->argv[0],
                          "timeout '%s' is not a number of seconds up to %d", value,
                          (int)MAX_TIMEOUT_S);
    }
    *timeout_ms = (int)ceil(seconds * 1000);
    return 0;
}

int cli_take_rate(const struct cmd_options *options, const char *name, const char *value,
                  uint64_t *rate)
{
    static const uint64_t LEAST = 1000;

    if (bytes_parse(value, rate) != UNIT_OK || *rate < LEAST) {
        return cmd_misuse(options, name, "'%s' is not a size of at least 1 kB", value);
    }
    return 0;
}

int cli_take_nodes(const struct cli_scan *scan, const char **nodes)
{
    if (scan->n_operands > 1) {
        return cmd_misuse(scan->global, scan->argv[0],
                          "one set of nodes, not %d: join them with a comma, as a,b",
                          scan->n_operands);
    }
    *nodes = scan->n_operands == 1 ? scan->argv[scan->at] : NULL;
    return 0;
}
