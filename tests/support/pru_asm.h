/* SPDX-License-Identifier: MIT */
/* Instructions of the PRU as words, for tests: the encoder to pru/sim/pru_isa.c's decoder. */
#ifndef TESTS_SUPPORT_PRU_ASM_H
#define TESTS_SUPPORT_PRU_ASM_H

#include <stdint.h>

/* A field of a register: selector in bits 7:5, register in 4:0. */
static inline uint32_t asm_r(uint32_t reg)
{
    return 7u << 5 | reg;
}

static inline uint32_t asm_b(uint32_t reg, uint32_t byte)
{
    return byte << 5 | reg;
}

static inline uint32_t asm_w(uint32_t reg, uint32_t byte)
{
    return (4 + byte) << 5 | reg;
}

/* Operand 2: a field, or an immediate. */
enum {
    ASM_IMMEDIATE = 1 << 24,
};

static inline uint32_t asm_i(uint32_t value)
{
    return ASM_IMMEDIATE | (value & 0xFFFFu);
}

static inline uint32_t asm_operand_2(uint32_t two)
{
    return (two & ASM_IMMEDIATE) | (two & 0xFFu) << 16;
}

enum asm_arithmetic {
    ASM_ADD,
    ASM_ADC,
    ASM_SUB,
    ASM_SUC,
    ASM_LSL,
    ASM_LSR,
    ASM_RSB,
    ASM_RSC,
    ASM_AND,
    ASM_OR,
    ASM_XOR,
    ASM_NOT,
    ASM_MIN,
    ASM_MAX,
    ASM_CLR,
    ASM_SET,
};

static inline uint32_t asm_op(enum asm_arithmetic op, uint32_t d, uint32_t one, uint32_t two)
{
    return (uint32_t)op << 25 | asm_operand_2(two) | one << 8 | d;
}

static inline uint32_t asm_mov(uint32_t d, uint32_t one)
{
    return asm_op(ASM_OR, d, one, asm_i(0));
}

static inline uint32_t asm_nop(void)
{
    return asm_op(ASM_OR, asm_r(0), asm_r(0), asm_r(0));
}

static inline uint32_t asm_format2(uint32_t sub)
{
    return 1u << 29 | sub << 25;
}

static inline uint32_t asm_ldi(uint32_t d, uint32_t value)
{
    return asm_format2(2) | (value & 0xFFFFu) << 8 | d;
}

static inline uint32_t asm_lmbd(uint32_t d, uint32_t one, uint32_t two)
{
    return asm_format2(3) | asm_operand_2(two) | one << 8 | d;
}

/* Jumps: to a word address, or to what a field holds. */
static inline uint32_t asm_jump_target(uint32_t two)
{
    return (two & ASM_IMMEDIATE) != 0 ? ASM_IMMEDIATE | (two & 0xFFFFu) << 8
                                      : (two & 0xFFu) << 16;
}

static inline uint32_t asm_jmp(uint32_t two)
{
    return asm_format2(0) | asm_jump_target(two);
}

static inline uint32_t asm_jal(uint32_t d, uint32_t two)
{
    return asm_format2(1) | asm_jump_target(two) | d;
}

static inline uint32_t asm_halt(void)
{
    return asm_format2(5);
}

static inline uint32_t asm_slp(uint32_t wakes)
{
    return asm_format2(15) | wakes << 23;
}

/* `body` instructions after this one, `two` times: asm_i(1..256) or a register. */
static inline uint32_t asm_loop(uint32_t body, uint32_t two)
{
    uint32_t count = (two & ASM_IMMEDIATE) != 0 ? ASM_IMMEDIATE | ((two - 1) & 0xFFu) << 16
                                                : (two & 0xFFu) << 16;

    return asm_format2(8) | count | (body + 1);
}

enum asm_transfer {
    ASM_XIN = 1,
    ASM_XOUT = 2,
    ASM_XCHG = 3,
};

/* length 1..124, or 125 + n for byte n of r0 */
static inline uint32_t asm_transfer(enum asm_transfer kind, uint32_t device, uint32_t field,
                                    uint32_t length)
{
    return asm_format2(7) | (uint32_t)kind << 23 | device << 15 | (length - 1) << 7
           | (field & 0x7Fu);
}

enum asm_compare {
    ASM_QBLT = 1,
    ASM_QBEQ = 2,
    ASM_QBLE = 3,
    ASM_QBGT = 4,
    ASM_QBNE = 5,
    ASM_QBGE = 6,
    ASM_QBA = 7,
};

static inline uint32_t asm_offset(int32_t words)
{
    uint32_t offset = (uint32_t)words & 0x3FFu;

    return (offset & 0x300u) << 17 | (offset & 0xFFu);
}

/* To `words` from this instruction when `two` COMPARE `one`. */
static inline uint32_t asm_branch(enum asm_compare kind, int32_t words, uint32_t one,
                                  uint32_t two)
{
    return 1u << 30 | (uint32_t)kind << 27 | asm_operand_2(two) | one << 8 | asm_offset(words);
}

static inline uint32_t asm_qbbs(int32_t words, uint32_t one, uint32_t two)
{
    return 6u << 29 | 1u << 28 | asm_operand_2(two) | one << 8 | asm_offset(words);
}

static inline uint32_t asm_qbbc(int32_t words, uint32_t one, uint32_t two)
{
    return 6u << 29 | 1u << 27 | asm_operand_2(two) | one << 8 | asm_offset(words);
}

static inline uint32_t asm_burst(uint32_t length)
{
    uint32_t code = length - 1;

    return (code >> 4 & 7u) << 25 | (code >> 1 & 7u) << 13 | (code & 1u) << 7;
}

/* field: asm_b(reg, first byte); base: a register; two: offset; length as in asm_transfer */
static inline uint32_t asm_lbbo(uint32_t field, uint32_t base, uint32_t two, uint32_t length)
{
    return 7u << 29 | 1u << 28 | asm_burst(length) | asm_operand_2(two) | base << 8
           | (field & 0x7Fu);
}

static inline uint32_t asm_sbbo(uint32_t field, uint32_t base, uint32_t two, uint32_t length)
{
    return 7u << 29 | asm_burst(length) | asm_operand_2(two) | base << 8 | (field & 0x7Fu);
}

static inline uint32_t asm_lbco(uint32_t field, uint32_t constant, uint32_t two,
                                uint32_t length)
{
    return 4u << 29 | 1u << 28 | asm_burst(length) | asm_operand_2(two) | constant << 8
           | (field & 0x7Fu);
}

static inline uint32_t asm_sbco(uint32_t field, uint32_t constant, uint32_t two,
                                uint32_t length)
{
    return 4u << 29 | asm_burst(length) | asm_operand_2(two) | constant << 8 | (field & 0x7Fu);
}

#endif
