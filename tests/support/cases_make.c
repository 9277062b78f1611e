/* SPDX-License-Identifier: MIT */
/* cases_make DIR FILE: parameters and inputs of the cases of reference vectors in DIR, so that
 * cases_run can step them without floating point. */
#include "common/vsource_derive.h"
#include "tests/support/cases_format.h"
#include "tests/support/vector_config.h"
#include "tests/support/vector_file.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_ROWS = 20000
};

static int derive(const struct vector_file *file, enum case_kind kind,
                  struct vsource_params *params, struct err *err)
{
    static struct source_config config;

    if (kind == CASE_SOURCE) {
        return vector_source_params(file, &config, params, err);
    }
    vsource_derive_defaults(params);
    vector_harvester_params(file, params);
    if (kind == CASE_RECORDER) {
        vector_calibration_params(file, params);
    }
    return 0;
}

static bool write_case(struct vector_file *file, enum case_kind kind, FILE *out)
{
    static struct case_row rows[MAX_ROWS];
    static struct vsource_params params;
    struct case_header header = { .kind = kind };
    const char *prefix = kind == CASE_RECORDER ? "adc_" : "";
    int V = vector_column(file, prefix, kind == CASE_RECORDER ? "V_raw" : "V_inp_uV");
    int I = vector_column(file, prefix, kind == CASE_RECORDER ? "I_raw" : "I_inp_nA");
    int code = vector_column(file, "", "adc_raw");
    struct err err = { 0 };

    if (V < 0 || I < 0 || derive(file, kind, &params, &err) < 0) {
        return false;
    }
    while (header.n_rows < MAX_ROWS && vector_next(file, &err) > 0) {
        rows[header.n_rows++] = (struct case_row){
            .voltage = vector_u32(file, V),
            .current = vector_u32(file, I),
            .target_code = code < 0 ? 0 : vector_u32(file, code),
        };
    }
    return fwrite(&header, sizeof(header), 1, out) == 1
           && fwrite(&params, sizeof(params), 1, out) == 1
           && fwrite(rows, sizeof(rows[0]), header.n_rows, out) == header.n_rows;
}

/* 1 written, 0 of a kind without steps of its own. */
static int make_case(const char *folder, const char *name, FILE *out)
{
    static const char *const kinds[] = { "source", "harvester", "adc_harvest" };
    struct err err = { 0 };
    struct vector_file *file = vector_open(folder, name, &err);
    const char *kind = file != NULL ? vector_text(file, "", "kind") : NULL;
    int made = 0;

    for (size_t i = 0; kind != NULL && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kind, kinds[i]) != 0) {
            continue;
        }
        if (vector_start(file, folder, &err) < 0 || !write_case(file, (enum case_kind)i, out)) {
            fprintf(stderr, "cases_make: %s: %s\n", name, err.text);
            exit(1);
        }
        made = 1;
    }
    vector_close(&file);
    return made;
}

static int is_config(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return dot != NULL && strcmp(dot, ".cfg") == 0;
}

int main(int argc, char **argv)
{
    struct dirent **entries = NULL;
    FILE *out = argc == 3 ? fopen(argv[2], "wb") : NULL;
    int n_entries = 0;
    int n_made = 0;

    if (out == NULL) {
        fprintf(stderr, "usage: cases_make DIR FILE\n");
        return 2;
    }
    n_entries = scandir(argv[1], &entries, is_config, alphasort);
    for (int i = 0; i < n_entries; i++) {
        char name[VECTOR_NAME_SIZE];

        snprintf(name, sizeof(name), "%.*s", (int)(strlen(entries[i]->d_name) - strlen(".cfg")),
                 entries[i]->d_name);
        n_made += make_case(argv[1], name, out);
        free(entries[i]);
    }
    free(entries);
    return fclose(out) == 0 && n_made > 0 ? 0 : 1;
}
