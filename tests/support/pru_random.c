/* SPDX-License-Identifier: MIT */
/* Registers: r0 holds lengths of bursts, r1 where the trace goes on, r2 a base of data, r3
 * offsets and a count, r4 carries and counters; r5 to r29 are what is tested. r30 and r31 read
 * 0 on both sides as long as nothing drives them. */
#include "tests/support/pru_random.h"

#include "tests/support/pru_asm.h"

#include <elf.h>
#include <string.h>

enum {
    FIRST = 5, /* of the tested registers */
    LAST = 29,
    ALL_BYTES = (LAST - FIRST + 1) * 4,
    ROOM = 80, /* words that the longest group and the end need */
    DATA_BASE = 0x400,
    PRU_MACHINE = 144,
    GNU_WRITE = 5, /* numbers of GNU's system calls */
    GNU_EXIT = 1,
    N_ARITHMETIC = 17, /* and LMBD */
    N_SELECTORS = 8,
    N_OPERANDS = 9, /* selectors, immediate */
};

static const uint32_t PROGRAM_BASE = 0x20000000u;

static void emit(struct pru_random *program, uint32_t word)
{
    program->words[program->n_words++] = word;
}

static uint32_t below(struct pru_random *program, uint32_t n)
{
    return rng_below(&program->rng, n);
}

static uint32_t any_target(struct pru_random *program)
{
    return below(program, N_SELECTORS) << 5 | (FIRST + below(program, LAST - FIRST + 1));
}

static uint32_t any_source(struct pru_random *program)
{
    return below(program, N_SELECTORS) << 5 | below(program, 32);
}

static uint32_t any_operand(struct pru_random *program)
{
    if (below(program, 4) == 0) {
        return asm_i(below(program, 256));
    }
    return any_source(program);
}

static uint32_t arithmetic(uint32_t number, uint32_t d, uint32_t one, uint32_t two)
{
    if (number == 16) {
        return asm_lmbd(d, one, two);
    }
    /* GNU knows NOT with an immediate alone, which it ignores */
    return asm_op((enum asm_arithmetic)number, d, one,
                  number == ASM_NOT ? two | ASM_IMMEDIATE : two);
}

/* What is random: the data, from which the registers come. */
static void begin(struct pru_random *program, uint64_t seed)
{
    memset(program, 0, sizeof(*program));
    rng_seed(&program->rng, seed);
    for (size_t i = 0; i < sizeof(program->data); i++) {
        program->data[i] = (uint8_t)below(program, 256);
    }
    emit(program, asm_ldi(asm_w(0, 0), 0x1005)); /* lengths 5, 16, 33, 2 */
    emit(program, asm_ldi(asm_w(0, 2), 0x0221));
    emit(program, asm_ldi(asm_w(1, 2), PRU_RANDOM_TRACE >> 16));
    emit(program, asm_ldi(asm_r(2), DATA_BASE));
    emit(program, asm_ldi(asm_w(3, 0), 3));
    emit(program, asm_ldi(asm_w(3, 2), 0x5A07 + below(program, 64)));
    emit(program, asm_lbbo(asm_b(FIRST, 0), 2, asm_i(0), ALL_BYTES));
}

static void set_carry(struct pru_random *program, uint32_t carry)
{
    emit(program, asm_ldi(asm_b(4, 0), carry));
    emit(program, asm_op(ASM_ADD, asm_b(4, 0), asm_b(4, 0), asm_i(255)));
}

/* `bytes` of registers from `reg` on and the carry, which survives. */
static void trace(struct pru_random *program, uint32_t reg, uint32_t bytes)
{
    emit(program, asm_sbbo(asm_b(reg, 0), 1, asm_i(0), bytes));
    emit(program, asm_op(ASM_ADC, asm_r(4), asm_r(31), asm_i(0)));
    emit(program, asm_sbbo(asm_b(4, 0), 1, asm_i(bytes), 1));
    emit(program, asm_op(ASM_ADD, asm_r(1), asm_r(1), asm_i(bytes + 1)));
    emit(program, asm_op(ASM_ADD, asm_b(4, 0), asm_b(4, 0), asm_i(255)));
    program->n_trace += bytes + 1;
}

