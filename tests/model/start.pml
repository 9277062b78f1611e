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
#define ARMS 2
#ifndef NET
#define NET 3    /* messages under way, each direction */
#endif
#define NONE 255

mtype = { IDLE, PREPARED, ARMED_, GOING_, RUNNING };
mtype = { PREPARE, ARM, GO, CANCEL };
mtype = { READY, ARMED, GOING, STOOD_DOWN, CANCELLED };

/* what herd will say of a node */
mtype = { UNKNOWN, NOT_STARTED, STARTED };

byte phase[ARMS];
bit in_use[ARMS];          /* herd has sent ARM n, so time runs towards T[n] */

/* the node, as it is */
mtype state[N];
byte armed_n[N];           /* arm that the node confirmed, NONE otherwise */
byte owner[N];             /* newest controller token that the node has heard */
byte boot[N];
byte ran_n[N];             /* arm with which it started: the truth */
bit down_n[N * ARMS];      /* STOOD_DOWN is final for n */
byte confirmed_n[N];       /* highest arm it ever confirmed since boot */

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
#define herd_ready_for(n) (phase[n] != 1 || herd_decided || arm_now != n)

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

proctype node(byte i)
{
    mtype verb;
    byte n, token, for_boot;

    do
    :: atomic {
        to_node??verb, eval(i), n, token, for_boot ->
        if
#ifndef BREAK_OLD_TOKEN
        :: token < owner[i] -> skip                    /* an older controller changes nothing */
#endif
        :: for_boot != boot[i] -> skip                 /* meant for an earlier boot */
        :: else ->
            owner[i] = (token > owner[i] -> token : owner[i]);
            if
            :: verb == PREPARE ->
                if
                :: state[i] == IDLE -> state[i] = PREPARED; tell_herd(READY, i, 0)
                :: state[i] == PREPARED -> tell_herd(READY, i, 0)
                :: else -> skip
                fi
            :: verb == ARM ->
                if
                :: (state[i] == PREPARED || state[i] == ARMED_) && phase[n] == 0 && !down_n[i * ARMS + n] && (armed_n[i] == NONE || n >= armed_n[i]) ->
                    state[i] = ARMED_; armed_n[i] = n; confirmed_n[i] = n;
                    tell_herd(ARMED, i, n)
                :: else -> skip
                fi
            :: verb == GO ->
                if
                :: state[i] == ARMED_ && armed_n[i] == n && IN_TIME(n) -> state[i] = GOING_; tell_herd(GOING, i, n)
                :: state[i] == GOING_ && armed_n[i] == n -> tell_herd(GOING, i, n)
#ifdef BREAK_GO_WITHOUT_ARM
                :: state[i] == PREPARED && phase[n] < 4 ->
                    state[i] = GOING_; armed_n[i] = n; tell_herd(GOING, i, n)
#endif
                :: state[i] == PREPARED || (state[i] == ARMED_ && armed_n[i] == n) ->
                    /* late, or never armed for n: final for n */
                    down_n[i * ARMS + n] = 1; armed_n[i] = NONE; state[i] = PREPARED;
                    tell_herd(STOOD_DOWN, i, n)
                :: else -> skip
                fi
            :: verb == CANCEL ->
                if
                :: state[i] == PREPARED || state[i] == ARMED_ ->
                    state[i] = IDLE; armed_n[i] = NONE; tell_herd(CANCELLED, i, n)
                :: state[i] == GOING_ && phase[armed_n[i]] < 3 ->
                    state[i] = IDLE; armed_n[i] = NONE; tell_herd(CANCELLED, i, n)
#ifdef BREAK_CANCEL_LIE
                :: state[i] == GOING_ && phase[armed_n[i]] >= 3 -> tell_herd(CANCELLED, i, n)
#endif
                :: state[i] == IDLE -> tell_herd(CANCELLED, i, n)
                :: else -> skip    /* too late: as STOP, which is another matter */
                fi
            fi
        fi;
        verb = READY; n = 0; token = 0; for_boot = 0
       }
    od
}

/* Time, and what nodes do by their own timers. */
byte k;
inline stand_down_all(n)
{
    k = 0;
    do
    :: k < N ->
        if
        :: state[k] == ARMED_ && armed_n[k] == n ->
#ifndef BREAK_NO_GO_GUARD
            down_n[k * ARMS + n] = 1; state[k] = PREPARED; armed_n[k] = NONE;
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
            assert(confirmed_n[k] == n);
            assert(go_decided[n]);
            assert(ran_n[k] == NONE);
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
    :: atomic { n < ARMS && in_use[n] && phase[n] < 4 && herd_ready_for(n) ->
        phase[n]++;
        if
        :: phase[n] == 1 -> stand_down_all(n)
        :: phase[n] == 4 -> start_all(n)
        :: else -> skip
        fi
       }
    :: n == 0 && in_use[1] -> n = 1
    od
}

byte reboots;
proctype rebooter()
{
    byte i;
    do
    :: atomic { reboots < 1 ->
        reboots++;
        select(i : 0 .. N - 1);
        if
        :: state[i] != RUNNING ->
            /* what was not running is forgotten; what ran is in the log */
            boot[i]++; state[i] = IDLE; armed_n[i] = NONE; confirmed_n[i] = NONE;
            owner[i] = 0; down_n[i * ARMS] = 0; down_n[i * ARMS + 1] = 0
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
    :: atomic { crashes < 1 -> crashes++; token_now = 2; forget();
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
        :: owner[i] < 2 -> skip    /* until then it still is the controller */
        fi;
        i = 0; n = 0
       }
    od
}

/* A node reported as "not started" never started. */
#define honest(i) (said[i] != NOT_STARTED || ran_n[i] == NONE)

proctype observer()
{
    do
    :: atomic { !honest(0) || !honest(1) || !honest(N - 1) -> assert(false) }
    od
}

init {
    byte i = 0;
    atomic {
        do
        :: i < N ->
            state[i] = IDLE; armed_n[i] = NONE; ran_n[i] = NONE; confirmed_n[i] = NONE;
            said[i] = UNKNOWN; run node(i); i++
        :: else -> break
        od;
        run herd(); run time(); run rebooter(); run observer();
#ifdef ZOMBIE
        run zombie()
#endif
    }
}
