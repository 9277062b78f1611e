/* SPDX-License-Identifier: MIT */
/* The start protocol: one herd (and a newer one that may take over), N nodes, a network that loses,
 * duplicates, delays and reorders, nodes that reboot, a herd that crashes and comes back with its
 * journal.
 *
 * The network is the set of all that was ever said: any of it arrives at any time, any number of
 * times, in any order, or never. So nothing has to be repeated, and no channel is ever full.
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
 * Herd reacts to a word in the step in which it hears it, as herd/start.c does; that it may hear it
 * at any time is delay enough.
 *
 * Nodes are alike: with -DSYMMETRY states that differ only in who is who are one state.
 *
 * Each assertion is an invariant of the protocol; tests/model/run.sh also breaks the protocol on
 * purpose (-DBREAK_...) and demands that each breach is found. */

#ifndef N
#define N 3
#endif
#ifndef ARMS
#define ARMS 2
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
#define IS_GO (arm_now != NONE && go_decided[arm_now % ARMS])
/* A simulation, which is random, would end most runs before they begin: MILD says when what may
 * be. An exhaustive check takes all of it. */
#ifndef MILD
#define MILD 0
#endif
#define IS_UNDER_WAY(i) (state[i] == GOING_ || state[i] == RUNNING)
#if MILD == 1
#define MAY_CRASH false
#define MAY_REBOOT false
#define MAY_PASS ALL(IS_UNDER_WAY)
#elif MILD == 2
#define MAY_CRASH (phase[1] > 0)
#define MAY_REBOOT (phase[0] > 1)
#define MAY_PASS (arm_now == 0 || IS_GO)
#elif MILD == 3
#define MAY_CRASH (go_decided[0] || go_decided[1])
#define MAY_REBOOT in_use[0]
#define MAY_PASS IS_GO
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
mtype = { REBOOTED, ABORT, DECIDE, LATER, CRASH };    /* what else herd does or learns */

/* what herd will say of a node */
mtype = { UNKNOWN, NOT_STARTED, STARTED };

/* With -DTRACE a simulation prints each step of a node, for tests/support/start_replay.c:
 *   M node verb n token boot-is-right | state armed said n     a message, and what came of it
 *   P n phase          time has passed
 *   R node             a reboot
 * and each step of herd, for tests/support/start_replay_herd.c:
 *   H what node n | arm go cancelled decided ready armed going free said ...
 * what: a word of the node (REBOOTED: of a later boot), or PREPARE, ABORT, DECIDE, LATER, CRASH; the
 * flags of all nodes are a number, node 0 its lowest bit. */
#ifdef TRACE
#define TRACE_HERD(what, i, n) printf("H %e %d %d | %d %d %d %d %d %d %d %d %e %e %e\n", what, i, n, arm_now, (IS_GO -> 1 : 0), cancelled_sent, herd_decided, BITS(is_ready), BITS(is_armed), BITS(is_going), BITS(is_free), said[0], said[1], said[N - 1])
#define BITS(flag) (flag[0] + 2 * flag[1] + 4 * flag[N - 1])
#define TRACE_HEARS printf("M %d %e %d %d %d | %e %d %e %d\n", i, verb, n, token, (for_boot == boot[i] -> 1 : 0), state[i], armed_n[i], said_verb, said_n);
#define TRACE_PHASE printf("P %d %d\n", n, phase[n]);
#define TRACE_REBOOT printf("R %d\n", i)
#else
#define TRACE_HEARS
#define TRACE_PHASE
#define TRACE_REBOOT skip
#define TRACE_HERD(what, i, n) skip
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
#define herd_ready_for(n) (phase[n] != 1 || !go_decided[n] || KEPT || arm_now != n)

