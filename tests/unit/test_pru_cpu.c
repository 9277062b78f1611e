/* SPDX-License-Identifier: MIT */
/* Instructions and cycles of one simulated PRU core, against words that the GNU assembler
 * emits. */
#include "pru/sim/pru_soc.h"
#include "tests/support/pru_asm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct pru_soc *soc;
static const struct pru_cpu *cpu;

static int create(void **state)
{
    struct pru_soc_config config = { .ddr_bytes = 65536 };

    (void)state;
    soc = pru_soc_create(&config);
    assert_non_null(soc);
    cpu = pru_soc_cpu(soc, 0);
    return 0;
}

static int destroy(void **state)
{
    (void)state;
    pru_soc_destroy(&soc);
    return 0;
}

/* Runs the words until the core halts; returns the cycles up to the HALT. */
static unsigned run(const uint32_t *words, size_t n)
{
    uint64_t start = pru_soc_cycle(soc);

    pru_soc_load_words(soc, 0, words, n);
    pru_soc_start(soc, 0);
    (void)pru_soc_run(soc, start + 10000, 0);
    assert_false(cpu->is_running);
    return (unsigned)(cpu->cycle - start);
}

/* Words of binutils' assembler, so that encoder and decoder are not only right to each other.
 */
static void test_encodings_are_the_assemblers(void **state)
{
    (void)state;
    assert_int_equal(asm_op(ASM_ADD, asm_b(1, 1), asm_b(2, 2), asm_b(3, 3)), 0x00634221);
    assert_int_equal(asm_op(ASM_SUC, asm_r(1), asm_r(31), asm_i(10)), 0x070AFFE1);
    assert_int_equal(asm_op(ASM_OR, asm_w(1, 1), asm_b(1, 3), asm_i(170)), 0x13AA61A1);
    assert_int_equal(asm_op(ASM_SET, asm_r(1), asm_r(2), asm_i(12)), 0x1F0CE2E1);
    assert_int_equal(asm_jal(asm_w(23, 1), asm_i(0xFFFF)), 0x23FFFFB7);
    assert_int_equal(asm_branch(ASM_QBNE, 0, asm_r(21), asm_r(22)), 0x68F6F500);
    assert_int_equal(asm_branch(ASM_QBGT, 0, asm_r(23), asm_i(0)), 0x6100F700);
    assert_int_equal(asm_branch(ASM_QBA, 0, 0, 0), 0x78000000);
    assert_int_equal(asm_ldi(asm_w(16, 0), 0), 0x24000090);
    assert_int_equal(asm_ldi(asm_r(16), 65535), 0x24FFFFF0);
    assert_int_equal(asm_lbbo(asm_b(0, 0), 30, asm_i(0), 85), 0xFB005E00);
    assert_int_equal(asm_sbbo(asm_b(0, 3), 30, asm_i(255), 1), 0xE1FF1E60);
    assert_int_equal(asm_lbco(asm_b(10, 0), 0, asm_i(5), 8), 0x9105608A);
    assert_int_equal(asm_loop(UINT32_MAX, asm_b(10, 2)), 0x304A0000);
    assert_int_equal(asm_slp(1), 0x3E800000);
    assert_int_equal(asm_nop(), 0x12E0E0E0);
    assert_int_equal(asm_transfer(ASM_XIN, 255, asm_b(2, 0), 1), 0x2EFF8002);
    assert_int_equal(asm_transfer(ASM_XIN, 0, asm_b(10, 0), 1), 0x2E80000A);
    assert_int_equal(asm_transfer(ASM_XOUT, 0, asm_b(10, 1), 124), 0x2F003DAA);
    assert_int_equal(asm_transfer(ASM_XCHG, 253, asm_b(10, 3), 1), 0x2FFE806A);
}

