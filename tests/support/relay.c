/* SPDX-License-Identifier: MIT */
/* relay SEED HERD_NAMESPACE NODE_NAMESPACE...: a bad network between one place and many.
 *
 * Makes an interface `bw0` (TUN) in every network namespace named (as `ip netns` has them) and
 * passes packets between the first and the others; a node's address ends in 2 for the first
 * node, 3 for the next. Whoever started it gives the addresses, after it has said "ready".
 * Orders on standard input, one a line, answered by "ok" or "no":
 *   set FIRST LAST to|from|both LOSS DUPLICATE REORDER DELAY JITTER CUT
 *       nodes FIRST to LAST from 0; to the node, from it; permille, permille, permille, ms, ms,
 * 0 or 1 count    packets, lost, copied, reordered, and dropped because too many were under way
 * It ends with its input. One thread; see impair.h for what happens to a packet. */
#include "common/buf.h"
#include "tests/support/impair.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_NODES = 200,
    FIRST_NODE = 2, /* last byte of the first node's address */
    PACKET_BYTES = 1600,
    MAX_UNDER_WAY = 16384,
    BURST = 64, /* packets read from one interface before another has its turn */
    LINE_SIZE = 200,
    MAX_NUMBER = 10000, /* of an order */
};

struct packet {
    int64_t leave_ns;
    uint64_t number; /* equal instants: as they came */
    int out;
    size_t size;
    unsigned char bytes[PACKET_BYTES];
};

struct relay {
    size_t n_nodes;
    struct pollfd fds[MAX_NODES + 2]; /* nodes, herd, standard input */
    struct impair to_node[MAX_NODES];
    struct impair from_node[MAX_NODES];
    struct packet *packets;
    struct packet **heap; /* [0, n_under_way): by instant; behind: free */
    size_t n_under_way;
    uint64_t n_taken;
    uint64_t n_dropped;
    char line[LINE_SIZE];
    size_t line_length;
};

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* ---- what is under way, the next to leave first ---- */

static bool is_sooner(const struct packet *a, const struct packet *b)
{
    return a->leave_ns < b->leave_ns || (a->leave_ns == b->leave_ns && a->number < b->number);
}

static void swap(struct relay *relay, size_t a, size_t b)
{
    struct packet *packet = relay->heap[a];

    relay->heap[a] = relay->heap[b];
    relay->heap[b] = packet;
}

