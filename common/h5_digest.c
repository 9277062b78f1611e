/* SPDX-License-Identifier: MIT */
#include "common/h5_digest.h"

#include "common/h5_chunked.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_DEPTH = 8,
    MAX_BYTES = 256 * 1024 * 1024, /* of one attribute or list */
    MAX_DIMS = 4,
    MAX_FILTERS = 8,
    MAX_CODES = 20,
    MAX_NAME = 256,
    MAX_OBJECTS = 10000 /* links may go round in circles */
};

struct walk {
    hid_t file;
    crypto_generichash_state *state;
    const char *path; /* of the object at hand */
    unsigned depth;
    unsigned n_objects;
    char why[200]; /* first thing that could not be read */
};

static void put(struct walk *walk, const void *data, size_t size)
{
    crypto_generichash_update(walk->state, data, size);
}

static void put_u64(struct walk *walk, uint64_t value)
{
    uint8_t bytes[8];

    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(value >> 8 * i);
    }
    put(walk, bytes, sizeof(bytes));
}

/* With its length, so that two texts never look like one. */
static void put_text(struct walk *walk, const char *text)
{
    put_u64(walk, strlen(text));
    put(walk, text, strlen(text));
}

static herr_t give_up(struct walk *walk, const char *what)
{
    if (walk->why[0] == '\0') {
        snprintf(walk->why, sizeof(walk->why), "%.120s: %.60s cannot be read", walk->path,
                 what);
    }
    return -1;
}

static herr_t put_type(struct walk *walk, hid_t type)
{
    uint8_t code[512];
    size_t size = sizeof(code);

    if (type < 0 || H5Tencode(type, NULL, &size) < 0 || size > sizeof(code)
        || H5Tencode(type, code, &size) < 0) {
        return give_up(walk, "type");
    }
    put_u64(walk, size);
    put(walk, code, size);
    return 0;
}

static herr_t put_space(struct walk *walk, hid_t space, hsize_t *n_points)
{
    hsize_t dims[MAX_DIMS] = { 0 };
    hsize_t most[MAX_DIMS] = { 0 };
    int n_dims = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);

    if (n_dims < 0 || n_dims > MAX_DIMS || H5Sget_simple_extent_dims(space, dims, most) < 0) {
        return give_up(walk, "extent");
    }
    put_u64(walk, (uint64_t)n_dims);
    put_u64(walk, (uint64_t)H5Sget_simple_extent_type(space));
    *n_points = 1;
    for (int i = 0; i < n_dims; i++) {
        put_u64(walk, dims[i]);
        put_u64(walk, most[i]);
        if (__builtin_mul_overflow(*n_points, dims[i], n_points)) {
            return give_up(walk, "extent");
        }
    }
    return 0;
}

/* Reads an attribute or a dataset, whichever it is. */
static herr_t read_all(hid_t object, bool is_attribute, hid_t type, void *data)
{
    return is_attribute ? H5Aread(object, type, data)
                        : H5Dread(object, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
}

static herr_t put_strings(struct walk *walk, hid_t object, bool is_attribute, hid_t type,
                          hid_t space, hsize_t n_points)
{
    char **rows = calloc((size_t)n_points + 1, sizeof(*rows));
    herr_t result = -1;

    if (rows != NULL && read_all(object, is_attribute, type, rows) >= 0) {
        for (hsize_t i = 0; i < n_points; i++) {
            put_text(walk, rows[i] != NULL ? rows[i] : "");
        }
        H5Dvlen_reclaim(type, space, H5P_DEFAULT, rows);
        result = 0;
    }
    free(rows);
    return result;
}

static herr_t put_content(struct walk *walk, hid_t object, bool is_attribute, hid_t type,
                          hid_t space, hsize_t n_points)
{
    size_t size = H5Tget_size(type);
    void *data = NULL;
    herr_t result = -1;

    if (size == 0 || n_points > MAX_BYTES / size) {
        return give_up(walk, "content");
    }
    if (H5Tis_variable_str(type) > 0) {
        result = put_strings(walk, object, is_attribute, type, space, n_points);
    } else if (H5Tget_class(type) == H5T_INTEGER || H5Tget_class(type) == H5T_FLOAT
               || H5Tget_class(type) == H5T_STRING) {
        data = malloc(size * (size_t)n_points + 1);
        if (data != NULL && read_all(object, is_attribute, type, data) >= 0) {
            put(walk, data, size * (size_t)n_points);
            result = 0;
        }
        free(data);
    }
    return result < 0 ? give_up(walk, "content") : 0;
}

static herr_t put_attribute(hid_t object, const char *name, const H5A_info_t *info, void *arg)
{
    struct walk *walk = arg;
    hid_t attribute = -1;
    hid_t type = -1;
    hid_t space = -1;
    hsize_t n_points = 0;
    herr_t result = -1;

    (void)info;
    if (strcmp(walk->path, "/integrity") == 0 && strcmp(name, "digest") == 0) {
        return 0;
    }
    put_text(walk, name);
    attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0) {
        return give_up(walk, name);
    }
    type = H5Aget_type(attribute);
    space = H5Aget_space(attribute);
    if (put_type(walk, type) >= 0 && put_space(walk, space, &n_points) >= 0) {
        result = put_content(walk, attribute, true, type, space, n_points);
    }
    h5_close(&space);
    h5_close(&type);
    h5_close(&attribute);
    return result;
}

static herr_t put_attributes(struct walk *walk, hid_t object)
{
    hsize_t index = 0;

    put_text(walk, "attributes");
    if (H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, &index, put_attribute, walk) < 0) {
        return give_up(walk, "an attribute");
    }
    put_text(walk, "end");
    return 0;
}

