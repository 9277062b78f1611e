/* SPDX-License-Identifier: MIT */
#include "pru/sim/truth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEADER_SIZE = 32,
    RECORD_SIZE = 32,
    BUFFER_SIZE = 1 << 18
};

struct truth_file {
    FILE *file;
    char buffer[BUFFER_SIZE];
};

struct truth_file *truth_create(const char *path, bool is_emulation)
{
    struct truth_file *truth = calloc(1, sizeof(*truth));
    unsigned char header[HEADER_SIZE] = "BWTRUTH1";

    if (truth == NULL) {
        return NULL;
    }
    truth->file = fopen(path, "wbe");
    if (truth->file == NULL) {
        free(truth);
        return NULL;
    }
    setvbuf(truth->file, truth->buffer, _IOFBF, sizeof(truth->buffer));
    header[8] = RECORD_SIZE;
    header[12] = is_emulation ? 1 : 0;
    fwrite(header, sizeof(header), 1, truth->file);
    return truth;
}

void truth_append(struct truth_file *file, const struct world_truth *truth)
{
    unsigned char record[RECORD_SIZE] = { 0 };
    float irradiance = (float)truth->irradiance_W_per_m2;

    memcpy(record, &truth->voltage_V, 8);
    memcpy(record + 8, &truth->current_A, 8);
    memcpy(record + 16, &irradiance, 4);
    memcpy(record + 20, &truth->pins, 2);
    record[22] = truth->is_supplied ? 1 : 0;
    fwrite(record, sizeof(record), 1, file->file);
}

int truth_close(struct truth_file **file)
{
    int result = 0;

    if (*file == NULL) {
        return 0;
    }
    result = ferror((*file)->file) ? -1 : 0;
    result = fclose((*file)->file) != 0 ? -1 : result;
    free(*file);
    *file = NULL;
    return result;
}
