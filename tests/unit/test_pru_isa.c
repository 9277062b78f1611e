/* SPDX-License-Identifier: MIT */
/* Decoder, execution and core by themselves, with ports that the test plays; whole programs are
 * test_pru_cpu.c's, GNU's simulator beside them test_pru_gnu.c's. */
#include "pru/sim/pru_isa.h"

#include "pru/sim/pru_cpu.h"
#include "pru/sim/pru_exec.h"
#include "tests/support/pru_asm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct pru_cpu cpu;
static struct pru_scratch scratch;
static struct pru_op program[PRU_PROGRAM_WORDS];
static uint8_t ram[PRU_RAM_BYTES];

static unsigned no_port(void *context, struct pru_cpu *core, uint32_t address, void *bytes,
                        unsigned length)
{
    (void)context;
    (void)bytes;
    (void)length;
    return pru_cpu_fail(core, PRU_FAULT_ADDRESS, address);
}

static unsigned no_write(void *context, struct pru_cpu *core, uint32_t address,
                         const void *bytes, unsigned length)
{
    (void)context;
    (void)bytes;
    (void)length;
    return pru_cpu_fail(core, PRU_FAULT_ADDRESS, address);
}

static const struct pru_ports PORTS = { .read = no_port, .write = no_write };

static int set_up(void **state)
{
    (void)state;
    memset(&cpu, 0, sizeof(cpu));
    for (size_t i = 0; i < PRU_PROGRAM_WORDS; i++) {
        program[i] = pru_decode_empty();
    }
    cpu.ram = ram;
    cpu.scratch = &scratch;
    cpu.ports = &PORTS;
    cpu.n_words = PRU_PROGRAM_WORDS;
    cpu.program = program;
    pru_cpu_reset(&cpu, 0);
    return 0;
}

static void load(const uint32_t *words, uint32_t n)
{
    for (uint32_t pc = 0; pc < n; pc++) {
        program[pc] = pru_decode(words[pc], pc);
    }
    cpu.is_running = true;
}

static void test_fields_of_an_instruction(void **state)
{
    struct pru_op op = pru_decode(asm_op(ASM_ADD, asm_w(3, 1), asm_b(2, 3), asm_i(200)), 7);

    (void)state;
    assert_ptr_equal(op.exec, pru_exec_add);
    assert_int_equal(op.byte_d, 3 * 4 + 1);
    assert_int_equal(op.width_d, 16);
    assert_int_equal(op.byte_1, 2 * 4 + 3);
    assert_int_equal(op.width_1, 8);
    assert_int_equal(op.mask_2, 0);
    assert_int_equal(op.imm, 200);
    op = pru_decode(asm_op(ASM_XOR, asm_r(30), asm_r(31), asm_r(5)), 0);
    assert_ptr_equal(op.exec, pru_exec_xor);
    assert_int_equal(op.flags, PRU_OP_WRITES_R30 | PRU_OP_READS_R31);
    assert_int_equal(op.mask_2, UINT32_MAX);
    assert_ptr_equal(pru_decode(0x2C000000u, 0).exec, pru_exec_illegal);
    assert_ptr_equal(pru_decode_empty().exec, pru_exec_empty);
}

static void test_a_branch_knows_where_it_goes(void **state)
{
    (void)state;
    assert_int_equal(pru_decode(asm_branch(ASM_QBA, 5, 0, 0), 10).target, 15);
    assert_int_equal(pru_decode(asm_branch(ASM_QBA, -3, 0, 0), 10).target, 7);
}

static void test_one_operation_at_a_time(void **state)
{
    struct pru_op op = pru_decode(asm_op(ASM_SUB, asm_r(1), asm_r(2), asm_i(5)), 0);

    (void)state;
    cpu.reg.word[2] = 3;
    assert_int_equal(pru_exec_sub(&cpu, &op), 1);
    assert_int_equal(cpu.reg.word[1], (uint32_t)-2);
    op = pru_decode(asm_op(ASM_MAX, asm_b(1, 2), asm_r(2), asm_i(200)), 0);
    assert_int_equal(pru_exec_max(&cpu, &op), 1);
    assert_int_equal(cpu.reg.byte[1 * 4 + 2], 200);
    assert_int_equal(cpu.reg.byte[1 * 4 + 3], 0xFF); /* only the field */
}

static void test_a_core_runs_to_its_limit_and_stops_at_faults(void **state)
{
    const uint32_t words[] = { asm_ldi(asm_r(4), 77), asm_nop(), asm_nop(), 0x2C000000u };
    char text[80];

    (void)state;
    load(words, 4);
    pru_cpu_run(&cpu, 2);
    assert_int_equal(cpu.cycle, 2);
    assert_int_equal(cpu.reg.word[4], 77);
    pru_cpu_explain(&cpu, text, sizeof(text));
    assert_string_equal(text, "");
    pru_cpu_run(&cpu, 1000);
    assert_false(cpu.is_running);
    assert_int_equal(cpu.fault, PRU_FAULT_ILLEGAL);
    assert_int_equal(cpu.fault_pc, 3);
    assert_int_equal(cpu.n_instructions, 3);
    pru_cpu_explain(&cpu, text, sizeof(text));
    assert_non_null(strstr(text, "0x2c000000"));
    pru_cpu_reset(&cpu, 1);
    assert_int_equal(cpu.reg.word[4], 0);
    assert_int_equal(cpu.pc, 1);
}

static void test_running_out_of_the_program_is_a_fault(void **state)
{
    const uint32_t words[] = { asm_nop() };

    (void)state;
    load(words, 1);
    pru_cpu_run(&cpu, 10);
    assert_int_equal(cpu.fault, PRU_FAULT_EMPTY);
    (void)set_up(NULL);
    for (size_t i = 0; i < PRU_PROGRAM_WORDS; i++) {
        program[i] = pru_decode(asm_nop(), (uint32_t)i);
    }
    cpu.is_running = true;
    pru_cpu_run(&cpu, 5000);
    assert_int_equal(cpu.fault, PRU_FAULT_PC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_fields_of_an_instruction, set_up),
        cmocka_unit_test_setup(test_a_branch_knows_where_it_goes, set_up),
        cmocka_unit_test_setup(test_one_operation_at_a_time, set_up),
        cmocka_unit_test_setup(test_a_core_runs_to_its_limit_and_stops_at_faults, set_up),
        cmocka_unit_test_setup(test_running_out_of_the_program_is_a_fault, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
