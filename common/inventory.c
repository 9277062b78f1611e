/* SPDX-License-Identifier: MIT */
/* Ansible's form: groups hold hosts, vars and children; variables of inner groups and of the
 * host itself win. The nodes are the hosts of the group `sheep`; all other groups only name
 * them. Variables that we do not know are Ansible's business, unless they look like one of
 * ours. */
#include "common/inventory.h"

#include "common/schema.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_NODES = 10000,
    MAX_GROUPS_OF_NODE = 64,
    MAX_CAPABILITIES = 64,
    PORTS_PER_NODE = 3, /* control, bulk, live */
    MAX_NESTED_GROUPS = 8
};

/* What a host's variables may say, as far as we care. */
struct host_vars {
    char ansible_host[INVENTORY_HOST_SIZE];
    char ansible_user[INVENTORY_NAME_SIZE];
    uint32_t port;
    char public_key[PUBLIC_KEY_SIZE];
    char board[16];
};

static const struct field host_fields[] = {
    {.name = "ansible_host",
     .type = FIELD_STRING,
     .offset = offsetof(struct host_vars, ansible_host),
     .size = INVENTORY_HOST_SIZE,
     .default_text = "",
     .help = "address; without it the name is" },
    { .name = "ansible_user",
     .type = FIELD_STRING,
     .offset = offsetof(struct host_vars, ansible_user),
     .size = INVENTORY_NAME_SIZE,
     .default_text = "",
     .help = "for SSH" },
    { .name = "port",
     .type = FIELD_U32,
     .offset = offsetof(struct host_vars, port),
     .minimum = 1,
     .maximum = 65533,
     .default_text = "4240",
     .help = "control; bulk and live view are the next two" },
    { .name = "public_key",
     .type = FIELD_STRING,
     .offset = offsetof(struct host_vars, public_key),
     .size = PUBLIC_KEY_SIZE,
     .default_text = "",
     .help = "of the node, Z85" },
    { .name = "board",
     .type = FIELD_STRING,
     .offset = offsetof(struct host_vars, board),
     .size = sizeof(((struct host_vars *)NULL)->board),
     .default_text = "pru",
     .help = "sim, iss or pru" },
    { .name = NULL      },
};

static const struct schema host_schema = {
    .name = "host",
    .help = "variables of a host",
    .fields = host_fields,
    .size = sizeof(struct host_vars),
};

/* Lists are read apart. */
static const char *const own_keys[] = { "ansible_host", "ansible_user", "port",  "public_key",
                                        "board",        "capabilities", "groups" };

struct loader {
    struct inventory *inventory;
    struct yaml_doc *doc; /* for merged variables */
    struct fault_list *faults;
};

/* The groups around a host, the outermost first. */
struct scope {
    const char *groups[MAX_NESTED_GROUPS];
    size_t n_groups;
    const struct yaml_node *vars; /* merged */
};

static const char *own_key_next(const void *arg, size_t i)
{
    (void)arg;
    return i < ARRAY_LEN(own_keys) ? own_keys[i] : NULL;
}

static bool is_own_key(const char *key)
{
    for (size_t i = 0; i < ARRAY_LEN(own_keys); i++) {
        if (strcmp(own_keys[i], key) == 0) {
            return true;
        }
    }
    return false;
}

/* Checks one map of variables for misspelt keys of ours. */
static void check_vars(const struct loader *loader, const struct yaml_node *vars)
{
    for (size_t i = 0; vars != NULL && vars->kind == YAML_MAP && i < vars->count; i++) {
        const char *key = vars->keys[i];
        const char *nearest = name_nearest(key, own_key_next, NULL);

        if (!is_own_key(key) && nearest != NULL && strncmp(key, "ansible_", 8) != 0) {
            fault_add(loader->faults, vars->key_places[i],
                      "unknown key '%.60s'; did you mean %s?", key, nearest);
        }
    }
    if (vars != NULL && vars->kind != YAML_MAP && vars->kind != YAML_NULL) {
        fault_add(loader->faults, vars->place, "variables: wants a map");
    }
}

/* The entries of vars that host_schema knows. */
static struct yaml_node known_vars(const struct yaml_node *vars, const char **keys,
                                   struct yaml_node **items, struct yaml_place *places)
{
    struct yaml_node known = {
        .kind = YAML_MAP, .keys = keys, .items = items, .key_places = places
    };

