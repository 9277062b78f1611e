/* SPDX-License-Identifier: MIT */
#include "herd/verdict.h"

#include "common/clock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Notes a reason; the kind only ever gets worse. */
static void PRINTF_LIKE(3, 4)
    note(struct verdict *verdict, enum verdict_kind kind, const char *format, ...)
{
    size_t length = strlen(verdict->text);
    va_list args;

    if (kind > verdict->kind) {
        verdict->kind = kind;
        if (kind == VERDICT_INVALID) {
            length = 0; /* remarks do not matter any more */
            verdict->text[0] = '\0';
        }
    } else if (kind < verdict->kind) {
        return;
    }
    if (length > 0 && length + 2 < sizeof(verdict->text)) {
        length +=
            (size_t)snprintf(verdict->text + length, sizeof(verdict->text) - length, "; ");
    }
    va_start(args, format);
    vsnprintf(verdict->text + length, sizeof(verdict->text) - length, format, args);
    va_end(args);
}

static void judge_start(const struct verdict_facts *facts, struct verdict *verdict)
{
    int64_t limit_ns = VERDICT_START_ERROR_US * NS_PER_US;
    int64_t error_ns =
        facts->start_error_ns == INT64_MIN ? INT64_MAX : llabs(facts->start_error_ns);

    if (facts->clock_error_max_ns > limit_ns) {
        limit_ns = facts->clock_error_max_ns;
    }
    if (error_ns > limit_ns) {
        note(verdict, VERDICT_INVALID, "sample 0 was taken %.1f us %s T, more than %.1f us",
             (double)error_ns / 1000, facts->start_error_ns > 0 ? "after" : "before",
             (double)limit_ns / 1000);
    }
    if (facts->start_bound_ns > limit_ns) {
        note(verdict, VERDICT_REMARKS, "the start error is known only to +-%.1f us",
             (double)facts->start_bound_ns / 1000);
    }
    if (facts->is_clock_proven_off) {
        note(verdict, VERDICT_INVALID, "its clock is proven off at the end of the run");
    }
    if (facts->is_clock_stepped) {
        note(verdict, VERDICT_REMARKS, "its clock stepped during the run");
    }
}

static void judge_end(const struct verdict_facts *facts, struct verdict *verdict)
{
    const char *text = facts->end_text != NULL ? facts->end_text : "";

    switch ((enum rlog_end_reason)facts->end_reason) {
    case RLOG_END_COMPLETE:
        break;
    case RLOG_END_STOPPED:
        if (facts->is_stop_agreed && facts->n_planned == UINT64_MAX) {
            break; /* there was no other end to wait for */
        }
        if (facts->is_stop_agreed) {
            note(verdict, VERDICT_REMARKS, "stopped after %" PRIu64 " samples",
                 facts->n_samples);
        } else {
            note(verdict, VERDICT_INVALID, "stopped alone after %" PRIu64 " samples",
                 facts->n_samples);
        }
        break;
    case RLOG_END_NO_SPACE:
        note(verdict, VERDICT_INVALID,
             "ended in order after %" PRIu64 " samples, before the node's disk was full",
             facts->n_samples);
        break;
    case RLOG_END_FAULT:
        note(verdict, VERDICT_INVALID, "the board failed after %" PRIu64 " samples%s%s",
             facts->n_samples, text[0] != '\0' ? ": " : "", text);
        break;
    case RLOG_END_INTERRUPTED:
        note(verdict, VERDICT_INVALID,
             "the recorder was interrupted after %" PRIu64 " samples%s%s", facts->n_samples,
             text[0] != '\0' ? ": " : "", text);
        break;
    }
    if (facts->end_reason == RLOG_END_COMPLETE && facts->n_planned != UINT64_MAX
        && facts->n_samples != facts->n_planned) {
        note(verdict, VERDICT_INVALID, "%" PRIu64 " samples instead of %" PRIu64,
             facts->n_samples, facts->n_planned);
    }
}

static void judge_data(const struct verdict_facts *facts, struct verdict *verdict)
{
    if (!facts->is_digest_right) {
        note(verdict, VERDICT_INVALID, "the log here differs from the node's (digest)");
    }
    if (facts->n_built != facts->n_samples) {
        note(verdict, VERDICT_INVALID, "the file holds %" PRIu64 " of %" PRIu64 " samples",
             facts->n_built, facts->n_samples);
    }
    if (facts->n_gap_samples > 0) {
        note(verdict, VERDICT_INVALID, "%" PRIu64 " samples are missing (see /gaps)",
             facts->n_gap_samples);
    }
    if (facts->n_underruns > 0) {
        note(verdict, VERDICT_INVALID, "the input was missing for %" PRIu64 " samples",
             facts->n_underruns);
    }
    if (facts->n_clamped > 0) {
        note(verdict, VERDICT_REMARKS,
             "%" PRIu64 " samples outside the efficiency table, clamped to V_input_max and "
             "I_input_max",
             facts->n_clamped);
    }
    if (facts->is_cal_default) {
        note(verdict, VERDICT_REMARKS, "default calibration");
    }
}

static void repeat_remarks(const char *remarks, struct verdict *verdict)
{
    while (remarks != NULL && *remarks != '\0') {
        size_t length = strcspn(remarks, "\n");

        if (length > 0) {
            note(verdict, VERDICT_REMARKS, "%.*s", (int)length, remarks);
        }
        remarks += length + (remarks[length] == '\n' ? 1 : 0);
    }
}

void verdict_find(const struct verdict_facts *facts, struct verdict *verdict)
{
    const char *why = facts->why != NULL ? facts->why : "";

    memset(verdict, 0, sizeof(*verdict));
    if (!facts->took_part) {
        note(verdict, facts->is_refusal ? VERDICT_REFUSED : VERDICT_NOT_STARTED, "%s", why);
        return;
    }
    if (facts->is_not_started) {
        note(verdict, VERDICT_INVALID, "it did not start: %s", why);
        return;
    }
    if (!facts->is_collected) {
        note(verdict, facts->collect_failure != NULL ? VERDICT_INVALID : VERDICT_UNKNOWN, "%s",
             facts->collect_failure != NULL ? facts->collect_failure
             : facts->unknown_why != NULL
                 ? facts->unknown_why
                 : "the node is not heard, and its recording not here");
        return;
    }
    if (facts->is_orphan) {
        note(verdict, VERDICT_INVALID,
             "it is an orphan: the start was called off too late for it");
    }
    if (!facts->is_started) {
        note(verdict, VERDICT_INVALID, "no sample was taken");
    }
    judge_start(facts, verdict);
    judge_end(facts, verdict);
    judge_data(facts, verdict);
    repeat_remarks(facts->remarks, verdict);
}

void verdict_print(const struct verdict *verdict, char *text, size_t size)
{
    static const char *const HEADS[] = {
        [VERDICT_VALID] = "valid",
        [VERDICT_REMARKS] = "valid with remarks: ",
        [VERDICT_INVALID] = "invalid because ",
        [VERDICT_NOT_STARTED] = "not started: ",
        [VERDICT_REFUSED] = "refused: ",
        [VERDICT_UNKNOWN] = "unknown: ",
    };

    snprintf(text, size, "%s%s", HEADS[verdict->kind], verdict->text);
}
