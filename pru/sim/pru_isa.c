/* SPDX-License-Identifier: MIT */
#include "pru/sim/pru_isa.h"

#include "pru/sim/pru_exec.h"

#include <stdbool.h>

static uint32_t bits(uint32_t word, unsigned shift, unsigned n)
{
    return (word >> shift) & ((1u << n) - 1u);
}

/* Selectors 0..3 are bytes, 4..6 half words from byte 0, 1 and 2, 7 is the whole register. */
static unsigned selector_width(uint32_t selector)
{
    if (selector < 4) {
        return 8;
    }
    return selector < 7 ? 16 : 32;
}

static uint8_t selector_byte(uint32_t reg, uint32_t selector)
{
    uint32_t byte = selector < 4 ? selector : (selector < 7 ? selector - 4 : 0);

    return (uint8_t)(reg * 4 + byte);
}

static uint32_t width_mask(unsigned width)
{
    return width == 32 ? UINT32_MAX : (1u << width) - 1u;
}

static void set_destination(struct pru_op *op, uint32_t word)
{
    op->width_d = (uint8_t)selector_width(bits(word, 5, 3));
    op->byte_d = selector_byte(bits(word, 0, 5), bits(word, 5, 3));
    op->mask_d = width_mask(op->width_d);
    if (op->byte_d / 4 == 30) {
        op->flags |= PRU_OP_WRITES_R30;
    }
    if (op->byte_d / 4 == 31) {
        op->flags |= PRU_OP_WRITES_R31;
    }
    if (op->byte_d / 4 == 28 || op->byte_d / 4 == 29) {
        op->flags |= PRU_OP_WRITES_FACTORS;
    }
}

static void set_source_1(struct pru_op *op, uint32_t word)
{
    op->width_1 = (uint8_t)selector_width(bits(word, 13, 3));
    op->byte_1 = selector_byte(bits(word, 8, 5), bits(word, 13, 3));
    op->mask_1 = width_mask(op->width_1);
    if (op->byte_1 / 4 == 31) {
        op->flags |= PRU_OP_READS_R31;
    }
}

/* A register, or the immediate of n bits from bit `shift` on. */
static void set_source_2(struct pru_op *op, uint32_t word, unsigned shift, unsigned n)
{
    if (bits(word, 24, 1) != 0) {
        op->imm = bits(word, shift, n);
        return;
    }
    op->byte_2 = selector_byte(bits(word, 16, 5), bits(word, 21, 3));
    op->mask_2 = width_mask(selector_width(bits(word, 21, 3)));
    if (op->byte_2 / 4 == 31) {
        op->flags |= PRU_OP_READS_R31;
    }
}

/* A burst from register byte_d on; it may reach any register up to r31. */
static void set_burst(struct pru_op *op, uint32_t word, uint32_t burst, bool loads)
{
    uint32_t length = burst >= PRU_BURST_FROM_R0 ? PRU_BURST_MAX : burst + 1;
    uint32_t first;
    uint32_t last;

    op->byte_d = (uint8_t)(bits(word, 0, 5) * 4 + bits(word, 5, 2));
    op->burst = (uint8_t)burst;
    first = op->byte_d / 4u;
    last = (op->byte_d + length - 1) / 4;
    if (!loads) {
        op->flags |= last >= 31 ? PRU_OP_READS_R31 : 0;
        return;
    }
    op->flags |= first <= 30 && last >= 30 ? PRU_OP_WRITES_R30 : 0;
    op->flags |= last >= 31 ? PRU_OP_WRITES_R31 : 0;
    op->flags |= first <= 29 && last >= 28 ? PRU_OP_WRITES_FACTORS : 0;
}

/* Format 1 (SPRUIJ2 section 2): arithmetic and logic, in the order of the sub-opcode. */
static void decode_arithmetic(struct pru_op *op, uint32_t word)
{
    static const pru_exec_fn FUNCTIONS[16] = {
        pru_exec_add, pru_exec_adc, pru_exec_sub, pru_exec_suc, pru_exec_lsl, pru_exec_lsr,
        pru_exec_rsb, pru_exec_rsc, pru_exec_and, pru_exec_or,  pru_exec_xor, pru_exec_not,
        pru_exec_min, pru_exec_max, pru_exec_clr, pru_exec_set,
    };

    op->exec = FUNCTIONS[bits(word, 25, 4)];
    set_destination(op, word);
    set_source_1(op, word);
    set_source_2(op, word, 16, 8);
}

/* The count is an immediate of 1..256 or the low half of a register. */
static void decode_loop(struct pru_op *op, uint32_t word, uint32_t pc)
{
    op->exec = pru_exec_loop;
    op->target = pc + bits(word, 0, 8);
    if (bits(word, 24, 1) != 0) {
        op->imm = bits(word, 16, 8) + 1;
        return;
    }
    op->byte_2 = (uint8_t)(bits(word, 16, 5) * 4);
    op->mask_2 = UINT16_MAX;
    op->flags |= bits(word, 16, 5) == 31 ? PRU_OP_READS_R31 : 0;
}