#define IN_TIME(n) (phase[n] == 0)
#ifdef BREAK_GO_CHECK
#define ENOUGH_ARMED (is_armed[0])
#else
#define ENOUGH_ARMED (ALL(IS_ARMED))
#endif
#ifdef BREAK_JOURNAL_LATE
#define JOURNAL_LATE true
#else
#define JOURNAL_LATE false
#endif
/* for all nodes: that something is so of each; and options of each in an if */
#if N == 2
#define ALL(claim) (claim(0) && claim(1))
#define OF_ALL(options) options(0) options(1)
#elif N == 3
#define ALL(claim) (claim(0) && claim(1) && claim(2))
#define OF_ALL(options) options(0) options(1) options(2)
#else
#define ALL(claim) (claim(0) && claim(1) && claim(2) && claim(3))
#define OF_ALL(options) options(0) options(1) options(2) options(3)
#endif
#define IS_READY(i) is_ready[i]
#define IS_ARMED(i) is_armed[i]
#define IS_GOING(i) is_going[i]
/* a node that rebooted since has confirmed with its earlier life; herd cannot know yet */
#define WAS_CONFIRMED(i) (confirmed_n[i] == arm_now || boot[i] != boot_seen[i])

/* The network: what each node was ever told, and what it ever said. */
int told[N];
int words[N];

/* PREPARE 0, ARM 1 2, GO 3 4, CANCEL 5; of either token, for either boot */
#define TOLD(place, token, boot_) (1 << ((boot_) * 12 + ((token) - 1) * 6 + (place)))
#define TOLD_BOOT(boot_) (4095 << ((boot_) * 12))
/* READY 0, ARMED 1 2, GOING 3 4, STOOD_DOWN 5 6, CANCELLED 7, REFUSED 8; by either boot */
#define WORD(place, boot_) (1 << ((boot_) * 9 + (place)))
#define WORD_BOOT(boot_) (511 << ((boot_) * 9))

/* so that nothing would come of telling it again */
#define WAS_TOLD(i, place) ((told[i] & TOLD(place, token_now, boot_seen[i])) != 0)
#define WAS_PREPARED(i) WAS_TOLD(i, 0)
#define WAS_CANCELLED(i) WAS_TOLD(i, 5)

inline tell(i, place)
{
    told[i] = told[i] | TOLD(place, token_now, boot_seen[i])
}

inline say(i)
{
    if
    :: said_verb == READY -> words[i] = words[i] | WORD(0, boot[i])
    :: said_verb == ARMED -> words[i] = words[i] | WORD(1 + said_n, boot[i])
    :: said_verb == GOING -> words[i] = words[i] | WORD(3 + said_n, boot[i])
    :: said_verb == STOOD_DOWN -> words[i] = words[i] | WORD(5 + said_n, boot[i])
    :: said_verb == CANCELLED -> words[i] = words[i] | WORD(7, boot[i])
    :: said_verb == REFUSED -> words[i] = words[i] | WORD(8, boot[i])
    :: else -> skip
    fi
}

/* A node reported as "not started" never started. */
#define IS_HONEST(i) (said[i] != NOT_STARTED || ran_n[i] == NONE)

/* for loops; 0 between steps */
byte k;
byte j;

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
#define MAY_REFUSE (MILD != 1 && MILD != 3)
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

#ifndef ACCEPT

/* What nobody looks at any more is as good as never said; then nodes are sorted by all that there is
 * of them. */
