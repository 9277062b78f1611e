/* SPDX-License-Identifier: MIT */
/* What lies around the simulated cores: timer, interrupts, pins, the other core, the outside,
 * program files. */
#include "pru/sim/pru_elf.h"
#include "pru/sim/pru_soc.h"
#include "tests/support/pru_asm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
    DDR_BYTES = 65536,
    MAX_EDGES = 16,
};

/* Pins that remember when r30 changed and answer with what was asked for. */
struct bench {
    unsigned n_edges;
    unsigned core[MAX_EDGES];
    uint64_t cycle[MAX_EDGES];
    uint32_t r30[MAX_EDGES];
    uint32_t inputs;
};

static struct bench bench;
static struct pru_soc *soc;

static void on_output(void *context, unsigned core, uint64_t cycle, uint32_t r30)
{
    struct bench *pins = context;

    assert_true(pins->n_edges < MAX_EDGES);
    pins->core[pins->n_edges] = core;
    pins->cycle[pins->n_edges] = cycle;
    pins->r30[pins->n_edges++] = r30;
}

static uint32_t on_input(void *context, unsigned core, uint64_t cycle)
{
    (void)core;
    (void)cycle;
    return ((struct bench *)context)->inputs;
}

static struct pru_soc *create_with(enum pru_latency latency, uint64_t seed)
{
    struct pru_soc_config config = {
        .latency = latency,
        .seed = seed,
        .ddr_bytes = DDR_BYTES,
        .pins = {.context = &bench, .output = on_output, .input = on_input}
    };
    struct pru_soc *made = pru_soc_create(&config);

    assert_non_null(made);
    pru_soc_write(made, PRU_MAP_CFG + PRU_CFG_SYSCFG, 0);
    return made;
}

static int create(void **state)
{
    (void)state;
    memset(&bench, 0, sizeof(bench));
    soc = create_with(PRU_LATENCY_BEST, 1);
    return 0;
}

static int destroy(void **state)
{
    (void)state;
    pru_soc_destroy(&soc);
    return 0;
}

static void start(unsigned core, const uint32_t *words, size_t n)
{
    pru_soc_load_words(soc, core, words, n);
    pru_soc_start(soc, core);
}

static void test_pins_change_at_their_cycle(void **state)
{
    const uint32_t one[] = {
        asm_nop(),
        asm_op(ASM_SET, asm_r(30), asm_r(30), asm_i(5)),
        asm_op(ASM_SET, asm_r(30), asm_r(30), asm_i(5)), /* no edge */
        asm_lbco(asm_b(2, 0), 24, asm_i(0), 4),
        asm_op(ASM_CLR, asm_r(30), asm_r(30), asm_i(5)),
        asm_halt(),
    };
    const uint32_t two[] = {
        asm_nop(), asm_nop(), asm_nop(), asm_ldi(asm_r(30), 0x11), asm_halt(),
    };

    (void)state;
    start(0, one, COUNT(one));
    start(1, two, COUNT(two));
    assert_int_equal(pru_soc_run(soc, 100, 0), PRU_STOP_IDLE);
    assert_int_equal(bench.n_edges, 3);
    assert_int_equal(bench.cycle[0], 2);
    assert_int_equal(bench.r30[0], 1u << 5);
    assert_int_equal(bench.core[1], 1);
    assert_int_equal(bench.cycle[1], 4);
    assert_int_equal(bench.cycle[2], 7);
    assert_int_equal(bench.r30[2], 0);
    assert_int_equal(pru_soc_cycle(soc), 100);
}

static void test_cores_hand_a_word_over_through_shared_ram(void **state)
{
    const uint32_t waits[] = {
        asm_ldi(asm_w(2, 2), 1), /* 0x10000 */
        asm_lbbo(asm_b(3, 0), 2, asm_i(0), 4),
        asm_branch(ASM_QBEQ, -1, asm_r(3), asm_i(0)),
        asm_halt(),
    };
    const uint32_t gives[] = {
        asm_ldi(asm_w(2, 2), 1),
        asm_ldi(asm_r(3), 77),
        asm_loop(1, asm_i(50)),
        asm_nop(),
        asm_sbbo(asm_b(3, 0), 2, asm_i(0), 4),
        asm_halt(),
    };

    (void)state;
    start(0, waits, COUNT(waits));
    start(1, gives, COUNT(gives));
    (void)pru_soc_run(soc, 1000, 0);
    assert_int_equal(pru_soc_cpu(soc, 0)->reg.word[3], 77);
    /* stored at cycle 53; core 0 looks at 1, 5, ... 53, where it is the first, and at 57 */
    assert_int_equal(pru_soc_cpu(soc, 0)->cycle, 57 + 3 + 1);
    assert_int_equal(pru_soc_read(soc, PRU_MAP_SHARED), 77);
}

