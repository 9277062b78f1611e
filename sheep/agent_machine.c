/* SPDX-License-Identifier: MIT */
/* The machine around the agent: its power, what it is made of, its lights. */
#include "sheep/agent_state.h"

#include "common/log.h"
#include "sheep/config.h"
#include "sheep/hardware.h"
#include "sheep/power.h"

#include <stdlib.h>
#include <string.h>

static const char HERE[] = ""; /* what stands before the system's paths */
static const int64_t BLINK_MAX_S = 3600;

/* ---- power ---- */

struct power {
    struct agent_request request;
    const char *board;
    struct body_power body;
    struct err err;
    bool has_failed;
};

static void run_power(void *arg)
{
    struct power *power = arg;

    power->has_failed = power_ask(power->board, power->body.is_reboot, &power->err) < 0;
}

static void power_done(void *owner, void *arg)
{
    struct power *power = arg;

    if (power->has_failed) {
        log_warn("power: %s", power->err.text);
        agent_refuse(owner, &power->request, &power->err);
    } else {
        agent_answer(owner, &power->request, VERB_POWERED, &power->body,
                     (struct proto_frame){ NULL, 0 });
    }
    free(power);
}

static int ask_power(struct agent *agent, const char *who, const struct body_power *body,
                     struct err *err)
{
    struct power *power = calloc(1, sizeof(*power));
    struct worker_job job = {
        .run = run_power, .done = power_done, .owner = agent, .arg = power
    };

    if (power == NULL) {
        return err_set(err, ERR_MEMORY, "power");
    }
    power->request = agent->current;
    power->board = agent->config->board;
    power->body = *body;
    log_warn("%s asks to %s this machine", who, body->is_reboot ? "reboot" : "power off");
    if (worker_submit(agent->worker, &job, err) < 0) {
        free(power);
        return -1;
    }
    return 0;
}

/* Nobody's recording ends by it. */
void agent_power(struct agent *agent, const char *who, const struct body_power *body)
{
    struct err err = { 0 };

    if (node_experiment_is_busy(&agent->node, clock_mono(&agent->clock))) {
        err_set(&err, ERR_STATE, "in use by %s for experiment %s; herd stop ends it",
                agent->journal.owner, agent->journal.experiment_name);
    } else if (ask_power(agent, who, body, &err) == 0) {
        return;
    }
    agent_refuse(agent, &agent->current, &err);
}

/* ---- inventory ---- */

struct survey {
    struct agent_request request;
    const struct sheep_config *config;
    struct buf text;
};

static void run_survey(void *arg)
{
    struct survey *survey = arg;
    struct node_facts facts;

    hardware_read(&facts, survey->config, HERE);
    schema_encode(&node_facts_schema, &facts, &survey->text, 0);
}

static void survey_done(void *owner, void *arg)
{
    struct survey *survey = arg;
    struct body_empty body = { 0 };
    struct err err = { .code = ERR_MEMORY, .text = "inventory" };

    if (survey->text.failed) {
        agent_refuse(owner, &survey->request, &err);
    } else {
        agent_answer(owner, &survey->request, VERB_INVENTORIED, &body,
                     (struct proto_frame){ survey->text.data, survey->text.size });
    }
    buf_fini(&survey->text);
    free(survey);
}

void agent_inventory(struct agent *agent)
{
    struct survey *survey = calloc(1, sizeof(*survey));
    struct worker_job job = {
        .run = run_survey, .done = survey_done, .owner = agent, .arg = survey
    };
    struct err err = { .code = ERR_MEMORY, .text = "inventory" };

    if (survey != NULL) {
        survey->request = agent->current;
        survey->config = agent->config;
        if (worker_submit(agent->worker, &job, &err) == 0) {
            return;
        }
        free(survey);
    }
    agent_refuse(agent, &agent->current, &err);
}

/* ---- lights ---- */

static void end_blinking(struct agent *agent)
{
    if (agent->blink_timer != 0) {
        zloop_timer_end(agent->loop, agent->blink_timer);
        agent->blink_timer = 0;
    }
    blink_stop(&agent->blink, HERE);
}

static int on_blink_over(zloop_t *loop, int timer, void *arg)
{
    struct agent *agent = arg;

    (void)loop;
    (void)timer;
    agent->blink_timer = 0; /* it was to come once */
    end_blinking(agent);
    return 0;
}

static int start_blinking(struct agent *agent, int64_t duration_ns, struct err *err)
{
    if (sheep_board_is_simulated(agent->config->board)) {
        return err_set(err, ERR_STATE, "a simulated board has no lights");
    }
    if (duration_ns < 0 || duration_ns > BLINK_MAX_S * NS_PER_S) {
        return err_set(err, ERR_INPUT, "lights blink for up to %d s", (int)BLINK_MAX_S);
    }
    end_blinking(agent);
    if (duration_ns == 0) {
        return 0;
    }
    if (blink_start(&agent->blink, HERE, err) < 0) {
        return -1;
    }
    agent->blink_timer =
        zloop_timer(agent->loop, (size_t)(duration_ns / NS_PER_MS), 1, on_blink_over, agent);
    if (agent->blink_timer < 0) {
        agent->blink_timer = 0;
        end_blinking(agent);
        return err_set(err, ERR_MEMORY, "timer");
    }
    return 0;
}

void agent_blink(struct agent *agent, const char *who, const struct body_blink *body)
{
    struct err err = { 0 };

    if (start_blinking(agent, body->duration_ns, &err) < 0) {
        agent_refuse(agent, &agent->current, &err);
        return;
    }
    log_info("%s lets the lights blink for %lld s", who,
             (long long)(body->duration_ns / NS_PER_S));
    agent_answer(agent, &agent->current, VERB_BLINKING, body, (struct proto_frame){ NULL, 0 });
}

void agent_machine_end(struct agent *agent)
{
    end_blinking(agent);
}
