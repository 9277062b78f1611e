/* SPDX-License-Identifier: MIT */
/* Reads firmware as pru-elf-ld writes it: ELF32, little endian, machine EM_TI_PRU, two address
 * spaces of which program memory is moved to 0x20000000. A file from outside: every length is
 * checked. */
#ifndef PRU_SIM_PRU_ELF_H
#define PRU_SIM_PRU_ELF_H

#include <stddef.h>
#include <stdint.h>

enum {
    PRU_ELF_MACHINE = 144,
};

static const uint32_t PRU_ELF_PROGRAM_BASE = 0x20000000u;

/* Where the segments go. */
struct pru_elf_target {
    uint8_t *program; /* loaded bytes; the rest stays */
    size_t program_bytes;
    uint8_t *program_map; /* one byte a word: 1 where something was loaded; may be NULL */
    uint8_t *data;
    size_t data_bytes;
};

/* 0 and the entry in words; -1 and a reason of at most `size` bytes. What the sections .bss and
 * the like occupy is zeroed. */
int pru_elf_load(const void *file, size_t file_bytes, const struct pru_elf_target *target,
                 uint32_t *entry, char *why, size_t size);

/* The value of a symbol, program addresses in bytes from 0; -1 without it. */
int64_t pru_elf_symbol(const void *file, size_t file_bytes, const char *name);

#endif
