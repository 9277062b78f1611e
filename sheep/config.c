/* SPDX-License-Identifier: MIT */
#include "sheep/config.h"

#include "common/buf.h"
#include "common/eeprom.h"
#include "common/proto.h"
#include "common/schema.h"

#include <stdio.h>
#include <string.h>

static const struct enum_name RETENTIONS[] = {
    {"release", RETENTION_RELEASE},
    { "keep",   RETENTION_KEEP   },
    { NULL,     0                },
};

/* The simulated world has a schema of its own; it is kept as it is. */
static void keep_node(const struct yaml_node *node, void *member, struct fault_list *faults)
{
    if (node->kind != YAML_MAP) {
        fault_add(faults, node->place, "sim: not a map");
        return;
    }
    *(const struct yaml_node **)member = node;
}

static void write_nothing(const void *member, struct buf *out, unsigned indent)
{
    (void)member;
    (void)indent;
    buf_text(out, " {}\n");
}

#define TEXT(type_, name_, member_, default_, help_)                                      \
    {                                                                                     \
        .name = (name_), .type = FIELD_STRING, .offset = offsetof(struct type_, member_), \
        .size = sizeof(((struct type_ *)0)->member_), .default_text = (default_),         \
        .help = (help_)                                                                   \
    }

static const struct enum_name CLOCK_DAEMONS[] = {
    {"auto",       CLOCK_AUTO     },
    { "ptp4l",     CLOCK_PTP4L    },
    { "chrony",    CLOCK_CHRONY   },
    { "timesyncd", CLOCK_TIMESYNCD},
    { "sim",       CLOCK_SIM      },
    { "any",       CLOCK_ANY      },
    { "none",      CLOCK_NONE     },
    { NULL,        0              },
};

static const struct field CLOCK_FIELDS[] = {
    {
     .name = "source",
     .type = FIELD_ENUM,
     .offset = offsetof(struct clock_config, source),
     .enums = CLOCK_DAEMONS,
     .default_text = "auto",
     .help =
            "who disciplines the clock; auto: ptp4l, chrony or timesyncd, whoever is locked; "
            "sim, any: what is claimed is below", },
    {
     .name = "locked",
     .type = FIELD_BOOL,
     .offset = offsetof(struct clock_config, locked),
     .default_text = "false",
     .help = "whether it claims to be locked",
     },
    {
     .name = "offset_us",
     .type = FIELD_F64,
     .offset = offsetof(struct clock_config, offset_us),
     .default_text = "0",
     .unit = "us",
     .help = "error of a simulated clock",
     },
    {
     .name = "claimed_bound_us",
     .type = FIELD_F64,
     .offset = offsetof(struct clock_config, claimed_bound_us),
     .minimum = 0,
     .maximum = 1e12,
     .default_text = "0",
     .unit = "us",
     .help = "how wrong it claims to be at most",
     },
    TEXT(clock_config, "ptp4l_socket", ptp4l_socket, "/var/run/ptp4l",
         "where ptp4l answers; empty: is not asked"),
    TEXT(clock_config, "phc2sys_log", phc2sys_log, "journal",
         "a file, or journal: systemd's; empty: is not read"),
    {
     .name = "chrony_port",
     .type = FIELD_U32,
     .offset = offsetof(struct clock_config, chrony_port),
     .maximum = 65535,
     .default_text = "323",
     .help = "of chrony's commands on 127.0.0.1; 0: is not asked",
     },
    { .name = NULL                          }
};

static const struct schema CLOCK_SCHEMA = {
    .name = "clock",
    .help = "the node's clock",
    .fields = CLOCK_FIELDS,
    .size = sizeof(struct clock_config),
};

static const struct field FIELDS[] = {
    {
     .name = "name",
     .type = FIELD_STRING,
     .offset = offsetof(struct sheep_config, name),
     .size = NODE_NAME_SIZE,
     .help = "of the node, as the inventory has it",
     },
    TEXT(sheep_config, "data", data, "data", "folder of recordings, inputs and state"),
    TEXT(sheep_config, "memory", memory, "/dev/shm",
         "folder in memory (tmpfs) for recordings with record.where: ram; empty: refuses them"),
    TEXT(sheep_config, "address", address, "*", "to listen at"),
    {
     .name = "port",
     .type = FIELD_U32,
     .offset = offsetof(struct sheep_config, port),
     .minimum = 1,
     .maximum = 65533,
     .default_text = "4240",
     .help = "of the control socket; bulk and live take the next two",
     },
    TEXT(sheep_config, "secret_key", secret_key, "sheep.key", "this node's key file"),
    TEXT(sheep_config, "authorized", authorized, "authorized",
         "folder of the public keys that may come in"),
    TEXT(sheep_config, "board", board, "sim", "kind of board"),
    {
     .name = "cape",
     .type = FIELD_U32,
     .offset = offsetof(struct sheep_config, cape),
     .minimum = 24,
     .maximum = 25,
     .default_text = "24",
     .help = "revision of the cape: which of the PRU's images are loaded",
     },
    TEXT(sheep_config, "calibration", calibration_path, "", "file of the cape's calibration"),
    TEXT(sheep_config, "eeprom", eeprom, "",
         "of the cape: its calibration, where there is no file"),
    {
     .name = "disk_reserve",
     .type = FIELD_BYTES,
     .offset = offsetof(struct sheep_config, disk_reserve),
     .default_text = "64 MiB",
     .help = "stays free on the disk of the recordings",
     },
    {
     .name = "retention",
     .type = FIELD_ENUM,
     .offset = offsetof(struct sheep_config, retention),
     .default_text = "release",
     .enums = RETENTIONS,
     .help = "what becomes of a log that herd has verified",
     },
    {
     .name = "clock",
     .type = FIELD_MAP,
     .offset = offsetof(struct sheep_config, clock),
     .sub = &CLOCK_SCHEMA,
     .help = "the node's clock",
     },
    {
     .name = "sim",
     .type = FIELD_CUSTOM,
     .offset = offsetof(struct sheep_config, sim),
     .is_optional = true,
     .decode = keep_node,
     .encode = write_nothing,
     .help = "the simulated world around a simulated board",
     },
    { .name = NULL                }
};

