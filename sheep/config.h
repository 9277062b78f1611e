/* SPDX-License-Identifier: MIT */
/* sheep.yaml: what a node is, where it keeps its files and whom it lets in. */
#ifndef SHEEP_CONFIG_H
#define SHEEP_CONFIG_H

#include "common/calibration.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/experiment.h"
#include "common/yaml_doc.h"

#include <stdbool.h>
#include <stdint.h>

enum retention {
    RETENTION_RELEASE, /* a log goes once herd has it, verified */
    RETENTION_KEEP
};

/* Who disciplines the node's clock. */
enum clock_daemon {
    CLOCK_AUTO, /* the first of the daemons that is locked */
    CLOCK_PTP4L,
    CLOCK_CHRONY,
    CLOCK_TIMESYNCD,
    CLOCK_SIM,  /* nobody: sheep.yaml says what is claimed, for a simulated node, */
    CLOCK_ANY,  /* or for one whose clock somebody else looks after */
    CLOCK_NONE, /* nobody, nothing is claimed */
};

struct clock_config {
    int source; /* enum clock_daemon */
    bool locked;
    double offset_us; /* simulated error of this node's clock */
    double claimed_bound_us;
    char ptp4l_socket[PATH_SIZE]; /* where the time monitor asks; "": nowhere */
    char phc2sys_log[PATH_SIZE];  /* "journal", or a file */
    uint32_t chrony_port;         /* on 127.0.0.1; 0: none */
};

struct sheep_config {
    char name[NODE_NAME_SIZE];
    char data[PATH_SIZE]; /* all paths: absolute or relative to the working directory */
    char address[64];
    uint32_t port; /* control; bulk is port + 1, live port + 2 */
    char secret_key[PATH_SIZE];
    char authorized[PATH_SIZE];
    char board[16];
    uint32_t cape;                    /* revision of the real board's: 24 or 25 */
    char calibration_path[PATH_SIZE]; /* "": the EEPROM's */
    char eeprom[PATH_SIZE];           /* of the cape; "": none */
    char memory[PATH_SIZE];           /* a tmpfs for recordings that touch no disk; "": none */
    uint64_t disk_reserve;
    int retention;
    struct clock_config clock;
    const struct yaml_node *sim; /* NULL or a loan from doc; see sheep/sim_config.h */

    char path[PATH_SIZE]; /* of sheep.yaml */
    bool has_calibration;
    struct calibration calibration; /* the default one without file and EEPROM */
    struct err no_calibration;      /* why there is none, when there is an EEPROM */
    struct yaml_doc *doc;
};

extern const struct schema sheep_config_schema;

/* Reads and checks sheep.yaml and the calibration that it names; paths in it are relative to
 * its folder. All faults of the file are reported at once. An EEPROM without plausible data is
 * no fault: the node has no calibration then. */
MUST_CHECK int sheep_config_load(struct sheep_config *config, const char *path,
                                 struct err *err);
void sheep_config_fini(struct sheep_config *config);

/* The node's clock, with its simulated error. */
struct clock sheep_config_clock(const struct sheep_config *config);

/* Boards `sim` and `iss`: no hardware, a world beside. */
bool sheep_board_is_simulated(const char *board);

/* DATA/PART; ERR_INPUT when it is too long. */
MUST_CHECK int sheep_config_folder(const struct sheep_config *config, const char *part,
                                   char path[PATH_SIZE], struct err *err);

/* Makes the data folder and its parts: recordings, inputs, state, and truth for a simulated
 * board.
 */
MUST_CHECK int sheep_config_make_folders(const struct sheep_config *config, struct err *err);

#endif