/* Writes the trace to GNU's standard output and ends; ours ends at the first HALT. */
static void finish(struct pru_random *program)
{
    emit(program, asm_ldi(asm_r(1), GNU_WRITE));
    emit(program, asm_ldi(asm_r(14), 1));
    emit(program, asm_ldi(asm_w(15, 0), 0));
    emit(program, asm_ldi(asm_w(15, 2), PRU_RANDOM_TRACE >> 16));
    emit(program, asm_ldi(asm_w(16, 0), (uint32_t)program->n_trace));
    emit(program, asm_ldi(asm_w(16, 2), (uint32_t)(program->n_trace >> 16)));
    emit(program, asm_halt());
    emit(program, asm_ldi(asm_r(1), GNU_EXIT));
    emit(program, asm_ldi(asm_r(14), 0));
    emit(program, asm_halt());
}

static int has_room(const struct pru_random *program)
{
    return program->n_words + ROOM < PRU_RANDOM_WORDS
           && program->n_trace + 1024 < PRU_RANDOM_TRACE_BYTES;
}

size_t pru_random_n_cases(void)
{
    return (size_t)N_ARITHMETIC * N_SELECTORS * N_SELECTORS * N_OPERANDS * 2;
}

static void one_case(struct pru_random *program, size_t number)
{
    uint32_t carry = (uint32_t)(number % 2);
    uint32_t two = (uint32_t)(number / 2 % N_OPERANDS);
    uint32_t one = (uint32_t)(number / 2 / N_OPERANDS % N_SELECTORS);
    uint32_t d = (uint32_t)(number / 2 / N_OPERANDS / N_SELECTORS % N_SELECTORS);
    uint32_t op = (uint32_t)(number / 2 / N_OPERANDS / N_SELECTORS / N_SELECTORS);
    uint32_t target = FIRST + below(program, LAST - FIRST + 1);

    set_carry(program, carry);
    emit(program, arithmetic(op, d << 5 | target, one << 5 | below(program, 32),
                             two == N_SELECTORS ? asm_i(below(program, 256))
                                                : two << 5 | below(program, 32)));
    trace(program, target, 4);
    program->n_tested++;
}

size_t pru_random_cases(struct pru_random *program, uint64_t seed, size_t next)
{
    begin(program, seed);
    while (next < pru_random_n_cases() && has_room(program)) {
        one_case(program, next++);
        if (next % 64 == 0) {
            trace(program, FIRST, ALL_BYTES);
        }
    }
    trace(program, FIRST, ALL_BYTES);
    finish(program);
    return next;
}

/* A burst between tested registers and data, its length an immediate or a byte of r0. */
static void burst(struct pru_random *program)
{
    uint32_t byte = FIRST * 4 + below(program, ALL_BYTES);
    uint32_t room = (LAST + 1) * 4 - byte;
    uint32_t field = asm_b(byte / 4, byte % 4);
    uint32_t length = 1 + below(program, room < 40 ? room : 40);
    uint32_t offset =
        below(program, 3) == 0 ? asm_b(3, below(program, 4)) : asm_i(below(program, 256));
    static const uint32_t CONSTANTS[] = { 24, 25, 28 };
    uint32_t constant = CONSTANTS[below(program, 3)];

    if (room >= 33 && below(program, 3) == 0) {
        length = 125 + below(program, 4);
    }
    switch (below(program, 4)) {
    case 0:
        emit(program, asm_lbbo(field, 2, offset, length));
        break;
    case 1:
        emit(program, asm_sbbo(field, 2, offset, length));
        break;
    case 2:
        emit(program, asm_lbco(field, constant, offset, length));
        break;
    default:
        emit(program, asm_sbco(field, constant, offset, length));
        break;
    }
}

