/* SPDX-License-Identifier: MIT */
#include "tests/support/impair.h"

static const int64_t MS = 1000000;

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint32_t below(uint64_t random, uint32_t limit)
{
    return (uint32_t)(((random >> 32) * limit) >> 32);
}

void impair_init(struct impair *impair, uint64_t seed)
{
    *impair = (struct impair){ .random = seed };
}

/* A copy in order leaves no earlier than the one before it; one that is overtaken takes longer,
 * and holds up nobody. */
static int64_t leave_at(struct impair *impair, int64_t now_ns, uint64_t jitter,
                        bool is_overtaken)
{
    const struct impair_rule *rule = &impair->rule;
    int64_t at_ns = now_ns + rule->delay_ms * MS
                    + (int64_t)below(jitter, rule->jitter_ms * 1000 + 1) * (MS / 1000);

    if (is_overtaken) {
        return at_ns + (1 + (int64_t)below(jitter << 32, IMPAIR_OVERTAKEN_MS)) * MS;
    }
    impair->last_ns = at_ns > impair->last_ns ? at_ns : impair->last_ns;
    return impair->last_ns;
}

unsigned impair_packet(struct impair *impair, int64_t now_ns,
                       int64_t leave_ns[IMPAIR_MAX_COPIES])
{
    const struct impair_rule *rule = &impair->rule;
    /* always the same number of draws, whatever the rule */
    uint32_t loss = below(next_random(&impair->random), 1000);
    uint32_t copy = below(next_random(&impair->random), 1000);
    uint32_t order = below(next_random(&impair->random), 1000);
    uint64_t jitter[IMPAIR_MAX_COPIES] = { next_random(&impair->random),
                                           next_random(&impair->random) };
    unsigned n_copies = copy < rule->duplicate_permille ? 2 : 1;

    impair->n_packets++;
    if (rule->is_cut || loss < rule->loss_permille) {
        impair->n_lost++;
        return 0;
    }
    impair->n_copied += n_copies - 1;
    impair->n_reordered += order < rule->reorder_permille ? 1 : 0;
    for (unsigned i = 0; i < n_copies; i++) {
        leave_ns[i] = leave_at(impair, now_ns, jitter[i], order < rule->reorder_permille);
    }
    return n_copies;
}
