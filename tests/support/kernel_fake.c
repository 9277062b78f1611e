/* SPDX-License-Identifier: MIT */
#include "tests/support/kernel_fake.h"

#include "common/attrs.h"
#include "common/clock.h"
#include "pru/abi/pru_map.h"
#include "pru/core/sampler.h"
#include "pru/core/timebase.h"
#include "pru/core/tracer.h"
#include "pru/sim/world.h"
#include "sheep/sysfs.h"

#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    PRUSS_BYTES = 0x80000,
    RINGS_BYTES = PRU_MAP_DDR_BLOCKS_BYTES + PRU_MAP_DDR_GPIO_BYTES,
    N_CORES = 2,
    SLEEP_US = 200
};

/* Between the memories in the device file; the kernel's is a page. */
static const size_t MAP_STEP = (size_t)32 << 20;

struct kernel_fake {
    struct kernel_fake_config config;
    char root[64];
    char cores[N_CORES][96];
    struct board_pru_config board;
    uint8_t *memory; /* the whole device file */
    pthread_t thread;
    _Atomic bool quits;
    _Atomic bool is_counter_set;
    /* the thread's */
    bool is_running;
    struct world *world;
    struct sample_io io;
    struct pru_shm shm;
    struct sampler sampler;
    struct timebase timebase;
    struct tracer tracer;
    enum pru_state last_state;
};