static void test_direct_transfer_waits_for_the_other_core(void **state)
{
    const uint32_t gives[] = {
        asm_ldi(asm_r(4), 42),
        asm_transfer(ASM_XOUT, 14, asm_b(4, 0), 4),
        asm_halt(),
    };
    const uint32_t takes[] = {
        asm_loop(1, asm_i(30)),
        asm_nop(),
        asm_transfer(ASM_XIN, 14, asm_b(4, 0), 4),
        asm_halt(),
    };

    (void)state;
    start(0, gives, COUNT(gives));
    start(1, takes, COUNT(takes));
    (void)pru_soc_run(soc, 1000, 0);
    assert_int_equal(pru_soc_cpu(soc, 1)->reg.word[4], 42);
    assert_in_range(pru_soc_cpu(soc, 0)->cycle, 32, 33);
    assert_in_range(pru_soc_cpu(soc, 0)->n_stalls, 30, 31);
}

static void set_up_interrupts(unsigned event, unsigned host)
{
    pru_soc_write(soc, PRU_MAP_INTC + 0x400 + event / 4 * 4, host << event % 4 * 8);
    pru_soc_write(soc, PRU_MAP_INTC + 0x800 + host / 4 * 4, host << host % 4 * 8);
    pru_soc_write(soc, PRU_MAP_INTC + 0x28, event);
    pru_soc_write(soc, PRU_MAP_INTC + 0x34, host);
    pru_soc_write(soc, PRU_MAP_INTC + 0x10, 1);
}

static void test_strobe_ends_the_run_at_a_host_line(void **state)
{
    const uint32_t words[] = {
        asm_loop(1, asm_i(100)),
        asm_nop(),
        asm_ldi(asm_b(31, 0), PRU_R31_EVENT | 3),
        asm_op(ASM_ADD, asm_r(2), asm_r(2), asm_i(1)),
        asm_jmp(asm_i(3)),
    };

    (void)state;
    set_up_interrupts(19, 2);
    start(0, words, COUNT(words));
    assert_int_equal(pru_soc_run(soc, 10000, 1u << 2), PRU_STOP_EVENT);
    assert_int_equal(pru_soc_cycle(soc), 102);
    assert_int_equal(pru_soc_lines(soc), 1u << 2);
    assert_int_equal(pru_soc_run(soc, 10000, 1u << 2), PRU_STOP_EVENT); /* still up */
    assert_int_equal(pru_soc_cycle(soc), 102);
    assert_int_equal(pru_soc_read(soc, PRU_MAP_INTC + 0x908), 19); /* HIPIR2 */
    pru_soc_write(soc, PRU_MAP_INTC + 0x24, 19);
    assert_int_equal(pru_soc_run(soc, 200, 1u << 2), PRU_STOP_TIME);
    assert_int_equal(pru_soc_cycle(soc), 200);
    assert_int_equal(pru_soc_cpu(soc, 0)->reg.word[2], 49);
}

static void test_host_event_wakes_a_sleeping_core(void **state)
{
    const uint32_t words[] = { asm_slp(1), asm_mov(asm_r(2), asm_r(31)), asm_halt() };

    (void)state;
    set_up_interrupts(20, 1);
    bench.inputs = 0x1234;
    pru_soc_write(soc, PRU_MAP_PRU0_CTRL + 8, 1u << 31);
    start(0, words, COUNT(words));
    assert_int_equal(pru_soc_run(soc, 500, 0), PRU_STOP_TIME);
    assert_int_equal(pru_soc_read(soc, PRU_MAP_PRU0_CTRL) & 4u, 4);
    pru_soc_raise(soc, 20);
    assert_int_equal(pru_soc_run(soc, 600, 0), PRU_STOP_IDLE);
    assert_int_equal(pru_soc_cpu(soc, 0)->reg.word[2], 0x80001234u);
    assert_int_equal(pru_soc_cpu(soc, 0)->cycle, 502);
}

