/* SPDX-License-Identifier: MIT */
/* vsource_vectors DIR: runs every case of reference vectors in a folder through pru/core.
 *
 * A case is NAME.cfg with a key `kind`, and NAME.csv.xz. One line per case; exit status 1 when
 * one fails or cannot be run, or when the folder holds none, 2 for wrong usage. */
#include "tests/support/vector_cases.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kind {
    const char *name;
    vector_kind_fn run;
};

static const struct kind kinds[] = {
    {"harvester",    vector_run_harvester  },
    { "adc_harvest", vector_run_adc_harvest},
    { "calibration", vector_run_calibration},
    { "cnv_power",   vector_run_cnv_power  },
    { "storage",     vector_run_storage    },
    { "source",      vector_run_source     },
};

static int is_config(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return dot != NULL && strcmp(dot, ".cfg") == 0;
}

static int run_kind(struct vector_file *file, const char *folder, const char *kind,
                    struct vector_result *result, struct err *err)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].name, kind) == 0) {
            return vector_start(file, folder, err) < 0 ? -1 : kinds[i].run(file, result, err);
        }
    }
    return err_set(err, ERR_INPUT, "unknown kind '%s'", kind);
}

/* 1 passed, 0 failed, -1 no case at all. */
static int run_case(const char *folder, const char *file_name)
{
    struct vector_result result = { .is_passed = false, .text = "" };
    struct err err = { .code = ERR_NONE };
    char name[VECTOR_NAME_SIZE];
    struct vector_file *file = NULL;
    const char *kind = NULL;
    int passed = -1;

    snprintf(name, sizeof(name), "%.*s", (int)(strlen(file_name) - strlen(".cfg")), file_name);
    file = vector_open(folder, name, &err);
    if (file == NULL) {
        printf("%-28s %-12s FAIL  %s\n", name, "?", err.text);
        return 0;
    }
    kind = vector_text(file, "", "kind");
    if (kind != NULL) {
        if (run_kind(file, folder, kind, &result, &err) < 0) {
            result.is_passed = false;
            snprintf(result.text, sizeof(result.text), "%.500s", err.text);
        }
        passed = result.is_passed ? 1 : 0;
        printf("%-28s %-12s %s  %s\n", name, kind, result.is_passed ? "pass" : "FAIL",
               result.text);
    }
    vector_close(&file);
    return passed;
}

int main(int argc, char **argv)
{
    struct dirent **entries = NULL;
    int n_entries = 0;
    int n_cases = 0;
    int n_failed = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: %s DIR\n", argv[0]);
        return 2;
    }
    n_entries = scandir(argv[1], &entries, is_config, alphasort);
    for (int i = 0; i < n_entries; i++) {
        int passed = run_case(argv[1], entries[i]->d_name);

        n_cases += passed >= 0;
        n_failed += passed == 0;
        free(entries[i]);
    }
    free(entries);
    printf("%d cases, %d failed\n", n_cases, n_failed);
    if (n_cases == 0) {
        fprintf(stderr, "%s: no case in this folder\n", argv[1]);
    }
    return n_cases == 0 || n_failed > 0 ? 1 : 0;
}
