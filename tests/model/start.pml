/* SPDX-License-Identifier: MIT */
/* The start protocol: one herd (and a newer one that may take over), N nodes, a network that loses,
 * duplicates and reorders, nodes that reboot, a herd that crashes and comes back with its journal.
 *
 * Time is abstract. Arm n has an instant T[n]; phase[n] says where we are before it:
 *   0  before T - go_guard      a node accepts GO
 *   1  before T - decision      herd still collects GOING
 *   2  before T - cancel_guard  a node still accepts CANCEL
 *   3  before T
 *   4  T has come
 * The guards are there because clocks and deadlines differ by less than they are apart; the model
 * takes that as given and lets all nodes see one phase. What it checks is everything else.
 *
 * Each assertion is an invariant of the protocol; tests/model/run.sh also breaks the protocol on
 * purpose (-DBREAK_...) and demands that each breach is found. */

#ifndef N
#define N 3
#endif
#ifndef ARMS
#define ARMS 2
#endif
#ifndef NET
#define NET 3    /* messages under way, each direction */
#endif
#define NONE 255
/* With -DIMP there is no herd: words of all kinds, in all states, for traces. */
#ifdef IMP
#define MUST(claim) skip
byte imp_words = 60;
#define KEPT true
#else
#define MUST(claim) assert(claim)
#define KEPT herd_decided
#endif
/* A simulation, which is random, would end most runs before they begin: MILD says when what may
 * be. An exhaustive check takes all of it. */
#if MILD == 1
#define MAY_CRASH false
#define MAY_REBOOT false
#define MAY_PASS true
#elif MILD == 2
#define MAY_CRASH (phase[0] > 0)
#define MAY_REBOOT (phase[0] > 1)
#define MAY_PASS true
#elif MILD == 3
#define MAY_CRASH (go_decided[0] || go_decided[1])
#define MAY_REBOOT in_use[0]
#define MAY_PASS true
#elif MILD == 4
#define MAY_CRASH in_use[1]
#define MAY_REBOOT (phase[0] > 2)
#define MAY_PASS true
#elif MILD == 5
#define MAY_CRASH false
#define MAY_REBOOT (imp_words < 20)
#define MAY_PASS (imp_words < 40)
#else
#define MAY_CRASH true
#define MAY_REBOOT true
#define MAY_PASS true
#endif

mtype = { IDLE, PREPARED, ARMED_, GOING_, RUNNING };
mtype = { PREPARE, ARM, GO, CANCEL, BEAT };
mtype = { READY, ARMED, GOING, STOOD_DOWN, CANCELLED, REFUSED, NOTHING };

/* what herd will say of a node */
mtype = { UNKNOWN, NOT_STARTED, STARTED };

/* With -DTRACE a simulation prints each step of a node, for tests/support/start_replay.c:
 *   M node verb n token boot-is-right | state armed said n     a message, and what came of it
 *   P n phase          time has passed
 *   R node             a reboot */
#ifdef TRACE
#define TRACE_HEARS printf("M %d %e %d %d %d | %e %d %e %d\n", i, verb, n, token, (for_boot == boot[i] -> 1 : 0), state[i], armed_n[i], said_verb, said_n);
#define TRACE_PHASE printf("P %d %d\n", n, phase[n]);
#define TRACE_REBOOT printf("R %d\n", i)
#else
#define TRACE_HEARS
#define TRACE_PHASE
#define TRACE_REBOOT skip
#endif

byte phase[ARMS];
bit in_use[ARMS];          /* herd has sent ARM n, so time runs towards T[n] */

/* the node, as it is. What it answers to a message is left in said_verb and said_n, NOTHING if it
 * is silent (or refuses, which herd takes for no evidence). */
mtype state[N];
byte armed_n[N];           /* arm that the node confirmed, NONE otherwise */
byte owner[N];             /* newest controller token that the node has heard */
byte boot[N];
byte ran_n[N];             /* arm with which it started: the truth */
bit down_n[N * ARMS];      /* STOOD_DOWN is final for n */
byte confirmed_n[N];       /* highest arm it ever confirmed since boot */
bit knows[N];              /* this experiment was here since the boot */
bit over[N];               /* and was cancelled: nobody prepares it again */
mtype said_verb;
byte said_n;

/* the journal, which survives a crash of herd */
bit go_decided[ARMS];