static void test_timer_counts_compensates_and_strikes(void **state)
{
    (void)state;
    pru_soc_write(soc, PRU_MAP_IEP + PRU_IEP_GLOBAL_CFG, 0x0611 | 1); /* 1, 6 compensating */
    (void)pru_soc_run(soc, 100, 0);
    assert_int_equal(pru_soc_read(soc, PRU_MAP_IEP + PRU_IEP_COUNT), 100);
    pru_soc_write(soc, PRU_MAP_IEP + PRU_IEP_COMPEN, 10);
    (void)pru_soc_run(soc, 200, 0);
    assert_int_equal(pru_soc_read(soc, PRU_MAP_IEP + PRU_IEP_COUNT), 200 + 10 * 5);
    pru_soc_write(soc, PRU_MAP_IEP + 0x4C, 300); /* CMP1 */
    pru_soc_write(soc, PRU_MAP_IEP + PRU_IEP_CMP_CFG, 1u << 2);
    (void)pru_soc_run(soc, 249, 0);
    assert_int_equal(pru_soc_read(soc, PRU_MAP_IEP + PRU_IEP_CMP_STATUS), 0);
    (void)pru_soc_run(soc, 250, 0);
    assert_int_equal(pru_soc_read(soc, PRU_MAP_IEP + PRU_IEP_CMP_STATUS), 2);
    assert_int_equal(pru_soc_read(soc, PRU_MAP_INTC + 0x200), 1u << 7);
    pru_soc_write(soc, PRU_MAP_IEP + PRU_IEP_CMP_STATUS, 2);
    assert_int_equal(pru_soc_read(soc, PRU_MAP_IEP + PRU_IEP_CMP_STATUS), 0);
}

static void test_timer_wraps_at_cmp0_and_at_32_bits(void **state)
{
    (void)state;
    pru_soc_write(soc, PRU_MAP_IEP + 0x48, 995);
    pru_soc_write(soc, PRU_MAP_IEP + PRU_IEP_CMP_CFG, 3);
    pru_soc_write(soc, PRU_MAP_IEP + PRU_IEP_GLOBAL_CFG, 0x551);
    (void)pru_soc_run(soc, 199, 0);
    assert_int_equal(pru_soc_read(soc, PRU_MAP_IEP + PRU_IEP_COUNT), 995);
    (void)pru_soc_run(soc, 200, 0);
    assert_int_equal(pru_soc_read(soc, PRU_MAP_IEP + PRU_IEP_COUNT), 0);
    (void)pru_soc_run(soc, 200 + 1000000 * 200ull + 7, 0);
    assert_int_equal(pru_soc_read(soc, PRU_MAP_IEP + PRU_IEP_COUNT), 35);
    pru_soc_write(soc, PRU_MAP_IEP + PRU_IEP_CMP_CFG, 0);
    pru_soc_write(soc, PRU_MAP_IEP + PRU_IEP_COUNT, UINT32_MAX - 4);
    (void)pru_soc_run(soc, pru_soc_cycle(soc) + 2, 0);
    assert_int_equal(pru_soc_read(soc, PRU_MAP_IEP + PRU_IEP_COUNT), 5);
    assert_int_equal(pru_soc_read(soc, PRU_MAP_IEP + PRU_IEP_GLOBAL_STATUS), 1);
}

static void test_cycle_counter_counts_and_is_cleared(void **state)
{
    const uint32_t words[] = {
        asm_ldi(asm_w(2, 0), 0x2000),
        asm_ldi(asm_w(2, 2), 2), /* 0x22000 */
        asm_lbbo(asm_b(3, 0), 2, asm_i(0), 4),
        asm_op(ASM_SET, asm_r(3), asm_r(3), asm_i(3)),
        asm_sbbo(asm_b(3, 0), 2, asm_i(0), 4),
        asm_sbbo(asm_b(3, 0), 2, asm_i(0xC), 4), /* clears */
        asm_nop(),
        asm_lbbo(asm_b(4, 0), 2, asm_i(0xC), 8), /* CYCLE, STALL */
        asm_halt(),
    };

    (void)state;
    start(0, words, COUNT(words));
    (void)pru_soc_run(soc, 100, 0);
    assert_int_equal(pru_soc_cpu(soc, 0)->reg.word[4], 2 + 1);
    assert_int_equal(pru_soc_cpu(soc, 0)->reg.word[5], 1);
}

static void test_constants_follow_their_blocks(void **state)
{
    const uint32_t words[] = { asm_ldi(asm_r(2), 9), asm_sbco(asm_b(2, 0), 28, asm_i(4), 4),
                               asm_halt() };

    (void)state;
    pru_soc_write(soc, PRU_MAP_PRU0_CTRL + 0x28, 0x100); /* CTPPR0: C28 = 0x10000 */
    start(0, words, COUNT(words));
    (void)pru_soc_run(soc, 100, 0);
    assert_int_equal(pru_soc_read(soc, PRU_MAP_SHARED + 4), 9);
}

