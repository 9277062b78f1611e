/* SPDX-License-Identifier: MIT */
#include "common/h5_util.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    MAX_TEXT = 1 << 20 /* an attribute longer than that is not one of ours */
};

void h5_quiet(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

static herr_t take_reason(unsigned n, const H5E_error2_t *entry, void *arg)
{
    char *text = arg;

    (void)n;
    snprintf(text, 200, "%s", entry->desc != NULL ? entry->desc : "");
    return 0;
}

int h5_fail(struct err *err, enum err_code code, const char *format, ...)
{
    char what[600];
    char reason[200] = "";
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    /* downward: the last one seen is the innermost */
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, take_reason, reason);
    H5Eclear2(H5E_DEFAULT);
    return err_set(err, code, "%s%s%s", what, reason[0] != '\0' ? ": " : "", reason);
}

void h5_close(hid_t *id)
{
    hid_t reasons = -1;

    if (*id >= 0) {
        /* every call of libhdf5 forgets why the one before failed; h5_fail may come next */
        reasons = H5Eget_num(H5E_DEFAULT) > 0 ? H5Eget_current_stack() : -1;
        H5Idec_ref(*id);
        if (reasons >= 0) {
            H5Eset_current_stack(reasons);
        }
    }
    *id = -1;
}

bool h5_append(hid_t dataset, hid_t type, uint64_t n_rows, uint64_t count, const void *rows)
{
    hsize_t start = n_rows;
    hsize_t size = count;
    hsize_t extent = start + size;
    hid_t memory = H5Screate_simple(1, &size, NULL);
    hid_t space = -1;
    bool is_written =
        memory >= 0 && H5Dset_extent(dataset, &extent) >= 0
        && (space = H5Dget_space(dataset)) >= 0
        && H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &size, NULL) >= 0
        && H5Dwrite(dataset, type, memory, space, H5P_DEFAULT, rows) >= 0;

    h5_close(&space);
    h5_close(&memory);
    return is_written;
}

static int put_scalar(hid_t object, const char *name, hid_t type, const void *value,
                      struct err *err)
{
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    int result = 0;

    if (attribute < 0 || H5Awrite(attribute, type, value) < 0) {
        result = h5_fail(err, ERR_SYSTEM, "attribute %s", name);
    }
    h5_close(&attribute);
    h5_close(&space);
    return result;
}

int h5_put_text(hid_t object, const char *name, const char *value, struct err *err)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    int result = -1;

    if (type < 0 || H5Tset_size(type, H5T_VARIABLE) < 0
        || H5Tset_cset(type, H5T_CSET_UTF8) < 0) {
        result = h5_fail(err, ERR_MEMORY, "attribute %s", name);
    } else {
        result = put_scalar(object, name, type, &value, err);
    }
    h5_close(&type);
    return result;
}

int h5_put_f64(hid_t object, const char *name, double value, struct err *err)
{
    return put_scalar(object, name, H5T_IEEE_F64LE, &value, err);
}

int h5_put_i64(hid_t object, const char *name, int64_t value, struct err *err)
{
    return put_scalar(object, name, H5T_STD_I64LE, &value, err);
}

int h5_put_meaning(hid_t dataset, const struct h5_meaning *meaning, struct err *err)
{
    if (h5_put_f64(dataset, "gain", meaning->gain, err) < 0
        || h5_put_f64(dataset, "offset", meaning->offset, err) < 0
        || h5_put_text(dataset, "unit", meaning->unit, err) < 0) {
        return -1;
    }
    return h5_put_text(dataset, "description", meaning->description, err);
}

/* Opens an attribute of one element; negative when there is none. */
static hid_t open_single(hid_t object, const char *name)
{
    hid_t attribute = -1;
    hid_t space = -1;

    if (H5Aexists(object, name) <= 0) {
        return -1;
    }
    attribute = H5Aopen(object, name, H5P_DEFAULT);
    space = attribute < 0 ? -1 : H5Aget_space(attribute);
    if (space < 0 || H5Sget_simple_extent_npoints(space) != 1) {
        h5_close(&attribute);
    }
    h5_close(&space);
    return attribute;
}