#ifdef SYMMETRY
mtype not_started = NOT_STARTED;    /* for C, which does not know the name */
c_code {
#define PUT(field) key = key * 8 + (now.field & 7)
    static unsigned long long key_of(int i)
    {
        unsigned long long key = 0;
        PUT(state[i]); PUT(armed_n[i]); PUT(owner[i]); PUT(boot[i]); PUT(ran_n[i]);
        PUT(down_n[i * ARMS]); PUT(down_n[i * ARMS + 1]); PUT(confirmed_n[i]); PUT(knows[i]);
        PUT(over[i]); PUT(boot_seen[i]); PUT(said[i]); PUT(is_ready[i]); PUT(is_armed[i]);
        PUT(is_going[i]);
        return key;
    }
#define SWAP(field, i, k) \
    do { int held_ = now.field[i]; now.field[i] = now.field[k]; now.field[k] = held_; } while (0)
    static int is_behind(int i, int k)
    {
        unsigned long long a = key_of(i), b = key_of(k);
        if (a != b) return a > b;
        if (now.told[i] != now.told[k]) return now.told[i] > now.told[k];
        return now.words[i] > now.words[k];
    }
    static void forget_what_is_dead(int i)
    {
        int is_go = now.arm_now != NONE && now.go_decided[now.arm_now];
        int seen = now.boot_seen[i];
        if (now.boot[i] == 1) {    /* words for an earlier boot: that there were any */
            now.told[i] = (now.told[i] & ~TOLD_BOOT(0)) | ((now.told[i] & TOLD_BOOT(0)) != 0);
            if (seen == 1) now.told[i] &= ~TOLD_BOOT(0);
        }
        if (seen == 1) now.words[i] &= ~WORD_BOOT(0);
        if (now.arm_now != NONE || now.cancelled_sent) now.words[i] &= ~WORD(0, seen);
        if (now.arm_now != 0 || is_go || now.cancelled_sent) now.words[i] &= ~WORD(1, seen);
        if (now.arm_now == 1 || now.cancelled_sent) now.words[i] &= ~(WORD(3, seen) | WORD(5, seen));
        if (is_go || now.cancelled_sent) now.words[i] &= ~WORD(2, seen);
        if (now.herd_decided || now.cancelled_sent) {
            now.words[i] &= ~(WORD(3, seen) | WORD(4, seen));
            now.is_ready[i] = now.is_armed[i] = now.is_going[i] = 0;
        }
        if (now.said[i] == now.not_started)
            now.words[i] &= ~(WORD(3, seen) | WORD(4, seen) | WORD(5, seen) | WORD(6, seen)
                              | WORD(7, seen));
#ifndef BREAK_OLD_TOKEN
        if (now.knows[i] && now.owner[i] == 2)
            now.told[i] &= ~(63 << (now.boot[i] * 12));
#endif
    }
    static void sort_nodes(void)
    {
        for (int i = 0; i < N; i++)
            forget_what_is_dead(i);
        for (int pass = 1; pass < N; pass++)
            for (int i = 0; i + 1 < N; i++)
                if (is_behind(i, i + 1)) {
                    SWAP(state, i, i + 1); SWAP(armed_n, i, i + 1); SWAP(owner, i, i + 1);
                    SWAP(boot, i, i + 1); SWAP(ran_n, i, i + 1); SWAP(confirmed_n, i, i + 1);
                    SWAP(down_n, i * ARMS, (i + 1) * ARMS);
                    SWAP(down_n, i * ARMS + 1, (i + 1) * ARMS + 1);
                    SWAP(knows, i, i + 1); SWAP(over, i, i + 1); SWAP(boot_seen, i, i + 1);
                    SWAP(said, i, i + 1); SWAP(is_ready, i, i + 1); SWAP(is_armed, i, i + 1);
                    SWAP(is_going, i, i + 1); SWAP(told, i, i + 1); SWAP(words, i, i + 1);
                }
    }
};
#define SORTED c_code { sort_nodes(); }
#else
#define SORTED skip
#endif

/* ---- nodes ---- */

#define HAS(i_, place, token_) (told[i_] & TOLD(place, token_, boot[i_])) != 0
#define TAKEN(i_, verb_, n_, token_) i = i_; verb = verb_; n = n_; token = token_; for_boot = boot[i_]
#define OF_TOKEN(i_, token_) \
    :: HAS(i_, 0, token_) -> TAKEN(i_, PREPARE, 0, token_) \
    :: HAS(i_, 1, token_) -> TAKEN(i_, ARM, 0, token_) \
    :: HAS(i_, 2, token_) -> TAKEN(i_, ARM, 1, token_) \
    :: HAS(i_, 3, token_) -> TAKEN(i_, GO, 0, token_) \
    :: HAS(i_, 4, token_) -> TAKEN(i_, GO, 1, token_) \
    :: HAS(i_, 5, token_) -> TAKEN(i_, CANCEL, 0, token_)
/* The controller that was replaced may live on, and says anything with its old token; until then it
 * still is the controller. */
#define OF_ZOMBIE(i_) \
    :: owner[i_] == 2 -> TAKEN(i_, PREPARE, 0, 1) \
    :: owner[i_] == 2 -> TAKEN(i_, ARM, 0, 1) \
    :: owner[i_] == 2 -> TAKEN(i_, ARM, 1, 1) \
    :: owner[i_] == 2 -> TAKEN(i_, GO, 0, 1) \
    :: owner[i_] == 2 -> TAKEN(i_, GO, 1, 1) \
    :: owner[i_] == 2 -> TAKEN(i_, CANCEL, 0, 1)
