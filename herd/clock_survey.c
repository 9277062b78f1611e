/* SPDX-License-Identifier: MIT */
#include "herd/clock_survey.h"

#include "common/clock.h"

#include <stdlib.h>
#include <string.h>

enum {
    AT_A_TIME = 4,
};

int clock_survey_init(struct clock_survey *survey, size_t n_nodes, struct err *err)
{
    memset(survey, 0, sizeof(*survey));
    survey->n_nodes = n_nodes;
    survey->views = calloc(n_nodes + 1, sizeof(*survey->views));
    survey->claims = calloc(n_nodes + 1, sizeof(*survey->claims));
    survey->is_mute = calloc(n_nodes + 1, sizeof(*survey->is_mute));
    if (survey->views == NULL || survey->claims == NULL || survey->is_mute == NULL) {
        clock_survey_fini(survey);
        return err_set(err, ERR_MEMORY, "the clocks of %zu nodes", n_nodes);
    }
    return 0;
}

void clock_survey_fini(struct clock_survey *survey)
{
    free(survey->views);
    free(survey->claims);
    free(survey->is_mute);
    memset(survey, 0, sizeof(*survey));
}

static const void *question_body(void *arg, size_t i)
{
    struct clock_survey *survey = arg;

    if (i % survey->n_turns != survey->turn || survey->is_mute[i]) {
        return NULL;
    }
    memset(&survey->question, 0, sizeof(survey->question));
    survey->question.t1_ns = clock_utc_ns();
    return &survey->question;
}

static bool take_times(void *arg, const struct ask_answer *answer)
{
    struct clock_survey *survey = arg;
    const struct body_clock *clock = PROTO_CONST_BODY(answer->message, body_clock);

    if (answer->message->verb == VERB_CLOCKED) {
        survey->claims[answer->i] = *clock;
        clock_view_add(&survey->views[answer->i], clock->t1_ns, clock->t2_ns, clock->t3_ns,
                       answer->received_ns);
    }
    return true;
}

void clock_survey_run(struct clock_survey *survey, struct ask *ask, uint64_t count,
                      int timeout_ms)
{
    const struct ask_round round = { .verb = VERB_CLOCK,
                                     .body = question_body,
                                     .answer = take_times,
                                     .arg = survey,
                                     .timeout_ms = timeout_ms };
    size_t n_nodes = survey->n_nodes;

    memset(survey->views, 0, n_nodes * sizeof(*survey->views));
    memset(survey->is_mute, 0, n_nodes * sizeof(*survey->is_mute));
    ask_hello(ask, timeout_ms, NULL, NULL);
    /* A few at a time: a thousand answers at once would wait for each other, and every bound
     * would be as wide as the crowd. */
    survey->n_turns = (n_nodes + AT_A_TIME - 1) / AT_A_TIME;
    for (survey->turn = 0; survey->turn < survey->n_turns; survey->turn++) {
        for (uint64_t i = 0; i < count; i++) {
            ask_all(ask, &round);
            for (size_t k = survey->turn; k < n_nodes; k += survey->n_turns) {
                survey->is_mute[k] = ask_state(ask, k) != ASK_ANSWERED;
            }
        }
    }
    survey->has_median = clock_view_median(survey->views, survey->n_nodes, &survey->median);
}
