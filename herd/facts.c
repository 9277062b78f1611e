/* SPDX-License-Identifier: MIT */
#include "herd/facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool take_facts(void *arg, const struct ask_answer *answer)
{
    struct facts *facts = arg;
    const struct proto_message *message = answer->message;
    struct err err = { 0 };

    facts->faults[answer->i][0] = '\0';
    if (message->verb == VERB_REFUSED) {
        err_set(&err, ERR_STATE, "%s", PROTO_CONST_BODY(message, body_refused)->why);
    } else if (message->verb != VERB_INVENTORIED) {
        err_set(&err, ERR_INPUT, "it answered %s", proto_verb_info(message->verb)->name);
    } else if (node_facts_parse(&facts->nodes[answer->i], message->payload.data,
                                message->payload.size, &err)
               == 0) {
        return true;
    }
    snprintf(facts->faults[answer->i], sizeof(facts->faults[0]), "%.190s", err.text);
    return true;
}

size_t facts_ask(struct facts *facts, struct ask *ask, size_t n_nodes, int timeout_ms)
{
    const struct ask_round round = { .verb = VERB_INVENTORY,
                                     .body = ask_no_body,
                                     .answer = take_facts,
                                     .arg = facts,
                                     .timeout_ms = timeout_ms };
    size_t n_known = 0;

    memset(facts, 0, sizeof(*facts));
    facts->nodes = calloc(n_nodes + 1, sizeof(*facts->nodes));
    facts->faults = calloc(n_nodes + 1, sizeof(*facts->faults));
    if (facts->nodes == NULL || facts->faults == NULL) {
        return 0;
    }
    facts->n_nodes = n_nodes;
    for (size_t i = 0; i < n_nodes; i++) {
        snprintf(facts->faults[i], sizeof(facts->faults[0]), "no answer");
    }
    ask_hello(ask, timeout_ms, NULL, NULL);
    ask_all(ask, &round);
    for (size_t i = 0; i < n_nodes; i++) {
        n_known += ask_state(ask, i) == ASK_ANSWERED && facts->faults[i][0] == '\0' ? 1 : 0;
    }
    return n_known;
}

void facts_fini(struct facts *facts)
{
    free(facts->nodes);
    free(facts->faults);
    memset(facts, 0, sizeof(*facts));
}
