/* SPDX-License-Identifier: MIT */
/* The table of byte offsets in pru/abi/README.md says what the headers say. */
#include "pru/abi/pru_shm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct member {
    const char *name;
    size_t offset;
    size_t size;
};

#define MEMBER(type, field)                                                                       \
    {                                                                                             \
#        type "." #        field, offsetof(struct type, field), sizeof(((struct type *)0)->field) \
    }

static const struct member members[] = {
    MEMBER(pru_control, abi_version),
    MEMBER(pru_control, canary_head),
    MEMBER(pru_control, command),
    MEMBER(pru_control, command_seq),
    MEMBER(pru_control, mode),
    MEMBER(pru_control, record_mask),
    MEMBER(pru_control, gpio_mask),
    MEMBER(pru_control, period_ticks_q20),
    MEMBER(pru_control, start_tick),
    MEMBER(pru_control, stop_sample),
    MEMBER(pru_control, block_read_idx),
    MEMBER(pru_control, gpio_read_idx),
    MEMBER(pru_control, input_write_idx),
    MEMBER(pru_control, util_read_idx),
    MEMBER(pru_control, input_end),
    MEMBER(pru_control, host_reserved),
    MEMBER(pru_control, state),
    MEMBER(pru_control, error),
    MEMBER(pru_control, error_detail),
    MEMBER(pru_control, command_ack),
    MEMBER(pru_control, started_tick),
    MEMBER(pru_control, samples_done),
    MEMBER(pru_control, inputs_done),
    MEMBER(pru_control, block_write_idx),
    MEMBER(pru_control, gpio_write_idx),
    MEMBER(pru_control, input_read_idx),
    MEMBER(pru_control, util_write_idx),
    MEMBER(pru_control, blocks_lost),
    MEMBER(pru_control, gpio_lost),
    MEMBER(pru_control, input_underruns),
    MEMBER(pru_control, clamped),
    MEMBER(pru_control, alive),
    MEMBER(pru_control, outputs),
    MEMBER(pru_control, counter_turns),
    MEMBER(pru_control, pru_reserved),
    MEMBER(pru_control, util),
    MEMBER(pru_control, reserved),
    MEMBER(pru_control, canary_middle),
    MEMBER(pru_control, params),
    MEMBER(pru_block, first_sample),
    MEMBER(pru_block, first_tick),
    MEMBER(pru_block, n_samples),
    MEMBER(pru_block, record_mask),
    MEMBER(pru_block, period_ticks_q20),
    MEMBER(pru_block, underruns),
    MEMBER(pru_block, first_underrun),
    MEMBER(pru_block, clamped),
    MEMBER(pru_block, flags),
    MEMBER(pru_block, reserved),
    MEMBER(pru_block, canary),
    MEMBER(pru_block, samples),
    MEMBER(pru_block, padding),
    MEMBER(pru_util, first_tick),
    MEMBER(pru_util, pru0_max_ticks),
    MEMBER(pru_util, pru0_sum_ticks),
    MEMBER(pru_util, pru0_count),
    MEMBER(pru_util, pru1_max_ticks),
    MEMBER(pru_util, reserved),
    MEMBER(pru_input, voltage_uV),
    MEMBER(pru_input, current_nA),
    MEMBER(vsource_params, version),
    MEMBER(vsource_params, size),
    MEMBER(vsource_params, adc_voltage),
    MEMBER(vsource_params, adc_current),
    MEMBER(vsource_params, dac_harvest),
    MEMBER(vsource_params, dac_target),
    MEMBER(vsource_params, dac_aux),
    MEMBER(vsource_params, reserved),
    MEMBER(vsource_params, harvester),
    MEMBER(vsource_params, converter),
    MEMBER(vsource_params, store),
    MEMBER(vsource_params, curve_n16),
    MEMBER(vsource_params, curve_peak_V_n16),
    MEMBER(vsource_params, curve_peak_I_n16),
    MEMBER(vsource_params, reserved_end),
    MEMBER(vsource_channel, factor),
    MEMBER(vsource_channel, offset),
    MEMBER(vsource_channel, round),
    MEMBER(vsource_scale, mantissa),
    MEMBER(vsource_scale, shift),
    MEMBER(vsource_harvester, algorithm),
    MEMBER(vsource_harvester, flags),
    MEMBER(vsource_harvester, window_samples),
    MEMBER(vsource_harvester, voltage_uV),
    MEMBER(vsource_harvester, voltage_min_uV),
    MEMBER(vsource_harvester, voltage_max_uV),
    MEMBER(vsource_harvester, voltage_step_uV),
    MEMBER(vsource_harvester, current_limit_nA),
    MEMBER(vsource_harvester, setpoint_n16),
    MEMBER(vsource_harvester, interval_n),
    MEMBER(vsource_harvester, duration_n),
    MEMBER(vsource_harvester, wait_cycles_n),
    MEMBER(vsource_harvester, cutout_cycles_n),
    MEMBER(vsource_harvester, po_step_max_uV),
    MEMBER(vsource_harvester, reserved),
    MEMBER(vsource_converter, flags),
    MEMBER(vsource_converter, startup_drain_n),
    MEMBER(vsource_converter, start_power_n),
    MEMBER(vsource_converter, start_power_uV),
    MEMBER(vsource_converter, check_interval_n),
    MEMBER(vsource_converter, V_input_max_uV),
    MEMBER(vsource_converter, I_input_max_nA),
    MEMBER(vsource_converter, V_input_drop_uV),
    MEMBER(vsource_converter, V_input_boost_threshold_uV),
    MEMBER(vsource_converter, R_input_kOhm_n28),
    MEMBER(vsource_converter, reserved_input),
    MEMBER(vsource_converter, V_enable_uV),
    MEMBER(vsource_converter, V_disable_uV),
    MEMBER(vsource_converter, V_pwr_good_enable_uV),
    MEMBER(vsource_converter, V_pwr_good_disable_uV),
    MEMBER(vsource_converter, V_intermediate_max_uV),
    MEMBER(vsource_converter, V_output_uV),
    MEMBER(vsource_converter, V_buck_drop_uV),
    MEMBER(vsource_converter, V_output_log_gpio_uV),
    MEMBER(vsource_converter, aux_mode),
    MEMBER(vsource_converter, aux_uV),
    MEMBER(vsource_converter, C_output),
    MEMBER(vsource_converter, P_output_charge_fW_n8),
    MEMBER(vsource_converter, LUT_input_V_log2_uV),
    MEMBER(vsource_converter, LUT_input_I_log2_nA),
    MEMBER(vsource_converter, LUT_output_I_log2_nA),
    MEMBER(vsource_converter, output_charge_n),
    MEMBER(vsource_converter, reserved),
    MEMBER(vsource_converter, LUT_input_n20),
    MEMBER(vsource_converter, LUT_output_inverse_n16),
    MEMBER(vsource_store, soc_init_n58),
    MEMBER(vsource_store, soc_max_n58),
    MEMBER(vsource_store, I_leak_nA_n32),
    MEMBER(vsource_store, G_leak),
    MEMBER(vsource_store, soc_per_current),
    MEMBER(vsource_store, V_oc_uV_n8),
    MEMBER(vsource_store, R_series_kOhm_n28),
    MEMBER(vsource_store, R_half_kOhm_n28),
    MEMBER(vsource_store, reserved),
};