#define OF_NODE(i_) \
    OF_TOKEN(i_, 1) \
    OF_TOKEN(i_, 2) \
    OF_ZOMBIE(i_) \
    :: boot[i_] == 1 && (told[i_] & TOLD_BOOT(0)) != 0 -> \
        TAKEN(i_, GO, 0, 1); for_boot = 0    /* which it was does not matter */

#ifdef IMP
#define SOMETHING imp()
#else
#define SOMETHING \
    if \
    OF_ALL(OF_NODE) \
    fi
#endif

/* In a trace what has arrived seldom arrives again: it would be all repeats. */
#ifdef TRACE
#define SELDOM_AGAIN(set, bit_) \
    if \
    :: set = set & ~(bit_) \
    :: set = set & ~(bit_) \
    :: skip \
    fi;
#else
#define SELDOM_AGAIN(set, bit_)
#endif

#ifdef IMP
inline imp()
{
    imp_words > 0 -> imp_words--;
    select(i : 0 .. N - 1);
    select(n : 0 .. ARMS - 1);
    select(token : 1 .. 2);
    select(for_boot : 0 .. 9);
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
    for_boot = boot[i] + (for_boot == 0 -> 1 : 0)
}
#endif

#define PLACE (verb == PREPARE -> 0 : (verb == ARM -> 1 + n : (verb == GO -> 3 + n : 5)))

proctype nodes()
{
    mtype verb = PREPARE;
    byte i, n, token, for_boot;

    do
    :: atomic { SOMETHING;
        node_hears(i, verb, n, token, for_boot);
        TRACE_HEARS
        say(i);
        SELDOM_AGAIN(told[i], TOLD(PLACE, token, for_boot))
        verb = PREPARE; i = 0; n = 0; token = 0; for_boot = 0; said_verb = NOTHING; said_n = 0;
        SORTED
       }
    od
}

/* Time, and what nodes do by their own timers. */
inline stand_down_all(n)
{
    k = 0;
    do
    :: k < N ->
        if
        :: state[k] == ARMED_ && armed_n[k] == n ->
#ifndef BREAK_NO_GO_GUARD
            stand_down(k, n); state[k] = PREPARED; armed_n[k] = NONE;
            said_verb = STOOD_DOWN; said_n = n; say(k)
#else
            skip
#endif
        :: else -> skip
        fi;
        k++
    :: else -> break
    od;
    k = 0; said_verb = NOTHING; said_n = 0
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

/* Once there is a later arm, nobody can go for the first: its instant does not matter. */
#ifdef IMP
#define NEXT (phase[0] == 4 && in_use[1] -> 1 : 0)
#else
#define NEXT (in_use[1] -> 1 : 0)
#endif
proctype time()
{
    byte n;

    do
    :: atomic { in_use[0] && phase[NEXT] < 4 && herd_ready_for(NEXT) && MAY_PASS ->
        n = NEXT;
        phase[n]++;
        TRACE_PHASE
        if
        :: phase[n] == 1 -> stand_down_all(n)
        :: phase[n] == 4 -> start_all(n); MUST(ALL(IS_HONEST))
        :: else -> skip
        fi;
        n = 0;
        SORTED
       }
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
        i = 0;
        SORTED
       }
    od
}

/* ---- herd ---- */

/* Who was not asked for anything, or has answered CANCEL, is not told CANCEL again: in traces, where
 * repeats are steps of their own. */
#ifdef TRACE
bit is_free[N] = 1;
#define SET_FREE(i) is_free[i] = 1
#define HOLD(those) is_free[0] = is_free[0] && !(those(0)); is_free[1] = is_free[1] && !(those(1)); is_free[N - 1] = is_free[N - 1] && !(those(N - 1))
#define IS_FREE(i) is_free[i]
#define ALL_FREE ALL(IS_FREE)
#else
#define SET_FREE(i) skip
#define HOLD(those) skip
#define ALL_FREE false
#endif

