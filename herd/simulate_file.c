/* SPDX-License-Identifier: MIT */
#include "herd/simulate_file.h"

#include "common/calibration.h"
#include "common/decimate.h"
#include "common/overview.h"
#include "common/rlog.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    NAME_ROOM = PATH_SIZE + 16
};

static const double SAMPLE_S = 1e-5;
static const double CURRENT_ZERO = 2147483648.0; /* of a signed current, in nA */

/* One stream on its way to fewer rows. */
struct reduction {
    struct simulate_file *file;
    uint8_t stream;
    struct decimator decimator;
};

struct simulate_file {
    struct simulate_file_options options;
    struct rlog_manifest manifest;
    char log_folder[NAME_ROOM];
    char part_path[NAME_ROOM];
    char csv_part[NAME_ROOM];
    struct rlog_writer *writer;
    struct rlog_deflate *deflate;
    struct overview *overviews;   /* PRU_BLOCK_ARRAYS */
    struct reduction *reductions; /* as many; NULL: every sample is stored */
    uint64_t from;                /* only samples [from, to) are recorded */
    uint64_t to;
    struct h5_builder *h5;
    FILE *csv;
    uint64_t first;  /* of the chunk */
    uint32_t count;  /* samples in it */
    uint32_t *chunk; /* PRU_BLOCK_ARRAYS x RLOG_CHUNK_SAMPLES */
    uint32_t *scratch;
    uint8_t *packed;
    size_t packed_bytes;
    uint64_t n_edges;
    struct err *stream_err; /* of the call that feeds overviews and reductions */
    int stream_result;
};

static bool is_recorded(const struct simulate_file *file, unsigned array)
{
    switch ((enum pru_array)array) {
    case PRU_ARRAY_VOLTAGE:
        return file->manifest.has_voltage;
    case PRU_ARRAY_CURRENT:
        return file->manifest.has_current;
    case PRU_ARRAY_STORAGE_VOLTAGE:
    case PRU_ARRAY_STORAGE_CURRENT:
        return file->manifest.has_storage;
    }
    return false;
}

static void fill_streams(struct rlog_manifest *manifest, const struct node_config *config)
{
    const struct calibration nominal = calibration_default();
    const char *datatype = "ivsample";

    if (config->mode == MODE_EMULATE) {
        bool is_A = config->target_port == PORT_A;

        manifest->voltage = is_A ? nominal.emu_dac_V_A : nominal.emu_dac_V_B;
        manifest->current = is_A ? nominal.emu_adc_I_A : nominal.emu_adc_I_B;
        snprintf(manifest->datatype, sizeof(manifest->datatype), "%s", datatype);
        return;
    }
    manifest->voltage = nominal.hrv_adc_V;
    manifest->current = nominal.hrv_adc_I;
    if (config->harvester.algorithm == HARVESTER_IVCURVE) {
        datatype = "ivcurve";
        manifest->window_samples =
            config->harvester.samples_n * (1 + config->harvester.wait_cycles);
    } else if (config->harvester.algorithm == HARVESTER_ISC_VOC) {
        datatype = "isc_voc";
        manifest->window_samples = 2 * (1 + config->harvester.wait_cycles);
    }
    snprintf(manifest->datatype, sizeof(manifest->datatype), "%s", datatype);
}

static void fill_manifest(struct simulate_file *file)
{
    struct rlog_manifest *manifest = &file->manifest;
    const struct node_config *config = file->options.config;

    manifest->config = *config;
    manifest->mode = config->mode;
    manifest->n_planned = UINT64_MAX;
    manifest->has_voltage = config->record.voltage;
    manifest->has_current = config->record.current;
    manifest->has_storage = config->record.storage && config->mode == MODE_EMULATE;
    manifest->gpio_mask = config->record.gpio_mask;
    manifest->is_cal_default = true;
    snprintf(manifest->experiment_name, sizeof(manifest->experiment_name), "%s",
             file->options.experiment);
    snprintf(manifest->node, sizeof(manifest->node), "%s", file->options.node);
    snprintf(manifest->version, sizeof(manifest->version), "%s", BW_VERSION);
    snprintf(manifest->board, sizeof(manifest->board), "simulate");
    fill_streams(manifest, config);
}

static int append(struct simulate_file *file, struct rlog_record_header header,
                  const void *payload, size_t size, struct err *err)
{
    return rlog_writer_append(file->writer, header, payload, size, err);
}

static void put_overview(void *arg, const struct rlog_record_header *header,
                         const struct rlog_overview *entries)
{
    struct simulate_file *file = arg;

    if (file->stream_result == 0) {
        file->stream_result =
            append(file, *header, entries, header->count * sizeof(*entries), file->stream_err);
    }
}