/* herd */
byte boot_seen[N];
mtype said[N];            /* what herd reports, by evidence */
bit is_ready[N], is_armed[N], is_going[N];
byte arm_now = NONE;
byte token_now = 1;
bit cancelled_sent;
bit herd_decided;         /* it has dealt with T - decision of arm_now */
byte crashes;

/* time waits for nothing but the herd's own deadline at T - decision, which herd keeps or crashes */
#define herd_ready_for(n) (phase[n] != 1 || KEPT || arm_now != n)

#define IN_TIME(n) (phase[n] == 0)
#ifdef BREAK_GO_CHECK
#define ENOUGH_ARMED (is_armed[0])
#else
#define ENOUGH_ARMED (all_of(is_armed))
#endif
#ifdef BREAK_JOURNAL_LATE
#define JOURNAL_LATE true
#else
#define JOURNAL_LATE false
#endif
#if N == 3
#define all_of(flag) (flag[0] && flag[1] && flag[2])
#define confirmed_by_all(n) (was_confirmed(0, n) && was_confirmed(1, n) && was_confirmed(2, n))
#else
#define all_of(flag) (flag[0] && flag[1])
#define confirmed_by_all(n) (was_confirmed(0, n) && was_confirmed(1, n))
#endif
/* a node that rebooted since has confirmed with its earlier life; herd cannot know yet */
#define was_confirmed(i, n) (confirmed_n[i] == n || boot[i] != boot_seen[i])

/* the network: a set of messages; a slot is taken from anywhere, so order means nothing */
chan to_node = [NET] of { mtype, byte, byte, byte, byte };  /* verb, node, n, token, boot */
chan to_herd = [NET] of { mtype, byte, byte, byte };        /* verb, node, n, boot */

/* loss: a full network, or bad luck */
inline tell_node(verb, node, n, token)
{
    if
    :: len(to_node) < NET -> to_node!verb, node, n, token, boot_seen[node]
    :: len(to_node) < NET -> to_node!verb, node, n, token, boot_seen[node];
       if :: len(to_node) < NET -> to_node!verb, node, n, token, boot_seen[node] :: else fi
    :: true -> skip
    fi
}

inline tell_herd(verb, node, n)
{
    if
    :: len(to_herd) < NET -> to_herd!verb, node, n, boot[node]
    :: true -> skip
    fi
}

/* Arms up to n are over for good. */
inline stand_down(i, n)
{
    j = 0;
    do
    :: j <= n -> down_n[i * ARMS + j] = 1; j++
    :: else -> break
    od;
    j = 0
}

/* The recorder may refuse what the protocol would allow (a board that fails, a clock that stepped). */
#ifdef ACCEPT
bit refuses;
#define MAY_REFUSE refuses
#define MAY_OBEY !refuses
#else
#define MAY_REFUSE true
#define MAY_OBEY true
#endif

/* What a node does with a message; the code's answer to each is replayed against this. `j` is a
 * variable of the caller. */