static void decode_transfer(struct pru_op *op, uint32_t word)
{
    static const pru_exec_fn FUNCTIONS[4] = {
        pru_exec_illegal,
        pru_exec_xin,
        pru_exec_xout,
        pru_exec_xchg,
    };

    if (bits(word, 14, 1) != 0) {
        return; /* SXIN and its kind: AM335x has no such device */
    }
    op->exec = FUNCTIONS[bits(word, 23, 2)];
    op->device = (uint8_t)bits(word, 15, 8);
    if (op->exec == pru_exec_illegal) {
        return;
    }
    set_burst(op, word, bits(word, 7, 7), op->exec == pru_exec_xin);
    if (op->exec == pru_exec_xchg) {
        set_burst(op, word, bits(word, 7, 7), true);
    }
}

/* Format 2: jumps, loads of constants, the rest. */
static void decode_control(struct pru_op *op, uint32_t word, uint32_t pc)
{
    enum {
        JMP = 0,
        JAL = 1,
        LDI = 2,
        LMBD = 3,
        HALT = 5,
        TRANSFER = 7,
        LOOP = 8,
        SLP = 15,
    };

    switch (bits(word, 25, 4)) {
    case JMP:
    case JAL:
        op->exec = bits(word, 25, 4) == JMP ? pru_exec_jmp : pru_exec_jal;
        set_source_2(op, word, 8, 16);
        if (op->exec == pru_exec_jal) {
            set_destination(op, word);
        }
        break;
    case LDI:
        op->exec = pru_exec_ldi;
        set_destination(op, word);
        op->imm = bits(word, 8, 16);
        break;
    case LMBD:
        op->exec = pru_exec_lmbd;
        set_destination(op, word);
        set_source_1(op, word);
        set_source_2(op, word, 16, 8);
        break;
    case HALT:
        op->exec = pru_exec_halt;
        break;
    case TRANSFER:
        decode_transfer(op, word);
        break;
    case LOOP:
        decode_loop(op, word, pc);
        break;
    case SLP:
        op->exec = pru_exec_slp;
        op->imm = bits(word, 23, 1);
        op->flags |= PRU_OP_READS_R31;
        break;
    default: /* MVIx, SCAN, reserved */
        break;
    }
}

static uint32_t branch_target(uint32_t word, uint32_t pc)
{
    uint32_t offset = bits(word, 25, 2) << 8 | bits(word, 0, 8);

    return (pc + offset - ((offset & 0x200u) != 0 ? 0x400u : 0)) & 0xFFFFu;
}

/* Format 4: bits 29..27 are greater, equal, less, for operand 2 against operand 1. */
static void decode_compare(struct pru_op *op, uint32_t word, uint32_t pc)
{
    static const pru_exec_fn FUNCTIONS[8] = {
        pru_exec_never, pru_exec_qblt, pru_exec_qbeq, pru_exec_qble,
        pru_exec_qbgt,  pru_exec_qbne, pru_exec_qbge, pru_exec_qba,
    };

    op->exec = FUNCTIONS[bits(word, 27, 3)];
    set_source_1(op, word);
    set_source_2(op, word, 16, 8);
    op->target = branch_target(word, pc);
}

/* Format 5: 10 branches when the bit is set, 01 when it is clear. */
static void decode_bit_branch(struct pru_op *op, uint32_t word, uint32_t pc)
{
    uint32_t kind = bits(word, 27, 2);

    if (kind == 0 || kind == 3) {
        return;
    }
    op->exec = kind == 2 ? pru_exec_qbbs : pru_exec_qbbc;
    set_source_1(op, word);
    set_source_2(op, word, 16, 8);
    op->target = branch_target(word, pc);
}

/* Format 6: the length of the burst lies in three places. */
static void decode_memory(struct pru_op *op, uint32_t word, bool has_base)
{
    bool loads = bits(word, 28, 1) != 0;
    uint32_t burst = bits(word, 25, 3) << 4 | bits(word, 13, 3) << 1 | bits(word, 7, 1);

    if (has_base) {
        op->exec = loads ? pru_exec_lbbo : pru_exec_sbbo;
        op->byte_1 = (uint8_t)(bits(word, 8, 5) * 4);
        op->mask_1 = UINT32_MAX;
        op->flags |= bits(word, 8, 5) == 31 ? PRU_OP_READS_R31 : 0;
    } else {
        op->exec = loads ? pru_exec_lbco : pru_exec_sbco;
        op->device = (uint8_t)bits(word, 8, 5);
    }
    set_burst(op, word, burst, loads);
    set_source_2(op, word, 16, 8);
}

struct pru_op pru_decode(uint32_t word, uint32_t pc)
{
    struct pru_op op = { .exec = pru_exec_illegal, .word = word };

    switch (bits(word, 29, 3)) {
    case 0:
        decode_arithmetic(&op, word);
        break;
    case 1:
        decode_control(&op, word, pc);
        break;
    case 2:
    case 3:
        decode_compare(&op, word, pc);
        break;
    case 4:
        decode_memory(&op, word, false);
        break;
    case 6:
        decode_bit_branch(&op, word, pc);
        break;
    case 7:
        decode_memory(&op, word, true);
        break;
    default:
        break;
    }
    return op;
}

struct pru_op pru_decode_empty(void)
{
    return (struct pru_op){ .exec = pru_exec_empty };
}
