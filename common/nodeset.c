/* SPDX-License-Identifier: MIT */
/* Sets of nodes as text.
 *
 *   set  := term { op term }          from left to right, no operator binds closer
 *   op   := "," union | "&" intersection | "-" difference
 *   term := NAME | NAME "[" range { "," range } "]" REST | "@" GROUP | "all"
 *   range:= NUMBER [ "-" NUMBER ]     "01-12" keeps the zeros
 *
 * Names may hold "-", so that the operator "-" needs a blank in front of it. NAME may hold the
 * wildcards * and ?. Blanks between the parts mean nothing. */
#include "common/inventory.h"
#include "common/schema.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_RANGE = 100000,
    MAX_DIGITS = 9
};

struct parser {
    const struct inventory *inventory;
    const char *text;
    const char *at;
    struct err *err;
};

static int refuse(const struct parser *parser, const char *what)
{
    return err_set(parser->err, ERR_INPUT, "node set '%.200s': %s at '%.40s'", parser->text,
                   what, parser->at);
}

static const char *node_next(const void *arg, size_t i)
{
    const struct inventory *inventory = arg;

    return i < inventory->n_nodes ? inventory->nodes[i].name : NULL;
}

static int select_name(const struct parser *parser, const char *name, bool *chosen)
{
    bool is_pattern = strpbrk(name, "*?") != NULL;
    bool is_found = false;
    const char *nearest = NULL;

    for (size_t i = 0; i < parser->inventory->n_nodes; i++) {
        const char *candidate = parser->inventory->nodes[i].name;

        if (strcmp(candidate, name) == 0 || (is_pattern && fnmatch(name, candidate, 0) == 0)) {
            chosen[i] = true;
            is_found = true;
        }
    }
    if (is_found) {
        return 0;
    }
    nearest = name_nearest(name, node_next, parser->inventory);
    return err_set(parser->err, ERR_INPUT, "node set '%.200s': there is no node '%.60s'%s%s%s",
                   parser->text, name, nearest != NULL ? "; did you mean " : "",
                   nearest != NULL ? nearest : "", nearest != NULL ? "?" : "");
}

static int select_group(const struct parser *parser, const char *group, bool *chosen)
{
    bool is_found = strcmp(group, "all") == 0;

    for (size_t i = 0; i < parser->inventory->n_nodes; i++) {
        const struct inventory_node *node = &parser->inventory->nodes[i];

        chosen[i] = strcmp(group, "all") == 0;
        for (size_t k = 0; k < node->n_groups; k++) {
            if (strcmp(node->groups[k], group) == 0) {
                chosen[i] = true;
                is_found = true;
            }
        }
    }
    return is_found
               ? 0
               : err_set(parser->err, ERR_INPUT, "node set '%.200s': there is no group '%.60s'",
                         parser->text, group);
}

/* Digits at *at; the number of digits, 0 when there are none or too many. */
static size_t read_number(const char **at, unsigned long *value)
{
    size_t size = strspn(*at, "0123456789");

    if (size == 0 || size > MAX_DIGITS) {
        return 0;
    }
    *value = strtoul(*at, NULL, 10);
    *at += size;
    return size;
}

struct word {
    char prefix[INVENTORY_NAME_SIZE];
    char suffix[INVENTORY_NAME_SIZE];
};

static int select_range(struct parser *parser, const struct word *word, bool *chosen)
{
    unsigned long first = 0;
    unsigned long last = 0;
    const char *start = parser->at;
    size_t digits = read_number(&parser->at, &first);
    int width = start[0] == '0' ? (int)digits : 0;

    last = first;
    if (digits > 0 && (*parser->at == '-' || *parser->at == ':')) {
        parser->at++;
        digits = read_number(&parser->at, &last);
    }
    if (digits == 0 || last < first || last - first > MAX_RANGE) {
        return refuse(parser, "a bad range");
    }
    for (unsigned long i = first; i <= last; i++) {
        char name[3 * INVENTORY_NAME_SIZE];

        snprintf(name, sizeof(name), "%s%0*lu%s", word->prefix, width, i, word->suffix);
        if (select_name(parser, name, chosen) < 0) {
            return -1;
        }
    }
    return 0;
}

static size_t word_size(const char *text)
{
    size_t size = 0;

    while (isalnum((unsigned char)text[size])
           || (text[size] != '\0' && strchr("._-*?", text[size]) != NULL)) {
        size++;
    }
    return size;
}

static int read_word(struct parser *parser, char word[INVENTORY_NAME_SIZE])
{
    size_t size = word_size(parser->at);

    if (size >= INVENTORY_NAME_SIZE) {
        return refuse(parser, "a name that is too long");
    }
    memcpy(word, parser->at, size);
    word[size] = '\0';
    parser->at += size;
    return 0;
}

static int select_term(struct parser *parser, bool *chosen)
{
    struct word word = { .prefix = "" };
    bool is_group = *parser->at == '@';
    const char *list = NULL;
    const char *end = NULL;

    parser->at += is_group ? 1 : 0;
    if (read_word(parser, word.prefix) < 0) {
        return -1;
    }
    if (*parser->at != '[' || is_group) {
        if (word.prefix[0] == '\0') {
            return refuse(parser, "a name is missing");
        }
        return is_group || strcmp(word.prefix, "all") == 0
                   ? select_group(parser, word.prefix, chosen)
                   : select_name(parser, word.prefix, chosen);
    }
    list = parser->at + 1;
    end = strchr(list, ']');
    if (end == NULL) {
        return refuse(parser, "']' is missing");
    }
    parser->at = end + 1;
    if (read_word(parser, word.suffix) < 0) {
        return -1;
    }
    end = parser->at;
    parser->at = list;
    do {
        parser->at += strspn(parser->at, " ");
        if (select_range(parser, &word, chosen) < 0) {
            return -1;
        }
        parser->at += strspn(parser->at, " ");
    } while (*parser->at == ',' && parser->at++ != NULL);
    if (*parser->at != ']') {
        return refuse(parser, "a bad range");
    }
    parser->at = end;
    return 0;
}