inline node_hears(i, verb, n, token, for_boot)
{
    said_verb = NOTHING; said_n = n;
    if
#ifndef BREAK_OLD_TOKEN
    :: for_boot == boot[i] && knows[i] && token < owner[i] -> skip    /* an older controller changes nothing */
#endif
    :: for_boot != boot[i] -> said_verb = REFUSED     /* meant for an earlier boot: herd learns of it */
    :: !knows[i] && verb != PREPARE && for_boot == boot[i] -> skip    /* refused: not here */
#ifdef BREAK_OLD_TOKEN
    :: for_boot == boot[i] && (knows[i] || verb == PREPARE) ->
#else
    :: for_boot == boot[i] && (!knows[i] || token >= owner[i]) && (knows[i] || verb == PREPARE) ->
#endif
        /* whoever is obeyed is no older controller */
        MUST(!knows[i] || token >= owner[i]);
        owner[i] = (token > owner[i] -> token : owner[i]);
        knows[i] = 1;
        if
        :: verb == BEAT ->
            if
            :: state[i] == PREPARED && down_n[i * ARMS] ->
                /* told again, for the newest arm that is over */
                j = ARMS - 1;
                do
                :: !down_n[i * ARMS + j] -> j--
                :: else -> break
                od;
                said_verb = STOOD_DOWN; said_n = j; j = 0
            :: else -> skip
            fi
        :: verb == PREPARE ->
            if
            :: state[i] == IDLE && !over[i] -> state[i] = PREPARED; said_verb = READY
            :: state[i] == IDLE && over[i] -> said_verb = CANCELLED
            :: state[i] == PREPARED || state[i] == ARMED_ -> said_verb = READY
            :: else -> skip
            fi
        :: verb == ARM ->
            if
            :: (state[i] == PREPARED || state[i] == ARMED_) && down_n[i * ARMS + n] ->
                said_verb = STOOD_DOWN
            :: state[i] == PREPARED && !down_n[i * ARMS + n] && phase[n] == 0 ->
                state[i] = ARMED_; armed_n[i] = n; confirmed_n[i] = n; said_verb = ARMED
            :: state[i] == ARMED_ && !down_n[i * ARMS + n] && n > armed_n[i] && phase[n] == 0 ->
                armed_n[i] = n; confirmed_n[i] = n; said_verb = ARMED
            :: (state[i] == ARMED_ || state[i] == GOING_ || state[i] == RUNNING) && !(state[i] == ARMED_ && down_n[i * ARMS + n]) && n == armed_n[i] ->
                said_verb = ARMED
            :: else -> skip
            fi
        :: verb == GO ->
            if
            :: state[i] == ARMED_ && armed_n[i] == n && IN_TIME(n) ->
                if
                :: MAY_OBEY -> state[i] = GOING_; said_verb = GOING
                :: MAY_REFUSE -> stand_down(i, n); state[i] = PREPARED; armed_n[i] = NONE;
                    said_verb = STOOD_DOWN
                fi
            :: (state[i] == GOING_ || state[i] == RUNNING) && n >= armed_n[i] ->
                said_verb = GOING; said_n = armed_n[i]    /* the truth, whatever was asked */
#ifdef BREAK_GO_WITHOUT_ARM
            :: state[i] == PREPARED && phase[n] < 4 ->
                state[i] = GOING_; armed_n[i] = n; said_verb = GOING
#endif
            :: (state[i] == ARMED_ || state[i] == GOING_ || state[i] == RUNNING) && n < armed_n[i] ->
                /* a newer arm has replaced it, and holds */
                stand_down(i, n); said_verb = STOOD_DOWN
            :: state[i] == ARMED_ && (n > armed_n[i] || (n == armed_n[i] && !IN_TIME(n))) ->
                /* never armed for n, or late: final for n */
                stand_down(i, n); armed_n[i] = NONE; state[i] = PREPARED; said_verb = STOOD_DOWN
            :: state[i] == PREPARED || state[i] == IDLE ->
                stand_down(i, n); said_verb = STOOD_DOWN
            :: else -> skip
            fi
        :: verb == CANCEL ->
            if
            :: state[i] == PREPARED || state[i] == ARMED_ || (state[i] == GOING_ && phase[armed_n[i]] < 3) ->
                if
                :: armed_n[i] != NONE -> stand_down(i, armed_n[i])
                :: else -> skip
                fi;
                state[i] = IDLE; armed_n[i] = NONE; over[i] = 1; said_verb = CANCELLED
#ifdef BREAK_CANCEL_LIE
            :: state[i] == GOING_ && phase[armed_n[i]] >= 3 -> said_verb = CANCELLED
#endif
            :: state[i] == IDLE -> said_verb = CANCELLED
            :: else -> skip    /* too late: as STOP, which is another matter */
            fi
        fi
    fi
}

proctype node(byte i)
{
    mtype verb;
    byte n, token, for_boot, j;

    do
    :: atomic {
        to_node??verb, eval(i), n, token, for_boot ->
        node_hears(i, verb, n, token, for_boot);
        TRACE_HEARS
        if
        :: said_verb != NOTHING -> tell_herd(said_verb, i, said_n)
        :: else -> skip
        fi;
        verb = READY; n = 0; token = 0; for_boot = 0; said_verb = NOTHING; said_n = 0
       }
    od
}

/* Time, and what nodes do by their own timers. */
byte k;
byte j;
inline stand_down_all(n)
{
    k = 0;
    do
    :: k < N ->
        if
        :: state[k] == ARMED_ && armed_n[k] == n ->
#ifndef BREAK_NO_GO_GUARD
            stand_down(k, n); state[k] = PREPARED; armed_n[k] = NONE;
            tell_herd(STOOD_DOWN, k, n)
#else
            skip
#endif
        :: else -> skip
        fi;
        k++
    :: else -> break
    od;
    k = 0
}

