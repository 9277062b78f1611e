/* SPDX-License-Identifier: MIT */
#include "herd/ssh.h"

#include <libssh/libssh.h>

#include <stdlib.h>
#include <string.h>

struct ssh_link {
    ssh_session session;
    int timeout_ms;
};

static int set_options(ssh_session session, const struct ssh_target *target, struct err *err)
{
    const int no = 0;

    if (ssh_options_set(session, SSH_OPTIONS_HOST, target->host) < 0
        || (target->user != NULL && target->user[0] != '\0'
            && ssh_options_set(session, SSH_OPTIONS_USER, target->user) < 0)
        || (target->port != 0 && ssh_options_set(session, SSH_OPTIONS_PORT, &target->port) < 0)
        || ssh_options_set(session, SSH_OPTIONS_TIMEOUT, &target->timeout_s) < 0) {
        return err_set(err, ERR_INPUT, "%s", ssh_get_error(session));
    }
    if (ssh_options_parse_config(session, NULL) < 0) {
        return err_set(err, ERR_INPUT, "~/.ssh/config: %s", ssh_get_error(session));
    }
    /* What the command line says stands above the file. */
    if ((target->known_hosts != NULL
         && (ssh_options_set(session, SSH_OPTIONS_KNOWNHOSTS, target->known_hosts) < 0
             || ssh_options_set(session, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, target->known_hosts)
                    < 0))
        || (target->identity != NULL
            && ssh_options_set(session, SSH_OPTIONS_IDENTITY, target->identity) < 0)
        || ssh_options_set(session, SSH_OPTIONS_PASSWORD_AUTH, &no) < 0
        || ssh_options_set(session, SSH_OPTIONS_KBDINT_AUTH, &no) < 0) {
        return err_set(err, ERR_INPUT, "%s", ssh_get_error(session));
    }
    return 0;
}

/* "SHA256:..." of the key that the server has shown; "" when it cannot be told. */
static void fingerprint_of(ssh_session session, char *text, size_t size)
{
    ssh_key key = NULL;
    unsigned char *hash = NULL;
    size_t hash_size = 0;

    text[0] = '\0';
    if (ssh_get_server_publickey(session, &key) == SSH_OK
        && ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &hash_size)
               == SSH_OK) {
        char *shown = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, hash_size);

        if (shown != NULL) {
            size_t length = strnlen(shown, size - 1);

            memcpy(text, shown, length);
            text[length] = '\0';
        }
        ssh_string_free_char(shown);
    }
    ssh_clean_pubkey_hash(&hash);
    ssh_key_free(key);
}

static int check_host(ssh_session session, struct err *err)
{
    char fingerprint[128];

    fingerprint_of(session, fingerprint, sizeof(fingerprint));
    switch (ssh_session_is_known_server(session)) {
    case SSH_KNOWN_HOSTS_OK:
        return 0;
    case SSH_KNOWN_HOSTS_CHANGED:
        return err_set(err, ERR_DENIED,
                       "its host key has CHANGED (now %s): someone may be in the middle; "
                       "nothing was done",
                       fingerprint);
    case SSH_KNOWN_HOSTS_OTHER:
        return err_set(err, ERR_DENIED,
                       "it shows a host key of another type than the known one (%s); nothing "
                       "was done",
                       fingerprint);
    case SSH_KNOWN_HOSTS_NOT_FOUND:
    case SSH_KNOWN_HOSTS_UNKNOWN:
        return err_set(err, ERR_DENIED,
                       "its host key is not known (%s): compare it, connect once with ssh, "
                       "then again; nothing was done",
                       fingerprint);
    case SSH_KNOWN_HOSTS_ERROR:
        break;
    }
    return err_set(err, ERR_DENIED, "host key: %s", ssh_get_error(session));
}