static void transfer(struct pru_random *program)
{
    static const uint32_t DEVICES[] = { 10, 11, 12, 254, 255 };
    uint32_t byte = FIRST * 4 + below(program, ALL_BYTES);
    uint32_t room = (LAST + 1) * 4 - byte;
    uint32_t device = DEVICES[below(program, 5)];
    enum asm_transfer kind =
        device >= 254 ? ASM_XIN : (enum asm_transfer)(ASM_XIN + below(program, 3));

    emit(program,
         asm_transfer(kind, device, asm_b(byte / 4, byte % 4), 1 + below(program, room)));
}

/* Factors of 16 bits: GNU's simulator forgets the sum when it overflows, real ones do not. */
static void accumulate(struct pru_random *program)
{
    emit(program, asm_ldi(asm_r(28), below(program, 65536)));
    emit(program, asm_ldi(asm_r(29), below(program, 65536)));
    emit(program, asm_ldi(asm_b(25, 0), 1));
    emit(program, asm_transfer(ASM_XOUT, 0, asm_b(25, 0), 1 + below(program, 4)));
}

static void multiply(struct pru_random *program)
{
    switch (below(program, 4)) {
    case 0: /* clears: the sum counts from the next pair of factors on */
        emit(program, asm_ldi(asm_b(25, 0), 3));
        emit(program, asm_transfer(ASM_XOUT, 0, asm_b(25, 0), 1));
        accumulate(program);
        break;
    case 1:
        emit(program, asm_ldi(asm_b(25, 0), below(program, 2) * 2));
        emit(program, asm_transfer(ASM_XOUT, 0, asm_b(25, 0), 1));
        break;
    case 2:
        accumulate(program);
        break;
    default:
        emit(program, arithmetic(below(program, 17), asm_r(28 + below(program, 2)),
                                 any_source(program), any_operand(program)));
        break;
    }
    if (below(program, 2) == 0) {
        emit(program, asm_nop());
    }
    emit(program, asm_transfer(ASM_XIN, 0, asm_b(25 + below(program, 2), below(program, 4)),
                               1 + below(program, 4)));
}

static void compute(struct pru_random *program)
{
    if (below(program, 8) == 0) {
        emit(program, asm_ldi(any_target(program), below(program, 65536)));
        return;
    }
    emit(program, arithmetic(below(program, 17), any_target(program), any_source(program),
                             any_operand(program)));
}

/* Over up to three instructions, or not. */
static void branch(struct pru_random *program)
{
    uint32_t n = 1 + below(program, 3);
    int32_t words = (int32_t)n + 1;
    uint32_t one = any_source(program);
    uint32_t two = any_operand(program);

    switch (below(program, 9)) {
    case 7:
        emit(program, asm_qbbs(words, one, two));
        break;
    case 8:
        emit(program, asm_qbbc(words, one, two));
        break;
    default:
        emit(program, asm_branch((enum asm_compare)(1 + below(program, 7)), words, one, two));
        break;
    }
    for (uint32_t i = 0; i < n; i++) {
        compute(program);
    }
}

static void jump(struct pru_random *program)
{
    uint32_t target = (uint32_t)program->n_words + 2;

    switch (below(program, 3)) {
    case 0:
        emit(program, asm_jmp(asm_i(target)));
        break;
    case 1:
        emit(program, asm_jal(any_target(program), asm_i(target)));
        break;
    default:
        emit(program, asm_ldi(asm_w(4, 1), target + 1));
        emit(program, asm_jal(any_target(program), asm_w(4, 1)));
        break;
    }
    compute(program);
}

static void loop(struct pru_random *program)
{
    uint32_t n = 1 + below(program, 3);
    static const uint32_t COUNTS[] = { 3, 31, 0 }; /* r3.w0 is 3, r31 is 0 */
    uint32_t kind = below(program, 4);

    if (kind == 3) { /* by hand, backwards */
        emit(program, asm_ldi(asm_r(4), 1 + below(program, 4)));
        compute(program);
        emit(program, asm_op(ASM_SUB, asm_r(4), asm_r(4), asm_i(1)));
        emit(program, asm_branch(ASM_QBNE, -2, asm_r(4), asm_i(0)));
        return;
    }
    emit(program, asm_loop(n, kind == 2 ? asm_i(1 + below(program, 5)) : asm_r(COUNTS[kind])));
    for (uint32_t i = 0; i < n; i++) {
        compute(program);
    }
}

