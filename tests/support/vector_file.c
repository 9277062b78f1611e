/* SPDX-License-Identifier: MIT */
#include "tests/support/vector_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PATH_BYTES = 4096,
    KEY_BYTES = 256
};

static int add_line(struct vector_file *file, char *line)
{
    size_t length = strcspn(line, " \t\n");
    struct vector_entry *grown = NULL;
    char *value = line + length;

    if (length == 0) {
        return 0;
    }
    grown = realloc(file->entries, (file->n_entries + 1) * sizeof(*grown));
    if (grown == NULL) {
        return -1;
    }
    file->entries = grown;
    value += strspn(value, " \t");
    value[strcspn(value, "\n")] = '\0';
    grown[file->n_entries].key = strndup(line, length);
    grown[file->n_entries].value = strdup(value);
    file->n_entries++;
    return 0;
}

struct vector_file *vector_open(const char *folder, const char *name, struct err *err)
{
    struct vector_file *file = calloc(1, sizeof(*file));
    char path[PATH_BYTES];
    char *line = NULL;
    size_t size = 0;
    FILE *stream = NULL;

    snprintf(path, sizeof(path), "%s/%s.cfg", folder, name);
    stream = fopen(path, "r");
    if (file == NULL || stream == NULL) {
        err_set_errno(err, "%s", path);
        free(file);
        if (stream != NULL) {
            fclose(stream);
        }
        return NULL;
    }
    snprintf(file->name, sizeof(file->name), "%s", name);
    while (getline(&line, &size, stream) > 0 && add_line(file, line) == 0) {}
    free(line);
    fclose(stream);
    return file;
}

static void stop_child(struct vector_file *file)
{
    if (file->stream != NULL) {
        fclose(file->stream);
        file->stream = NULL;
    }
    if (file->child > 0) {
        (void)waitpid(file->child, NULL, 0);
        file->child = 0;
    }
}

void vector_close(struct vector_file **file_p)
{
    struct vector_file *file = *file_p;

    if (file == NULL) {
        return;
    }
    stop_child(file);
    for (size_t i = 0; i < file->n_entries; i++) {
        free(file->entries[i].key);
        free(file->entries[i].value);
    }
    free(file->entries);
    free(file->header);
    free(file);
    *file_p = NULL;
}

const char *vector_text(const struct vector_file *file, const char *prefix, const char *key)
{
    char full[KEY_BYTES];

    snprintf(full, sizeof(full), "%s%s", prefix, key);
    for (size_t i = 0; i < file->n_entries; i++) {
        if (strcmp(file->entries[i].key, full) == 0) {
            return file->entries[i].value;
        }
    }
    return NULL;
}

double vector_number(const struct vector_file *file, const char *prefix, const char *key,
                     double missing)
{
    const char *text = vector_text(file, prefix, key);

    return text == NULL ? missing : strtod(text, NULL);
}

size_t vector_list(const struct vector_file *file, const char *prefix, const char *key,
                   double *values, size_t count)
{
    const char *text = vector_text(file, prefix, key);
    size_t found = 0;
    char *end = NULL;

    while (text != NULL) {
        double value = strtod(text, &end);

        if (end == text) {
            break;
        }
        if (found < count) {
            values[found] = value;
        }
        found++;
        text = end;
    }
    return found;
}

static int spawn_xz(struct vector_file *file, const char *path, struct err *err)
{
    int ends[2];

    if (pipe(ends) < 0) {
        return err_set_errno(err, "pipe");
    }
    file->child = fork();
    if (file->child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execlp("xz", "xz", "-dc", "--", path, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    file->stream = fdopen(ends[0], "r");
    if (file->child < 0 || file->stream == NULL) {
        close(ends[0]);
        return err_set_errno(err, "xz");
    }
    return 0;
}

int vector_start(struct vector_file *file, const char *folder, struct err *err)
{
    char path[PATH_BYTES];
    size_t size = 0;
    char *save = NULL;

    snprintf(path, sizeof(path), "%s/%s.csv.xz", folder, file->name);
    if (access(path, R_OK) < 0) {
        return err_set_errno(err, "%s", path);
    }
    if (spawn_xz(file, path, err) < 0) {
        return -1;
    }
    if (getline(&file->header, &size, file->stream) <= 0) {
        return err_set(err, ERR_CORRUPT, "%s: no header", path);
    }
    for (char *name = strtok_r(file->header, ",\r\n", &save); name != NULL;
         name = strtok_r(NULL, ",\r\n", &save)) {
        if (file->n_columns == VECTOR_COLUMNS_MAX) {
            return err_set(err, ERR_CORRUPT, "%s: too many columns", path);
        }
        file->columns[file->n_columns++] = name;
    }
    return 0;
}

static int finish(struct vector_file *file, struct err *err)
{
    int status = 0;

    fclose(file->stream);
    file->stream = NULL;
    if (waitpid(file->child, &status, 0) < 0 || !WIFEXITED(status)
        || WEXITSTATUS(status) != 0) {
        file->child = 0;
        return err_set(err, ERR_CORRUPT, "%s: xz failed", file->name);
    }
    file->child = 0;
    return 0;
}

int vector_next(struct vector_file *file, struct err *err)
{
    char line[8192];
    char *at = line;

    if (fgets(line, sizeof(line), file->stream) == NULL) {
        return finish(file, err);
    }
    for (size_t i = 0; i < file->n_columns; i++) {
        char *end = NULL;

        file->row[i] = strtod(at, &end);
        if (end == at || (*end != ',' && *end != '\n' && *end != '\r')) {
            return err_set(err, ERR_CORRUPT, "%s: row %zu, column %zu is no number", file->name,
                           file->n_rows + 1, i + 1);
        }
        at = end + 1;
    }
    file->n_rows++;
    return 1;
}

int vector_column(const struct vector_file *file, const char *prefix, const char *name)
{
    char full[KEY_BYTES];

    snprintf(full, sizeof(full), "%s%s", prefix, name);
    for (size_t i = 0; i < file->n_columns; i++) {
        if (strcmp(file->columns[i], full) == 0) {
            return (int)i;
        }
    }
    return -1;
}