inline start_all(n)
{
    k = 0;
    do
    :: k < N ->
        if
        :: state[k] == GOING_ && armed_n[k] == n ->
            /* no node starts at any instant other than the T that it confirmed, and only once */
            MUST(confirmed_n[k] == n);
            MUST(go_decided[n]);
            MUST(ran_n[k] == NONE);
            ran_n[k] = n; state[k] = RUNNING
#ifdef BREAK_NO_GO_GUARD
        :: state[k] == ARMED_ && armed_n[k] == n ->
            assert(go_decided[n]); ran_n[k] = n; state[k] = RUNNING
#endif
        :: else -> skip
        fi;
        k++
    :: else -> break
    od;
    k = 0
}

proctype time()
{
    byte n = 0;

    do
    :: atomic { n < ARMS && in_use[n] && phase[n] < 4 && herd_ready_for(n) && MAY_PASS ->
        phase[n]++;
        TRACE_PHASE
        if
        :: phase[n] == 1 -> stand_down_all(n)
        :: phase[n] == 4 -> start_all(n)
        :: else -> skip
        fi
       }
#ifdef IMP
    :: n == 0 && phase[0] == 4 && in_use[1] -> n = 1
#else
    :: n == 0 && in_use[1] -> n = 1
#endif
    od
}

byte reboots;
proctype rebooter()
{
    byte i;
    do
    :: atomic { reboots < 1 && MAY_REBOOT ->
        reboots++;
        select(i : 0 .. N - 1);
        if
        :: state[i] != RUNNING ->
            /* what was not running is forgotten; what ran is in the log */
            boot[i]++; state[i] = IDLE; armed_n[i] = NONE; confirmed_n[i] = NONE;
            owner[i] = 0; knows[i] = 0; over[i] = 0;
            down_n[i * ARMS] = 0; down_n[i * ARMS + 1] = 0; TRACE_REBOOT
        :: else -> skip
        fi;
        i = 0
       }
    od
}

inline hear()
{
    to_herd??verb, i, n, for_boot ->
    if
    :: for_boot != boot_seen[i] ->
        if
        :: for_boot > boot_seen[i] ->
            boot_seen[i] = for_boot; is_ready[i] = 0; is_armed[i] = 0; is_going[i] = 0
        :: else -> skip
        fi
    :: else ->
        if
        :: verb == READY -> is_ready[i] = 1
        :: verb == ARMED && n == arm_now -> is_armed[i] = 1
        :: verb == GOING && n == arm_now -> is_going[i] = 1
        :: verb == STOOD_DOWN && n == arm_now ->
            is_armed[i] = 0; is_going[i] = 0;
            said[i] = NOT_STARTED
        :: verb == CANCELLED && cancelled_sent ->
            is_ready[i] = 0; is_armed[i] = 0; is_going[i] = 0;
            said[i] = NOT_STARTED
        :: else -> skip
        fi
    fi;
    verb = READY; i = 0; n = 0; for_boot = 0
}

inline forget()
{
    i = 0;
    do
    :: i < N -> is_ready[i] = 0; is_armed[i] = 0; is_going[i] = 0; said[i] = UNKNOWN; i++
    :: else -> break
    od;
    i = 0
}

inline tell_all(verb_, n_)
{
    i = 0;
    do
    :: i < N -> tell_node(verb_, i, n_, token_now); i++
    :: else -> break
    od;
    i = 0
}

