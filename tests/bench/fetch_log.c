/* SPDX-License-Identifier: MIT */
/* fetch_log INVENTORY KEY NODE LOG FOLDER: fetches one closed log as herd retrieve does,
 * without building HDF5 of it; prints bytes, seconds and the processor's seconds. For
 * transfer.py. */
#include "herd/fetch.h"

#include "common/buf.h"
#include "common/clock.h"
#include "common/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static int die(const struct err *err)
{
    fprintf(stderr, "fetch_log: %s\n", err->text);
    return 1;
}

static double cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
           + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

int main(int argc, char **argv)
{
    struct fetch_options options = { .silence_ms = 10000 };
    struct fetch_job job = { 0 };
    struct fault_list faults = { 0 };
    struct key_pair key;
    struct inventory *inventory = NULL;
    struct err err = { 0 };
    int64_t begin_ns = 0;

    if (argc != 6) {
        err_set(&err, ERR_USAGE, "INVENTORY KEY NODE LOG FOLDER");
        return die(&err);
    }
    wire_init();
    inventory = inventory_load(argv[1], &faults);
    if (inventory == NULL || key_load(&key, argv[2], &err) < 0) {
        return die(&err);
    }
    while (job.node < inventory->n_nodes
           && strcmp(inventory->nodes[job.node].name, argv[3]) != 0) {
        job.node++;
    }
    snprintf(job.log, sizeof(job.log), "%s", argv[4]);
    snprintf(job.folder, sizeof(job.folder), "%s", argv[5]);
    options.inventory = inventory;
    options.key = &key;
    begin_ns = clock_mono_ns();
    if (job.node == inventory->n_nodes || fetch_all(&options, &job, 1, &err) < 0) {
        return die(&err);
    }
    if (!job.is_whole) {
        return die(&job.err);
    }
    printf("%llu %.6f %.6f\n", (unsigned long long)job.bytes,
           (double)(clock_mono_ns() - begin_ns) * 1e-9, cpu_seconds());
    inventory_destroy(&inventory);
    fault_fini(&faults);
    return 0;
}