static unsigned ddr_read_cycles(struct pru_soc *which)
{
    const uint32_t words[] = {
        asm_ldi(asm_w(2, 2), PRU_MAP_DDR >> 16),
        asm_lbbo(asm_b(3, 0), 2, asm_i(0), 4),
        asm_halt(),
    };
    uint64_t begin = pru_soc_cycle(which);

    pru_soc_load_words(which, 0, words, COUNT(words));
    pru_soc_start(which, 0);
    (void)pru_soc_run(which, begin + 10000, 0);
    return (unsigned)(pru_soc_cpu(which, 0)->cycle - begin - 1);
}

static void test_latency_of_ddr_is_best_worst_or_drawn(void **state)
{
    struct pru_soc *worst = create_with(PRU_LATENCY_WORST, 1);
    struct pru_soc *drawn = create_with(PRU_LATENCY_RANDOM, 7);
    struct pru_soc *again = create_with(PRU_LATENCY_RANDOM, 7);
    unsigned longest = 0;

    (void)state;
    assert_int_equal(ddr_read_cycles(soc), 36);
    assert_int_equal(ddr_read_cycles(worst), 1080);
    for (unsigned i = 0; i < 1000; i++) {
        unsigned cycles = ddr_read_cycles(drawn);

        assert_in_range(cycles, 36, 1080);
        assert_int_equal(cycles, ddr_read_cycles(again));
        longest = cycles > longest ? cycles : longest;
    }
    assert_true(longest > 300);
    pru_soc_destroy(&worst);
    pru_soc_destroy(&drawn);
    pru_soc_destroy(&again);
}

static void test_stalled_ddr_holds_reads_and_full_queues(void **state)
{
    const uint32_t words[] = {
        asm_ldi(asm_w(2, 2), PRU_MAP_DDR >> 16),
        asm_loop(1, asm_i(8)),
        asm_sbbo(asm_b(4, 0), 2, asm_i(0), 64),
        asm_halt(),
    };
    uint64_t begin;

    (void)state;
    pru_soc_stall_ddr(soc, pru_soc_cycle(soc) + 4000);
    begin = pru_soc_cycle(soc);
    start(0, words, COUNT(words));
    (void)pru_soc_run(soc, begin + 20, 0); /* the first bursts are posted all the same */
    assert_true(pru_soc_cpu(soc, 0)->n_instructions >= 3);
    (void)pru_soc_run(soc, begin + 10000, 0);
    assert_true(pru_soc_cpu(soc, 0)->cycle > begin + 3900);
    pru_soc_stall_ddr(soc, pru_soc_cycle(soc) + 4000);
    assert_int_equal(ddr_read_cycles(soc), 4000 - 1 + 36);
}

/* A program of one ldi, data at 16, two program headers. */
static size_t make_elf(uint8_t *file, uint32_t data_address)
{
    Elf32_Ehdr header = {
        .e_ident = {0x7F, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, 1},
        .e_type = ET_EXEC,
        .e_machine = PRU_ELF_MACHINE,
        .e_version = 1,
        .e_entry = 0x20000004,
        .e_phoff = sizeof(header),
        .e_ehsize = sizeof(header),
        .e_phentsize = sizeof(Elf32_Phdr),
        .e_phnum = 2
    };
    uint32_t program[3] = { asm_halt(), asm_lbco(asm_b(2, 0), 24, asm_i(16), 4), asm_halt() };
    uint32_t data = 0xCAFE;
    size_t at = sizeof(header) + 2 * sizeof(Elf32_Phdr);
    Elf32_Phdr segments[2] = {
        {.p_type = PT_LOAD,
         .p_offset = (uint32_t)at,
         .p_vaddr = 0x20000000,
         .p_filesz = sizeof(program),
         .p_memsz = sizeof(program)},
        { .p_type = PT_LOAD,
         .p_offset = (uint32_t)(at + sizeof(program)),
         .p_vaddr = data_address,
         .p_filesz = sizeof(data),
         .p_memsz = 64             },
    };

    memcpy(file, &header, sizeof(header));
    memcpy(file + sizeof(header), segments, sizeof(segments));
    memcpy(file + at, program, sizeof(program));
    memcpy(file + at + sizeof(program), &data, sizeof(data));
    return at + sizeof(program) + sizeof(data);
}