static void push(struct relay *relay)
{
    size_t i = relay->n_under_way++;

    while (i > 0 && is_sooner(relay->heap[i], relay->heap[(i - 1) / 2])) {
        swap(relay, i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}

static void pop(struct relay *relay)
{
    size_t i = 0;

    swap(relay, 0, --relay->n_under_way);
    for (;;) {
        size_t child = 2 * i + 1;

        if (child + 1 < relay->n_under_way
            && is_sooner(relay->heap[child + 1], relay->heap[child])) {
            child++;
        }
        if (child >= relay->n_under_way || !is_sooner(relay->heap[child], relay->heap[i])) {
            return;
        }
        swap(relay, i, child);
        i = child;
    }
}

static void send_due(struct relay *relay)
{
    while (relay->n_under_way > 0 && relay->heap[0]->leave_ns <= now_ns()) {
        const struct packet *packet = relay->heap[0];

        if (write(packet->out, packet->bytes, packet->size) < 0 && errno != EIO) {
            relay->n_dropped++; /* EIO: the cable is pulled, which is the experiment's affair */
        }
        pop(relay);
    }
}

/* ---- packets that come ---- */

/* Whose link the packet takes: index of the node, or n_nodes when it is for nobody here. */
static size_t link_of(const struct relay *relay, size_t from, const unsigned char *bytes,
                      size_t size)
{
    bool is_ipv4 = size >= 20 && bytes[0] >> 4 == 4;
    size_t last = is_ipv4 ? bytes[19] : 0;

    if (from < relay->n_nodes) {
        return is_ipv4 && last == FIRST_NODE - 1 ? from : relay->n_nodes;
    }
    return last >= FIRST_NODE && last - FIRST_NODE < relay->n_nodes ? last - FIRST_NODE
                                                                    : relay->n_nodes;
}

static void take_packet(struct relay *relay, size_t from, const unsigned char *bytes,
                        size_t size)
{
    size_t node = link_of(relay, from, bytes, size);
    int64_t leave_ns[IMPAIR_MAX_COPIES];
    unsigned n_copies = 0;

    if (node == relay->n_nodes) {
        return;
    }
    n_copies = impair_packet(from == node ? &relay->from_node[node] : &relay->to_node[node],
                             now_ns(), leave_ns);
    for (unsigned i = 0; i < n_copies; i++) {
        struct packet *packet = NULL;

        if (relay->n_under_way == MAX_UNDER_WAY) {
            relay->n_dropped++;
            return;
        }
        packet = relay->heap[relay->n_under_way];
        packet->leave_ns = leave_ns[i];
        packet->number = relay->n_taken++;
        packet->out = relay->fds[from == node ? relay->n_nodes : node].fd;
        packet->size = size;
        memcpy(packet->bytes, bytes, size);
        push(relay);
    }
}

static void read_packets(struct relay *relay, size_t from)
{
    unsigned char bytes[PACKET_BYTES];

    for (unsigned i = 0; i < BURST; i++) {
        ssize_t size = read(relay->fds[from].fd, bytes, sizeof(bytes));

        if (size <= 0) {
            return;
        }
        take_packet(relay, from, bytes, (size_t)size);
    }
}

/* ---- orders ---- */

enum order {
    ORDER_FIRST,
    ORDER_LAST,
    ORDER_LOSS,
    ORDER_DUPLICATE,
    ORDER_REORDER,
    ORDER_DELAY,
    ORDER_JITTER,
    ORDER_CUT,
    N_ORDER_NUMBERS
};

/* "set FIRST LAST DIRECTION LOSS ...": the numbers, and the direction; false when it is not
 * that. */
static bool read_order(char *line, uint32_t numbers[N_ORDER_NUMBERS], const char **direction)
{
    char *rest = NULL;
    const char *word = strtok_r(line, " ", &rest);
    bool is_good = word != NULL && strcmp(word, "set") == 0;

    for (int i = 0; is_good && i < N_ORDER_NUMBERS; i++) {
        uint64_t number = 0;

        if (i == ORDER_LOSS) {
            *direction = strtok_r(NULL, " ", &rest);
        }
        word = strtok_r(NULL, " ", &rest);
        is_good = word != NULL && text_to_u64(word, &number) && number <= MAX_NUMBER;
        numbers[i] = (uint32_t)number;
    }
    return is_good && strtok_r(NULL, " ", &rest) == NULL;
}

static void set_rule(struct relay *relay, char *line)
{
    uint32_t numbers[N_ORDER_NUMBERS] = { 0 };
    const char *direction = "";
    struct impair_rule rule;

    if (!read_order(line, numbers, &direction) || numbers[ORDER_FIRST] > numbers[ORDER_LAST]
        || numbers[ORDER_LAST] >= relay->n_nodes) {
        printf("no\n");
        return;
    }
    rule = (struct impair_rule){ .loss_permille = numbers[ORDER_LOSS],
                                 .duplicate_permille = numbers[ORDER_DUPLICATE],
                                 .reorder_permille = numbers[ORDER_REORDER],
                                 .delay_ms = numbers[ORDER_DELAY],
                                 .jitter_ms = numbers[ORDER_JITTER],
                                 .is_cut = numbers[ORDER_CUT] != 0 };
    for (uint32_t i = numbers[ORDER_FIRST]; i <= numbers[ORDER_LAST]; i++) {
        if (strcmp(direction, "from") != 0) {
            relay->to_node[i].rule = rule;
        }
        if (strcmp(direction, "to") != 0) {
            relay->from_node[i].rule = rule;
        }
    }
    printf("ok\n");
}

static void count(const struct relay *relay)
{
    struct impair sum = { 0 };

    for (size_t i = 0; i < 2 * relay->n_nodes; i++) {
        const struct impair *one =
            i < relay->n_nodes ? &relay->to_node[i] : &relay->from_node[i - relay->n_nodes];

        sum.n_packets += one->n_packets;
        sum.n_lost += one->n_lost;
        sum.n_copied += one->n_copied;
        sum.n_reordered += one->n_reordered;
    }
    printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", sum.n_packets,
           sum.n_lost, sum.n_copied, sum.n_reordered, relay->n_dropped);
}

static void take_line(struct relay *relay)
{
    if (strcmp(relay->line, "count") == 0) {
        count(relay);
    } else {
        set_rule(relay, relay->line);
    }
    fflush(stdout);
}

/* False at the end of the input. */
static bool read_orders(struct relay *relay)
{
    char bytes[LINE_SIZE];
    ssize_t size = read(STDIN_FILENO, bytes, sizeof(bytes));

    for (ssize_t i = 0; i < size; i++) {
        if (bytes[i] == '\n') {
            relay->line[relay->line_length] = '\0';
            relay->line_length = 0;
            take_line(relay);
        } else if (relay->line_length + 1 < LINE_SIZE) {
            relay->line[relay->line_length++] = bytes[i];
        }
    }
    return size > 0;
}

/* ---- set-up ---- */

static int fail(const char *what, const char *name)
{
    fprintf(stderr, "relay: %s %s: %s\n", what, name, strerror(errno));
    return -1;
}

/* An interface belongs to the namespace of whoever opens it. */
static int open_interface(const char *name)
{
    struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
    char path[200];
    int space = -1;
    int fd = -1;

    snprintf(path, sizeof(path), "/run/netns/%.150s", name);
    snprintf(request.ifr_name, sizeof(request.ifr_name), "bw0");
    space = open(path, O_RDONLY | O_CLOEXEC);
    if (space < 0 || setns(space, CLONE_NEWNET) < 0) {
        fail("namespace", name);
    } else {
        fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0) {
            fail("interface in", name);
            fd = -1;
        }
    }
    if (space >= 0) {
        close(space);
    }
    return fd;
}

