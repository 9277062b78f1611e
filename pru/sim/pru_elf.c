/* SPDX-License-Identifier: MIT */
#include "pru/sim/pru_elf.h"

#include <elf.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int refuse(char *why, size_t size, const char *what)
{
    (void)snprintf(why, size, "%s", what);
    return -1;
}

static bool lies_within(size_t offset, size_t length, size_t size)
{
    return offset <= size && length <= size - offset;
}

static int check_header(const Elf32_Ehdr *header, size_t file_bytes, char *why, size_t size)
{
    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) {
        return refuse(why, size, "is no ELF file");
    }
    if (header->e_ident[EI_CLASS] != ELFCLASS32 || header->e_ident[EI_DATA] != ELFDATA2LSB
        || header->e_machine != PRU_ELF_MACHINE || header->e_type != ET_EXEC) {
        return refuse(why, size, "is no executable for the PRU: link it with pru-elf-ld");
    }
    if (header->e_phentsize != sizeof(Elf32_Phdr)
        || !lies_within(header->e_phoff, (size_t)header->e_phnum * sizeof(Elf32_Phdr),
                        file_bytes)) {
        return refuse(why, size, "is cut off within its program headers");
    }
    return 0;
}

static int load_segment(const uint8_t *file, size_t file_bytes, const Elf32_Phdr *segment,
                        const struct pru_elf_target *target, char *why, size_t size)
{
    bool is_program = segment->p_vaddr >= PRU_ELF_PROGRAM_BASE;
    size_t address = segment->p_vaddr - (is_program ? PRU_ELF_PROGRAM_BASE : 0);
    size_t room = is_program ? target->program_bytes : target->data_bytes;
    uint8_t *memory = is_program ? target->program : target->data;

    if (!lies_within(segment->p_offset, segment->p_filesz, file_bytes)
        || segment->p_filesz > segment->p_memsz) {
        return refuse(why, size, "is cut off within a segment");
    }
    if (!lies_within(address, segment->p_memsz, room)) {
        (void)snprintf(why, size, "needs %zu bytes of %s memory; there are %zu",
                       address + segment->p_memsz, is_program ? "program" : "data", room);
        return -1;
    }
    if (segment->p_memsz == 0) {
        return 0;
    }
    memcpy(memory + address, file + segment->p_offset, segment->p_filesz);
    memset(memory + address + segment->p_filesz, 0, segment->p_memsz - segment->p_filesz);
    if (is_program && target->program_map != NULL) {
        memset(target->program_map + address / 4, 1, (segment->p_memsz + 3) / 4);
    }
    return 0;
}

int pru_elf_load(const void *file, size_t file_bytes, const struct pru_elf_target *target,
                 uint32_t *entry, char *why, size_t size)
{
    const uint8_t *bytes = file;
    Elf32_Ehdr header;

    if (file_bytes < sizeof(header)) {
        return refuse(why, size, "is too short for an ELF file");
    }
    memcpy(&header, bytes, sizeof(header));
    if (check_header(&header, file_bytes, why, size) < 0) {
        return -1;
    }
    for (unsigned i = 0; i < header.e_phnum; i++) {
        Elf32_Phdr segment;

        memcpy(&segment, bytes + header.e_phoff + i * sizeof(segment), sizeof(segment));
        if (segment.p_type == PT_LOAD
            && load_segment(bytes, file_bytes, &segment, target, why, size) < 0) {
            return -1;
        }
    }
    if (header.e_entry < PRU_ELF_PROGRAM_BASE
        || header.e_entry - PRU_ELF_PROGRAM_BASE >= target->program_bytes) {
        return refuse(why, size, "starts outside of program memory");
    }
    *entry = (header.e_entry - PRU_ELF_PROGRAM_BASE) / 4;
    return 0;
}

/* Section `index`; false when the file ends before. */
static bool read_section(const uint8_t *file, size_t file_bytes, const Elf32_Ehdr *header,
                         unsigned index, Elf32_Shdr *section)
{
    size_t offset = header->e_shoff + (size_t)index * sizeof(*section);

    if (header->e_shentsize != sizeof(*section) || index >= header->e_shnum
        || !lies_within(offset, sizeof(*section), file_bytes)) {
        return false;
    }
    memcpy(section, file + offset, sizeof(*section));
    return section->sh_type == SHT_NOBITS
           || lies_within(section->sh_offset, section->sh_size, file_bytes);
}

static int64_t find_symbol(const uint8_t *file, const Elf32_Shdr *symbols,
                           const Elf32_Shdr *strings, const char *name)
{
    size_t length = strlen(name) + 1;

    for (size_t at = 0; at + sizeof(Elf32_Sym) <= symbols->sh_size; at += sizeof(Elf32_Sym)) {
        Elf32_Sym symbol;

        memcpy(&symbol, file + symbols->sh_offset + at, sizeof(symbol));
        if (lies_within(symbol.st_name, length, strings->sh_size)
            && memcmp(file + strings->sh_offset + symbol.st_name, name, length) == 0) {
            return symbol.st_value >= PRU_ELF_PROGRAM_BASE
                       ? symbol.st_value - PRU_ELF_PROGRAM_BASE
                       : symbol.st_value;
        }
    }
    return -1;
}

int64_t pru_elf_symbol(const void *file, size_t file_bytes, const char *name)
{
    Elf32_Ehdr header;
    Elf32_Shdr symbols;
    Elf32_Shdr strings;

    if (file_bytes < sizeof(header)) {
        return -1;
    }
    memcpy(&header, file, sizeof(header));
    for (unsigned i = 0; i < header.e_shnum; i++) {
        if (read_section(file, file_bytes, &header, i, &symbols)
            && symbols.sh_type == SHT_SYMTAB
            && read_section(file, file_bytes, &header, symbols.sh_link, &strings)
            && strings.sh_type == SHT_STRTAB) {
            return find_symbol(file, &symbols, &strings, name);
        }
    }
    return -1;
}