static void combine(char operation, const struct inventory *inventory, const bool *chosen,
                    bool *selected)
{
    for (size_t i = 0; i < inventory->n_nodes; i++) {
        if (operation == '&') {
            selected[i] = selected[i] && chosen[i];
        } else if (operation == '-') {
            selected[i] = selected[i] && !chosen[i];
        } else {
            selected[i] = selected[i] || chosen[i];
        }
    }
}

static int select_set(struct parser *parser, bool *selected, bool *chosen)
{
    size_t n_nodes = parser->inventory->n_nodes;
    char operation = ',';

    while (true) {
        bool has_blank = false;

        parser->at += strspn(parser->at, " ");
        memset(chosen, 0, n_nodes * sizeof(*chosen));
        if (select_term(parser, chosen) < 0) {
            return -1;
        }
        combine(operation, parser->inventory, chosen, selected);
        has_blank = *parser->at == ' ';
        parser->at += strspn(parser->at, " ");
        if (*parser->at == '\0') {
            return 0;
        }
        operation = *parser->at;
        if (operation != ',' && operation != '&' && (operation != '-' || !has_blank)) {
            return refuse(parser, "one of , & - is missing");
        }
        parser->at++;
    }
}

int nodeset_select(const struct inventory *inventory, const char *text, bool *selected,
                   struct err *err)
{
    struct parser parser = { .inventory = inventory, .text = text, .at = text, .err = err };
    bool *chosen = calloc(inventory->n_nodes + 1, sizeof(*chosen));
    bool is_empty = true;
    int status = 0;

    if (chosen == NULL) {
        return err_set(err, ERR_MEMORY, "no memory for a node set");
    }
    memset(selected, 0, inventory->n_nodes * sizeof(*selected));
    status = select_set(&parser, selected, chosen);
    free(chosen);
    for (size_t i = 0; i < inventory->n_nodes; i++) {
        is_empty = is_empty && !selected[i];
    }
    if (status == 0 && is_empty) {
        return err_set(err, ERR_INPUT, "node set '%.200s' names nobody", text);
    }
    return status;
}

/* A name as prefix and number; number_size 0: no number. */
struct parts {
    const char *name;
    size_t prefix_size;
    size_t number_size;
    int width; /* of numbers with leading zeros */
    unsigned long number;
    bool is_done;
};

static void split(const char *name, struct parts *parts)
{
    size_t size = strlen(name);
    size_t at = size;

    while (at > 0 && size - at < MAX_DIGITS && isdigit((unsigned char)name[at - 1])) {
        at--;
    }
    *parts = (struct parts){ .name = name, .prefix_size = at, .number_size = size - at };
    if (size > at) {
        parts->number = strtoul(name + at, NULL, 10);
        parts->width = name[at] == '0' && size - at > 1 ? (int)(size - at) : 0;
    }
}

static bool is_family(const struct parts *first, const struct parts *other)
{
    return !other->is_done && first->number_size > 0 && other->number_size > 0
           && first->prefix_size == other->prefix_size
           && strncmp(first->name, other->name, first->prefix_size) == 0
           && (first->width == other->width
               || (first->width > 0 && other->number_size == (size_t)first->width));
}

static int compare_numbers(const void *left, const void *right)
{
    unsigned long a = *(const unsigned long *)left;
    unsigned long b = *(const unsigned long *)right;

    return (a > b) - (a < b);
}

static void print_ranges(unsigned long *numbers, size_t count, int width, struct buf *out)
{
    const char *separator = "";

    qsort(numbers, count, sizeof(*numbers), compare_numbers);
    for (size_t i = 0; i < count; i++) {
        size_t last = i;

        while (last + 1 < count && numbers[last + 1] <= numbers[last] + 1) {
            last++;
        }
        buf_printf(out, "%s%0*lu", separator, width, numbers[i]);
        if (numbers[last] > numbers[i]) {
            buf_printf(out, "-%0*lu", width, numbers[last]);
        }
        separator = ",";
        i = last;
    }
}

void nodeset_fold(const char *const *names, size_t n_names, struct buf *out)
{
    struct parts *parts = calloc(n_names + 1, sizeof(*parts));
    unsigned long *numbers = calloc(n_names + 1, sizeof(*numbers));

    for (size_t i = 0; parts != NULL && i < n_names; i++) {
        split(names[i], &parts[i]);
    }
    for (size_t i = 0; parts != NULL && numbers != NULL && i < n_names; i++) {
        size_t count = 0;

        if (parts[i].is_done) {
            continue;
        }
        for (size_t k = i; k < n_names; k++) {
            if (is_family(&parts[i], &parts[k])) {
                numbers[count] = parts[k].number;
                count++;
                parts[k].is_done = k != i;
            }
        }
        buf_text(out, i > 0 ? "," : "");
        if (count <= 1) {
            buf_text(out, names[i]);
            continue;
        }
        buf_printf(out, "%.*s[", (int)parts[i].prefix_size, names[i]);
        print_ranges(numbers, count, parts[i].width, out);
        buf_text(out, "]");
    }
    out->failed |= parts == NULL || numbers == NULL;
    free(parts);
    free(numbers);
}