inline forget()
{
    i = 0;
    do
    :: i < N -> is_ready[i] = 0; is_armed[i] = 0; is_going[i] = 0; said[i] = UNKNOWN; i++
    :: else -> break
    od;
    i = 0
}

inline tell_all(place)
{
    i = 0;
    do
    :: i < N -> tell(i, place); i++
    :: else -> break
    od;
    i = 0
}

inline cancel()
{
    cancelled_sent = 1;
    i = 0;
    do
    :: i < N ->
        if
        :: !IS_GO -> said[i] = NOT_STARTED    /* nobody was told to go, nor will be */
        :: else -> skip
        fi;
        i++
    :: else -> break
    od;
    tell_all(5)
}

inline arm(arm_)
{
    arm_now = arm_; in_use[arm_] = 1;
    i = 0;
    do
    :: i < N -> is_armed[i] = 0; i++
    :: else -> break
    od;
    tell_all(1 + arm_)
}

/* What follows from what was just heard: as herd/start.c does, at once. */
inline react()
{
    if
    :: cancelled_sent || herd_decided -> skip
    :: else ->
        if
        :: is_lost -> cancel()
        :: !is_lost && arm_now == NONE && ALL(IS_READY) -> arm(0)
        :: is_late && arm_now == 0 -> arm(1)    /* again, with a later T */
        :: is_late && arm_now == 1 -> cancel()    /* as often as it may be */
        /* GO only with every ARMED in hand, journalled first */
        :: !is_lost && arm_now != NONE && !is_late && !IS_GO && phase[arm_now] == 0 && ENOUGH_ARMED ->
            go_decided[arm_now] = 1;
            MUST(ALL(WAS_CONFIRMED));
            tell_all(3 + arm_now)
        :: !is_lost && IS_GO && ALL(IS_GOING) -> herd_decided = 1
        :: else -> skip
        fi
    fi;
    is_lost = 0; is_late = 0
}

#define IS_UNREADY(i) !is_ready[i]
#define IS_ANY(i) true
#define IS_ARMING (!IS_GO && !cancelled_sent)
#define IS_OPEN(i_) (IS_GO && said[i_] != NOT_STARTED)
/* A word that would change nothing is left out; not of a trace, where the code hears it. */
#ifdef TRACE
#define WHERE(useful) true
#else
#define WHERE(useful) (useful)
#endif
#define SAID(i_, place) (words[i_] & WORD(place, boot_seen[i_])) != 0
#define WORDS_OF(i_) \
    :: SAID(i_, 0) && WHERE(arm_now == NONE && !is_ready[i_] && !cancelled_sent) -> \
        i = i_; word = READY \
    :: SAID(i_, 1) && WHERE(arm_now == 0 && IS_ARMING && !is_armed[i_]) -> i = i_; word = ARMED \
    :: SAID(i_, 2) && WHERE(arm_now == 1 && IS_ARMING && !is_armed[i_]) -> \
        i = i_; word = ARMED; n = 1 \
    :: SAID(i_, 3) && WHERE(arm_now == 0 && !is_going[i_] && IS_OPEN(i_)) -> i = i_; word = GOING \
    :: SAID(i_, 4) && WHERE(arm_now == 1 && !is_going[i_] && IS_OPEN(i_)) -> \
        i = i_; word = GOING; n = 1 \
    :: SAID(i_, 5) && WHERE(arm_now == 0 && (IS_ARMING || IS_OPEN(i_))) -> \
        i = i_; word = STOOD_DOWN \
    :: SAID(i_, 6) && WHERE(arm_now == 1 && (IS_ARMING || IS_OPEN(i_))) -> \
        i = i_; word = STOOD_DOWN; n = 1 \
    :: SAID(i_, 7) && WHERE(said[i_] != NOT_STARTED) -> i = i_; word = CANCELLED \
    :: boot_seen[i_] == 0 && (words[i_] & WORD_BOOT(1)) != 0 -> i = i_; word = REBOOTED

