/* SPDX-License-Identifier: MIT */
#include "common/yaml_doc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_FAULTS = 1000 /* nobody reads further, and a hostile file shall not fill the memory */
};

static struct fault *fault_append(struct fault_list *list)
{
    struct fault *faults = realloc(list->faults, (list->count + 1) * sizeof(*faults));

    if (faults == NULL) {
        list->failed = true;
        return NULL;
    }
    list->faults = faults;
    faults[list->count] = (struct fault){ 0 };
    list->count++;
    return &faults[list->count - 1];
}

void fault_add(struct fault_list *list, struct yaml_place place, const char *format, ...)
{
    struct fault *fault = NULL;
    va_list args;

    if (list->count >= MAX_FAULTS) {
        return;
    }
    fault = fault_append(list);
    if (fault == NULL) {
        return;
    }
    fault->place = place;
    if (place.file != NULL) {
        fault->place.file = strdup(place.file);
        list->failed |= fault->place.file == NULL;
    }
    if (list->count == MAX_FAULTS) {
        snprintf(fault->text, sizeof(fault->text), "too many faults; the rest is not shown");
        return;
    }
    va_start(args, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start is one line above */
    vsnprintf(fault->text, sizeof(fault->text), format, args);
    va_end(args);
}

static int compare_faults(const void *left, const void *right)
{
    const struct fault *a = *(const struct fault *const *)left;
    const struct fault *b = *(const struct fault *const *)right;
    int order = strcmp(a->place.file != NULL ? a->place.file : "",
                       b->place.file != NULL ? b->place.file : "");

    if (order == 0) {
        order = (a->place.line > b->place.line) - (a->place.line < b->place.line);
    }
    if (order == 0) {
        order = (a->place.column > b->place.column) - (a->place.column < b->place.column);
    }
    return order != 0 ? order : (a > b) - (a < b); /* both stand in one array */
}

static void print_one(const struct fault *fault, struct buf *out)
{
    if (fault->place.file != NULL && fault->place.line > 0) {
        buf_printf(out, "%s:%u:%u: ", fault->place.file, fault->place.line,
                   fault->place.column);
    } else if (fault->place.file != NULL) {
        buf_printf(out, "%s: ", fault->place.file);
    }
    buf_text(out, fault->text);
}

void fault_print(const struct fault_list *list, struct buf *out)
{
    const struct fault **sorted = NULL;

    if (list->count == 0) {
        return;
    }
    sorted = calloc(list->count, sizeof(const struct fault *));
    if (sorted == NULL) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < list->count; i++) {
        sorted[i] = &list->faults[i];
    }
    qsort(sorted, list->count, sizeof(const struct fault *), compare_faults);
    for (size_t i = 0; i < list->count; i++) {
        print_one(sorted[i], out);
        buf_text(out, "\n");
    }
    free(sorted);
}

int fault_check(const struct fault_list *list, struct err *err)
{
    struct buf text = { 0 };
    char *line_end = NULL;

    if (list->count == 0) {
        return list->failed ? err_set(err, ERR_MEMORY, "no memory to note a fault") : 0;
    }
    fault_print(list, &text);
    line_end = text.data != NULL ? strchr(text.data, '\n') : NULL;
    if (line_end != NULL) {
        *line_end = '\0';
    }
    if (list->count > 1) {
        err_set(err, ERR_INPUT, "%s (and %zu more)", text.data != NULL ? text.data : "faults",
                list->count - 1);
    } else {
        err_set(err, ERR_INPUT, "%s", text.data != NULL ? text.data : "a fault");
    }
    buf_fini(&text);
    return -1;
}

void fault_fini(struct fault_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        union {
            const char *loan;
            char *own;
        } file = { .loan = list->faults[i].place.file }; /* copied in fault_add */

        free(file.own);
    }
    free(list->faults);
    *list = (struct fault_list){ 0 };
}