static void test_program_file_is_loaded(void **state)
{
    uint8_t file[512];
    size_t n = make_elf(file, 16);
    char why[160];
    size_t size;
    uint32_t *ram = pru_soc_memory(soc, PRU_MEMORY_RAM0, &size);

    (void)state;
    ram[5] = 1; /* part of what the file says is zero */
    assert_int_equal(pru_soc_load(soc, 0, file, n, why, sizeof(why)), 0);
    pru_soc_start(soc, 0);
    assert_int_equal(pru_soc_run(soc, 100, 0), PRU_STOP_IDLE);
    assert_int_equal(pru_soc_cpu(soc, 0)->reg.word[2], 0xCAFE);
    assert_int_equal(pru_soc_cpu(soc, 0)->pc, 2);
    assert_int_equal(ram[5], 0);
}

static void expect_refusal(uint8_t *file, size_t n, const char *reason)
{
    char why[160] = "";

    assert_int_equal(pru_soc_load(soc, 0, file, n, why, sizeof(why)), -1);
    assert_non_null(strstr(why, reason));
}

static void test_bad_program_files_are_refused_with_a_reason(void **state)
{
    uint8_t file[512];
    size_t n = make_elf(file, 8192 - 32);

    (void)state;
    expect_refusal(file, n, "8224 bytes of data memory; there are 8192");
    n = make_elf(file, 0xFFFFFFF0u);
    expect_refusal(file, n, "program memory");
    n = make_elf(file, 16);
    expect_refusal(file, 40, "too short");
    expect_refusal(file, sizeof(Elf32_Ehdr) + 40, "program headers");
    expect_refusal(file, n - 1, "within a segment");
    file[18] = 40; /* ARM */
    expect_refusal(file, n, "pru-elf-ld");
    file[0] = 'M';
    expect_refusal(file, n, "no ELF");
}

/* Every byte of the headers spoilt in turn: refused or loaded, never out of bounds. */
static void test_spoilt_program_files_do_no_harm(void **state)
{
    uint8_t good[512];
    size_t n = make_elf(good, 16);

    (void)state;
    for (size_t at = 0; at < n; at++) {
        static const uint8_t VALUES[] = { 0x00, 0x01, 0x7F, 0x80, 0xFF };

        for (size_t i = 0; i < COUNT(VALUES); i++) {
            uint8_t *file = malloc(n);
            char why[160];

            assert_non_null(file);
            memcpy(file, good, n);
            file[at] = VALUES[i];
            (void)pru_soc_load(soc, 0, file, n, why, sizeof(why));
            (void)pru_elf_symbol(file, n, "main");
            free(file);
        }
    }
}

/* A guard against a slow path on every instruction; the figure itself is in the README. */
static void test_two_busy_cores_keep_their_speed(void **state)
{
    const uint32_t words[] = {
        asm_op(ASM_ADD, asm_r(2), asm_r(2), asm_i(1)),
        asm_op(ASM_XOR, asm_w(3, 1), asm_r(2), asm_b(4, 2)),
        asm_lbco(asm_b(5, 0), 24, asm_i(0), 4),
        asm_branch(ASM_QBA, -3, 0, 0),
    };
    struct timespec before;
    struct timespec after;
    double seconds;

    (void)state;
    start(0, words, COUNT(words));
    start(1, words, COUNT(words));
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    (void)pru_soc_run(soc, 5000000, 0);
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    seconds = (double)(after.tv_sec - before.tv_sec)
              + 1e-9 * (double)(after.tv_nsec - before.tv_nsec);
    print_message("two cores: %.1f M cycles/s each\n", 5.0 / seconds);
    assert_true(pru_soc_cpu(soc, 1)->n_instructions > 3000000);
    assert_true(seconds < 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, create, destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pins_change_at_their_cycle),
        TEST(test_cores_hand_a_word_over_through_shared_ram),
        TEST(test_direct_transfer_waits_for_the_other_core),
        TEST(test_strobe_ends_the_run_at_a_host_line),
        TEST(test_host_event_wakes_a_sleeping_core),
        TEST(test_timer_counts_compensates_and_strikes),
        TEST(test_timer_wraps_at_cmp0_and_at_32_bits),
        TEST(test_cycle_counter_counts_and_is_cleared),
        TEST(test_constants_follow_their_blocks),
        TEST(test_latency_of_ddr_is_best_worst_or_drawn),
        TEST(test_stalled_ddr_holds_reads_and_full_queues),
        TEST(test_program_file_is_loaded),
        TEST(test_bad_program_files_are_refused_with_a_reason),
        TEST(test_spoilt_program_files_do_no_harm),
        TEST(test_two_busy_cores_keep_their_speed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
