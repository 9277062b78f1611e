/* SPDX-License-Identifier: MIT */
#include "herd/one_liner.h"

#include "common/buf.h"
#include "common/experiment.h"
#include "common/units.h"
#include "common/yaml_doc.h"
#include "herd/context.h"
#include "herd/run.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int one_liner_take(struct one_liner *line, int option, const char *value)
{
    switch (option) {
    case 'd':
        line->duration = value;
        break;
    case 'o':
        line->output = value;
        break;
    case 'a':
        line->algorithm = value;
        break;
    case 'f':
        line->overwrite = true;
        break;
    case 'c':
        line->use_cal_default = true;
        break;
    case 'x':
        line->voltage_aux = value;
        break;
    case ONE_LINER_IO_PORT:
        line->io_port = value;
        break;
    case ONE_LINER_UART:
        line->uart_baudrate = value;
        break;
    case ONE_LINER_NAME:
        line->name = value;
        break;
    case ONE_LINER_TAKE_OVER:
        line->take_over = true;
        break;
    case ONE_LINER_RATE:
        return cli_take_rate(line->options, line->command, value, &line->rate);
    case ONE_LINER_TOTAL_RATE:
        return cli_take_rate(line->options, line->command, value, &line->total_rate);
    default:
        return EXIT_USAGE; /* cli_next has said why */
    }
    return 0;
}

static void put(struct buf *out, const char *indent, const char *key, const char *value)
{
    if (value == NULL) {
        return;
    }
    buf_printf(out, "%s%s: ", indent, key);
    yaml_emit_scalar(value, out);
    buf_text(out, "\n");
}

/* Quoted, a number would be a text, and a whole number is none. */
static void put_number(struct buf *out, const char *indent, const char *key, const char *text)
{
    double number = 0;

    if (text != NULL && text_to_f64(text, &number)) {
        buf_printf(out, "%s%s: %s\n", indent, key, text);
    } else {
        put(out, indent, key, text);
    }
}

static void put_aux(struct buf *out, const char *text)
{
    double volt = 0;

    if (text != NULL && (strcmp(text, "main") == 0 || strcmp(text, "buffer") == 0)) {
        put(out, "  ", "aux_source", text[0] == 'm' ? "mirror" : "storage");
    } else if (text != NULL && text_to_f64(text, &volt)) {
        buf_text(out, "  voltage_aux_mV: ");
        number_format(volt * 1000, out);
        buf_text(out, "\n");
    } else {
        put(out, "  ", "voltage_aux_mV", text);
    }
}

/* The input as the shell's folder has it: an experiment's paths start in its own. */
static int put_input(const char *input, struct buf *out, struct err *err)
{
    char folder[PATH_MAX];
    struct buf path = { 0 };

    if (input == NULL) {
        return 0;
    }
    if (input[0] != '/' && realpath(".", folder) == NULL) {
        return err_set_errno(err, "this folder");
    }
    if (input[0] != '/') {
        buf_printf(&path, "%s/", folder);
    }
    buf_text(&path, input);
    put(out, "  ", "input", path.data);
    buf_fini(&path);
    return 0;
}

static int write_text(const struct one_liner *line, struct buf *out, struct err *err)
{
    bool is_harvest = line->input == NULL;

    put(out, "", "name", line->name != NULL ? line->name : line->command);
    put(out, "", "duration", line->duration); /* a bare number is in seconds */
    buf_text(out, "defaults:\n");
    put(out, "  ", "mode", is_harvest ? "harvest" : "emulate");
    if (put_input(line->input, out, err) < 0) {
        return -1;
    }
    put(out, "  ", is_harvest ? "harvester" : "source", line->algorithm);
    put(out, "  ", "target_port", line->io_port);
    put_aux(out, line->voltage_aux);
    if (line->use_cal_default) {
        buf_text(out, "  use_cal_default: true\n");
    }
    if (line->overwrite) {
        buf_text(out, "  record: {exists: overwrite}\n");
    }
    if (line->uart_baudrate != NULL) {
        buf_text(out, "  log:\n    uart:\n");
        put_number(out, "      ", "baudrate", line->uart_baudrate);
    }
    return out->failed ? err_set(err, ERR_MEMORY, "the experiment") : 0;
}

static int run_text(const struct one_liner *line, const char *text)
{
    struct cmd_options everybody = *line->options;
    struct fault_list faults = { 0 };
    struct context context;
    struct run_request request = { .options = line->options,
                                   .command = line->command,
                                   .context = &context,
                                   .output = line->output,
                                   .take_over = line->take_over,
                                   .rate = line->rate,
                                   .total_rate = line->total_rate };
    int status = 0;

    everybody.limit = NULL;
    status = context_open(&context, &everybody, line->command, NULL, true);
    if (status != 0) {
        return status;
    }
    request.experiment = experiment_parse(text, "command line", context.inventory,
                                          line->options->limit, &faults);
    status = request.experiment == NULL ? cmd_fail_faults(line->options, line->command, &faults)
                                        : run_execute(&request);
    fault_fini(&faults);
    experiment_destroy(&request.experiment);
    context_close(&context);
    return status;
}

int one_liner_run(const struct one_liner *line)
{
    struct buf text = { 0 };
    struct err err = { 0 };
    int status = 0;

    if (write_text(line, &text, &err) < 0) {
        status = cmd_fail(line->options, line->command, &err);
    } else {
        status = run_text(line, text.data);
    }
    buf_fini(&text);
    return status;
}