const struct schema sheep_config_schema = {
    .name = "sheep",
    .help = "sheep.yaml: a node",
    .fields = FIELDS,
    .size = sizeof(struct sheep_config),
};

/* Relative paths are relative to the folder of the file that names them. */
static int resolve(char path[PATH_SIZE], const char *file, struct err *err)
{
    const char *slash = strrchr(file, '/');
    int folder = slash == NULL ? 0 : (int)(slash - file) + 1;
    char joined[PATH_SIZE];

    if (path[0] == '\0' || path[0] == '/') {
        return 0;
    }
    if ((size_t)snprintf(joined, sizeof(joined), "%.*s%s", folder, file, path)
        >= sizeof(joined)) {
        return err_set(err, ERR_INPUT, "path is too long: %s", path);
    }
    memcpy(path, joined, sizeof(joined));
    return 0;
}

static int resolve_all(struct sheep_config *config, struct err *err)
{
    if (resolve(config->data, config->path, err) < 0
        || resolve(config->secret_key, config->path, err) < 0
        || resolve(config->authorized, config->path, err) < 0
        || resolve(config->calibration_path, config->path, err) < 0
        || resolve(config->eeprom, config->path, err) < 0) {
        return -1;
    }
    return 0;
}

static int load_calibration(struct sheep_config *config, struct err *err)
{
    struct eeprom eeprom = { .has_trailer = false };

    config->calibration = calibration_default();
    config->has_calibration = config->calibration_path[0] != '\0';
    if (config->has_calibration) {
        return calibration_load(&config->calibration, config->calibration_path, err);
    }
    if (config->eeprom[0] != '\0') {
        config->has_calibration =
            eeprom_read(config->eeprom, &eeprom, &config->no_calibration) == 0;
    }
    if (config->has_calibration) {
        config->calibration = eeprom.calibration;
    }
    return 0;
}

static int decode(struct sheep_config *config, struct err *err)
{
    struct yaml_doc *doc = config->doc;
    struct fault_list faults = { 0 };
    int result = 0;

    schema_decode(&sheep_config_schema, yaml_root(doc), config, &faults);
    config->doc = doc; /* decoding zeroes the struct */
    if (faults.count == 0 && !name_is_safe(config->name, NODE_NAME_SIZE - 1)) {
        fault_add(&faults, yaml_root(doc)->place, "name: '%s' cannot name a node",
                  config->name);
    }
    result = fault_check(&faults, err);
    fault_fini(&faults);
    return result;
}

int sheep_config_load(struct sheep_config *config, const char *path, struct err *err)
{
    memset(config, 0, sizeof(*config));
    config->doc = yaml_load(path, err);
    if (config->doc == NULL) {
        return -1;
    }
    if (decode(config, err) < 0) {
        goto fail;
    }
    if ((size_t)snprintf(config->path, sizeof(config->path), "%s", path)
        >= sizeof(config->path)) {
        err_set(err, ERR_INPUT, "path is too long: %s", path);
        goto fail;
    }
    if (resolve_all(config, err) < 0) {
        goto fail;
    }
    if (load_calibration(config, err) < 0) {
        goto fail;
    }
    return 0;
fail:
    sheep_config_fini(config);
    return -1;
}

void sheep_config_fini(struct sheep_config *config)
{
    yaml_destroy(&config->doc);
    config->sim = NULL;
}

struct clock sheep_config_clock(const struct sheep_config *config)
{
    return clock_system((int64_t)(config->clock.offset_us * (double)NS_PER_US));
}

bool sheep_board_is_simulated(const char *board)
{
    return strcmp(board, "sim") == 0 || strcmp(board, "iss") == 0;
}

int sheep_config_folder(const struct sheep_config *config, const char *part,
                        char path[PATH_SIZE], struct err *err)
{
    if ((size_t)snprintf(path, PATH_SIZE, "%s/%s", config->data, part) >= PATH_SIZE) {
        return err_set(err, ERR_INPUT, "path is too long: %s", config->data);
    }
    return 0;
}

int sheep_config_make_folders(const struct sheep_config *config, struct err *err)
{
    static const char *const PARTS[] = { "recordings", "inputs", "state", "truth" };
    bool is_sim = sheep_board_is_simulated(config->board);

    for (size_t i = 0; i < ARRAY_LEN(PARTS); i++) {
        char path[PATH_SIZE];

        if (i == ARRAY_LEN(PARTS) - 1 && !is_sim) {
            break;
        }
        if (sheep_config_folder(config, PARTS[i], path, err) < 0
            || dir_make(path, 0755, err) < 0) {
            return -1;
        }
    }
    return 0;
}