inline hear()
{
    if
    :: word == READY && arm_now == NONE && !cancelled_sent -> is_ready[i] = 1
    :: word == ARMED && n == arm_now && IS_ARMING -> is_armed[i] = 1
    :: word == GOING && n == arm_now && IS_OPEN(i) -> is_going[i] = 1
    :: word == STOOD_DOWN && n == arm_now && IS_GO ->
        is_going[i] = 0; said[i] = NOT_STARTED; is_lost = 1
    :: word == STOOD_DOWN && n == arm_now && IS_ARMING -> is_late = 1    /* its guard passed before GO */
    :: word == CANCELLED -> is_going[i] = 0; said[i] = NOT_STARTED; is_lost = 1; SET_FREE(i)
    :: word == REBOOTED ->
        boot_seen[i] = 1; is_armed[i] = 0; is_going[i] = 0; is_lost = IS_GO || is_ready[i];
        if
        :: !IS_GO -> SET_FREE(i)    /* a boot forgets what did not run */
        :: else -> skip
        fi
    :: else -> skip    /* of an arm that is over, or behind another word */
    fi
}

#define WORD_PLACE \
    (word == READY -> 0 : (word == ARMED -> 1 + n : (word == GOING -> 3 + n : \
    (word == STOOD_DOWN -> 5 + n : (word == CANCELLED -> 7 : 8)))))

proctype herd()
{
    mtype word = READY;
    byte i, n;
    bit is_lost;    /* a node that takes no part any more; all are required */
    bit is_late;

    do
    :: atomic {
        if
        OF_ALL(WORDS_OF)
        fi;
        hear();
        k = i;
        react();
        MUST(ALL(IS_HONEST));
        TRACE_HERD(word, k, n);
        SELDOM_AGAIN(words[k], WORD(WORD_PLACE, boot_seen[k]))
        word = READY; n = 0; k = 0;
        SORTED
       }
    :: atomic { arm_now == NONE && !cancelled_sent && !ALL(IS_READY) && !ALL(WAS_PREPARED) ->
        tell_all(0); HOLD(IS_UNREADY); TRACE_HERD(PREPARE, 0, 0); SORTED }
    /* not everybody confirmed in time: arm again, with a later T */
    :: atomic { arm_now == 0 && !go_decided[0] && !cancelled_sent && phase[0] >= 1 ->
        arm(1); TRACE_HERD(LATER, 0, 1); SORTED }
    /* T - decision */
    :: atomic { IS_GO && phase[arm_now] == 1 && !cancelled_sent && !herd_decided ->
        if
        :: ALL(IS_GOING) -> herd_decided = 1
        :: else -> cancel()
        fi;
        TRACE_HERD(DECIDE, 0, arm_now); SORTED }
    /* a user, or what herd has seen elsewhere */
    :: atomic { !cancelled_sent && !herd_decided && MAY_CRASH && MAY_PASS ->
        cancel(); TRACE_HERD(ABORT, 0, 0); SORTED }
    :: atomic { cancelled_sent && !ALL(WAS_CANCELLED) && !ALL_FREE -> tell_all(5); TRACE_HERD(CANCEL, 0, 0); SORTED }
    /* a crash; what follows is `herd attach`: a newer token, the journal, and questions */
    :: atomic { crashes < 1 && MAY_CRASH -> crashes++; token_now = 2; forget();
        herd_decided = 1;
        cancelled_sent = (cancelled_sent || !IS_GO);
        if
        :: !IS_GO || JOURNAL_LATE ->
            /* no GO in the journal: nobody started, whatever became of it */
            i = 0; do :: i < N -> said[i] = NOT_STARTED; i++ :: else -> break od; i = 0
        :: else -> skip
        fi;
        MUST(ALL(IS_HONEST));
        HOLD(IS_ANY);
        TRACE_HERD(CRASH, 0, 0); SORTED }
    od
}

init {
    byte i = 0;
    atomic {
        do
        :: i < N ->
            state[i] = IDLE; armed_n[i] = NONE; ran_n[i] = NONE; confirmed_n[i] = NONE;
            said[i] = UNKNOWN; i++
        :: else -> break
        od;
        run nodes(); run time(); run rebooter();
#ifdef TRACE
        run nodes(); run nodes();
#endif
#ifndef IMP
        run herd()
#endif
    }
}
#endif
