/* SPDX-License-Identifier: MIT */
/* decode_input FILE OUT: decodes a harvest as herd does, prints what it is as one line of JSON,
 * and writes OUT.raw, pairs of u32 (uV, nA). Exit status 1 and the reason if it is refused. */
#include "common/h5_input.h"
#include "common/rlog.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum {
    PIECE = 7777
};

static int write_raw(const char *path, struct err *err)
{
    static uint32_t voltage[PIECE];
    static uint32_t current[PIECE];
    struct rlog_input_reader *reader = rlog_input_open(path, err);
    char raw_path[PATH_SIZE + 8];
    FILE *raw = NULL;
    long n = -1;

    snprintf(raw_path, sizeof(raw_path), "%s.raw", path);
    raw = fopen(raw_path, "we");
    if (reader == NULL || raw == NULL) {
        goto done;
    }
    while ((n = rlog_input_read(reader, voltage, current, PIECE, err)) > 0) {
        for (long i = 0; i < n; i++) {
            fwrite(&voltage[i], sizeof(voltage[i]), 1, raw);
            fwrite(&current[i], sizeof(current[i]), 1, raw);
        }
    }
done:
    rlog_input_close(&reader);
    if (raw != NULL && fclose(raw) != 0) {
        n = -1;
    }
    return n < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
    struct h5_input_info checked;
    struct h5_input_info info;
    char digest[DIGEST_TEXT_SIZE];
    struct err err = { 0 };

    if (argc != 3) {
        return 2;
    }
    if (h5_input_check(argv[1], &checked, &err) < 0
        || h5_input_decode(argv[1], argv[2], &info, digest, &err) < 0
        || write_raw(argv[2], &err) < 0) {
        fprintf(stderr, "%s: %s\n", err_code_name(err.code), err.text);
        return 1;
    }
    printf("{\"datatype\": \"%s\", \"window\": %" PRIu32 ", \"samples\": %" PRIu64
           ", \"step_uV\": %.9g, \"hostname\": \"%s\", \"digest\": \"%s\"}\n",
           info.datatype, info.window_samples, info.n_samples, info.voltage_step_uV,
           info.hostname, digest);
    return checked.n_samples == info.n_samples ? 0 : 1;
}