static void test_carry_is_the_bit_above_the_destination(void **state)
{
    const uint32_t words[] = {
        asm_ldi(asm_r(2), 0xFFFF),
        asm_op(ASM_ADD, asm_b(3, 0), asm_b(2, 0), asm_i(1)), /* 0x100: carry */
        asm_op(ASM_ADC, asm_r(4), asm_i(0), asm_i(0)),       /* r0 + 0 + 1 */
        asm_op(ASM_ADD, asm_r(5), asm_w(2, 0), asm_i(1)),    /* 0x10000 fits */
        asm_op(ASM_ADC, asm_r(6), asm_r(0), asm_i(0)),
        asm_op(ASM_SUB, asm_r(7), asm_r(0), asm_i(1)), /* borrow */
        asm_op(ASM_SUC, asm_r(8), asm_r(2), asm_i(0)), /* 0xFFFE */
        asm_op(ASM_RSB, asm_r(9), asm_b(2, 0), asm_i(2)),
        asm_op(ASM_RSC, asm_r(10), asm_r(0), asm_i(9)), /* 9 - 0 - 1 */
        asm_halt(),
    };

    (void)state;
    assert_int_equal(run(words, COUNT(words)), 9);
    assert_int_equal(cpu->reg.word[3], 0);
    assert_int_equal(cpu->reg.word[4], 1);
    assert_int_equal(cpu->reg.word[5], 0x10000);
    assert_int_equal(cpu->reg.word[6], 0);
    assert_int_equal(cpu->reg.word[7], UINT32_MAX);
    assert_int_equal(cpu->reg.word[8], 0xFFFE);
    assert_int_equal(cpu->reg.word[9], (uint32_t)-253);
    assert_int_equal(cpu->reg.word[10], 8);
}

static void test_fields_leave_the_rest_of_a_register(void **state)
{
    const uint32_t words[] = {
        asm_ldi(asm_w(2, 0), 0x5678),
        asm_ldi(asm_w(2, 2), 0x1234),
        asm_mov(asm_b(3, 3), asm_b(2, 1)),
        asm_mov(asm_w(4, 1), asm_w(2, 1)),
        asm_op(ASM_NOT, asm_b(5, 2), asm_b(2, 0), asm_i(0)),
        asm_lmbd(asm_r(6), asm_r(2), asm_i(1)),
        asm_lmbd(asm_r(7), asm_b(2, 0), asm_i(0)),            /* 0x78: highest clear bit is 7 */
        asm_lmbd(asm_r(8), asm_r(9), asm_i(1)),               /* none */
        asm_op(ASM_LSL, asm_w(9, 2), asm_b(2, 3), asm_i(33)), /* shifts by 1 */
        asm_halt(),
    };

    (void)state;
    (void)run(words, COUNT(words));
    assert_int_equal(cpu->reg.word[2], 0x12345678);
    assert_int_equal(cpu->reg.word[3], 0x56000000);
    assert_int_equal(cpu->reg.word[4], 0x00345600);
    assert_int_equal(cpu->reg.word[5], 0x00870000);
    assert_int_equal(cpu->reg.word[6], 28);
    assert_int_equal(cpu->reg.word[7], 7);
    assert_int_equal(cpu->reg.word[8], 32);
    assert_int_equal(cpu->reg.word[9], 0x00240000);
}

static void test_loop_costs_nothing_at_its_end(void **state)
{
    const uint32_t words[] = {
        asm_ldi(asm_r(2), 5),
        asm_loop(2, asm_r(2)),
        asm_op(ASM_ADD, asm_r(3), asm_r(3), asm_i(1)),
        asm_op(ASM_ADD, asm_r(4), asm_r(4), asm_i(2)),
        asm_loop(1, asm_r(5)), /* zero times */
        asm_op(ASM_ADD, asm_r(3), asm_r(3), asm_i(1)),
        asm_loop(1, asm_i(256)),
        asm_op(ASM_ADD, asm_r(6), asm_r(6), asm_i(1)),
        asm_halt(),
    };

    (void)state;
    assert_int_equal(run(words, COUNT(words)), 1 + 1 + 10 + 1 + 1 + 256);
    assert_int_equal(cpu->reg.word[3], 5);
    assert_int_equal(cpu->reg.word[4], 10);
    assert_int_equal(cpu->reg.word[6], 256);
}

