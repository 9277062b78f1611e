/* SPDX-License-Identifier: MIT */
/* The reader of harvests, inside the process so that the fuzzer sees the way it takes.
 *
 * libhdf5 itself does not survive every file (which is why herd reads them in a child, see
 * common/h5_guard.h): a death or an endless loop inside of it ends the run quietly, and only
 * ours are findings. Seeds: files of tests/support/test_h5_input.py, or the sound file that the
 * first bytes 'S' below change. */
#include "common/h5_input_parts.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <hdf5.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);
void __asan_set_error_report_callback(void (*callback)(const char *text));

enum {
    FRAMES = 40,
    N_SAMPLES = 300,
    SEED_MAX = 65536,
    LIMIT_S = 5
};

static char path[64];
static char out_path[64];
static uint8_t seed[SEED_MAX];
static size_t seed_size;

static void remove_files(void)
{
    unlink(path);
    unlink(out_path);
}

static bool is_in_libhdf5(void)
{
    void *frames[FRAMES];
    int n = backtrace(frames, FRAMES);

    for (int i = 0; i < n; i++) {
        Dl_info info;

        if (dladdr(frames[i], &info) != 0 && strstr(info.dli_fname, "libhdf5") != NULL) {
            return true;
        }
    }
    return false;
}

static void on_report(const char *text)
{
    (void)text;
    if (is_in_libhdf5()) {
        static const char said[] = "libhdf5 did not survive this input; the run ends here\n";

        (void)!write(STDERR_FILENO, said, sizeof(said) - 1);
        remove_files();
        _exit(0);
    }
}

static void on_signal(int signal_number)
{
    on_report(NULL);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* Behind the fuzzer's own handlers, which come after the initialization. */
static void catch_signals(void)
{
    static const int signals[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGVTALRM };

    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        signal(signals[i], on_signal);
    }
}

static void add(hid_t group, const char *name, double gain)
{
    static uint32_t values[N_SAMPLES];
    static uint64_t stamps[N_SAMPLES];
    hsize_t count = N_SAMPLES;
    hsize_t chunk = 100;
    bool is_time = strcmp(name, "time") == 0;
    hid_t plan = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(1, &count, NULL);
    hid_t scalar = H5Screate(H5S_SCALAR);
    hid_t dataset = -1;
    double offset = 0;

    for (uint32_t i = 0; i < N_SAMPLES; i++) {
        values[i] = i * 7919;
        stamps[i] = (uint64_t)i * 10000;
    }
    H5Pset_chunk(plan, 1, &chunk);
    H5Pset_shuffle(plan);
    H5Pset_deflate(plan, 1);
    dataset = H5Dcreate2(group, name, is_time ? H5T_STD_U64LE : H5T_STD_U32LE, space,
                         H5P_DEFAULT, plan, H5P_DEFAULT);
    H5Dwrite(dataset, is_time ? H5T_NATIVE_UINT64 : H5T_NATIVE_UINT32, H5S_ALL, H5S_ALL,
             H5P_DEFAULT, is_time ? (const void *)stamps : values);
    for (int i = 0; i < 2; i++) {
        hid_t attribute = H5Acreate2(dataset, i == 0 ? "gain" : "offset", H5T_IEEE_F64LE,
                                     scalar, H5P_DEFAULT, H5P_DEFAULT);

        H5Awrite(attribute, H5T_NATIVE_DOUBLE, i == 0 ? &gain : &offset);
        H5Aclose(attribute);
    }
    H5Dclose(dataset);
    H5Sclose(scalar);
    H5Sclose(space);
    H5Pclose(plan);
}

static void add_text(hid_t object, const char *name, const char *text)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    hid_t scalar = H5Screate(H5S_SCALAR);
    hid_t attribute = -1;

    H5Tset_size(type, strlen(text) + 1);
    attribute = H5Acreate2(object, name, type, scalar, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, type, text);
    H5Aclose(attribute);
    H5Sclose(scalar);
    H5Tclose(type);
}

static void make_seed(void)
{
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t group = H5Gcreate2(file, "data", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    int fd = -1;
    ssize_t n = 0;

    add_text(file, "mode", "harvester");
    add_text(group, "datatype", "ivsample");
    add(group, "time", 1e-9);
    add(group, "voltage", 1e-6);
    add(group, "current", 1e-9);
    H5Gclose(group);
    H5Fclose(file);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = read(fd, seed, sizeof(seed));
    close(fd);
    seed_size = n > 0 ? (size_t)n : 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    void *warm[1];

    (void)argc;
    (void)argv;
    backtrace(warm, 1); /* loads what it needs before anything is broken */
    __asan_set_error_report_callback(on_report);
    snprintf(path, sizeof(path), "/tmp/bw-fuzz-%d.h5", (int)getpid());
    snprintf(out_path, sizeof(out_path), "/tmp/bw-fuzz-%d.inp", (int)getpid());
    make_seed();
    atexit(remove_files);
    return 0;
}

/* 'S', then places (u16) and bytes that replace what the sound file has there. */
static size_t make_input(const uint8_t *data, size_t size, uint8_t *input)
{
    if (size == 0 || data[0] != 'S') {
        size = size < SEED_MAX ? size : SEED_MAX;
        memcpy(input, data, size);
        return size;
    }
    memcpy(input, seed, seed_size);
    for (size_t at = 1; at + 3 <= size; at += 3) {
        input[(size_t)(data[at] | data[at + 1] << 8) % seed_size] = data[at + 2];
    }
    return seed_size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t input[SEED_MAX];
    struct itimerval limit = { .it_value = { .tv_sec = LIMIT_S } };
    struct h5_input_info info;
    char digest[DIGEST_TEXT_SIZE];
    size_t input_size = make_input(data, size, input);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, input, input_size) != (ssize_t)input_size) {
        abort();
    }
    close(fd);
    catch_signals();
    setitimer(ITIMER_VIRTUAL, &limit, NULL);
    if (h5_input_decode_here(path, out_path, &info, digest, NULL) == 0 && info.n_samples == 0) {
        abort();
    }
    limit.it_value.tv_sec = 0;
    setitimer(ITIMER_VIRTUAL, &limit, NULL);
    return 0;
}
