/* SPDX-License-Identifier: MIT */
#include "herd/progress.h"

#include "common/buf.h"
#include "common/clock.h"
#include "herd/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    TEXT_SIZE = 700,
    BAR_WIDTH = 24,
    SAMPLES_PER_S = 100000,
    LINES_KEPT_FREE = 2, /* of the terminal's height */
    DEFAULT_HEIGHT = 24,
    DEFAULT_WIDTH = 80,
    LINE_SIZE = 200,
};

struct progress {
    const struct cmd_options *options;
    const char *const *names;
    size_t n_nodes;
    int name_width;
    bool is_live;   /* lines redraw */
    size_t n_drawn; /* lines of the last drawing, above the cursor */
    struct progress_state *states;
    int64_t start_ns;
};

struct progress *progress_open(const struct cmd_options *options, const char *const *names,
                               size_t n_nodes)
{
    struct progress *progress = calloc(1, sizeof(*progress));

    if (progress == NULL
        || (progress->states = calloc(n_nodes + 1, sizeof(*progress->states))) == NULL) {
        free(progress);
        return NULL;
    }
    progress->options = options;
    progress->names = names;
    progress->n_nodes = n_nodes;
    progress->start_ns = clock_mono_ns();
    progress->is_live = !options->is_json && !options->is_quiet && isatty(STDOUT_FILENO) == 1;
    for (size_t i = 0; i < n_nodes; i++) {
        int width = (int)strlen(names[i]);

        progress->name_width = width > progress->name_width ? width : progress->name_width;
        progress->states[i].word = "";
        progress->states[i].link = "";
    }
    return progress;
}

void progress_close(struct progress **progress)
{
    if (*progress == NULL) {
        return;
    }
    free((*progress)->states);
    free(*progress);
    *progress = NULL;
}

static void erase(struct progress *progress)
{
    if (progress->n_drawn > 0) {
        printf("\033[%zuA\033[J", progress->n_drawn);
        progress->n_drawn = 0;
    }
}

static void put_json(const struct progress *progress, size_t i, const char *event,
                     const char *text)
{
    struct buf line = { 0 };
    struct json json = { .out = &line };

    json_open(&json, NULL, '{');
    json_text(&json, "event", event);
    json_f64(&json, "seconds", (double)(clock_mono_ns() - progress->start_ns) / 1e9);
    if (i != PROGRESS_ALL) {
        json_text(&json, "node", progress->names[i]);
    }
    json_text(&json, "text", text);
    json_close(&json, '}');
    json_line(&json, stdout);
    buf_fini(&line);
}

static void put_event(struct progress *progress, FILE *stream, size_t i, const char *event,
                      const char *text)
{
    if (progress->options->is_json) {
        put_json(progress, i, event, text);
        return;
    }
    if (progress->options->is_quiet && stream == stdout) {
        return;
    }
    erase(progress);
    fflush(stdout);
    if (i != PROGRESS_ALL) {
        fprintf(stream, "%s: %s\n", progress->names[i], text);
    } else {
        fprintf(stream, "%s\n", text);
    }
    fflush(stream);
}

void progress_event(struct progress *progress, size_t i, const char *event, const char *format,
                    ...)
{
    char text[TEXT_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    put_event(progress, stdout, i, event, text);
}

void progress_warn(struct progress *progress, size_t i, const char *event, const char *format,
                   ...)
{
    char text[TEXT_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    put_event(progress, stderr, i, event, text);
}

void progress_set(struct progress *progress, size_t i, const struct progress_state *state)
{
    progress->states[i] = *state;
}

static void draw_bar(const struct progress_state *state, char *text, size_t size)
{
    double part = 0;
    int filled = 0;

    text[0] = '\0';
    if (state->n_planned == 0 || state->n_planned == UINT64_MAX) {
        return;
    }
    part = (double)state->n_samples / (double)state->n_planned;
    part = part > 1 ? 1 : part;
    filled = (int)(part * BAR_WIDTH);
    snprintf(text, size, "[%.*s%*s] %3.0f %%", filled,
             "========================", BAR_WIDTH - filled, "", part * 100);
}

/* A line that the terminal wrapped would take two, and the next drawing erase too few. */
static void draw_node(const struct progress *progress, size_t i, size_t width)
{
    const struct progress_state *state = &progress->states[i];
    char bar[BAR_WIDTH + 16];
    char bytes[HUMAN_TEXT_SIZE];
    char line[LINE_SIZE];

    draw_bar(state, bar, sizeof(bar));
    snprintf(line, sizeof(line), "%-*s  %-10s %s  %8.1f s  %10s  %s", progress->name_width,
             progress->names[i], state->word, bar, (double)state->n_samples / SAMPLES_PER_S,
             human_bytes(state->n_bytes, bytes), state->link);
    printf("%.*s\n", (int)width, line);
}

static struct winsize terminal_size(void)
{
    struct winsize size = { 0 };

    (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    size.ws_row = size.ws_row > 0 ? size.ws_row : DEFAULT_HEIGHT;
    size.ws_col = size.ws_col > 0 ? size.ws_col : DEFAULT_WIDTH;
    return size;
}

void progress_draw(struct progress *progress)
{
    struct winsize size = { 0 };
    size_t n_shown = 0;

    if (!progress->is_live) {
        return;
    }
    erase(progress);
    size = terminal_size();
    n_shown = size.ws_row > LINES_KEPT_FREE ? size.ws_row - LINES_KEPT_FREE : 1;
    n_shown = progress->n_nodes < n_shown ? progress->n_nodes : n_shown;
    for (size_t i = 0; i < n_shown; i++) {
        draw_node(progress, i, size.ws_col);
    }
    progress->n_drawn = n_shown;
    if (n_shown < progress->n_nodes) {
        printf("... and %zu more\n", progress->n_nodes - n_shown);
        progress->n_drawn++;
    }
    fflush(stdout);
}