static void test_branches_compare_operand_2_with_operand_1(void **state)
{
    static const struct {
        enum asm_compare kind;
        bool below; /* taken when operand 2 is below, equal, above */
        bool equal;
        bool above;
    } cases[] = {
        {ASM_QBLT,  true,  false, false},
        { ASM_QBLE, true,  true,  false},
        { ASM_QBEQ, false, true,  false},
        { ASM_QBNE, true,  false, true },
        { ASM_QBGE, false, true,  true },
        { ASM_QBGT, false, false, true },
        { ASM_QBA,  true,  true,  true },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        bool taken[3] = { cases[i].below, cases[i].equal, cases[i].above };

        for (uint32_t two = 6; two <= 8; two++) {
            const uint32_t words[] = {
                asm_ldi(asm_r(2), 7),
                asm_branch(cases[i].kind, 2, asm_r(2), asm_i(two)),
                asm_ldi(asm_r(3), 1),
                asm_halt(),
            };

            assert_int_equal(run(words, COUNT(words)), taken[two - 6] ? 2 : 3);
            assert_int_equal(cpu->reg.word[3], taken[two - 6] ? 0 : 1);
        }
    }
}

static void test_jal_links_and_branches_go_back(void **state)
{
    const uint32_t words[] = {
        asm_jal(asm_w(3, 2), asm_i(4)),
        asm_op(ASM_ADD, asm_r(2), asm_r(2), asm_i(1)),
        asm_branch(ASM_QBGT, -1, asm_r(2), asm_i(10)),
        asm_halt(),
        asm_ldi(asm_r(2), 2),
        asm_jmp(asm_w(3, 2)),
    };

    (void)state;
    (void)run(words, COUNT(words));
    assert_int_equal(cpu->reg.word[2], 10);
    assert_int_equal(cpu->reg.word[3], 1u << 16);
}

/* The table of pru_cpu.h. */
static void test_memory_takes_its_cycles(void **state)
{
    static const struct {
        uint32_t address;
        uint32_t length;
        unsigned read;
        unsigned write;
    } cases[] = {
        {0x0000,      1,  3,  2 },
        { 0x0000,     4,  3,  2 },
        { 0x0000,     8,  4,  3 },
        { 0x0000,     16, 6,  5 },
        { 0x0002,     4,  4,  3 },
        { 0x2000,     4,  3,  2 },
        { 0x10000,    4,  3,  2 },
        { 0x10000,    64, 18, 17},
        { 0x2E00C,    4,  12, 2 },
        { 0x20200,    4,  3,  2 },
        { 0x22000,    4,  4,  0 },
        { 0x26010,    4,  3,  2 },
        { 0x40300000, 4,  27, 2 },
        { 0x40300000, 8,  28, 3 },
        { 0x9C000000, 4,  36, 2 },
        { 0x4A310000, 4,  38, 2 },
    };

    (void)state;
    pru_soc_write(soc, PRU_MAP_CFG + PRU_CFG_SYSCFG, 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (unsigned is_write = 0; is_write < 2; is_write++) {
            uint32_t words[] = {
                asm_ldi(asm_w(2, 0), cases[i].address),
                asm_ldi(asm_w(2, 2), cases[i].address >> 16),
                is_write != 0 ? asm_sbbo(asm_b(4, 0), 2, asm_i(0), cases[i].length)
                              : asm_lbbo(asm_b(4, 0), 2, asm_i(0), cases[i].length),
                asm_halt(),
            };
            unsigned expected = is_write != 0 ? cases[i].write : cases[i].read;

            if (expected != 0) {
                assert_int_equal(run(words, COUNT(words)), 2 + expected);
                assert_int_equal(cpu->fault, PRU_FAULT_NONE);
            }
        }
    }
}