static int put_start(struct simulate_file *file, struct err *err)
{
    struct rlog_start start = { .T_ns = file->options.T_ns };
    struct rlog_record_header header = { .type = RLOG_START, .count = 1 };

    return append(file, header, &start, sizeof(start), err);
}

static void put_reduced(void *arg, uint64_t first_row, const uint32_t *rows, uint32_t count);

static int make_reductions(struct simulate_file *file, const struct record_config *record,
                           struct err *err)
{
    record_range(record, &file->from, &file->to);
    if (record_window(record) == 1 || record->overview_only) {
        return 0;
    }
    file->reductions = calloc(PRU_BLOCK_ARRAYS, sizeof(*file->reductions));
    if (file->reductions == NULL) {
        return err_set(err, ERR_MEMORY, "%s", file->options.h5_path);
    }
    for (unsigned i = 0; i < PRU_BLOCK_ARRAYS; i++) {
        struct reduction *reduction = &file->reductions[i];

        reduction->file = file;
        reduction->stream = (uint8_t)(RLOG_STREAM_VOLTAGE + i);
        decimate_init(&reduction->decimator, record_window(record), put_reduced, reduction);
    }
    return 0;
}

static int open_log(struct simulate_file *file, struct err *err)
{
    const struct node_config *config = file->options.config;

    snprintf(file->log_folder, sizeof(file->log_folder), "%s.rlog", file->options.h5_path);
    snprintf(file->part_path, sizeof(file->part_path), "%s.part", file->options.h5_path);
    file->chunk = calloc((size_t)PRU_BLOCK_ARRAYS * RLOG_CHUNK_SAMPLES, sizeof(uint32_t));
    file->scratch = calloc(RLOG_CHUNK_SAMPLES, sizeof(uint32_t));
    file->overviews = calloc(PRU_BLOCK_ARRAYS, sizeof(*file->overviews));
    file->packed_bytes = rlog_deflate_bound(RLOG_CHUNK_SAMPLES);
    if (file->packed_bytes < gpio_codec_bound(PRU_BLOCK_SAMPLES)) {
        file->packed_bytes = gpio_codec_bound(PRU_BLOCK_SAMPLES);
    }
    file->packed = malloc(file->packed_bytes);
    if (file->chunk == NULL || file->scratch == NULL || file->overviews == NULL
        || file->packed == NULL) {
        return err_set(err, ERR_MEMORY, "%s", file->options.h5_path);
    }
    for (unsigned i = 0; i < PRU_BLOCK_ARRAYS; i++) {
        overview_init(&file->overviews[i], (enum rlog_stream)(RLOG_STREAM_VOLTAGE + i),
                      put_overview, file);
    }
    if (make_reductions(file, &config->record, err) < 0) {
        return -1;
    }
    if (config->record.compression != 0) {
        file->deflate = rlog_deflate_create(config->record.compression, err);
        if (file->deflate == NULL) {
            return -1;
        }
    }
    file->writer = rlog_writer_create(file->log_folder, &file->manifest, err);
    return file->writer != NULL ? put_start(file, err) : -1;
}

static int open_csv(struct simulate_file *file, struct err *err)
{
    snprintf(file->csv_part, sizeof(file->csv_part), "%s.part", file->options.csv_path);
    file->csv = fopen(file->csv_part, "we");
    if (file->csv == NULL) {
        return err_set_errno(err, "%s", file->csv_part);
    }
    fprintf(file->csv, "time_s%s%s%s\n", file->manifest.has_voltage ? ",voltage_V" : "",
            file->manifest.has_current ? ",current_A" : "",
            file->manifest.has_storage ? ",storage_voltage_V,storage_current_A" : "");
    return 0;
}

static int check_free(const char *path, struct err *err)
{
    if (path != NULL && access(path, F_OK) == 0) {
        return err_set(err, ERR_EXISTS, "%s exists", path);
    }
    return path != NULL && strlen(path) >= PATH_SIZE
               ? err_set(err, ERR_INPUT, "%s: path too long", path)
               : 0;
}

struct simulate_file *simulate_file_create(const struct simulate_file_options *options,
                                           struct err *err)
{
    struct simulate_file *file = NULL;

    if (check_free(options->h5_path, err) < 0 || check_free(options->csv_path, err) < 0) {
        return NULL;
    }
    file = calloc(1, sizeof(*file));
    if (file == NULL) {
        err_set(err, ERR_MEMORY, "results of the simulation");
        return NULL;
    }
    file->options = *options;
    fill_manifest(file);
    if ((options->h5_path != NULL && open_log(file, err) < 0)
        || (options->csv_path != NULL && open_csv(file, err) < 0)) {
        simulate_file_destroy(&file);
    }
    return file;
}

