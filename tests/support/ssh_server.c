/* SPDX-License-Identifier: MIT */
#include "tests/support/ssh_server.h"

#include "tests/support/caught.h"

#include <arpa/inet.h>
#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    MUCH = 100000,
    FAILURE = 3,
    RSA_BITS = 2048
};

/* ---- the child ---- */

static void echo(ssh_channel channel)
{
    char block[4096];
    int n = 0;

    while ((n = ssh_channel_read(channel, block, sizeof(block), 0)) > 0) {
        ssh_channel_write(channel, block, (uint32_t)n);
    }
}

static void write_much(ssh_channel channel)
{
    char block[1000];

    memset(block, 'x', sizeof(block));
    for (unsigned i = 0; i < MUCH / sizeof(block); i++) {
        ssh_channel_write(channel, block, sizeof(block));
        ssh_channel_write_stderr(channel, block, sizeof(block));
    }
}

static void write_pieces(ssh_channel channel)
{
    static const char *const PIECES[] = { "one ", "two ", "three" };

    for (size_t i = 0; i < sizeof(PIECES) / sizeof(PIECES[0]); i++) {
        ssh_channel_write(channel, PIECES[i], (uint32_t)strlen(PIECES[i]));
        usleep(30000);
    }
}

static void obey(ssh_channel channel, const char *command)
{
    int status = 0;

    if (strcmp(command, "never") == 0) {
        pause();
    } else if (strcmp(command, "echo") == 0) {
        echo(channel);
    } else if (strcmp(command, "much") == 0) {
        write_much(channel);
    } else if (strcmp(command, "pieces") == 0) {
        write_pieces(channel);
    } else {
        static const char FIRST[] = "first line\nsecond line\n";

        status = FAILURE;
        ssh_channel_write(channel, "out", 3);
        ssh_channel_write_stderr(channel, FIRST, sizeof(FIRST) - 1);
    }
    if (strcmp(command, "signal") == 0) {
        ssh_channel_request_send_exit_signal(channel, "KILL", 0, "", "");
    } else {
        ssh_channel_request_send_exit_status(channel, status);
    }
    ssh_channel_send_eof(channel);
    ssh_channel_close(channel);
}

/* What a connection has asked for so far. */
struct caller {
    ssh_key allowed;
    ssh_channel channel;
    char command[64];
    struct ssh_channel_callbacks_struct callbacks;
};

static int check_key(ssh_session session, const char *user, struct ssh_key_struct *shown,
                     char state, void *arg)
{
    const struct caller *caller = arg;

    (void)session;
    (void)user;
    if (ssh_key_cmp(shown, caller->allowed, SSH_KEY_CMP_PUBLIC) != 0
        || state == SSH_PUBLICKEY_STATE_ERROR || state == SSH_PUBLICKEY_STATE_WRONG) {
        return SSH_AUTH_DENIED;
    }
    return SSH_AUTH_SUCCESS;
}

static int take_command(ssh_session session, ssh_channel channel, const char *command,
                        void *arg)
{
    struct caller *caller = arg;

    (void)session;
    (void)channel;
    snprintf(caller->command, sizeof(caller->command), "%s", command);
    return SSH_OK;
}

static ssh_channel open_channel(ssh_session session, void *arg)
{
    struct caller *caller = arg;

    caller->channel = ssh_channel_new(session);
    caller->callbacks =
        (struct ssh_channel_callbacks_struct){ .userdata = caller,
                                               .channel_exec_request_function = take_command };
    ssh_callbacks_init(&caller->callbacks);
    ssh_set_channel_callbacks(caller->channel, &caller->callbacks);
    return caller->channel;
}

static void serve(ssh_session session, struct caller *caller)
{
    ssh_event event = ssh_event_new();

    ssh_event_add_session(event, session);
    while (ssh_event_dopoll(event, -1) == SSH_OK) {
        if (caller->command[0] != '\0') {
            obey(caller->channel, caller->command);
            caller->command[0] = '\0';
        }
    }
}

