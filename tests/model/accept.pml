/* SPDX-License-Identifier: MIT */
/* Whether the model accepts what the code did: schedules of the simulator (start_sim -t), read from
 * standard input while spin simulates. A record is a letter and values, each one character from
 * '0' on; see tests/support/start_trace.h. An assertion fails at the first step that the model
 * does not have; the end is '.'. */
#define ACCEPT
#define N 4
#define ARMS 8
#include "start.pml"

chan STDIN;
int got;
int schedule;    /* printed with a failed assertion: the seed is one less */
int record;      /* of this schedule */

/* the next value */
#define TAKE(variable) STDIN?got; variable = got - 48

bit confirmed[N * ARMS];  /* in any of its lives */
bit accepts;
mtype wanted;

inline reset()
{
    i = 0;
    do
    :: i < N ->
        state[i] = IDLE; armed_n[i] = NONE; ran_n[i] = NONE; confirmed_n[i] = NONE;
        owner[i] = 0; boot[i] = 0; knows[i] = 0; over[i] = 0; i++
    :: else -> break
    od;
    n = 0;
    do
    :: n < N * ARMS -> down_n[n] = 0; confirmed[n] = 0; n++
    :: else -> break
    od;
    n = 0;
    do
    :: n < ARMS -> go_decided[n] = 0; phase[n] = 0; n++
    :: else -> break
    od
}

inline take_verb()
{
    TAKE(what);
    if
    :: what == 0 -> verb = PREPARE
    :: what == 1 -> verb = ARM
    :: what == 2 -> verb = GO
    :: what == 3 -> verb = CANCEL
    :: what == 4 -> verb = BEAT
    fi
}

inline take_state()
{
    TAKE(what);
    if
    :: what == 0 -> wanted = IDLE
    :: what == 1 -> wanted = PREPARED
    :: what == 2 -> wanted = ARMED_
    :: what == 3 -> wanted = GOING_
    :: what == 4 -> wanted = RUNNING
    fi
}

/* The code may keep silent where the model speaks: silence is no evidence. */
inline check_said()
{
    TAKE(what); TAKE(m);
    if
    :: what == 0 -> skip
    :: what == 1 -> assert(said_verb == READY)
    :: what == 2 -> assert(said_verb == ARMED && said_n == m)
    :: what == 3 -> assert(said_verb == GOING && said_n == m)
    :: what == 4 -> assert(said_verb == STOOD_DOWN && said_n == m)
    :: what == 5 -> assert(said_verb == CANCELLED)
    fi
}

/* 'M' node verb n token boot-is-right phase phase-of-its-own-arm refuses | state armed said n */
inline message()
{
    TAKE(i); take_verb(); TAKE(n); TAKE(token); TAKE(right);
    TAKE(m); phase[n] = m;
    TAKE(m);
    if
    :: armed_n[i] != NONE -> phase[armed_n[i]] = m
    :: else -> skip
    fi;
    TAKE(m); refuses = m;
    right = (right -> boot[i] : boot[i] + 1);
    node_hears(i, verb, n, token, right);
    take_state();
    assert(state[i] == wanted);
    TAKE(m);
    assert(wanted == IDLE || wanted == PREPARED || armed_n[i] == m);
    if
    :: said_verb == ARMED -> confirmed[i * ARMS + said_n] = 1
    :: else -> skip
    fi;
    check_said()
}

/* 'X' node state: the node's own timers and parts, the recorder above all */
inline own_step()
{
    TAKE(i); take_state();
    if
    :: wanted == IDLE -> assert(state[i] != IDLE && ran_n[i] == NONE); over[i] = 1
    :: wanted == PREPARED -> assert(state[i] == ARMED_ || state[i] == GOING_); assert(ran_n[i] == NONE)
    :: wanted == RUNNING -> assert(state[i] == GOING_)    /* it ended before its first sample */
    fi;
    if
    :: armed_n[i] != NONE && wanted != RUNNING -> stand_down(i, armed_n[i]); armed_n[i] = NONE
    :: else -> skip
    fi;
    state[i] = wanted
}

/* 'B' node state armed token: a new life of the agent */
inline reboot()
{
    TAKE(i); take_state();
    assert(wanted == IDLE || wanted == GOING_ || wanted == RUNNING);
    assert(ran_n[i] == NONE || wanted == RUNNING);    /* what ran is not forgotten */
    assert(wanted != GOING_ || state[i] == GOING_);
    /* RUNNING without a first sample: what GO was accepted for is closed, and does not begin */
    boot[i]++; over[i] = 0;
    n = 0;
    do
    :: n < ARMS -> down_n[i * ARMS + n] = 0; n++
    :: else -> break
    od;
    TAKE(m); TAKE(token);
    if
    :: wanted == IDLE -> knows[i] = 0; owner[i] = 0; armed_n[i] = NONE
    :: else -> assert(ran_n[i] == NONE || ran_n[i] == m); armed_n[i] = m; owner[i] = token;
        if
        :: m > 0 -> stand_down(i, m - 1)
        :: else -> skip
        fi
    fi;
    state[i] = wanted
}

/* 'S' node n: its first sample */
inline starts()
{
    TAKE(i); TAKE(n);
    assert(state[i] == GOING_ && armed_n[i] == n && confirmed[i * ARMS + n]);
    assert(go_decided[n]);
    assert(ran_n[i] == NONE);
    ran_n[i] = n; state[i] = RUNNING
}

/* 'G' n told told told told: herd has decided GO, and whom it tells */
inline decides()
{
    TAKE(n); i = 0;
    do
    :: i < N -> TAKE(m); assert(m == 0 || confirmed[i * ARMS + n]); i++
    :: else -> break
    od;
    go_decided[n] = 1
}

/* 'O' node token: a word that changes nothing but who the owner is */
inline owns()
{
    TAKE(i); TAKE(token);
    assert(token >= owner[i]);
    owner[i] = token
}

active proctype judge()
{
    mtype verb;
    byte i, n, m, token, right, what;

    reset();
    do
    :: STDIN?got; record++;
        if
        :: got == 'M' -> message()
        :: got == 'X' -> own_step()
        :: got == 'B' -> reboot()
        :: got == 'S' -> starts()
        :: got == 'G' -> decides()
        :: got == 'O' -> owns()
        :: got == '=' -> reset(); schedule++; record = 0
        :: got == 10 -> skip
        :: got == '.' -> accepts = 1; break
        fi
    od;
    assert(accepts);
    printf("accepted\n")
}