/* ---- samples ---- */

static int put_rows(struct simulate_file *file, uint8_t stream, uint64_t first,
                    const uint32_t *rows, uint32_t count, struct err *err)
{
    struct rlog_record_header header = {
        .type = RLOG_SAMPLES, .stream = stream, .count = count, .first = first
    };
    size_t size = 0;

    if (count == RLOG_CHUNK_SAMPLES && first % RLOG_CHUNK_SAMPLES == 0) {
        header.flags |= RLOG_FLAG_GRID;
    }
    if (file->deflate != NULL) {
        size = rlog_deflate_u32(file->deflate, rows, count, file->scratch, file->packed,
                                file->packed_bytes);
    }
    if (size != 0) {
        header.flags |= RLOG_FLAG_DEFLATED;
        return append(file, header, file->packed, size, err);
    }
    return append(file, header, rows, count * sizeof(*rows), err);
}

static void put_reduced(void *arg, uint64_t first_row, const uint32_t *rows, uint32_t count)
{
    const struct reduction *reduction = arg;
    struct simulate_file *file = reduction->file;

    if (file->stream_result == 0) {
        file->stream_result =
            put_rows(file, reduction->stream, first_row, rows, count, file->stream_err);
    }
}

/* What of the chunk lies in the range that is recorded. */
static int flush_stream(struct simulate_file *file, unsigned array, struct err *err)
{
    uint64_t end = file->first + file->count < file->to ? file->first + file->count : file->to;
    uint64_t first = file->first > file->from ? file->first : file->from;
    const uint32_t *samples = NULL;

    if (end <= first) {
        return 0;
    }
    samples = file->chunk + (size_t)array * RLOG_CHUNK_SAMPLES + (first - file->first);
    if (file->reductions != NULL) {
        decimate_add(&file->reductions[array].decimator, first, samples, end - first);
    } else if (!file->manifest.config.record.overview_only
               && put_rows(file, (uint8_t)(RLOG_STREAM_VOLTAGE + array), first, samples,
                           (uint32_t)(end - first), err)
                      < 0) {
        return -1;
    }
    overview_add(&file->overviews[array], first, samples, end - first);
    return file->stream_result;
}

static int flush_chunk(struct simulate_file *file, struct err *err)
{
    file->stream_err = err;
    for (unsigned array = 0; array < PRU_BLOCK_ARRAYS && file->count != 0; array++) {
        if (is_recorded(file, array) && flush_stream(file, array, err) < 0) {
            return -1;
        }
    }
    file->first += file->count;
    file->count = 0;
    return 0;
}

/* A block never crosses the border of a chunk: 1000 divides 10 000. */
static int take_samples(struct simulate_file *file, const struct pru_block *block,
                        struct err *err)
{
    for (unsigned array = 0; array < PRU_BLOCK_ARRAYS; array++) {
        memcpy(file->chunk + (size_t)array * RLOG_CHUNK_SAMPLES + file->count,
               block->samples[array], block->n_samples * sizeof(uint32_t));
    }
    file->count += block->n_samples;
    return file->count == RLOG_CHUNK_SAMPLES ? flush_chunk(file, err) : 0;
}

static int take_edges(struct simulate_file *file, const struct simulation_piece *piece,
                      struct err *err)
{
    struct gpio_edge edges[PRU_BLOCK_SAMPLES];
    struct rlog_record_header header = { .type = RLOG_EDGES,
                                         .stream = RLOG_STREAM_GPIO,
                                         .count = (uint32_t)piece->n_edges };
    size_t size = 0;

    if (piece->n_edges == 0) {
        return 0;
    }
    for (size_t i = 0; i < piece->n_edges; i++) {
        edges[i] = piece->edges[i];
        edges[i].time_ns += file->options.T_ns;
    }
    header.first = (uint64_t)edges[0].time_ns;
    size = gpio_codec_encode(edges, piece->n_edges, file->packed, file->packed_bytes);
    file->n_edges += piece->n_edges;
    return append(file, header, file->packed, size, err);
}

static int take_uart(struct simulate_file *file, const struct simulation_piece *piece,
                     struct err *err)
{
    struct rlog_record_header header = { .type = RLOG_TEXT, .stream = RLOG_STREAM_UART };
    const struct pru_block *block = piece->block;

    if (piece->uart_bytes == 0 || !file->options.config->log.uart.enable) {
        return 0;
    }
    header.first = (uint64_t)file->options.T_ns
                   + (block->first_sample + block->n_samples) * UINT64_C(10000);
    return append(file, header, piece->uart, piece->uart_bytes, err);
}

