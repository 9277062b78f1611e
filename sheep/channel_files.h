/* SPDX-License-Identifier: MIT */
/* Named channels whose values are files with a number in each, as /sys has them: found once,
 * held open, read again and again. */
#ifndef SHEEP_CHANNEL_FILES_H
#define SHEEP_CHANNEL_FILES_H

#include "common/channel.h"
#include "sheep/monitor.h"
#include "sheep/proc_parse.h"

struct channel_file {
    struct channel channel;
    enum number_form form;
    int fd;       /* -1: no file, the value comes from elsewhere */
    bool is_said; /* that it cannot be read */
};

enum {
    CHANNEL_PAIRS = RECORDER_ROW_BYTES / (2 * (int)sizeof(int64_t)) /* in one row */
};

struct channel_files {
    struct monitor_out out;
    enum rlog_stream stream;
    const char *monitor; /* its name, for what is said; static */
    size_t n_files;
    struct channel_file files[CHANNEL_MAX]; /* the index is the channel's number */
    int64_t pairs[2 * CHANNEL_PAIRS];       /* the row that is being filled */
    size_t n_pairs;
};

void channel_files_init(struct channel_files *files, const char *monitor,
                        enum rlog_stream stream, const struct monitor_out *out);
void channel_files_fini(struct channel_files *files);

/* Names a channel in the log; `path` NULL: without a file. A name that is taken gets ":N"
 * behind it. Its number, or -1: no such file, or CHANNEL_MAX are reached (said once). */
int channel_files_add(struct channel_files *files, const struct channel *channel,
                      const char *path, enum number_form form);

/* The number of the channel of this name, -1: none. */
int channel_files_find(const struct channel_files *files, const char *name);

/* False when it has no file or cannot be read now, which is said once. */
bool channel_files_read(struct channel_files *files, size_t number, int64_t *value);

/* Values of one instant, as few rows as they need; flush is the last call for it. */
void channel_files_put(struct channel_files *files, int64_t utc_ns, size_t number,
                       int64_t value);
void channel_files_flush(struct channel_files *files, int64_t utc_ns);

/* Small files, whole, up to the first newline; false when there is none. */
enum {
    CHANNEL_FILE_BYTES = 1024
};
bool channel_file_text(const char *path, char text[CHANNEL_FILE_BYTES]);

#endif
