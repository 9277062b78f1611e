/* SPDX-License-Identifier: MIT */
/* A small driver for the fuzz targets where libFuzzer is not: some seconds of seeded, blind
 * changes, so that every change of the code meets hostile bytes under the sanitizers. The
 * searching is done by libFuzzer (BW_FUZZ, tests/nightly.sh).
 *
 *   fuzz_NAME [SECONDS [SEED]] */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    SIZE_MAX_BYTES = 4096,
    POOL = 16,
    LOOK_EVERY = 16
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

struct input {
    size_t size;
    uint8_t bytes[SIZE_MAX_BYTES];
};

static uint64_t state;

static uint64_t draw(uint64_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % below;
}

/* Bytes that parsers stumble over come more often than others. */
static uint8_t draw_byte(void)
{
    static const uint8_t odd[] = { 0, 1, 0xFF, 0x7F, 0x80, 'S', 'B', '1', '\n', ' ', ':', '-' };

    return draw(3) == 0 ? odd[draw(sizeof(odd))] : (uint8_t)draw(256);
}

static void make_new(struct input *input)
{
    input->size = (size_t)draw(draw(4) == 0 ? SIZE_MAX_BYTES : 128);
    for (size_t i = 0; i < input->size; i++) {
        input->bytes[i] = draw_byte();
    }
}

static void change(struct input *input)
{
    for (uint64_t n = draw(8) + 1; n > 0 && input->size > 0; n--) {
        size_t at = (size_t)draw(input->size);

        if (draw(8) == 0) {
            input->size = at; /* cut */
        } else if (draw(8) == 0 && input->size + 8 < SIZE_MAX_BYTES) {
            memmove(input->bytes + at + 8, input->bytes + at, input->size - at);
            input->size += 8;
        } else {
            input->bytes[at] = draw_byte();
        }
    }
}

int main(int argc, char **argv)
{
    static struct input pool[POOL];
    time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 2);
    unsigned long n_runs = 0;

    state = argc > 2 ? strtoull(argv[2], NULL, 10) | 1 : 88172645463325252u;
    if (LLVMFuzzerInitialize != NULL) {
        (void)LLVMFuzzerInitialize(&argc, &argv);
    }
    while (time(NULL) < end) {
        for (int i = 0; i < LOOK_EVERY; i++, n_runs++) {
            struct input *input = &pool[draw(POOL)];

            if (input->size == 0 || draw(4) == 0) {
                make_new(input);
            } else {
                change(input);
            }
            (void)LLVMFuzzerTestOneInput(input->bytes, input->size);
        }
    }
    printf("%lu inputs\n", n_runs);
    return 0;
}
