/* SPDX-License-Identifier: MIT */
/* bits_make FILE: the parameters of every preset, as the PRU gets them, one after the other.
 * What is derived with floating point happens here, once; bits_run then calculates with
 * integers. */
#include "common/presets.h"
#include "common/vsource_derive.h"
#include "tests/support/scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *names;

static void write_params(FILE *file, const char *name, const struct vsource_params *params)
{
    if (names != NULL) {
        fprintf(names, "%s\n", name);
    }
    if (fwrite(params, sizeof(*params), 1, file) != 1) {
        perror("bits_make");
        exit(1);
    }
}

static void write_source(FILE *file, const char *name, const struct source_config *source,
                         enum scene_environment environment)
{
    struct vsource_input input = scene_input(environment);
    struct vsource_params params;
    struct err err = { 0 };

    vsource_derive_defaults(&params);
    if (vsource_derive_source(source, &input, &params, &err) < 0) {
        fprintf(stderr, "bits_make: %s: %s\n", source->name, err.text);
        exit(1);
    }
    write_params(file, name, &params);
}

static void write_sources(FILE *file, const struct presets *presets)
{
    const char *name = NULL;

    for (size_t i = 0; (name = presets_name(presets, PRESET_SOURCE, i)) != NULL; i++) {
        struct source_config source;

        scene_source(presets, name, &source);
        write_source(file, name, &source, SCENE_BLOCKS);
        write_source(file, name, &source, SCENE_SUN);
    }
    for (size_t i = 0; (name = presets_name(presets, PRESET_STORAGE, i)) != NULL; i++) {
        struct source_config source;

        scene_source(presets, "BQ25570s", &source);
        scene_storage(presets, name, &source.storage);
        write_source(file, name, &source, SCENE_BLOCKS);
    }
}

static void write_harvesters(FILE *file, const struct presets *presets)
{
    const char *name = NULL;

    for (size_t i = 0; (name = presets_name(presets, PRESET_HARVESTER, i)) != NULL; i++) {
        struct vsource_input input = scene_input(SCENE_SUN);
        struct harvester_config harvester;
        struct vsource_params params;
        struct err err = { 0 };

        scene_harvester(presets, name, &harvester);
        vsource_derive_defaults(&params);
        if (vsource_derive_harvester(&harvester, &input, &params, &err) == 0) {
            write_params(file, name, &params);
        }
        if (vsource_derive_harvester(&harvester, NULL, &params, &err) == 0) {
            write_params(file, name, &params);
        }
    }
}

int main(int argc, char **argv)
{
    struct fault_list faults = { 0 };
    struct presets *presets = presets_load(NULL, &faults);
    FILE *file = argc >= 2 ? fopen(argv[1], "wb") : NULL;

    names = argc == 3 ? fopen(argv[2], "w") : NULL;

    if (presets == NULL || file == NULL) {
        fprintf(stderr, "usage: bits_make FILE [NAMES]\n");
        return 2;
    }
    write_sources(file, presets);
    write_harvesters(file, presets);
    presets_destroy(&presets);
    fault_fini(&faults);
    if (names != NULL) {
        fclose(names);
    }
    return fclose(file) == 0 ? 0 : 1;
}
