/* SPDX-License-Identifier: MIT */
/* herd info: what a recording amounts to. */
#include "herd/cli.h"
#include "herd/cmd.h"
#include "herd/report.h"

#include "common/buf.h"
#include "common/clock.h"
#include "common/h5_describe.h"
#include "common/h5_info.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char USAGE[] =
    "Usage: herd info [options] FILE...\n\n"
    "Summarizes HDF5 recordings, ours or Shepherd's: samples and gaps, start error, energy,\n"
    "voltage and current, edges, on-time of power-good, verdict and remarks. Everything that\n"
    "can be is counted from the data. For a proof see herd verify.\n\n"
    "Examples:\n"
    "  herd info results/emu_day_2026-11-28T12-00-00Z_sheep0.h5\n"
    "  herd info --json results/*.h5\n";

static const struct cli_option OPTIONS[] = {
    {0, NULL, false},
};

static double duration_s(const struct h5_info *info)
{
    return (double)info->summary.n_samples * 1e-5;
}

static void print_range(const char *name, const struct h5_range *range, double scale,
                        const char *unit, bool is_counted)
{
    if (!range->is_recorded) {
        printf("  %-14s not recorded\n", name);
    } else if (is_counted) {
        printf("  %-14s mean %.6g %s, from %.6g to %.6g\n", name, range->mean * scale, unit,
               range->minimum * scale, range->maximum * scale);
    }
}

static void print_start(const struct h5_info *info)
{
    char text[CLOCK_TEXT_SIZE];
    char error[HUMAN_TEXT_SIZE];
    char bound[HUMAN_TEXT_SIZE];

    clock_format_utc(info->first_ns, text);
    printf("  %-14s %s\n", "first sample", text);
    if (info->is_ours) {
        printf("  %-14s %s, known within %s\n", "start error",
               human_ns(info->summary.start_error_ns, error),
               human_ns(info->summary.start_bound_ns, bound));
    }
    if (info->has_clock) {
        printf("  %-14s %s from the herd's median, known within %s\n", "clock",
               human_ns(info->clock_offset_ns, error), human_ns(info->clock_bound_ns, bound));
    }
}

static void print_verdict(const struct h5_info *info)
{
    if (info->is_ours) {
        printf("  %-14s %s\n", "ended", h5_end_reason_name(info->summary.end_reason));
    }
    if (info->verdict[0] != '\0') {
        printf("  %-14s %s\n", "verdict", info->verdict);
    }
    for (const char *at = info->summary.remarks; *at != '\0';) {
        size_t length = strcspn(at, "\n");

        printf("  %-14s %.*s\n", "remark", (int)length, at);
        at += length + (at[length] == '\n');
    }
}

static void print_info(const char *path, const struct h5_info *info)
{
    const struct h5_summary *summary = &info->summary;
    bool is_counted = summary->n_samples > summary->n_gap_samples;
    char text[HUMAN_TEXT_SIZE];

    printf("%s\n", path);
    printf("  %-14s %s of %s, %s%s%s\n", "recording", info->mode, info->hostname,
           info->datatype, info->experiment[0] != '\0' ? ", experiment " : "",
           info->experiment);
    print_start(info);
    printf("  %-14s %llu in %.5f s, %llu missing in %llu gap(s)\n", "samples",
           (unsigned long long)summary->n_samples, duration_s(info),
           (unsigned long long)summary->n_gap_samples, (unsigned long long)info->n_gaps);
    if (info->samplerate_Hz != RECORD_100_KHZ) {
        printf("  %-14s %u Hz: each row is the mean of its window\n", "rate",
               info->samplerate_Hz);
    }
    print_range("voltage", &info->voltage, 1, "V", is_counted);
    print_range("current", &info->current, 1e3, "mA", is_counted);
    if (isfinite(summary->energy_Ws)) {
        printf("  %-14s %.9g mWs, mean %.6g mW\n", "energy", summary->energy_Ws * 1e3,
               summary->energy_Ws * 1e3 / duration_s(info));
    }
    printf("  %-14s %llu\n", "gpio edges", (unsigned long long)summary->n_edges);
    if (info->has_power_good) {
        printf("  %-14s %.6f s (%.3f %%), turned on %llu time(s)\n", "power-good",
               info->on_time_s, info->on_time_s / duration_s(info) * 100,
               (unsigned long long)info->n_turn_ons);
    }
    printf("  %-14s %s, compression %s%s%s\n", "file", human_bytes(summary->file_bytes, text),
           info->compression, info->software[0] != '\0' ? ", by " : "", info->software);
    if (info->calibration[0] != '\0') {
        printf("  %-14s %s\n", "calibration", info->calibration);
    }
    print_verdict(info);
}