bool h5_is_plain_number(hid_t type)
{
    const hid_t plain[] = {
        H5T_STD_U32LE, H5T_STD_U64LE, H5T_STD_I64LE,  H5T_IEEE_F64LE, H5T_STD_U16LE,
        H5T_STD_U8LE,  H5T_STD_I32LE, H5T_STD_I16LE,  H5T_STD_I8LE,   H5T_IEEE_F32LE,
        H5T_STD_U32BE, H5T_STD_U64BE, H5T_STD_I64BE,  H5T_IEEE_F64BE, H5T_STD_U16BE,
        H5T_STD_I32BE, H5T_STD_I16BE, H5T_IEEE_F32BE,
    };

    for (size_t i = 0; type >= 0 && i < ARRAY_LEN(plain); i++) {
        if (H5Tequal(type, plain[i]) > 0) {
            return true;
        }
    }
    return false;
}

static bool get_number(hid_t object, const char *name, hid_t memory_type, void *value)
{
    hid_t attribute = open_single(object, name);
    hid_t type = attribute < 0 ? -1 : H5Aget_type(attribute);
    bool is_read = h5_is_plain_number(type) && H5Aread(attribute, memory_type, value) >= 0;

    h5_close(&type);
    h5_close(&attribute);
    return is_read;
}

bool h5_get_f64(hid_t object, const char *name, double *value)
{
    return get_number(object, name, H5T_NATIVE_DOUBLE, value);
}

bool h5_get_i64(hid_t object, const char *name, int64_t *value)
{
    return get_number(object, name, H5T_NATIVE_INT64, value);
}

static char *read_variable(hid_t attribute, hid_t type)
{
    char *loan = NULL;
    char *copy = NULL;

    if (H5Aread(attribute, type, &loan) < 0 || loan == NULL) {
        return NULL;
    }
    copy = strnlen(loan, MAX_TEXT) < MAX_TEXT ? strdup(loan) : NULL;
    H5free_memory(loan);
    return copy;
}

static char *read_fixed(hid_t attribute, hid_t type)
{
    size_t size = H5Tget_size(type);
    char *copy = NULL;

    if (size == 0 || size > MAX_TEXT) {
        return NULL;
    }
    copy = calloc(1, size + 1);
    if (copy != NULL && H5Aread(attribute, type, copy) < 0) {
        free(copy);
        copy = NULL;
    }
    return copy;
}

char *h5_get_long_text(hid_t object, const char *name)
{
    hid_t attribute = open_single(object, name);
    hid_t type = attribute < 0 ? -1 : H5Aget_type(attribute);
    char *text = NULL;

    if (type >= 0 && H5Tget_class(type) == H5T_STRING) {
        text = H5Tis_variable_str(type) > 0 ? read_variable(attribute, type)
                                            : read_fixed(attribute, type);
    }
    h5_close(&type);
    h5_close(&attribute);
    return text;
}

bool h5_get_text(hid_t object, const char *name, char *value, size_t size)
{
    char *text = h5_get_long_text(object, name);

    if (text == NULL) {
        return false;
    }
    snprintf(value, size, "%s", text);
    free(text);
    return true;
}

hid_t h5_open_file(const char *path, uint64_t *bytes, struct err *err)
{
    struct stat info = { 0 };
    hid_t file = -1;

    h5_quiet();
    if (stat(path, &info) < 0) {
        err_set_errno(err, "%s", path);
        return -1;
    }
    if (bytes != NULL) {
        *bytes = (uint64_t)info.st_size;
    }
    if (!S_ISREG(info.st_mode)) {
        err_set(err, ERR_INPUT, "%s: not a file", path);
        return -1;
    }
    if (H5Fis_hdf5(path) <= 0) {
        err_set(err, ERR_INPUT, "%s: not an HDF5 file", path);
        return -1;
    }
    file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file < 0) {
        h5_fail(err, ERR_CORRUPT, "%s: damaged HDF5 file", path);
    }
    return file;
}

bool h5_has(hid_t file, const char *path)
{
    char part[256];

    /* every link on the way must exist, or H5Lexists fails noisily */
    for (const char *slash = strchr(path + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
        if (H5Lexists(file, part, H5P_DEFAULT) <= 0) {
            return false;
        }
    }
    return H5Lexists(file, path, H5P_DEFAULT) > 0;
}

hid_t h5_make_group(hid_t parent, const char *name, struct err *err)
{
    hid_t group = H5Gcreate2(parent, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);

    if (group < 0) {
        h5_fail(err, ERR_SYSTEM, "group %s", name);
    }
    return group;
}
