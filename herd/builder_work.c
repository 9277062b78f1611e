/* SPDX-License-Identifier: MIT */
/* The child's side of builder.h. */
#include "herd/builder.h"

#include "common/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

enum {
    FIRST_FILES = 16
};

/* One node's file, open from its first job to its FINISH. */
struct file_work {
    struct h5_builder *h5;
};

struct bench {
    struct file_work *files;
    size_t n_files;
};

static struct file_work *file_of(struct bench *bench, uint64_t i)
{
    if (i >= bench->n_files) {
        size_t n_files = (size_t)i + FIRST_FILES;
        struct file_work *files = realloc(bench->files, n_files * sizeof(*files));

        if (files == NULL) {
            return NULL;
        }
        memset(files + bench->n_files, 0, (n_files - bench->n_files) * sizeof(*files));
        bench->files = files;
        bench->n_files = n_files;
    }
    return &bench->files[i];
}

static int advance(struct file_work *file, const struct builder_job *job,
                   struct builder_answer *answer)
{
    int result = 0;

    if (file->h5 == NULL) {
        file->h5 = h5_builder_create(job->log_folder, job->part_path, &answer->err);
        if (file->h5 == NULL) {
            return -1;
        }
    }
    result = h5_builder_advance(file->h5, &answer->err);
    answer->is_end = result == 1;
    return result < 0 ? -1 : 0;
}

static int finish(struct file_work *file, const struct builder_job *job,
                  struct builder_answer *answer)
{
    int result = advance(file, job, answer);

    if (result == 0 && !answer->is_end) {
        result = err_set(&answer->err, ERR_CORRUPT, "the log has no end");
    }
    if (result == 0) {
        result = h5_builder_finish(file->h5, &job->evidence, job->final_path, &answer->summary,
                                   &answer->err);
    }
    h5_builder_destroy(&file->h5);
    return result;
}

static void do_job(struct bench *bench, const struct builder_job *job,
                   struct builder_answer *answer)
{
    struct file_work *file = file_of(bench, job->i);

    memset(answer, 0, sizeof(*answer));
    answer->version = job->version;
    answer->work = job->work;
    answer->i = job->i;
    if (file == NULL) {
        answer->result = err_set(&answer->err, ERR_MEMORY, "the builder's files");
    } else if (job->work == BUILDER_FINISH) {
        answer->result = finish(file, job, answer);
    } else {
        answer->result = advance(file, job, answer);
    }
}

int builder_work(int fd)
{
    struct bench bench = { 0 };
    struct builder_job job;
    struct builder_answer answer;

    /* Ctrl-C is for herd, which then says what is to be done. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (recv(fd, &job, sizeof(job), 0) == (ssize_t)sizeof(job)) {
        do_job(&bench, &job, &answer);
        if (send(fd, &answer, sizeof(answer), MSG_NOSIGNAL) < 0) {
            break;
        }
    }
    for (size_t i = 0; i < bench.n_files; i++) {
        h5_builder_destroy(&bench.files[i].h5);
    }
    free(bench.files);
    return 0;
}