static void test_bursts_are_bytes_in_order(void **state)
{
    const uint32_t words[] = {
        asm_ldi(asm_w(2, 0), 0x2211),
        asm_ldi(asm_w(2, 2), 0x4433),
        asm_ldi(asm_r(3), 0x6655),
        asm_ldi(asm_b(0, 1), 5),
        asm_sbco(asm_b(2, 1), 28, asm_i(7), 125 + 1), /* r0.b1 bytes from r2.b1 to C28 + 7 */
        asm_lbco(asm_b(9, 3), 28, asm_i(8), 3),
        asm_halt(),
    };
    size_t size;
    const uint8_t *ram = pru_soc_memory(soc, PRU_MEMORY_RAM0, &size);
    const uint8_t stored[] = { 0x22, 0x33, 0x44, 0x55, 0x66 };

    (void)state;
    (void)run(words, COUNT(words));
    assert_memory_equal(ram + 7, stored, sizeof(stored));
    assert_int_equal(ram[12], 0);
    assert_int_equal(cpu->reg.word[9], 0x33000000);
    assert_int_equal(cpu->reg.word[10], 0x00005544);
}

/* "One cycle later": an XIN right behind the operand still gives the product of before. */
static void test_multiplier_lags_by_one_instruction(void **state)
{
    const uint32_t words[] = {
        asm_ldi(asm_r(28), 1000),
        asm_ldi(asm_r(29), 3),
        asm_nop(),
        asm_transfer(ASM_XIN, 0, asm_b(26, 0), 8),
        asm_mov(asm_r(2), asm_r(26)),
        asm_op(ASM_NOT, asm_r(28), asm_r(0), asm_i(0)),
        asm_op(ASM_NOT, asm_r(29), asm_r(0), asm_i(0)),
        asm_transfer(ASM_XIN, 0, asm_b(26, 0), 8), /* too early: 0xFFFFFFFF x 3 */
        asm_mov(asm_r(3), asm_r(26)),
        asm_mov(asm_r(4), asm_r(27)),
        asm_transfer(ASM_XIN, 0, asm_b(26, 0), 8),
        asm_halt(),
    };

    (void)state;
    (void)run(words, COUNT(words));
    assert_int_equal(cpu->reg.word[2], 3000);
    assert_int_equal(cpu->reg.word[3], 0xFFFFFFFDu);
    assert_int_equal(cpu->reg.word[4], 2);
    assert_int_equal(cpu->reg.word[26], 1);
    assert_int_equal(cpu->reg.word[27], 0xFFFFFFFEu);
}

static void test_multiplier_accumulates_and_says_when_it_overflowed(void **state)
{
    const uint32_t words[] = {
        asm_ldi(asm_r(25), 3), /* accumulate, clear */
        asm_transfer(ASM_XOUT, 0, asm_b(25, 0), 1),
        asm_op(ASM_NOT, asm_r(28), asm_r(0), asm_i(0)),
        asm_op(ASM_NOT, asm_r(29), asm_r(0), asm_i(0)),
        asm_ldi(asm_r(25), 1),
        asm_transfer(ASM_XOUT, 0, asm_b(25, 0), 1),
        asm_transfer(ASM_XIN, 0, asm_b(25, 0), 12),
        asm_mov(asm_r(2), asm_r(25)),
        asm_mov(asm_r(3), asm_r(27)),
        asm_ldi(asm_r(25), 1),
        asm_transfer(ASM_XOUT, 0, asm_b(25, 0), 1),
        asm_transfer(ASM_XIN, 0, asm_b(25, 0), 12),
        asm_halt(),
    };

    (void)state;
    (void)run(words, COUNT(words));
    assert_int_equal(cpu->reg.word[2], 1);
    assert_int_equal(cpu->reg.word[3], 0xFFFFFFFEu);
    assert_int_equal(cpu->reg.word[25], 3);
    assert_int_equal(cpu->reg.word[26], 2);
    assert_int_equal(cpu->reg.word[27], 0xFFFFFFFCu);
}

