/* SPDX-License-Identifier: MIT */
/* Writes harvests as anybody might, right ones and wrong ones, with libhdf5 alone. */
#ifndef TESTS_SUPPORT_HARVEST_FILE_H
#define TESTS_SUPPORT_HARVEST_FILE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    HARVEST_FILE_ROWS = 30000 /* at most, with data behind them */
};

/* A file to be made. */
struct harvest_file {
    const char *mode;     /* NULL: none */
    const char *hostname; /* NULL: none */
    const char *datatype;
    int64_t window; /* -1: none */
    const char *root_config;
    const char *data_config;
    uint64_t n_time;
    uint64_t n_voltage;
    uint64_t n_current;
    uint64_t step_ns;
    double gain_V; /* 0: none */
    double offset_V;
    double gain_A;
    double offset_A;
    bool is_not_recorded; /* the voltage */
    bool is_hollow;       /* extents without data */
    double (*voltage)(uint64_t n);
};

/* One that is right: 100 ivsamples of sheep3, n % 1000 uV and nA. */
struct harvest_file harvest_file_base(void);

/* Writes it and leaves it closed. */
void harvest_file_write(const char *path, const struct harvest_file *recipe);

#endif