static void serve_one(int fd, ssh_key host, ssh_key allowed)
{
    struct caller caller = { .allowed = allowed };
    struct ssh_server_callbacks_struct callbacks = {
        .userdata = &caller,
        .auth_pubkey_function = check_key,
        .channel_open_request_session_function = open_channel,
    };
    ssh_bind bind = ssh_bind_new();
    ssh_session session = ssh_new();

    ssh_callbacks_init(&callbacks);
    ssh_bind_options_set(bind, SSH_BIND_OPTIONS_IMPORT_KEY, host);
    if (ssh_bind_accept_fd(bind, session, fd) == SSH_OK
        && ssh_set_server_callbacks(session, &callbacks) == SSH_OK
        && ssh_handle_key_exchange(session) == SSH_OK) {
        ssh_set_auth_methods(session, SSH_AUTH_METHOD_PUBLICKEY);
        serve(session, &caller);
    }
}

/* One connection after the other, each in a process of its own. */
static void be_server(int listener, ssh_key host, ssh_key allowed)
{
    signal(SIGCHLD, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        int fd = accept(listener, NULL, NULL);

        if (fd >= 0 && fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            serve_one(fd, host, allowed);
            _exit(0);
        }
        close(fd);
    }
}

/* ---- the test's side ---- */

static void write_known(const struct ssh_server *server, ssh_key key)
{
    char *text = NULL;
    char line[1200];

    assert_int_equal(ssh_pki_export_pubkey_base64(key, &text), SSH_OK);
    snprintf(line, sizeof(line), "[127.0.0.1]:%u %s %s\n", server->port,
             ssh_key_type_to_char(ssh_key_type(key)), text);
    caught_write_text(server->known_hosts, line);
    ssh_string_free_char(text);
}

static ssh_key make_key(const char *path)
{
    ssh_key key = NULL;

    assert_int_equal(ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key), SSH_OK);
    if (path != NULL) {
        assert_int_equal(ssh_pki_export_privkey_file(key, NULL, NULL, NULL, path), SSH_OK);
    }
    return key;
}

static int listen_somewhere(unsigned *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

void ssh_server_start(struct ssh_server *server)
{
    ssh_key host = make_key(NULL);
    ssh_key allowed = NULL;
    ssh_key other = NULL;
    int listener = listen_somewhere(&server->port);

    caught_make_folder("ssh", server->folder, sizeof(server->folder));
    snprintf(server->known_hosts, sizeof(server->known_hosts), "%s/known", server->folder);
    snprintf(server->identity, sizeof(server->identity), "%s/id", server->folder);
    snprintf(server->stranger, sizeof(server->stranger), "%s/other", server->folder);
    allowed = make_key(server->identity);
    other = make_key(server->stranger);
    write_known(server, host);
    fflush(NULL);
    server->pid = fork();
    if (server->pid == 0) {
        be_server(listener, host, allowed);
    }
    assert_true(server->pid > 0);
    close(listener);
    ssh_key_free(host);
    ssh_key_free(allowed);
    ssh_key_free(other);
}

void ssh_server_stop(struct ssh_server *server)
{
    assert_int_equal(kill(server->pid, SIGKILL), 0);
    assert_int_equal(waitpid(server->pid, NULL, 0), server->pid);
    caught_remove_folder(server->folder);
}

void ssh_server_forget(const struct ssh_server *server, enum ssh_server_known known)
{
    ssh_key key = NULL;

    switch (known) {
    case SSH_SERVER_UNKNOWN:
        caught_write_text(server->known_hosts, "");
        return;
    case SSH_SERVER_CHANGED:
        key = make_key(NULL);
        break;
    case SSH_SERVER_OTHER_TYPE:
        assert_int_equal(ssh_pki_generate(SSH_KEYTYPE_RSA, RSA_BITS, &key), SSH_OK);
        break;
    }
    write_known(server, key);
    ssh_key_free(key);
}