proctype herd()
{
    mtype verb;
    byte i, n, for_boot;

    do
    :: atomic { nempty(to_herd) -> hear() }
    :: atomic { arm_now == NONE && !all_of(is_ready) && !cancelled_sent -> tell_all(PREPARE, 0) }
    :: atomic { arm_now == NONE && all_of(is_ready) && !cancelled_sent ->
        arm_now = 0; in_use[0] = 1; herd_decided = 0; tell_all(ARM, 0) }
    /* not everybody confirmed in time: arm again, with a later T */
    :: atomic { arm_now == 0 && !go_decided[0] && !cancelled_sent && phase[0] >= 1 ->
        arm_now = 1; in_use[1] = 1; herd_decided = 0;
        /* a word about arm 0 says nothing of arm 1 */
        said[0] = UNKNOWN; said[1] = UNKNOWN; said[N - 1] = UNKNOWN;
        is_armed[0] = 0; is_going[0] = 0;
        is_armed[1] = 0; is_going[1] = 0; is_armed[N - 1] = 0; is_going[N - 1] = 0;
        tell_all(ARM, 1) }
    /* GO only with every ARMED in hand, journalled first */
    :: atomic { arm_now != NONE && !go_decided[arm_now] && !cancelled_sent && phase[arm_now] == 0 && ENOUGH_ARMED -> go_decided[arm_now] = 1;
        assert(confirmed_by_all(arm_now));
        tell_all(GO, arm_now) }
    :: atomic { arm_now != NONE && go_decided[arm_now] && !cancelled_sent && phase[arm_now] == 0 && !all_of(is_going) -> tell_all(GO, arm_now) }
    /* T - decision */
    :: atomic { arm_now != NONE && phase[arm_now] == 1 && !herd_decided ->
        herd_decided = 1;
        if
        :: all_of(is_going) -> skip
        :: else -> cancelled_sent = 1; tell_all(CANCEL, arm_now)
        fi }
    :: atomic { cancelled_sent && arm_now != NONE && phase[arm_now] < 4 -> tell_all(CANCEL, arm_now) }
    /* a crash; what follows is `herd attach`: a newer token, the journal, and questions */
    :: atomic { crashes < 1 && MAY_CRASH -> crashes++; token_now = 2; forget();
        herd_decided = 1; cancelled_sent = (arm_now == NONE || !go_decided[arm_now]);
        if
        :: arm_now != NONE && (!go_decided[arm_now] || JOURNAL_LATE) ->
            /* no GO in the journal: nobody started, whatever became of it */
            i = 0; do :: i < N -> said[i] = NOT_STARTED; i++ :: else -> break od; i = 0
        :: else -> skip
        fi }
    od
}

/* The controller that was replaced may live on, and says anything with its old token. */
byte words_left = 3;
proctype zombie()
{
    byte i, n;

    do
    :: atomic { crashes > 0 && words_left > 0 && len(to_node) < NET ->
        words_left--;
        select(i : 0 .. N - 1);
        select(n : 0 .. ARMS - 1);
        if
        :: owner[i] == 2 -> to_node!PREPARE, i, n, 1, boot_seen[i]
        :: owner[i] == 2 -> to_node!ARM, i, n, 1, boot_seen[i]
        :: owner[i] == 2 -> to_node!GO, i, n, 1, boot_seen[i]
        :: owner[i] == 2 -> to_node!CANCEL, i, n, 1, boot_seen[i]
        :: owner[i] < 2 -> skip    /* until then it still is the controller */
        fi;
        i = 0; n = 0
       }
    od
}

#ifdef IMP
proctype imp()
{
    byte i, n, token, wrong;
    mtype verb;

    do
    :: atomic { imp_words > 0 && len(to_node) < NET ->
        imp_words--;
        select(i : 0 .. N - 1);
        select(n : 0 .. ARMS - 1);
        select(token : 1 .. 2);
        select(wrong : 0 .. 9);
        if
        :: verb = PREPARE
        :: verb = ARM
        :: verb = ARM
        :: verb = GO
        :: verb = GO
        :: verb = CANCEL
        :: verb = BEAT
        fi;
        in_use[n] = (verb == ARM || verb == GO || in_use[n] -> 1 : 0);
        to_node!verb, i, n, token, boot[i] + (wrong == 0 -> 1 : 0);
        i = 0; n = 0; token = 0; wrong = 0; verb = PREPARE
       }
    od
}
#endif

/* A node reported as "not started" never started. */
#define honest(i) (said[i] != NOT_STARTED || ran_n[i] == NONE)

proctype observer()
{
    do
    :: atomic { !honest(0) || !honest(1) || !honest(N - 1) -> assert(false) }
    od
}

#ifndef ACCEPT
init {
    byte i = 0;
    atomic {
        do
        :: i < N ->
            state[i] = IDLE; armed_n[i] = NONE; ran_n[i] = NONE; confirmed_n[i] = NONE;
            said[i] = UNKNOWN; run node(i); i++
        :: else -> break
        od;
#ifdef IMP
        run imp(); run time(); run rebooter();
#else
        run herd(); run time(); run rebooter(); run observer();
#endif
#ifdef ZOMBIE
        run zombie()
#endif
    }
}
#endif
