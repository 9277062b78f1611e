/* SPDX-License-Identifier: MIT */
#include "tests/support/thread_cpu.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first line of a file of one thread, without its end. */
static void read_line(const char *thread, const char *name, char *line, int size)
{
    char path[300];
    FILE *file = NULL;

    snprintf(path, sizeof(path), "/proc/self/task/%s/%s", thread, name);
    file = fopen(path, "r");
    if (file == NULL || fgets(line, size, file) == NULL) {
        fprintf(stderr, "%s cannot be read\n", path);
        exit(1);
    }
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
}

int64_t thread_cpu_ns(const char *except)
{
    DIR *tasks = opendir("/proc/self/task");
    const struct dirent *entry = NULL;
    int64_t sum = 0;

    if (tasks == NULL) {
        fprintf(stderr, "no /proc\n");
        exit(1);
    }
    while ((entry = readdir(tasks)) != NULL) {
        char name[32];
        char numbers[64];

        if (entry->d_name[0] == '.') {
            continue;
        }
        read_line(entry->d_name, "comm", name, sizeof(name));
        read_line(entry->d_name, "schedstat", numbers, sizeof(numbers));
        if (strcmp(name, except) != 0) {
            sum += strtoll(numbers, NULL, 10);
        }
    }
    closedir(tasks);
    return sum;
}