static size_t count_rows(const struct member *member, FILE *readme)
{
    char line[400];
    char expected[200];
    size_t found = 0;

    snprintf(expected, sizeof(expected), "| %zu | %zu | %s |", member->offset, member->size,
             strchr(member->name, '.') + 1);
    /* below the heading of its struct */
    char heading[100];
    bool is_inside = false;

    snprintf(heading, sizeof(heading), "### struct %.*s",
             (int)(strchr(member->name, '.') - member->name), member->name);
    rewind(readme);
    while (fgets(line, sizeof(line), readme) != NULL) {
        if (strncmp(line, "###", 3) == 0) {
            is_inside = strncmp(line, heading, strlen(heading)) == 0
                        && strchr(" ,\n", line[strlen(heading)]) != NULL;
        }
        found += is_inside && strncmp(line, expected, strlen(expected)) == 0;
    }
    return found;
}

static void test_readme_has_every_offset(void **state)
{
    FILE *readme = fopen(BW_SOURCE_DIR "/pru/abi/README.md", "r");

    (void)state;
    assert_non_null(readme);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (count_rows(&members[i], readme) != 1) {
            fail_msg("pru/abi/README.md lacks | %zu | %zu | of %s", members[i].offset,
                     members[i].size, members[i].name);
        }
    }
    fclose(readme);
}

/* No hole: each member begins where the one before ends. */
static void test_structs_have_no_holes(void **state)
{
    (void)state;
    for (size_t i = 1; i < sizeof(members) / sizeof(members[0]); i++) {
        if (members[i].offset != 0) {
            assert_int_equal(members[i].offset, members[i - 1].offset + members[i - 1].size);
        }
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readme_has_every_offset),
        cmocka_unit_test(test_structs_have_no_holes),
    };

    if (argc > 1 && strcmp(argv[1], "--table") == 0) {
        for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
            if (members[i].offset == 0) {
                printf("\n### struct %.*s\n\n| offset | bytes | member |\n|---|---|---|\n",
                       (int)(strchr(members[i].name, '.') - members[i].name), members[i].name);
            }
            printf("| %zu | %zu | %s |\n", members[i].offset, members[i].size,
                   strchr(members[i].name, '.') + 1);
        }
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
