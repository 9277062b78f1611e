/* SPDX-License-Identifier: MIT */
#include "herd/ssh.h"

#include "common/clock.h"

#include <libssh/libssh.h>

#include <stdlib.h>
#include <string.h>

enum {
    POLL_MS = 20, /* libssh can wait for one of two streams only */
};

struct ssh_link {
    ssh_session session;
    int timeout_ms;
};

void ssh_quote_word(const char *text, struct buf *out)
{
    buf_text(out, "'");
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            buf_text(out, "'\\''");
        } else {
            buf_append(out, text, 1);
        }
    }
    buf_text(out, "'");
}

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

/* Takes what is there of one stream; how much, or -1. */
static int take_stream(const struct ssh_link *link, ssh_channel channel, int is_stderr,
                       struct buf *output, size_t max_output, struct err *err)
{
    char block[4096];
    int taken = 0;
    int n = 0;

    while ((n = ssh_channel_read_nonblocking(channel, block, sizeof(block), is_stderr)) > 0) {
        if (output->size + (size_t)n > max_output) {
            return err_set(err, ERR_INPUT, "it says more than %zu bytes", max_output);
        }
        buf_append(output, block, (size_t)n);
        taken += n;
    }
    if (n == SSH_ERROR) {
        return err_set(err, ERR_SYSTEM, "SSH: %s", ssh_get_error(link->session));
    }
    return taken;
}

/* Both streams to their end, which is one for both: neither may wait for the other. */
static int take_streams(const struct ssh_link *link, ssh_channel channel,
                        struct ssh_answer *answer, size_t max_output, struct err *err)
{
    int64_t deadline_ns = clock_mono_ns() + link->timeout_ms * NS_PER_MS;

    while (!ssh_channel_is_eof(channel)) {
        int n_out = take_stream(link, channel, 0, &answer->out, max_output, err);
        int n_err =
            n_out < 0 ? -1 : take_stream(link, channel, 1, &answer->err, max_output, err);

        if (n_err < 0) {
            return -1;
        }
        if (n_out + n_err > 0) {
            deadline_ns = clock_mono_ns() + link->timeout_ms * NS_PER_MS;
        } else if (clock_mono_ns() >= deadline_ns) {
            return err_set(err, ERR_TIMEOUT, "a command did not end in time");
        } else if (ssh_channel_poll_timeout(channel, POLL_MS, 0) == SSH_ERROR) {
            return err_set(err, ERR_SYSTEM, "SSH: %s", ssh_get_error(link->session));
        }
    }
    return 0;
}

static int talk(const struct ssh_link *link, ssh_channel channel, const char *command,
                const char *input, struct ssh_answer *answer, size_t max_output,
                struct err *err)
{
    size_t size = input != NULL ? strlen(input) : 0;

    if (ssh_channel_open_session(channel) != SSH_OK
        || ssh_channel_request_exec(channel, command) != SSH_OK
        || (size > 0 && ssh_channel_write(channel, input, (uint32_t)size) != (int)size)
        || ssh_channel_send_eof(channel) != SSH_OK) {
        return err_set(err, ERR_SYSTEM, "SSH: %s", ssh_get_error(link->session));
    }
    if (take_streams(link, channel, answer, max_output, err) < 0) {
        return -1;
    }
    answer->status = ssh_channel_get_exit_status(channel);
    return answer->out.failed || answer->err.failed ? err_set(err, ERR_MEMORY, "an answer") : 0;
}

int ssh_link_exec(struct ssh_link *link, const char *command, const char *input,
                  struct ssh_answer *answer, size_t max_output, struct err *err)
{
    ssh_channel channel = ssh_channel_new(link->session);
    int result = 0;

    if (channel == NULL) {
        return err_set(err, ERR_MEMORY, "SSH channel");
    }
    result = talk(link, channel, command, input, answer, max_output, err);
    ssh_channel_free(channel);
    return result;
}

void ssh_answer_fini(struct ssh_answer *answer)
{
    buf_fini(&answer->out);
    buf_fini(&answer->err);
}

int ssh_link_run(struct ssh_link *link, const char *command, const char *input,
                 struct buf *output, size_t max_output, struct err *err)
{
    struct ssh_answer answer = { 0 };
    int result = ssh_link_exec(link, command, input, &answer, max_output, err);

    if (result == 0 && answer.status != 0) {
        const char *text = answer.err.data != NULL ? answer.err.data : "";

        result = err_set(err, ERR_STATE, "a command failed with status %d: %.*s", answer.status,
                         (int)strcspn(text, "\n"), text);
    } else if (result == 0 && answer.out.size > 0) {
        buf_append(output, answer.out.data, answer.out.size);
    }
    ssh_answer_fini(&answer);
    return result;
}
