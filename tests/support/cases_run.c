/* SPDX-License-Identifier: MIT */
/* cases_run FILE: steps pru/core through what cases_make wrote and prints a digest over all
 * that comes out, and the number of cases. Integers only, as bits_run. */
#include "pru/core/adc_harvester.h"
#include "pru/core/vsource.h"
#include "tests/support/cases_format.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

static uint64_t digest = 14695981039346656037u; /* FNV-1a */

static void add(uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        digest = (digest ^ (value & 255u)) * 1099511628211u;
        value >>= 8;
    }
}

static void add_pair(uint32_t high, uint32_t low)
{
    add(((uint64_t)high << 32) | low);
}

static void step_source(struct vsource *source, const struct case_row *row)
{
    struct curve_point input = { row->voltage, row->current };
    struct vsource_output output;

    vsource_step(source, input, row->target_code, &output);
    add_pair(output.V_mid_uV, output.I_mid_offset_nA);
    add_pair(output.target_code, output.I_out_nA);
    add_pair(output.V_harvest_uV, output.I_harvest_nA);
    add_pair(output.is_on ? 1u : 0u, output.is_power_good ? 1u : 0u);
    add(source->store.soc_n58);
    add(source->store.soc_rest);
}

static void step_harvester(struct curve_harvester *harvester, const struct case_row *row)
{
    struct curve_point input = { row->voltage, row->current };
    struct curve_point output = curve_harvester_step(harvester, input);

    add_pair(output.voltage_uV, output.current_nA);
    add_pair(harvester->set_uV, harvester->interval_step);
}

static void step_recorder(struct adc_harvester *harvester, const struct case_row *row)
{
    struct adc_codes codes = { row->voltage, row->current };
    struct adc_output output;

    adc_harvester_step(harvester, codes, &output);
    add_pair(output.recorded.voltage, output.recorded.current);
    add_pair(output.has_dac ? 1u : 0u, output.has_dac ? output.dac_code : 0u);
}

static bool run_case(FILE *file, const struct case_header *header)
{
    static struct vsource_params params;
    static struct vsource source;
    static struct curve_harvester harvester;
    static struct adc_harvester recorder;
    struct case_row row;

    if (fread(&params, sizeof(params), 1, file) != 1) {
        return false;
    }
    vsource_init(&source, &params);
    curve_harvester_init(&harvester, &params);
    adc_harvester_init(&recorder, &params);
    for (uint32_t k = 0; k < header->n_rows; k++) {
        if (fread(&row, sizeof(row), 1, file) != 1) {
            return false;
        }
        if (header->kind == CASE_SOURCE) {
            step_source(&source, &row);
        } else if (header->kind == CASE_HARVESTER) {
            step_harvester(&harvester, &row);
        } else {
            step_recorder(&recorder, &row);
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    struct case_header header;
    uint32_t count = 0;
    bool is_whole = file != NULL;

    while (is_whole && fread(&header, sizeof(header), 1, file) == 1) {
        is_whole = run_case(file, &header);
        count++;
    }
    if (!is_whole || count == 0) {
        fprintf(stderr, "usage: cases_run FILE, whole\n");
        return 2;
    }
    fclose(file);
    printf("%016" PRIx64 " %u\n", digest, count);
    return 0;
}
