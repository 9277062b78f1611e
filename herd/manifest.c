/* SPDX-License-Identifier: MIT */
/* The manifest of an experiment: what was wanted, agreed, measured and received. */
#include "herd/run_state.h"

#include "common/buf.h"
#include "common/log.h"
#include "common/yaml_doc.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    CONFIG_INDENT = 6
};

/* After attach, the configuration is what the node's own log says. */
void run_recall_config(struct run *run, size_t i)
{
    struct run_node *node = &run->nodes[i];
    struct rlog_reader *log = NULL;

    if (node->config != NULL || node->config_text.size > 0) {
        return;
    }
    log = rlog_reader_open(collect_folder(node->collect), NULL);
    if (log != NULL) {
        schema_encode(&node_config_schema, &rlog_reader_manifest(log)->config,
                      &node->config_text, CONFIG_INDENT);
        rlog_reader_close(&log);
    }
}

static void put_text(struct buf *out, const char *indent, const char *key, const char *value)
{
    buf_printf(out, "%s%s: ", indent, key);
    yaml_emit_scalar(value, out);
    buf_text(out, "\n");
}

static void put_time(struct buf *out, const char *key, int64_t utc_ns)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_utc(utc_ns, text);
    put_text(out, "", key, text);
}

static void put_clock(struct buf *out, const struct run *run, const struct run_node *node)
{
    const struct body_clock *claim = &node->clock.claim;

    if (node->clock.view.n_exchanges == 0) {
        return;
    }
    buf_printf(out,
               "    clock: {offset_to_median_ns: %" PRId64 ", bound_ns: %" PRId64
               ", exchanges: %u, is_locked: %s, claimed_offset_ns: %" PRId64
               ", claimed_bound_ns: %" PRId64 ", source: ",
               node->clock.view.offset_ns - run->median.offset_ns, node->clock.view.bound_ns,
               node->clock.view.n_exchanges, claim->is_locked ? "true" : "false",
               claim->claimed_offset_ns, claim->claimed_bound_ns);
    yaml_emit_scalar(claim->source, out);
    buf_text(out, "}\n");
}

static void put_recording(struct buf *out, const struct run_node *node)
{
    if (node->is_started) {
        buf_printf(out, "    start_error_ns: %" PRId64 "\n    start_bound_ns: %" PRId64 "\n",
                   node->started.start_error_ns, node->started.start_bound_ns);
    }
    if (node->is_ended) {
        buf_printf(out,
                   "    n_samples: %" PRIu64 "\n    n_gap_samples: %" PRIu64
                   "\n    end_reason: %" PRIu64 "\n    log_bytes: %" PRIu64 "\n",
                   node->ended.n_samples, node->ended.n_gap_samples, node->ended.reason,
                   node->ended.log_bytes);
        put_text(out, "    ", "log_digest", node->ended.digest);
    }
    if (node->is_built) {
        const char *slash = strrchr(node->final_path, '/');

        put_text(out, "    ", "file", slash != NULL ? slash + 1 : node->final_path);
        buf_printf(out,
                   "    file_bytes: %" PRIu64 "\n    ring_fill_max_percent: %u"
                   "\n    queue_fill_max_percent: %u\n",
                   node->summary.file_bytes, node->summary.ring_fill_max_percent,
                   node->summary.queue_fill_max_percent);
        if (isfinite(node->summary.energy_Ws)) { /* both traces were recorded */
            buf_printf(out, "    energy_Ws: %.9g\n", node->summary.energy_Ws);
        }
        buf_printf(out, "    is_released: %s\n", node->is_released ? "true" : "false");
    }
}

static void put_node(struct buf *out, const struct run *run, size_t i)
{
    const struct run_node *node = &run->nodes[i];
    char text[VERDICT_TEXT_SIZE + 40];

    buf_text(out, "  ");
    yaml_emit_scalar(run->names[i], out);
    buf_text(out, ":\n");
    if (node->has_verdict) {
        verdict_print(&node->verdict, text, sizeof(text));
    }
    put_text(out, "    ", "verdict", node->has_verdict ? text : "not yet");
    buf_printf(out, "    is_required: %s\n", run->required[i] ? "true" : "false");
    put_text(out, "    ", "log", node->log);
    buf_printf(out, "    boot_id: %" PRIu64 "\n", flock_session(run->flock, i)->boot_id);
    put_text(out, "    ", "version", flock_session(run->flock, i)->welcome.version);
    put_text(out, "    ", "board", flock_session(run->flock, i)->welcome.board);
    put_clock(out, run, node);
    put_recording(out, node);
    if (node->config != NULL) {
        buf_text(out, "    config:\n");
        schema_encode(&node_config_schema, node->config, out, CONFIG_INDENT);
    } else if (node->config_text.size > 0) {
        buf_text(out, "    config:\n");
        buf_append(out, node->config_text.data, node->config_text.size);
    }
}

static void put_head(struct buf *out, const struct run *run)
{
    put_text(out, "", "experiment", run->name);
    put_text(out, "", "id", run->id);
    buf_printf(out, "token: 0x%016" PRIx64 "\n", run->experiment);
    put_text(out, "", "herd_version", BW_VERSION);
    put_time(out, "T", run->start.T_ns);
    buf_printf(out,
               "T_ns: %" PRId64 "\narm_n: %" PRIu64 "\nclock_error_max_ns: %" PRId64
               "\nmedian_offset_ns: %" PRId64 "\nis_attached: %s\n",
               run->start.T_ns, run->start.n, run->clock_error_max_ns, run->median.offset_ns,
               run->is_attached ? "true" : "false");
    if (run->stop_sample > 0) {
        buf_printf(out, "stopped_after_samples: %" PRIu64 "\n", run->stop_sample);
    }
    put_time(out, "written", clock_utc_ns());
}

void run_write_manifest(struct run *run)
{
    char stem[RUN_STEM_SIZE];
    struct buf out = { 0 };
    struct err err = { 0 };

    run_stem(run, run->n_nodes > 0 ? run->nodes[0].mode : MODE_HARVEST, stem);
    if (snprintf(run->manifest, sizeof(run->manifest), "%s/%s.manifest.yaml", run->output, stem)
        >= (int)sizeof(run->manifest)) {
        return;
    }
    put_head(&out, run);
    buf_text(&out, "nodes:\n");
    for (size_t i = 0; i < run->n_nodes; i++) {
        put_node(&out, run, i);
    }
    if (out.failed) {
        err_set(&err, ERR_MEMORY, "the manifest");
    }
    if (out.failed || file_write_atomic(run->manifest, out.data, out.size, 0644, &err) < 0) {
        log_error("manifest: %s", err.text);
        run->manifest[0] = '\0';
    }
    buf_fini(&out);
}