static void test_scratchpad_and_fill(void **state)
{
    const uint32_t words[] = {
        asm_ldi(asm_r(5), 0xABCD),
        asm_transfer(ASM_XOUT, 11, asm_b(5, 0), 4),
        asm_ldi(asm_r(5), 0x1111),
        asm_transfer(ASM_XCHG, 11, asm_b(5, 1), 1),
        asm_transfer(ASM_XIN, 254, asm_b(6, 3), 2),
        asm_transfer(ASM_XIN, 11, asm_b(8, 0), 4), /* another register of the bank */
        asm_transfer(ASM_XIN, 255, asm_b(5, 0), 1),
        asm_halt(),
    };

    (void)state;
    assert_int_equal(run(words, COUNT(words)), 7);
    assert_int_equal(cpu->reg.word[5], 0xAB00);
    assert_int_equal(cpu->reg.word[6], 0xFF000000u);
    assert_int_equal(cpu->reg.word[7], 0xFF);
    assert_int_equal(cpu->reg.word[8], 0);
    assert_int_equal(cpu->scratch->bank[1][5], 0x11CD);
}

static void expect_fault(uint32_t word, enum pru_fault fault)
{
    const uint32_t words[] = { asm_ldi(asm_w(2, 2), 0x4000), asm_ldi(asm_r(3), 0x30), word };
    char text[200];

    (void)run(words, COUNT(words));
    assert_int_equal(cpu->fault, fault);
    pru_soc_explain(soc, text, sizeof(text));
    assert_non_null(strstr(text, "PRU0: "));
    assert_non_null(
        strstr(text, fault == PRU_FAULT_EMPTY ? "0x000c" : "program address 0x0008"));
}

static void test_what_no_core_can_is_named(void **state)
{
    (void)state;
    expect_fault(0x2C000000, PRU_FAULT_ILLEGAL); /* MVIx */
    expect_fault(asm_format2(7), PRU_FAULT_ILLEGAL);
    expect_fault(asm_nop(), PRU_FAULT_EMPTY);
    expect_fault(asm_lbbo(asm_b(31, 0), 0, asm_i(0), 5), PRU_FAULT_BURST);
    expect_fault(asm_lbbo(asm_b(4, 0), 2, asm_i(0), 4), PRU_FAULT_STANDBY);
    expect_fault(asm_transfer(ASM_XIN, 10, asm_b(29, 0), 8), PRU_FAULT_BURST);
    expect_fault(asm_transfer(ASM_XIN, 77, asm_b(2, 0), 4), PRU_FAULT_DEVICE);
    expect_fault(asm_transfer(ASM_XIN, 0, asm_b(24, 0), 4), PRU_FAULT_BURST);
    pru_soc_write(soc, PRU_MAP_CFG + PRU_CFG_SYSCFG, 0);
    expect_fault(asm_lbbo(asm_b(4, 0), 2, asm_i(0), 4), PRU_FAULT_ADDRESS);
    expect_fault(asm_sbbo(asm_b(4, 0), 2, asm_i(0), 4), PRU_FAULT_ADDRESS);
}

static void test_running_off_program_memory_is_named(void **state)
{
    const uint32_t words[] = { asm_jmp(asm_i(2048)) };

    (void)state;
    (void)run(words, COUNT(words));
    assert_int_equal(cpu->fault, PRU_FAULT_PC);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, create, destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_encodings_are_the_assemblers),
        TEST(test_carry_is_the_bit_above_the_destination),
        TEST(test_fields_leave_the_rest_of_a_register),
        TEST(test_loop_costs_nothing_at_its_end),
        TEST(test_branches_compare_operand_2_with_operand_1),
        TEST(test_jal_links_and_branches_go_back),
        TEST(test_memory_takes_its_cycles),
        TEST(test_bursts_are_bytes_in_order),
        TEST(test_multiplier_lags_by_one_instruction),
        TEST(test_multiplier_accumulates_and_says_when_it_overflowed),
        TEST(test_scratchpad_and_fill),
        TEST(test_what_no_core_can_is_named),
        TEST(test_running_off_program_memory_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