    for (const struct field *field = host_fields; field->name != NULL; field++) {
        struct yaml_node *value = yaml_get(vars, field->name);

        if (value != NULL) {
            keys[known.count] = field->name;
            items[known.count] = value;
            places[known.count] = value->place;
            known.count++;
        }
    }
    return known;
}

static bool is_z85(const char *text)
{
    return strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        ".-:+=^!/*?&<>()[]{}@%$#")
           == strlen(text);
}

typedef char (*names_ptr)[INVENTORY_NAME_SIZE];

/* Appends a name to a list, once. */
static void name_add(const struct loader *loader, names_ptr *names, size_t *count,
                     const char *name, struct yaml_place place)
{
    names_ptr grown = NULL;

    for (size_t i = 0; i < *count; i++) {
        if (strcmp((*names)[i], name) == 0) {
            return;
        }
    }
    if (!name_is_safe(name, INVENTORY_NAME_SIZE - 1) || *count >= MAX_GROUPS_OF_NODE) {
        fault_add(loader->faults, place, "'%.60s' is no name, or one too many", name);
        return;
    }
    grown = realloc(*names, (*count + 1) * sizeof(**names));
    if (grown == NULL) {
        loader->faults->failed = true;
        return;
    }
    *names = grown;
    snprintf(grown[*count], INVENTORY_NAME_SIZE, "%s", name);
    (*count)++;
}

static void read_names(const struct loader *loader, const struct yaml_node *list,
                       const char *what, names_ptr *names, size_t *count)
{
    if (list == NULL || list->kind == YAML_NULL) {
        return;
    }
    if (list->kind != YAML_LIST) {
        fault_add(loader->faults, list->place, "%s: wants a list of names", what);
        return;
    }
    for (size_t i = 0; i < list->count; i++) {
        name_add(loader, names, count, yaml_text(list->items[i], ""), list->items[i]->place);
    }
}

static struct inventory_node *find_node(const struct inventory *inventory, const char *name)
{
    for (size_t i = 0; i < inventory->n_nodes; i++) {
        if (strcmp(inventory->nodes[i].name, name) == 0) {
            return &inventory->nodes[i];
        }
    }
    return NULL;
}

static struct inventory_node *node_append(const struct loader *loader)
{
    struct inventory *inventory = loader->inventory;
    struct inventory_node *nodes = NULL;

    if (inventory->n_nodes % 64 == 0) {
        nodes = realloc(inventory->nodes, (inventory->n_nodes + 64) * sizeof(*nodes));
        if (nodes == NULL) {
            loader->faults->failed = true;
            return NULL;
        }
        inventory->nodes = nodes;
    }
    inventory->nodes[inventory->n_nodes] = (struct inventory_node){ .port = DEFAULT_PORT };
    inventory->n_nodes++;
    return &inventory->nodes[inventory->n_nodes - 1];
}

static void fill_node(const struct loader *loader, struct inventory_node *node,
                      const struct yaml_node *vars, struct yaml_place place)
{
    const char *keys[ARRAY_LEN(host_fields)];
    struct yaml_node *items[ARRAY_LEN(host_fields)];
    struct yaml_place places[ARRAY_LEN(host_fields)];
    struct yaml_node known = known_vars(vars, keys, items, places);
    struct host_vars host;
    const struct yaml_node *board = yaml_get(vars, "board");
    size_t key_size = 0;

    schema_decode(&host_schema, &known, &host, loader->faults);
    snprintf(node->host, sizeof(node->host), "%s",
             host.ansible_host[0] != '\0' ? host.ansible_host : node->name);
    snprintf(node->user, sizeof(node->user), "%s", host.ansible_user);
    snprintf(node->board, sizeof(node->board), "%s", host.board);
    memcpy(node->public_key, host.public_key, sizeof(node->public_key));
    node->port = (uint16_t)host.port;
    key_size = strlen(node->public_key);
    if (key_size != 0 && (key_size != PUBLIC_KEY_SIZE - 1 || !is_z85(node->public_key))) {
        fault_add(loader->faults, yaml_get(vars, "public_key")->place,
                  "public_key: wants 40 characters of Z85");
    }
    if (strcmp(node->board, "sim") != 0 && strcmp(node->board, "iss") != 0
        && strcmp(node->board, "pru") != 0) {
        fault_add(loader->faults, board != NULL ? board->place : place,
                  "board: '%s' is none of sim, iss, pru", node->board);
    }
    read_names(loader, yaml_get(vars, "capabilities"), "capabilities", &node->capabilities,
               &node->n_capabilities);
    read_names(loader, yaml_get(vars, "groups"), "groups", &node->groups, &node->n_groups);
}