static int take_csv(struct simulate_file *file, const struct pru_block *block, struct err *err)
{
    const struct rlog_manifest *m = &file->manifest;

    for (uint32_t i = 0; i < block->n_samples; i++) {
        fprintf(file->csv, "%.5f", (double)(block->first_sample + i) * SAMPLE_S);
        if (m->has_voltage) {
            fprintf(file->csv, ",%.9g",
                    block->samples[PRU_ARRAY_VOLTAGE][i] * m->voltage.gain + m->voltage.offset);
        }
        if (m->has_current) {
            fprintf(file->csv, ",%.9g",
                    block->samples[PRU_ARRAY_CURRENT][i] * m->current.gain + m->current.offset);
        }
        if (m->has_storage) {
            fprintf(file->csv, ",%.9g,%.9g",
                    block->samples[PRU_ARRAY_STORAGE_VOLTAGE][i] * 1e-6,
                    (block->samples[PRU_ARRAY_STORAGE_CURRENT][i] - CURRENT_ZERO) * 1e-9);
        }
        putc('\n', file->csv);
    }
    return ferror(file->csv) != 0 ? err_set_errno(err, "%s", file->csv_part) : 0;
}

int simulate_file_take(void *arg, const struct simulation_piece *piece, struct err *err)
{
    struct simulate_file *file = arg;

    if (file->writer != NULL
        && (take_samples(file, piece->block, err) < 0 || take_edges(file, piece, err) < 0
            || take_uart(file, piece, err) < 0)) {
        return -1;
    }
    return file->csv != NULL ? take_csv(file, piece->block, err) : 0;
}

/* ---- the end ---- */

static int finish_log(struct simulate_file *file, const struct simulation_result *result,
                      struct err *err)
{
    struct rlog_end end = { .n_samples = result->n_samples,
                            .n_edges = file->n_edges,
                            .n_clamped = result->n_clamped,
                            .reason = RLOG_END_COMPLETE };
    uint8_t digest[RLOG_DIGEST_BYTES];

    if (flush_chunk(file, err) < 0) {
        return -1;
    }
    for (unsigned i = 0; i < PRU_BLOCK_ARRAYS; i++) {
        if (is_recorded(file, i) && file->reductions != NULL) {
            decimate_finish(&file->reductions[i].decimator);
        }
        if (is_recorded(file, i)) {
            overview_finish(&file->overviews[i]);
        }
    }
    if (file->stream_result < 0) {
        return -1;
    }
    return rlog_writer_finish(file->writer, &end, digest, err);
}

static int build(struct simulate_file *file, struct h5_summary *summary, struct err *err)
{
    struct h5_evidence evidence = { 0 };
    int result = -1;

    snprintf(evidence.verdict, sizeof(evidence.verdict), "simulated");
    file->h5 = h5_builder_create(file->log_folder, file->part_path, err);
    if (file->h5 != NULL) {
        result = h5_builder_advance(file->h5, err);
    }
    if (result == 0) {
        return err_set(err, ERR_CORRUPT, "%s has no end", file->log_folder);
    }
    return result < 0
               ? -1
               : h5_builder_finish(file->h5, &evidence, file->options.h5_path, summary, err);
}

static int finish_csv(struct simulate_file *file, struct err *err)
{
    int result = fclose(file->csv);

    file->csv = NULL;
    if (result != 0 || rename(file->csv_part, file->options.csv_path) < 0) {
        return err_set_errno(err, "%s", file->options.csv_path);
    }
    return 0;
}

int simulate_file_finish(struct simulate_file *file, const struct simulation_result *result,
                         struct h5_summary *summary, struct err *err)
{
    memset(summary, 0, sizeof(*summary));
    if (file->writer != NULL
        && (finish_log(file, result, err) < 0 || build(file, summary, err) < 0)) {
        return -1;
    }
    return file->csv != NULL ? finish_csv(file, err) : 0;
}

void simulate_file_destroy(struct simulate_file **file_p)
{
    struct simulate_file *file = *file_p;
    struct err ignored;

    if (file == NULL) {
        return;
    }
    h5_builder_destroy(&file->h5);
    if (file->writer != NULL) {
        rlog_writer_destroy(&file->writer);
        (void)!rlog_remove(file->log_folder, &ignored);
        (void)unlink(file->part_path);
    }
    if (file->csv != NULL) {
        fclose(file->csv);
        (void)unlink(file->csv_part);
    }
    rlog_deflate_destroy(&file->deflate);
    free(file->overviews);
    free(file->reductions);
    free(file->chunk);
    free(file->scratch);
    free(file->packed);
    free(file);
    *file_p = NULL;
}