static void put(const char *root, const char *path, const char *text)
{
    char full[256];
    FILE *file = NULL;

    snprintf(full, sizeof(full), "%s/%s", root, path);
    for (char *slash = strchr(full + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(full, 0755);
        *slash = '/';
    }
    file = fopen(full, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void put_number(const char *root, const char *path, unsigned long number)
{
    char text[32];

    snprintf(text, sizeof(text), "0x%08lx\n", number);
    put(root, path, text);
}

/* ---- the PRU ---- */

static uint32_t *count_of(const struct kernel_fake *kernel)
{
    return (uint32_t *)(void *)(kernel->memory + PRU_MAP_IEP + PRU_IEP_COUNT);
}

static void start_pru(struct kernel_fake *kernel)
{
    kernel->shm = (struct pru_shm){
        .control = (struct pru_control *)(void *)(kernel->memory + PRU_MAP_SHARED),
        .input = (struct pru_input *)(void *)(kernel->memory + MAP_STEP),
        .blocks = (struct pru_block *)(void *)(kernel->memory + 2 * MAP_STEP),
        .gpio = (pru_gpio_event *)(void *)(kernel->memory + 2 * MAP_STEP
                                           + PRU_MAP_DDR_BLOCKS_BYTES),
    };
    world_io(kernel->world, &kernel->io);
    sampler_boot(&kernel->sampler, &kernel->shm, &kernel->io);
    tracer_boot(&kernel->tracer, &kernel->shm);
    kernel->last_state = PRU_STATE_UNKNOWN;
    kernel->is_running = true;
}

static void run_pru(struct kernel_fake *kernel)
{
    uint64_t tick = (uint64_t)clock_mono_ns() / PRU_TICK_NS;
    struct sampler *sampler = &kernel->sampler;

    __atomic_store_n(count_of(kernel), (uint32_t)tick, __ATOMIC_RELEASE);
    shm_store_u32(&kernel->shm.control->counter_turns, (uint32_t)(tick >> 31));
    sampler_poll(sampler, tick);
    if (sampler_state(sampler) != kernel->last_state) {
        kernel->last_state = sampler_state(sampler);
        if (kernel->last_state == PRU_STATE_READY) {
            world_begin(kernel->world, kernel->shm.control->mode == PRU_MODE_EMULATE, false);
            tracer_start(&kernel->tracer, world_pins(kernel->world));
        } else if (kernel->last_state == PRU_STATE_ARMED) {
            timebase_start(&kernel->timebase, sampler->start_tick);
        }
    }
    while (sampler_is_active(sampler) && kernel->timebase.next_tick <= tick) {
        world_advance(kernel->world, sampler->sample);
        sampler_step(sampler, kernel->timebase.next_tick);
        if (!kernel->config.is_blind) {
            tracer_poll(&kernel->tracer, world_pins(kernel->world), kernel->timebase.next_tick);
        }
        timebase_advance(&kernel->timebase,
                         shm_load_u32(&kernel->shm.control->period_ticks_q20));
    }
}

/* ---- the kernel ---- */

static bool is_in(const struct kernel_fake *kernel, unsigned core, const char *state)
{
    char text[SYSFS_TEXT_SIZE];

    return sysfs_read(kernel->cores[core], "state", text, NULL) == 0
           && strcmp(text, state) == 0;
}

static void obey(struct kernel_fake *kernel, unsigned core)
{
    struct err err;

    if (kernel->config.stuck_in != NULL || kernel->config.lacks_firmware) {
        (void)!sysfs_write(
            kernel->cores[core], "state",
            kernel->config.stuck_in != NULL ? kernel->config.stuck_in : "offline", &err);
    } else if (is_in(kernel, core, "start")) {
        (void)!sysfs_write(kernel->cores[core], "state", "running", &err);
    } else if (is_in(kernel, core, "stop")) {
        (void)!sysfs_write(kernel->cores[core], "state", "offline", &err);
    }
}

static void *run(void *arg)
{
    struct kernel_fake *kernel = arg;

    while (!atomic_load(&kernel->quits)) {
        bool runs = true;

        for (unsigned core = 0; core < N_CORES; core++) {
            obey(kernel, core);
            runs = runs && is_in(kernel, core, "running");
        }
        if (runs && !kernel->is_running) {
            start_pru(kernel);
        }
        kernel->is_running = runs;
        for (int i = 0; runs && i < 20; i++) {
            if (!atomic_load(&kernel->is_counter_set)) {
                run_pru(kernel);
            }
            usleep(SLEEP_US);
        }
        usleep(SLEEP_US);
    }
    return NULL;
}

static void make_folder(struct kernel_fake *kernel)
{
    const struct kernel_fake_config *config = &kernel->config;
    const char *root = kernel->root;
    const char *state = config->stuck_in != NULL ? config->stuck_in : "offline\n";
    unsigned ocmc_bytes = config->ocmc_bytes != 0 ? config->ocmc_bytes : PRU_MAP_OCMC_BYTES;

    /* another core first: the order of the folder's entries means nothing */
    put(root, "class/remoteproc/remoteproc0/name", "wkup_m3\n");
    put(root, "class/remoteproc/remoteproc1/name", "4a334000.pru\n");
    put(root, "class/remoteproc/remoteproc1/state", state);
    put(root, "class/remoteproc/remoteproc1/firmware", "am335x-pru0-fw\n");
    put(root, "class/remoteproc/remoteproc2/name",
        config->lacks_core ? "other\n" : "4a338000.pru\n");
    put(root, "class/remoteproc/remoteproc2/state", state);
    put(root, "class/remoteproc/remoteproc2/firmware", "am335x-pru1-fw\n");
    put(root, "class/uio/uio0/name", "something\n");
    put(root, "class/uio/uio1/name", config->lacks_uio ? "pruss\n" : "bellwether\n");
    put_number(root, "class/uio/uio1/maps/map0/size", PRUSS_BYTES);
    put_number(root, "class/uio/uio1/maps/map1/size", ocmc_bytes);
    put_number(root, "class/uio/uio1/maps/map2/size", RINGS_BYTES);
    put(root, "dev/uio1", "");
    for (unsigned core = 0; core < N_CORES; core++) {
        snprintf(kernel->cores[core], sizeof(kernel->cores[core]),
                 "%s/class/remoteproc/remoteproc%u", root, core + 1);
    }
}

struct kernel_fake *kernel_fake_create(const struct kernel_fake_config *config)
{
    struct world_config world = world_config_default();
    struct kernel_fake *kernel = calloc(1, sizeof(*kernel));
    static char dev[96]; /* one kernel at a time */
    const char *why = NULL;
    int fd = -1;

    assert_non_null(kernel);
    kernel->config = *config;
    snprintf(kernel->root, sizeof(kernel->root), "/tmp/bw_kernel_XXXXXX");
    assert_non_null(mkdtemp(kernel->root));
    make_folder(kernel);
    snprintf(dev, sizeof(dev), "%s/dev", kernel->root);
    kernel->board = (struct board_pru_config){ kernel->root, dev, (off_t)MAP_STEP, 25 };
    strncat(dev, "/uio1", sizeof(dev) - strlen(dev) - 1);
    fd = open(dev, O_RDWR | O_CLOEXEC);
    *strrchr(dev, '/') = '\0';
    assert_true(fd >= 0 && ftruncate(fd, (off_t)(3 * MAP_STEP)) == 0);
    kernel->memory = mmap(NULL, 3 * MAP_STEP, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(kernel->memory != MAP_FAILED);
    close(fd);
    kernel->world = world_create(&world, &why);
    assert_non_null(kernel->world);
    assert_int_equal(pthread_create(&kernel->thread, NULL, run, kernel), 0);
    return kernel;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

void kernel_fake_destroy(struct kernel_fake **kernel)
{
    if (*kernel != NULL) {
        atomic_store(&(*kernel)->quits, true);
        pthread_join((*kernel)->thread, NULL);
        munmap((*kernel)->memory, 3 * MAP_STEP);
        world_destroy(&(*kernel)->world);
        nftw((*kernel)->root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
        free(*kernel);
        *kernel = NULL;
    }
}

const struct board_pru_config *kernel_fake_board(const struct kernel_fake *kernel)
{
    return &kernel->board;
}

const char *kernel_fake_core(const struct kernel_fake *kernel, unsigned core)
{
    return kernel->cores[core];
}

const char *kernel_fake_root(const struct kernel_fake *kernel)
{
    return kernel->root;
}

void kernel_fake_set_counter(struct kernel_fake *kernel, uint32_t count, uint32_t turns)
{
    struct pru_control *control =
        (struct pru_control *)(void *)(kernel->memory + PRU_MAP_SHARED);
    struct timespec pause = { .tv_nsec = 2 * NS_PER_MS };

    atomic_store(&kernel->is_counter_set, true);
    nanosleep(&pause, NULL);
    __atomic_store_n(count_of(kernel), count, __ATOMIC_RELEASE);
    shm_store_u32(&control->counter_turns, turns);
}