static void add_host(const struct loader *loader, const struct scope *scope, const char *name,
                     const struct yaml_node *own, struct yaml_place place)
{
    struct inventory_node *node = NULL;
    const struct yaml_node *vars = NULL;
    struct err err = { 0 };

    if (!name_is_safe(name, INVENTORY_NAME_SIZE - 1)) {
        fault_add(loader->faults, place,
                  "'%.60s' cannot be a node's name: letters, digits, '.', '_' and '-', at most "
                  "%d",
                  name, INVENTORY_NAME_SIZE - 1);
        return;
    }
    node = find_node(loader->inventory, name);
    if (node != NULL && own != NULL && own->kind == YAML_MAP && own->count > 0) {
        fault_add(loader->faults, place, "node %s is described twice", name);
        return;
    }
    if (node == NULL && loader->inventory->n_nodes >= MAX_NODES) {
        fault_add(loader->faults, place, "more than %d nodes", (int)MAX_NODES);
        return;
    }
    if (node == NULL) {
        node = node_append(loader);
        if (node == NULL) {
            return;
        }
        snprintf(node->name, sizeof(node->name), "%s", name);
        node->place = place;
        vars = scope->vars;
        if (own != NULL && own->kind == YAML_MAP) {
            vars = yaml_merge(loader->doc, scope->vars, own, &err);
        }
        fill_node(loader, node, vars, place);
    }
    for (size_t i = 0; i < scope->n_groups; i++) {
        name_add(loader, &node->groups, &node->n_groups, scope->groups[i], place);
    }
}

/* "sheep[2:10]", "s[01:12:2]", "s[a:d]": first, last and step of a range. */
struct range {
    long first;
    long last;
    long step;
    int width;
    bool is_letter;
    char prefix[INVENTORY_NAME_SIZE];
    char suffix[INVENTORY_NAME_SIZE];
};

static bool range_parse(const char *name, struct range *range)
{
    const char *open = strchr(name, '[');
    const char *close = open != NULL ? strchr(open, ']') : NULL;
    char first[12] = "";
    char last[12] = "";
    char step[12] = "1";
    int n_fields = 0;

    if (close == NULL || (size_t)(open - name) >= sizeof(range->prefix)
        || strlen(close + 1) >= sizeof(range->suffix)) {
        return false;
    }
    n_fields = sscanf(open + 1, "%9[0-9a-zA-Z]:%9[0-9a-zA-Z]:%9[0-9]", first, last, step);
    snprintf(range->prefix, sizeof(range->prefix), "%.*s", (int)(open - name), name);
    snprintf(range->suffix, sizeof(range->suffix), "%s", close + 1);
    range->step = strtol(step, NULL, 10);
    range->is_letter = isalpha((unsigned char)first[0]) && first[1] == '\0'
                       && isalpha((unsigned char)last[0]) && last[1] == '\0';
    if (n_fields < 2 || range->step < 1) {
        return false;
    }
    if (range->is_letter) {
        range->first = (unsigned char)first[0];
        range->last = (unsigned char)last[0];
    } else {
        char *end_first = NULL;
        char *end_last = NULL;

        range->first = strtol(first, &end_first, 10);
        range->last = strtol(last, &end_last, 10);
        range->width = first[0] == '0' ? (int)strlen(first) : 0;
        if (*end_first != '\0' || *end_last != '\0') {
            return false;
        }
    }
    return range->last >= range->first
           && (range->last - range->first) / range->step < MAX_NODES;
}

