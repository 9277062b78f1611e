/* SPDX-License-Identifier: MIT */
#include "sheep/channel_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void channel_files_init(struct channel_files *files, const char *monitor,
                        enum rlog_stream stream, const struct monitor_out *out)
{
    memset(files, 0, sizeof(*files));
    files->monitor = monitor;
    files->stream = stream;
    files->out = *out;
}

void channel_files_fini(struct channel_files *files)
{
    for (size_t i = 0; i < files->n_files; i++) {
        if (files->files[i].fd >= 0) {
            close(files->files[i].fd);
        }
    }
    files->n_files = 0;
}

static void say(const struct channel_files *files, const char *what, const char *name)
{
    char text[160];
    int length = snprintf(text, sizeof(text), "%s: %s: %s", files->monitor, name, what);

    monitor_text(&files->out, RLOG_STREAM_SHEEP, MONITOR_WARNING, clock_utc(&files->out.clock),
                 text, (size_t)length);
}

int channel_files_find(const struct channel_files *files, const char *name)
{
    for (size_t i = 0; i < files->n_files; i++) {
        if (strcmp(files->files[i].channel.name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* As "cooling.Processor", and the next of that name "cooling.Processor:2". */
static void make_unique(const struct channel_files *files, struct channel *channel)
{
    char name[CHANNEL_NAME_SIZE];

    snprintf(name, sizeof(name), "%s", channel->name);
    for (unsigned i = 2; channel_files_find(files, channel->name) >= 0; i++) {
        snprintf(channel->name, sizeof(channel->name), "%.*s:%u", CHANNEL_NAME_SIZE - 5, name,
                 i);
    }
}

int channel_files_add(struct channel_files *files, const struct channel *channel,
                      const char *path, enum number_form form)
{
    struct channel_file file = { .channel = *channel, .form = form, .fd = -1 };
    char text[CHANNEL_TEXT_SIZE];

    if (files->n_files == CHANNEL_MAX) {
        return -1;
    }
    if (path != NULL) {
        file.fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (file.fd < 0) {
            return -1;
        }
    }
    make_unique(files, &file.channel);
    files->files[files->n_files] = file;
    monitor_text(&files->out, files->stream, (uint32_t)files->n_files,
                 clock_utc(&files->out.clock), text, channel_encode(&file.channel, text));
    if (files->n_files == CHANNEL_MAX - 1) {
        say(files, "the last channel for which there is room", file.channel.name);
    }
    return (int)files->n_files++;
}

/* A file of /sys gives its number anew when it is read from its beginning. */
static bool read_text(int fd, char text[CHANNEL_FILE_BYTES])
{
    ssize_t size = pread(fd, text, CHANNEL_FILE_BYTES - 1, 0);

    if (size <= 0) {
        return false;
    }
    text[size] = '\0';
    return true;
}

bool channel_files_read(struct channel_files *files, size_t number, int64_t *value)
{
    struct channel_file *file = &files->files[number];
    char text[CHANNEL_FILE_BYTES];

    if (file->fd < 0) {
        return false;
    }
    if (read_text(file->fd, text) && proc_parse_number(text, file->form, value)) {
        return true;
    }
    if (!file->is_said) {
        file->is_said = true;
        say(files, "cannot be read", file->channel.name);
    }
    return false;
}

void channel_files_flush(struct channel_files *files, int64_t utc_ns)
{
    if (files->n_pairs > 0) {
        monitor_values(&files->out, files->stream, utc_ns, files->pairs, 2 * files->n_pairs);
    }
    files->n_pairs = 0;
}

void channel_files_put(struct channel_files *files, int64_t utc_ns, size_t number,
                       int64_t value)
{
    if (files->n_pairs == CHANNEL_PAIRS) {
        channel_files_flush(files, utc_ns);
    }
    files->pairs[2 * files->n_pairs] = (int64_t)number;
    files->pairs[2 * files->n_pairs + 1] = value;
    files->n_pairs++;
}

bool channel_file_text(const char *path, char text[CHANNEL_FILE_BYTES])
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    bool is_read = fd >= 0 && read_text(fd, text);

    if (fd >= 0) {
        close(fd);
    }
    if (is_read) {
        text[strcspn(text, "\n")] = '\0';
    }
    return is_read;
}
