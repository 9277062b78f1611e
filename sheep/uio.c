/* SPDX-License-Identifier: MIT */
#include "sheep/uio.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int uio_open(struct uio *uio, const char *sysfs, const char *dev, const char *name,
             off_t map_step, struct err *err)
{
    char path[SYSFS_PATH_SIZE + 64];

    memset(uio, 0, sizeof(*uio));
    uio->fd = -1;
    uio->map_step = map_step != 0 ? map_step : (off_t)sysconf(_SC_PAGESIZE);
    if (sysfs_find(sysfs, "uio", name, uio->dir, err) < 0) {
        return err_set(
            err, ERR_NOT_FOUND,
            "no device %s below %s/class/uio: is the overlay of pru/dts applied, and "
            "uio_pdrv_genirq loaded with of_id=generic-uio?",
            name, sysfs);
    }
    snprintf(path, sizeof(path), "%s%s", dev, strrchr(uio->dir, '/'));
    uio->fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (uio->fd < 0) {
        return err_set_errno(err, "%s", path);
    }
    uio_clear(uio);
    return 0;
}

int uio_map(struct uio *uio, unsigned k, size_t size, uint8_t **memory, struct err *err)
{
    char attribute[32];
    unsigned long long there = 0;
    void *mapped = NULL;

    snprintf(attribute, sizeof(attribute), "maps/map%u/size", k);
    if (k >= UIO_MAPS || sysfs_read_number(uio->dir, attribute, &there, err) < 0) {
        return k < UIO_MAPS ? -1 : err_set(err, ERR_INPUT, "UIO has no map %u", k);
    }
    if (there < size) {
        return err_set(err, ERR_HARDWARE, "%s/%s is %llu bytes, %zu are needed", uio->dir,
                       attribute, there, size);
    }
    mapped =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, uio->fd, (off_t)k * uio->map_step);
    if (mapped == MAP_FAILED) {
        return err_set_errno(err, "map %u of %s", k, uio->dir);
    }
    uio->maps[k].memory = mapped;
    uio->maps[k].size = size;
    *memory = mapped;
    return 0;
}

void uio_clear(const struct uio *uio)
{
    uint32_t count = 0;
    uint32_t next = 1;

    /* One read takes the count of all that came; a device has no position. */
    (void)!pread(uio->fd, &count, sizeof(count), 0);
    (void)!pwrite(uio->fd, &next, sizeof(next), 0);
}

void uio_close(struct uio *uio)
{
    for (unsigned k = 0; k < UIO_MAPS; k++) {
        if (uio->maps[k].memory != NULL) {
            munmap(uio->maps[k].memory, uio->maps[k].size);
            uio->maps[k].memory = NULL;
        }
    }
    if (uio->fd >= 0) {
        close(uio->fd);
        uio->fd = -1;
    }
}