static int set_up(struct relay *relay, uint64_t seed, char **names)
{
    relay->packets = calloc(MAX_UNDER_WAY, sizeof(*relay->packets));
    relay->heap = calloc(MAX_UNDER_WAY, sizeof(struct packet *));
    if (relay->packets == NULL || relay->heap == NULL) {
        return fail("memory for", "packets");
    }
    for (size_t i = 0; i < MAX_UNDER_WAY; i++) {
        relay->heap[i] = &relay->packets[i];
    }
    for (size_t i = 0; i <= relay->n_nodes; i++) {
        relay->fds[i].fd = open_interface(i < relay->n_nodes ? names[i + 1] : names[0]);
        relay->fds[i].events = POLLIN;
        if (relay->fds[i].fd < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < relay->n_nodes; i++) {
        impair_init(&relay->to_node[i], seed * 1000 + 2 * i);
        impair_init(&relay->from_node[i], seed * 1000 + 2 * i + 1);
    }
    relay->fds[relay->n_nodes + 1] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
    return 0;
}

static void pass_packets(struct relay *relay)
{
    for (;;) {
        struct timespec wait = { .tv_sec = 1 };

        if (relay->n_under_way > 0) {
            int64_t wait_ns = relay->heap[0]->leave_ns - now_ns();

            wait_ns = wait_ns < 0 ? 0 : wait_ns;
            wait = (struct timespec){ wait_ns / 1000000000, wait_ns % 1000000000 };
        }
        if (ppoll(relay->fds, relay->n_nodes + 2, &wait, NULL) < 0 && errno != EINTR) {
            return;
        }
        for (size_t i = 0; i <= relay->n_nodes; i++) {
            if (relay->fds[i].revents & POLLIN) {
                read_packets(relay, i);
            }
        }
        send_due(relay);
        if (relay->fds[relay->n_nodes + 1].revents != 0 && !read_orders(relay)) {
            return;
        }
    }
}

int main(int argc, char **argv)
{
    static struct relay relay;
    int status = EXIT_FAILURE;

    if (argc < 4 || argc - 3 > MAX_NODES) {
        fprintf(stderr, "Usage: relay SEED HERD_NAMESPACE NODE_NAMESPACE...\n");
        return 2;
    }
    relay.n_nodes = (size_t)argc - 3;
    if (set_up(&relay, strtoull(argv[1], NULL, 10), argv + 2) == 0) {
        printf("ready\n");
        fflush(stdout);
        pass_packets(&relay);
        status = EXIT_SUCCESS;
    }
    free(relay.heap);
    free(relay.packets);
    return status;
}