static int authenticate(ssh_session session, const struct ssh_target *target, struct err *err)
{
    int result = SSH_AUTH_DENIED;

    if (target->identity == NULL) {
        result = ssh_userauth_agent(session, NULL);
    }
    if (result != SSH_AUTH_SUCCESS) {
        /* No passphrase and no callback: a locked key is skipped, nobody is asked. */
        result = ssh_userauth_publickey_auto(session, NULL, NULL);
    }
    if (result != SSH_AUTH_SUCCESS) {
        return err_set(err, ERR_DENIED,
                       "user '%s' is not let in with a key of the agent or a key file (one "
                       "with a passphrase must be in the agent: ssh-add)",
                       target->user != NULL && target->user[0] != '\0' ? target->user
                                                                       : "(default)");
    }
    return 0;
}

struct ssh_link *ssh_link_open(const struct ssh_target *target, struct err *err)
{
    struct ssh_link *link = calloc(1, sizeof(*link));

    if (link == NULL || (link->session = ssh_new()) == NULL) {
        err_set(err, ERR_MEMORY, "SSH session");
        goto fail;
    }
    link->timeout_ms = (int)target->timeout_s * 1000;
    if (set_options(link->session, target, err) < 0) {
        goto fail;
    }
    if (ssh_connect(link->session) != SSH_OK) {
        err_set(err, ERR_UNREACHABLE, "SSH: %s", ssh_get_error(link->session));
        goto fail;
    }
    if (check_host(link->session, err) < 0 || authenticate(link->session, target, err) < 0) {
        goto fail;
    }
    return link;
fail:
    ssh_link_close(&link);
    return NULL;
}

void ssh_link_close(struct ssh_link **link)
{
    if (*link == NULL) {
        return;
    }
    if ((*link)->session != NULL) {
        ssh_disconnect((*link)->session);
        ssh_free((*link)->session);
    }
    free(*link);
    *link = NULL;
}

/* Reads one of the two streams to its end. */
static int read_stream(const struct ssh_link *link, ssh_channel channel, int is_stderr,
                       struct buf *output, size_t max_output, struct err *err)
{
    char block[4096];
    int n = 0;

    while ((n = ssh_channel_read_timeout(channel, block, sizeof(block), is_stderr,
                                         link->timeout_ms))
           > 0) {
        if (output->size + (size_t)n > max_output) {
            return err_set(err, ERR_INPUT, "it says more than %zu bytes", max_output);
        }
        buf_append(output, block, (size_t)n);
    }
    if (n < 0) {
        return err_set(err, ERR_SYSTEM, "SSH: %s", ssh_get_error(link->session));
    }
    if (!ssh_channel_is_eof(channel)) {
        return err_set(err, ERR_TIMEOUT, "a command did not end in time");
    }
    return 0;
}

static int talk(const struct ssh_link *link, ssh_channel channel, const char *command,
                const char *input, struct buf *output, size_t max_output, struct err *err)
{
    struct buf complaint = { 0 };
    int status = -1;
    size_t size = input != NULL ? strlen(input) : 0;

    if (ssh_channel_open_session(channel) != SSH_OK
        || ssh_channel_request_exec(channel, command) != SSH_OK
        || (size > 0 && ssh_channel_write(channel, input, (uint32_t)size) != (int)size)
        || ssh_channel_send_eof(channel) != SSH_OK) {
        return err_set(err, ERR_SYSTEM, "SSH: %s", ssh_get_error(link->session));
    }
    if (read_stream(link, channel, 0, output, max_output, err) < 0
        || read_stream(link, channel, 1, &complaint, 4096, err) < 0) {
        buf_fini(&complaint);
        return -1;
    }
    status = ssh_channel_get_exit_status(channel);
    if (status != 0) {
        err_set(err, ERR_STATE, "a command failed with status %d: %.*s", status,
                complaint.data != NULL ? (int)strcspn(complaint.data, "\n") : 0,
                complaint.data != NULL ? complaint.data : "");
    }
    buf_fini(&complaint);
    return status == 0 ? 0 : -1;
}

int ssh_link_run(struct ssh_link *link, const char *command, const char *input,
                 struct buf *output, size_t max_output, struct err *err)
{
    ssh_channel channel = ssh_channel_new(link->session);
    int result = 0;

    if (channel == NULL) {
        return err_set(err, ERR_MEMORY, "SSH channel");
    }
    result = talk(link, channel, command, input, output, max_output, err);
    ssh_channel_free(channel);
    return result;
}
