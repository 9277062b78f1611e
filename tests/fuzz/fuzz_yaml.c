/* SPDX-License-Identifier: MIT */
/* YAML documents, inventories and experiments. What parses must survive being written and
 * parsed again. */
#include "common/experiment.h"
#include "common/inventory.h"
#include "common/yaml_doc.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char INVENTORY[] = "sheep:\n"
                                "  hosts:\n"
                                "    sheep0: {ansible_host: 10.0.0.1}\n"
                                "    sheep1: {ansible_host: 10.0.0.2}\n";

static bool is_same(const struct yaml_node *a, const struct yaml_node *b)
{
    if (a->kind != b->kind || a->count != b->count) {
        return false;
    }
    if (a->kind == YAML_SCALAR) {
        return strcmp(a->text, b->text) == 0;
    }
    for (size_t i = 0; i < a->count; i++) {
        if ((a->kind == YAML_MAP && strcmp(a->keys[i], b->keys[i]) != 0)
            || !is_same(a->items[i], b->items[i])) {
            return false;
        }
    }
    return true;
}

static void check_round_trip(const struct yaml_doc *doc)
{
    struct buf out = { 0 };
    struct yaml_doc *again = NULL;

    yaml_emit(yaml_root(doc), 0, &out);
    again = yaml_parse(out.data != NULL ? out.data : "", out.size, "again", NULL);
    /* A text that grew beyond the bound by quoting and indentation may be refused. */
    if (out.size < YAML_MAX_BYTES
        && (again == NULL || !is_same(yaml_root(doc), yaml_root(again)))) {
        abort();
    }
    yaml_destroy(&again);
    buf_fini(&out);
}

static void try_inventory(const char *text)
{
    struct fault_list faults = { 0 };
    struct inventory *inventory = inventory_parse(text, "fuzz", &faults);

    if ((inventory == NULL) != (faults.count > 0)) {
        abort();
    }
    inventory_destroy(&inventory);
    fault_fini(&faults);
}

static void try_experiment(const char *text)
{
    static struct inventory *inventory;
    struct fault_list faults = { 0 };
    struct experiment *experiment = NULL;

    if (inventory == NULL) {
        inventory = inventory_parse(INVENTORY, "inventory", &faults);
    }
    experiment = experiment_parse(text, "fuzz", inventory, NULL, &faults);
    if (experiment == NULL && faults.count == 0) {
        abort();
    }
    experiment_destroy(&experiment);
    fault_fini(&faults);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct yaml_doc *doc = NULL;

    if (text == NULL) {
        return 0;
    }
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    doc = yaml_parse(text, size, "fuzz", NULL);
    if (doc != NULL) {
        check_round_trip(doc);
        yaml_destroy(&doc);
    }
    if (memchr(text, '\0', size) == NULL) {
        try_inventory(text);
        try_experiment(text);
    }
    free(text);
    return 0;
}