static void add_hosts(const struct loader *loader, const struct scope *scope, const char *name,
                      const struct yaml_node *own, struct yaml_place place)
{
    struct range range = { 0 };

    if (strpbrk(name, "[]") == NULL) {
        add_host(loader, scope, name, own, place);
        return;
    }
    if (!range_parse(name, &range)) {
        fault_add(loader->faults, place, "'%.60s' is no range such as sheep[2:10]", name);
        return;
    }
    for (long i = range.first; i <= range.last; i += range.step) {
        char text[3 * INVENTORY_NAME_SIZE];

        if (range.is_letter) {
            snprintf(text, sizeof(text), "%s%c%s", range.prefix, (char)i, range.suffix);
        } else {
            snprintf(text, sizeof(text), "%s%0*ld%s", range.prefix, range.width, i,
                     range.suffix);
        }
        add_host(loader, scope, text, own, place);
    }
}

static void read_group(const struct loader *loader,
                       const struct yaml_node *group, // NOLINT(misc-no-recursion)
                       const char *name, const struct scope *outer)
{
    struct scope scope = *outer;
    const struct yaml_node *hosts = yaml_get(group, "hosts");
    const struct yaml_node *children = yaml_get(group, "children");
    const struct yaml_node *vars = yaml_get(group, "vars");
    struct err err = { 0 };

    if (group->kind != YAML_MAP && group->kind != YAML_NULL) {
        fault_add(loader->faults, group->place, "group %.60s: wants a map", name);
        return;
    }
    if (scope.n_groups == MAX_NESTED_GROUPS) {
        fault_add(loader->faults, group->place, "groups nested too deeply");
        return;
    }
    scope.groups[scope.n_groups] = name;
    scope.n_groups++;
    check_vars(loader, vars);
    if (vars != NULL && vars->kind == YAML_MAP) {
        scope.vars = yaml_merge(loader->doc, scope.vars, vars, &err);
    }
    for (size_t i = 0; group->kind == YAML_MAP && i < group->count; i++) {
        if (strcmp(group->keys[i], "hosts") != 0 && strcmp(group->keys[i], "vars") != 0
            && strcmp(group->keys[i], "children") != 0) {
            fault_add(loader->faults, group->key_places[i],
                      "group %.60s: unknown key '%.60s'; a group has hosts, vars, children",
                      name, group->keys[i]);
        }
    }
    if (hosts != NULL && hosts->kind != YAML_MAP && hosts->kind != YAML_NULL) {
        fault_add(loader->faults, hosts->place, "hosts: wants a map of names");
    }
    for (size_t i = 0; hosts != NULL && hosts->kind == YAML_MAP && i < hosts->count; i++) {
        check_vars(loader, hosts->items[i]);
        add_hosts(loader, &scope, hosts->keys[i], hosts->items[i], hosts->key_places[i]);
    }
    for (size_t i = 0; children != NULL && children->kind == YAML_MAP && i < children->count;
         i++) {
        read_group(loader, children->items[i], children->keys[i], &scope);
    }
}

/* A group beside `sheep` names nodes, and machines that are none of ours. */
static void read_membership(const struct loader *loader,
                            const struct yaml_node *group, // NOLINT(misc-no-recursion)
                            const char *name)
{
    const struct yaml_node *hosts = yaml_get(group, "hosts");
    const struct yaml_node *children = yaml_get(group, "children");

    for (size_t i = 0; hosts != NULL && hosts->kind == YAML_MAP && i < hosts->count; i++) {
        struct inventory_node *node = find_node(loader->inventory, hosts->keys[i]);

        if (node != NULL) {
            name_add(loader, &node->groups, &node->n_groups, name, hosts->key_places[i]);
        }
    }
    for (size_t i = 0; children != NULL && children->kind == YAML_MAP && i < children->count;
         i++) {
        read_membership(loader, children->items[i], children->keys[i]);
    }
}

static int compare_addresses(const void *left, const void *right)
{
    const struct inventory_node *a = *(const struct inventory_node *const *)left;
    const struct inventory_node *b = *(const struct inventory_node *const *)right;
    int order = strcasecmp(a->host, b->host);

    return order != 0 ? order : (a->port > b->port) - (a->port < b->port);
}

