/* SPDX-License-Identifier: MIT */
#include "herd/preflight.h"

#include "herd/clock_judge.h"
#include "herd/report.h"

#include "common/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FILL_WARN_PERCENT = 75,
};

static void find(struct preflight *preflight, bool is_fault, const char *format, ...)
    PRINTF_LIKE(3, 4);

static void find(struct preflight *preflight, bool is_fault, const char *format, ...)
{
    struct preflight_finding *finding = &preflight->findings[preflight->n_findings];
    va_list args;

    if (preflight->n_findings == PREFLIGHT_MAX_FINDINGS) {
        return;
    }
    finding->is_fault = is_fault;
    va_start(args, format);
    vsnprintf(finding->text, sizeof(finding->text), format, args);
    va_end(args);
    preflight->n_findings++;
    preflight->n_faults += is_fault ? 1 : 0;
}

static void judge_agent(struct preflight *preflight, const struct preflight_facts *facts)
{
    const struct body_state *state = facts->state;

    if (strcmp(facts->welcome->version, facts->version) != 0) {
        find(preflight, false, "its agent has version %.40s, this herd %.40s (herd deploy)",
             facts->welcome->version, facts->version);
    }
    if (state->fault[0] != '\0') {
        find(preflight, true, "%.190s", state->fault);
    }
    if (strcmp(state->state, "idle") != 0 && strcmp(state->state, "done") != 0) {
        find(preflight, true, "in use by %.60s for experiment %.60s", state->owner,
             state->experiment_name);
    }
    if (!facts->welcome->has_calibration) {
        find(preflight, false,
             "no calibration: values are those of a board that nobody measured");
    }
    if (state->ring_fill_max >= FILL_WARN_PERCENT) {
        find(preflight, false, "its ring was %llu %% full since the agent's start",
             (unsigned long long)state->ring_fill_max);
    }
}

static void judge_clock(struct preflight *preflight, const struct preflight_facts *facts)
{
    const struct body_clock *clock = facts->clock;
    char text[HUMAN_TEXT_SIZE];

    if (!clock->is_locked) {
        find(preflight, true, "its clock is not locked (source %.40s)",
             clock->source[0] != '\0' ? clock->source : "none");
    } else if (clock_claims_more(clock, facts->clock_error_max_ns)) {
        char bound[HUMAN_TEXT_SIZE];

        find(preflight, true,
             "its clock's daemon claims %s with a bound of %s: more than the limit",
             human_ns(clock->claimed_offset_ns, text),
             human_ns(clock->claimed_bound_ns, bound));
    }
    if (facts->has_offset
        && llabs(facts->offset_ns) - facts->bound_ns > facts->clock_error_max_ns) {
        find(preflight, true, "its clock is proven off the others' by %s",
             human_ns(facts->offset_ns, text));
    }
}

/* True when the comma-separated list has the word. */
static bool has_option(const char *options, const char *word)
{
    size_t length = strlen(word);

    while (*options != '\0') {
        size_t here = strcspn(options, ",");

        if (here == length && strncmp(options, word, length) == 0) {
            return true;
        }
        options += here + (options[here] == ',' ? 1 : 0);
    }
    return false;
}

static void judge_disk(struct preflight *preflight, const struct preflight_facts *facts)
{
    const struct node_facts *machine = facts->machine;
    char free_text[HUMAN_TEXT_SIZE];
    char wanted[HUMAN_TEXT_SIZE];

    if (facts->state->disk_free_bytes < facts->min_free_bytes) {
        find(preflight, true, "%s are free for recordings, %s are wanted",
             human_bytes(facts->state->disk_free_bytes, free_text),
             human_bytes(facts->min_free_bytes, wanted));
    }
    if (has_option(machine->data_options, "ro")) {
        find(preflight, true, "the file system of its recordings is read-only");
    }
    if (strcmp(machine->data_filesystem, "tmpfs") == 0) {
        find(preflight, false, "its recordings lie in memory: a cut of power takes them");
    }
    if (has_option(machine->data_options, "sync")) {
        find(preflight, false,
             "its recordings' file system is mounted with sync, which is slow");
    }
    if (!has_option(machine->data_options, "noatime")
        && !has_option(machine->data_options, "relatime") && machine->data_options[0] != '\0') {
        find(preflight, false, "its recordings' file system notes every read (no noatime)");
    }
}

static void judge_machine(struct preflight *preflight, const struct preflight_facts *facts)
{
    const struct node_facts *machine = facts->machine;

    if (!machine->has_realtime) {
        find(preflight, false,
             "its recorder gets no real-time priority or cannot lock its memory");
    }
    if (machine->governor[0] != '\0' && strcmp(machine->governor, "performance") != 0) {
        find(preflight, false, "its processor's governor is %.40s, not performance",
             machine->governor);
    }
}

void preflight_judge(struct preflight *preflight, const struct preflight_facts *facts)
{
    memset(preflight, 0, sizeof(*preflight));
    if (!facts->is_answered) {
        find(preflight, true,
             "no answer: down, unreachable, or our key is not authorized there");
        return;
    }
    judge_agent(preflight, facts);
    judge_clock(preflight, facts);
    judge_disk(preflight, facts);
    judge_machine(preflight, facts);
}