static herr_t put_filters(struct walk *walk, hid_t plan)
{
    int n_filters = H5Pget_nfilters(plan);

    if (n_filters < 0 || n_filters > MAX_FILTERS) {
        return give_up(walk, "filters");
    }
    put_u64(walk, (uint64_t)n_filters);
    for (unsigned i = 0; i < (unsigned)n_filters; i++) {
        unsigned flags = 0;
        unsigned codes[MAX_CODES] = { 0 };
        size_t n_codes = MAX_CODES;
        H5Z_filter_t id = H5Pget_filter2(plan, i, &flags, &n_codes, codes, 0, NULL, NULL);

        if (id < 0 || n_codes > MAX_CODES) {
            return give_up(walk, "filters");
        }
        put_u64(walk, (uint64_t)id);
        put_u64(walk, flags);
        for (size_t k = 0; k < n_codes; k++) {
            put_u64(walk, codes[k]);
        }
    }
    return 0;
}

static herr_t put_plan(struct walk *walk, hid_t plan, hid_t type)
{
    hsize_t chunk[MAX_DIMS] = { 0 };
    H5D_layout_t layout = plan < 0 ? H5D_LAYOUT_ERROR : H5Pget_layout(plan);
    H5D_fill_value_t fill = H5D_FILL_VALUE_ERROR;
    uint8_t value[64] = { 0 };

    if (layout == H5D_LAYOUT_ERROR
        || (layout == H5D_CHUNKED && H5Pget_chunk(plan, MAX_DIMS, chunk) < 0)
        || H5Pfill_value_defined(plan, &fill) < 0) {
        return give_up(walk, "layout");
    }
    put_u64(walk, (uint64_t)layout);
    put(walk, chunk, sizeof(chunk));
    put_u64(walk, (uint64_t)fill);
    if (H5Tis_variable_str(type) <= 0) {
        if (H5Tget_size(type) > sizeof(value) || H5Pget_fill_value(plan, type, value) < 0) {
            return give_up(walk, "fill value");
        }
        put(walk, value, sizeof(value));
    }
    return put_filters(walk, plan);
}

/* Content that has its own sums is left to them. */
static bool has_sums(const struct walk *walk)
{
    char path[MAX_NAME];

    h5_sum_path(walk->path, path, sizeof(path));
    return h5_has(walk->file, path);
}

static herr_t put_dataset(struct walk *walk, hid_t dataset)
{
    hid_t type = H5Dget_type(dataset);
    hid_t space = H5Dget_space(dataset);
    hid_t plan = H5Dget_create_plist(dataset);
    hsize_t n_points = 0;
    herr_t result = -1;

    if (put_type(walk, type) >= 0 && put_space(walk, space, &n_points) >= 0
        && put_plan(walk, plan, type) >= 0) {
        result = has_sums(walk) ? 0 : put_content(walk, dataset, false, type, space, n_points);
    }
    h5_close(&plan);
    h5_close(&space);
    h5_close(&type);
    return result;
}

static herr_t put_link(hid_t group, const char *name, const H5L_info_t *info, void *arg);

static herr_t put_group(struct walk *walk, hid_t group)
{
    hsize_t index = 0;
    herr_t result = -1;

    if (walk->depth >= MAX_DEPTH || walk->n_objects++ >= MAX_OBJECTS) {
        return give_up(walk, "such a depth");
    }
    walk->depth++;
    result = H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, &index, put_link, walk);
    walk->depth--;
    put_u64(walk, index);
    return result < 0 ? give_up(walk, "group") : 0;
}

static herr_t put_object(struct walk *walk, hid_t object)
{
    H5I_type_t kind = H5Iget_type(object);

    put_text(walk, walk->path);
    put_u64(walk, (uint64_t)kind);
    if (put_attributes(walk, object) < 0) {
        return -1;
    }
    switch (kind) {
    case H5I_GROUP:
        return put_group(walk, object);
    case H5I_DATASET:
        return put_dataset(walk, object);
    default:
        return give_up(walk, "an object of this kind");
    }
}

static herr_t put_link(hid_t group, const char *name, const H5L_info_t *info, void *arg)
{
    struct walk *walk = arg;
    const char *parent = walk->path;
    char path[MAX_NAME];
    hid_t object = -1;
    herr_t result = -1;

    snprintf(path, sizeof(path), "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, name);
    walk->path = path;
    if (info->type != H5L_TYPE_HARD) {
        result = give_up(walk, "a link");
    } else {
        object = H5Oopen(group, name, H5P_DEFAULT);
        result = object < 0 ? give_up(walk, "object") : put_object(walk, object);
        h5_close(&object);
    }
    walk->path = parent;
    return result;
}

int h5_digest(hid_t file, char text[DIGEST_TEXT_SIZE], struct err *err)
{
    struct walk walk = { .file = file, .path = "/" };
    uint8_t digest[RLOG_DIGEST_BYTES];
    hid_t root = -1;
    herr_t result = -1;

    if (sodium_init() < 0) {
        return err_set(err, ERR_SYSTEM, "no source of randomness");
    }
    walk.state = sodium_malloc(sizeof(*walk.state));
    if (walk.state == NULL) {
        return err_set(err, ERR_MEMORY, "digest");
    }
    crypto_generichash_init(walk.state, NULL, 0, sizeof(digest));
    root = H5Gopen2(file, "/", H5P_DEFAULT);
    if (root >= 0) {
        result = put_object(&walk, root);
    }
    h5_close(&root);
    crypto_generichash_final(walk.state, digest, sizeof(digest));
    sodium_free(walk.state);
    if (result < 0) {
        return h5_fail(err, ERR_CORRUPT, "%s",
                       walk.why[0] != '\0' ? walk.why : "structure cannot be read");
    }
    rlog_digest_text(digest, text);
    return 0;
}