static void anything(struct pru_random *program)
{
    switch (below(program, 16)) {
    case 0:
    case 1:
        burst(program);
        break;
    case 2:
        transfer(program);
        break;
    case 3:
        multiply(program);
        break;
    case 4:
        branch(program);
        break;
    case 5:
        jump(program);
        break;
    case 6:
        loop(program);
        break;
    default:
        compute(program);
        break;
    }
}

void pru_random_mix(struct pru_random *program, uint64_t seed)
{
    begin(program, seed);
    while (has_room(program)) {
        size_t before = program->n_words;

        for (unsigned i = 0; i < 4; i++) {
            anything(program);
        }
        program->n_tested += program->n_words - before;
        trace(program, FIRST, ALL_BYTES);
    }
    finish(program);
}

static size_t append(uint8_t *file, size_t at, const void *bytes, size_t n)
{
    memcpy(file + at, bytes, n);
    return at + n;
}

size_t pru_random_elf(const struct pru_random *program, uint8_t *file, size_t size)
{
    static const char NAMES[] = "\0.text\0.data\0.shstrtab";
    uint32_t n_text = (uint32_t)program->n_words * 4;
    uint32_t text_at = sizeof(Elf32_Ehdr) + 2 * sizeof(Elf32_Phdr);
    uint32_t data_at = text_at + n_text;
    uint32_t names_at = data_at + PRU_RANDOM_DATA;
    uint32_t sections_at = (names_at + (uint32_t)sizeof(NAMES) + 3) & ~3u;
    Elf32_Ehdr header = {
        .e_ident = {0x7F, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, 1},
        .e_type = ET_EXEC,
        .e_machine = PRU_MACHINE,
        .e_version = 1,
        .e_entry = PROGRAM_BASE,
        .e_phoff = sizeof(Elf32_Ehdr),
        .e_shoff = sections_at,
        .e_ehsize = sizeof(Elf32_Ehdr),
        .e_phentsize = sizeof(Elf32_Phdr),
        .e_phnum = 2,
        .e_shentsize = sizeof(Elf32_Shdr),
        .e_shnum = 4,
        .e_shstrndx = 3
    };
    Elf32_Phdr segments[2] = {
        {PT_LOAD,  text_at, PROGRAM_BASE, PROGRAM_BASE, n_text,          n_text,          PF_R | PF_X, 4},
        { PT_LOAD, data_at, 0,            0,            PRU_RANDOM_DATA, PRU_RANDOM_DATA, PF_R | PF_W, 4},
    };
    Elf32_Shdr sections[4] = {
        {.sh_type = SHT_NULL              },
        { .sh_name = 1,
         .sh_type = SHT_PROGBITS,
         .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
         .sh_addr = PROGRAM_BASE,
         .sh_offset = text_at,
         .sh_size = n_text,
         .sh_addralign = 4 },
        {                   .sh_name = 7,
         .sh_type = SHT_PROGBITS,
         .sh_flags = SHF_ALLOC | SHF_WRITE,
         .sh_addr = 0,
         .sh_offset = data_at,
         .sh_size = PRU_RANDOM_DATA,
         .sh_addralign = 4 },
        {                        .sh_name = 13,
         .sh_type = SHT_STRTAB,
         .sh_offset = names_at,
         .sh_size = sizeof(NAMES),
         .sh_addralign = 1 },
    };
    size_t at = 0;

    if (sections_at + sizeof(sections) > size) {
        return 0;
    }
    memset(file, 0, sections_at);
    at = append(file, at, &header, sizeof(header));
    at = append(file, at, segments, sizeof(segments));
    at = append(file, at, program->words, n_text);
    at = append(file, at, program->data, sizeof(program->data));
    (void)append(file, at, NAMES, sizeof(NAMES));
    return append(file, sections_at, sections, sizeof(sections));
}