static void check_addresses(const struct loader *loader)
{
    struct inventory *inventory = loader->inventory;
    const struct inventory_node **sorted =
        calloc(inventory->n_nodes + 1, sizeof(const struct inventory_node *));

    if (sorted == NULL) {
        loader->faults->failed = true;
        return;
    }
    for (size_t i = 0; i < inventory->n_nodes; i++) {
        sorted[i] = &inventory->nodes[i];
    }
    qsort(sorted, inventory->n_nodes, sizeof(const struct inventory_node *), compare_addresses);
    for (size_t i = 1; i < inventory->n_nodes; i++) {
        const struct inventory_node *a = sorted[i - 1];
        const struct inventory_node *b = sorted[i];

        if (strcasecmp(a->host, b->host) == 0 && b->port - a->port < PORTS_PER_NODE) {
            fault_add(loader->faults, b->place,
                      "nodes %s and %s have the same address: %s:%u and %u (a node uses %d "
                      "ports in a row)",
                      a->name, b->name, b->host, (unsigned)a->port, (unsigned)b->port,
                      (int)PORTS_PER_NODE);
        }
    }
    free(sorted);
}

static void read_root(const struct loader *loader, const struct yaml_node *root)
{
    const struct yaml_node *all = yaml_get(root, "all");
    const struct yaml_node *sheep = yaml_get(root, "sheep");
    struct scope scope = { .vars = yaml_get(all, "vars") };

    if (sheep == NULL) {
        sheep = yaml_get(yaml_get(all, "children"), "sheep");
    }
    if (sheep == NULL) {
        fault_add(loader->faults, root->place, "there is no group 'sheep' with the nodes");
        return;
    }
    check_vars(loader, scope.vars);
    read_group(loader, sheep, "sheep", &scope);
    for (size_t i = 0; i < root->count; i++) {
        if (root->items[i] != sheep) {
            read_membership(loader, root->items[i], root->keys[i]);
        }
    }
    if (loader->inventory->n_nodes == 0 && loader->faults->count == 0) {
        fault_add(loader->faults, sheep->place, "the group 'sheep' has no hosts");
    }
    check_addresses(loader);
}

void inventory_destroy(struct inventory **inventory_p)
{
    struct inventory *inventory = *inventory_p;

    if (inventory == NULL) {
        return;
    }
    for (size_t i = 0; i < inventory->n_nodes; i++) {
        free(inventory->nodes[i].groups);
        free(inventory->nodes[i].capabilities);
    }
    free(inventory->nodes);
    free(inventory);
    *inventory_p = NULL;
}

static struct inventory *build(const struct yaml_node *root, const char *file_name,
                               struct fault_list *faults)
{
    struct loader loader = { .inventory = calloc(1, sizeof(*loader.inventory)),
                             .doc = yaml_create(),
                             .faults = faults };
    size_t n_before = faults->count;

    if (loader.inventory == NULL || loader.doc == NULL) {
        faults->failed = true;
    } else if (root->kind != YAML_MAP) {
        fault_add(faults, root->place, "an inventory is a map with the group 'sheep'");
    } else {
        snprintf(loader.inventory->path, sizeof(loader.inventory->path), "%s", file_name);
        read_root(&loader, root);
    }
    yaml_destroy(&loader.doc);
    if (faults->count != n_before || faults->failed) {
        inventory_destroy(&loader.inventory);
        return NULL;
    }
    /* Places are loans from a document that goes. */
    for (size_t i = 0; i < loader.inventory->n_nodes; i++) {
        loader.inventory->nodes[i].place.file = loader.inventory->path;
    }
    return loader.inventory;
}

struct inventory *inventory_parse(const char *text, const char *file_name,
                                  struct fault_list *faults)
{
    struct err err = { 0 };
    struct yaml_doc *doc = yaml_parse(text, strlen(text), file_name, &err);
    struct inventory *inventory = NULL;

    if (doc == NULL) {
        fault_add(faults, (struct yaml_place){ 0 }, "%.390s", err.text);
        return NULL;
    }
    inventory = build(yaml_root(doc), file_name, faults);
    yaml_destroy(&doc);
    return inventory;
}

struct inventory *inventory_load(const char *path, struct fault_list *faults)
{
    struct err err = { 0 };
    struct yaml_doc *doc = yaml_load(path, &err);
    struct inventory *inventory = NULL;

    if (doc == NULL) {
        fault_add(faults, (struct yaml_place){ 0 }, "%.390s", err.text);
        return NULL;
    }
    inventory = build(yaml_root(doc), path, faults);
    yaml_destroy(&doc);
    return inventory;
}

const struct inventory_node *inventory_get(const struct inventory *inventory, const char *name)
{
    return find_node(inventory, name);
}