static void json_range(struct json *json, const char *key, const struct h5_range *range,
                       bool is_counted)
{
    if (!range->is_recorded || !is_counted) {
        json_null(json, key);
        return;
    }
    json_open(json, key, '{');
    json_f64(json, "minimum", range->minimum);
    json_f64(json, "mean", range->mean);
    json_f64(json, "maximum", range->maximum);
    json_close(json, '}');
}

static void json_results(struct json *json, const struct h5_info *info)
{
    const struct h5_summary *summary = &info->summary;
    bool is_counted = summary->n_samples > summary->n_gap_samples;

    json_u64(json, "samples", summary->n_samples);
    json_u64(json, "samplerate_Hz", info->samplerate_Hz);
    json_f64(json, "duration_s", duration_s(info));
    json_u64(json, "gaps", info->n_gaps);
    json_u64(json, "gap_samples", summary->n_gap_samples);
    json_u64(json, "edges", summary->n_edges);
    json_range(json, "voltage_V", &info->voltage, is_counted);
    json_range(json, "current_A", &info->current, is_counted);
    json_f64(json, "energy_Ws", summary->energy_Ws);
    if (info->has_power_good) {
        json_f64(json, "on_time_s", info->on_time_s);
        json_u64(json, "turn_ons", info->n_turn_ons);
    } else {
        json_null(json, "on_time_s");
    }
}

static void json_info(const char *path, const struct h5_info *info)
{
    struct buf line = { 0 };
    struct json json = { .out = &line };

    json_open(&json, NULL, '{');
    json_text(&json, "file", path);
    json_text(&json, "mode", info->mode);
    json_text(&json, "datatype", info->datatype);
    json_text(&json, "node", info->hostname);
    json_text(&json, "experiment", info->experiment[0] != '\0' ? info->experiment : NULL);
    json_i64(&json, "first_ns", info->first_ns);
    if (info->is_ours) {
        json_i64(&json, "start_error_ns", info->summary.start_error_ns);
        json_i64(&json, "start_bound_ns", info->summary.start_bound_ns);
        json_text(&json, "ended", h5_end_reason_name(info->summary.end_reason));
    }
    json_results(&json, info);
    json_text(&json, "compression", info->compression);
    json_u64(&json, "bytes", info->summary.file_bytes);
    json_text(&json, "verdict", info->verdict[0] != '\0' ? info->verdict : NULL);
    json_text(&json, "remarks", info->summary.remarks);
    json_close(&json, '}');
    json_line(&json, stdout);
    buf_fini(&line);
}

static int run(const struct cmd_options *options, int argc, char **argv)
{
    struct cli_scan scan = {
        .global = options, .options = OPTIONS, .argc = argc, .argv = argv
    };
    const char *value = NULL;
    int worst = EXIT_ALL_VALID;

    if (cli_next(&scan, &value) != 0) {
        return EXIT_USAGE;
    }
    if (scan.n_operands == 0) {
        return cmd_misuse(options, "info", "which file?");
    }
    for (int i = 0; i < scan.n_operands; i++) {
        const char *path = argv[scan.at + i];
        struct h5_info info;
        struct err err = { 0 };

        if (h5_info(path, &info, &err) < 0) {
            int status = cmd_fail(options, "info", &err);

            worst = status > worst ? status : worst;
        } else if (options->is_json) {
            json_info(path, &info);
        } else {
            print_info(path, &info);
        }
    }
    return worst;
}

const struct cmd cmd_info = {
    .name = "info",
    .summary = "summarize recordings: samples, energy, on-time, start error, verdict",
    .usage = USAGE,
    .run = run,
};
