/* http_server: see http_server.h.
 *
 * libmicrohttpd (0.9.75 or 1.0.1) runs inside our loop. What it leaves to us: it accepts message
 * framings that another server in the chain may read differently (request smuggling, framing.c);
 * any single byte resets its timeout; at its limit of connections new clients wait unseen; and a
 * refusal that leaves unread bytes in the socket would reach the client as a reset
 * (http_connections.c). SPDX-License-Identifier: Apache-2.0 */
#include "http_server.h"

#include <assert.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../../base/mem.h"
#include "../os/clock.h"
#include "framing.h"
#include "http_connections.h"
#include "listener.h"

enum {
    HTTP_SERVER_SWEEP_MS = 100,   /* how often deadlines and lingering sockets are looked at */
    HTTP_SERVER_SPARE_FILES = 128 /* open files that are not connections: bus, lingering, … */
};

/* A connection and the request in progress on it. */
struct http_exchange {
    struct http_connection connection;
    struct http_request request; /* what the callbacks see */
    struct http_server *server;
    struct MHD_Connection *mhd;
    int64_t accepted_ms;   /* monotonic; 0 once the first request has been answered */
    bool expects_continue; /* the client waits for 100 Continue or an answer */
    bool must_close;       /* the answer is the last one on this connection */
    struct buf uri, body;
    struct MHD_Response *response; /* NULL: not answered */
    unsigned status;
};

struct http_server {
    struct http_server_conf conf;
    struct http_server_facts facts;
    struct MHD_Daemon *mhd;
    struct buf url;
    struct http_connections connections;
    size_t buffered; /* bytes of bodies that are being received */
    int64_t next_sweep_ms;
    bool is_quiet;    /* http_server_quiesce */
    bool has_pending; /* libmicrohttpd has work that no socket shows */
};

/* --- connections --- */

static struct http_exchange *http_server_accept(struct http_server *s, struct MHD_Connection *mhd) {
    struct http_exchange *x = mem_calloc(1, sizeof *x);
    int64_t patience_ms = s->conf.request_ms;
    if (patience_ms > s->conf.keepalive_ms)
        patience_ms = s->conf.keepalive_ms;
    x->server = s;
    x->mhd = mhd;
    x->accepted_ms = clock_mono_ms();
    x->connection.exchange = x;
    x->connection.deadline_ms = x->accepted_ms + patience_ms;
    x->connection.fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    http_connections_add(&s->connections, &x->connection);
    return x;
}

static void http_server_on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                                      enum MHD_ConnectionNotificationCode code) {
    struct http_server *s = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = http_server_accept(s, mhd);
        return;
    }
    struct http_exchange *x = *context;
    if (s->connections.n >= s->conf.max_connections)
        s->has_pending = true; /* it can accept again */
    http_connections_remove(&x->connection);
    buf_release(&x->uri);
    free(x);
}

/* --- requests --- */

/* The request line was received. */
static void *http_server_on_uri(void *cls, const char *uri, struct MHD_Connection *mhd) {
    struct http_server *s = cls;
    struct http_exchange *x =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    const size_t n_path = strcspn(uri, "?");
    int64_t begun_ms = x->accepted_ms;
    if (begun_ms == 0)
        begun_ms = clock_mono_ms();
    buf_clear(&x->uri);
    buf_text(&x->uri, uri);
    x->request = (struct http_request){.path = {x->uri.p, n_path}, .exchange = x};
    if (uri[n_path] == '?')
        x->request.query = span_of(x->uri.p + n_path + 1);
    http_connection_set_phase(&x->connection, HTTP_PHASE_HEAD);
    x->connection.has_unread = true;
    x->connection.deadline_ms = begun_ms + s->conf.request_ms;
    x->must_close = false;
    s->facts.in_flight++;
    return x;
}

static void http_server_drop_body(struct http_exchange *x) {
    x->server->buffered -= x->body.n;
    buf_release(&x->body);
}

static void http_server_on_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
                                     enum MHD_RequestTerminationCode code) {
    struct http_server *s = cls;
    struct http_exchange *x = *con_cls;
    (void)mhd;
    (void)code;
    if (!x)
        return;
    http_server_drop_body(x);
    if (x->response)
        MHD_destroy_response(x->response);
    x->response = NULL;
    free(x->request.owner);
    x->request.owner = NULL;
    x->accepted_ms = 0;
    x->connection.deadline_ms = clock_mono_ms() + s->conf.keepalive_ms;
    http_connection_set_phase(&x->connection, HTTP_PHASE_IDLE);
    s->facts.in_flight--;
}

static enum MHD_Result http_server_on_field(void *cls, enum MHD_ValueKind kind, const char *name,
                                            size_t n_name, const char *value, size_t n) {
    (void)kind;
    framing_field(cls, (struct span){name, n_name}, (struct span){value, n});
    return MHD_YES;
}

/* Refuses a request behind which no other one can be read. */
static void http_server_refuse_and_close(struct http_exchange *x, unsigned status,
                                         const char *why) {
    x->must_close = true;
    http_refuse(&x->request, status, why);
}

static void http_server_refuse_large(struct http_exchange *x) {
    char why[128];
    snprintf(why, sizeof why, "Too large: the body exceeds %lld bytes (max_body)",
             (long long)x->server->conf.max_body);
    http_server_refuse_and_close(x, MHD_HTTP_CONTENT_TOO_LARGE, why);
}

/* Hands the answer to libmicrohttpd, which closes the connection if the body was not read whole. */
static enum MHD_Result http_server_send(struct http_exchange *x) {
    x->connection.has_unread = x->connection.phase == HTTP_PHASE_HEAD;
    x->connection.deadline_ms = clock_mono_ms() + x->server->conf.request_ms;
    return MHD_queue_response(x->mhd, x->status, x->response);
}

/* Refuses what must not be read any further. */
static void http_server_check_head(struct http_exchange *x, bool is_newest) {
    struct framing framing = {0};
    MHD_get_connection_values_n(x->mhd, MHD_HEADER_KIND, http_server_on_field, &framing);
    const char *fault = framing_fault(&framing, is_newest);
    if (fault) {
        http_server_refuse_and_close(x, MHD_HTTP_BAD_REQUEST, fault);
        return;
    }
    const struct span expect = http_header(&x->request, MHD_HTTP_HEADER_EXPECT);
    x->expects_continue = expect.p && is_newest;
    if (x->expects_continue && !span_is_word(expect, "100-continue")) {
        http_server_refuse_and_close(x, MHD_HTTP_EXPECTATION_FAILED,
                                     "the only Expect accepted is 100-continue");
        return;
    }
    const struct span length = http_header(&x->request, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (length.p && strtoull(length.p, NULL, 10) > (unsigned long long)x->server->conf.max_body)
        http_server_refuse_large(x);
}

/* The head was received: checks it, then calls the owner. */
static enum MHD_Result http_server_on_head(struct http_exchange *x, const char *method,
                                           const char *version) {
    const struct http_server_conf *conf = &x->server->conf;
    x->expects_continue = false;
    x->request.method = span_of(method);
    http_server_check_head(x, strcmp(version, MHD_HTTP_VERSION_1_1) == 0);
    if (!x->response)
        conf->head(conf->ctx, &x->request);
    if (x->response && (x->must_close || x->expects_continue))
        return http_server_send(x);
    http_connection_set_phase(&x->connection, HTTP_PHASE_BODY);
    return MHD_YES;
}

static void http_server_on_bytes(struct http_exchange *x, const char *bytes, size_t n) {
    struct http_server *s = x->server;
    if (x->response)
        return; /* answered already: read on only to find the next request */
    if (x->body.n + n > (size_t)s->conf.max_body) {
        http_server_refuse_large(x);
    } else if (s->buffered + n > (size_t)s->conf.max_buffered) {
        http_field(&x->request, MHD_HTTP_HEADER_RETRY_AFTER, "1");
        http_refuse(&x->request, MHD_HTTP_SERVICE_UNAVAILABLE,
                    "too many request bodies are being received (max_buffered)");
    } else {
        s->buffered += n;
        buf_add(&x->body, bytes, n);
    }
}

/* The body is complete: the owner gets it, unless the request has been answered. */
static void http_server_on_body(struct http_exchange *x) {
    const struct http_server_conf *conf = &x->server->conf;
    http_connection_set_phase(&x->connection, HTTP_PHASE_COMPLETE);
    x->request.body = buf_view(&x->body);
    if (!x->response)
        conf->body(conf->ctx, &x->request);
    http_server_drop_body(x);
}

/* libmicrohttpd calls this after the head, for each piece of the body, at the body's end,
 * and again when the connection is resumed. */
static enum MHD_Result http_server_on_request(void *cls, struct MHD_Connection *mhd,
                                              const char *url, const char *method,
                                              const char *version, const char *bytes, size_t *n,
                                              void **con_cls) {
    struct http_exchange *x = *con_cls;
    (void)cls;
    (void)url;
    if (x->connection.phase == HTTP_PHASE_HEAD)
        return http_server_on_head(x, method, version);
    if (*n > 0) {
        http_server_on_bytes(x, bytes, *n);
        *n = 0;
        return MHD_YES;
    }
    if (x->connection.phase == HTTP_PHASE_BODY)
        http_server_on_body(x);
    if (x->response)
        return http_server_send(x);
    http_connection_set_phase(&x->connection, HTTP_PHASE_SUSPENDED);
    MHD_suspend_connection(mhd);
    return MHD_YES;
}

/* --- answers --- */

struct span http_header(const struct http_request *r, const char *name) {
    const char *value = NULL;
    size_t n = 0;
    MHD_lookup_connection_value_n(r->exchange->mhd, MHD_HEADER_KIND, name, strlen(name), &value,
                                  &n);
    return (struct span){value, n};
}

int http_field(struct http_request *r, const char *name, const char *value) {
    size_t n = 0;
    while (n < HTTP_FIELDS_MAX && r->fields[n].name)
        n++;
#ifdef DISTLOG_DEV
    assert(n < HTTP_FIELDS_MAX);
#endif
    if (n == HTTP_FIELDS_MAX)
        return -1;
    r->fields[n] = (struct http_field){name, value};
    return 0;
}

static void http_server_add_fields(struct http_exchange *x) {
    const struct http_field *fields = x->request.fields;
    MHD_add_response_header(x->response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain");
    for (size_t i = 0; i < HTTP_FIELDS_MAX && fields[i].name; i++)
        MHD_add_response_header(x->response, fields[i].name, fields[i].value);
    if (x->must_close)
        MHD_add_response_header(x->response, MHD_HTTP_HEADER_CONNECTION, "close");
    else
        MHD_set_response_options(x->response, MHD_RF_SEND_KEEP_ALIVE_HEADER, MHD_RO_END);
}

static void http_server_resume(struct http_exchange *x) {
    http_connection_set_phase(&x->connection, HTTP_PHASE_COMPLETE);
    x->connection.deadline_ms = clock_mono_ms() + x->server->conf.request_ms;
    x->server->has_pending = true;
    MHD_resume_connection(x->mhd);
}

void http_respond(struct http_request *r, unsigned status, struct span body) {
    struct http_exchange *x = r->exchange;
    x->status = status;
    x->response =
        MHD_create_response_from_buffer(body.n, (void *)(uintptr_t)body.p, MHD_RESPMEM_MUST_COPY);
    if (!x->response)
        mem_abort();
    if (x->server->is_quiet)
        x->must_close = true;
    http_server_add_fields(x);
    if (x->connection.phase == HTTP_PHASE_SUSPENDED)
        http_server_resume(x);
}

void http_refuse(struct http_request *r, unsigned status, const char *why) {
    BUF_LOCAL struct buf body = {0};
    r->exchange->server->facts.refused++;
    buf_printf(&body, "%u %s\n%s\n", status, MHD_get_reason_phrase_for(status), why);
    http_respond(r, status, buf_view(&body));
}

/* --- the server --- */

/* Raises the limit of open files as far as this process may; returns how many connections it can
 * then have, at most wanted. */
static int64_t http_server_fit_open_files(int64_t wanted) {
    struct rlimit files;
    rlim_t room = HTTP_SERVER_SPARE_FILES;
    getrlimit(RLIMIT_NOFILE, &files); /* cannot fail with these arguments */
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_max > 2 * room)
        room = files.rlim_max - HTTP_SERVER_SPARE_FILES;
    if ((rlim_t)wanted < room)
        return wanted;
    return (int64_t)room;
}

/* STRICT_FOR_CLIENT is 1 from libmicrohttpd 1.0 on. That release unfolds header fields before it
 * shows them, so framing.c cannot see a fold: the library must refuse them itself. And it counts
 * the line feed behind a chunk's extension as part of the chunk (1.0.1 does): unless it refuses
 * that line feed, trailers behind a last chunk with an extension are read as the next request. 0.9
 * keeps its default, because with 1 it cuts connections without an answer. The version is asked at
 * run time: the two share a soname, so one binary may meet both. */
static int http_server_strictness(void) {
    return MHD_get_version()[0] != '0';
}

static struct MHD_Daemon *http_server_start(struct http_server *s, int fd) {
    static const char tls_versions[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
    struct MHD_OptionItem secure[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)s->conf.cert},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)s->conf.key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)tls_versions},
        {MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem plain[] = {{MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem *more = plain;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
    if (s->conf.cert[0]) {
        more = secure;
        flags |= MHD_USE_TLS;
    }
    return MHD_start_daemon(
        flags, 0, NULL, NULL, http_server_on_request, s, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)s->conf.max_connections,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)s->conf.max_header,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_NOTIFY_CONNECTION,
        http_server_on_connection, s, MHD_OPTION_NOTIFY_COMPLETED, http_server_on_completed, s,
        MHD_OPTION_URI_LOG_CALLBACK, http_server_on_uri, s, MHD_OPTION_STRICT_FOR_CLIENT,
        http_server_strictness(), MHD_OPTION_ARRAY, more, MHD_OPTION_END);
}

/* Listens and starts libmicrohttpd: 0, or -1 with err. */
static int http_server_listen(struct http_server *s, bool *is_config_error, struct err *err) {
    const bool is_tls = s->conf.cert[0] != '\0';
    if (is_tls)
        buf_text(&s->url, "https://");
    else
        buf_text(&s->url, "http://");
    const int fd = listener_open(s->conf.listen, &s->url, &s->facts.loopback, is_config_error, err);
    if (fd < 0)
        return -1;
    s->facts.url = s->url.p;
    s->mhd = http_server_start(s, fd);
    if (s->mhd)
        return 0;
    close(fd);
    *is_config_error = true;
    if (is_tls)
        return err_set(err, "the certificate and its private key can't be used (each must be PEM, "
                            "and the key must match the certificate)");
    return err_set(err, "libmicrohttpd failed to start");
}

struct http_server *http_server_open(const struct http_server_conf *conf, bool *is_config_error,
                                     struct err *err) {
    struct http_server *s = mem_calloc(1, sizeof *s);
    s->conf = *conf;
    s->conf.max_connections = http_server_fit_open_files(conf->max_connections);
    s->facts.max_connections = s->conf.max_connections;
    http_connections_init(&s->connections, s->conf.max_connections);
    if (http_server_listen(s, is_config_error, err) != 0) {
        http_server_close(s);
        return NULL;
    }
    return s;
}

const struct http_server_facts *http_server_facts(const struct http_server *s) {
    return &s->facts;
}

/* How long to wait for events, at most wait_ms. */
static int http_server_wait_ms(const struct http_server *s, int wait_ms) {
    MHD_UNSIGNED_LONG_LONG timeout;
    if (s->has_pending)
        return 0;
    if (MHD_get_timeout(s->mhd, &timeout) == MHD_YES && timeout < (unsigned)wait_ms)
        wait_ms = (int)timeout;
    if (http_connections_need_sweep(&s->connections) && wait_ms > HTTP_SERVER_SWEEP_MS)
        wait_ms = HTTP_SERVER_SWEEP_MS;
    return wait_ms;
}

void http_server_run(struct http_server *s, int wait_ms, int fd) {
    const int epoll = MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    struct pollfd wait[] = {{.fd = epoll, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    wait_ms = http_server_wait_ms(s, wait_ms);
    s->has_pending = false;
    poll(wait, 2, wait_ms);
    MHD_run(s->mhd);
    const int64_t now_ms = clock_mono_ms();
    if (now_ms < s->next_sweep_ms)
        return;
    s->next_sweep_ms = now_ms + HTTP_SERVER_SWEEP_MS;
    http_connections_sweep(&s->connections, now_ms);
}

void http_server_quiesce(struct http_server *s) {
    s->is_quiet = true;
    close(MHD_quiesce_daemon(s->mhd)); /* the listening socket is ours again */
}

static void http_server_refuse_suspended(struct http_server *s) {
    struct http_connection *c;
    TAILQ_FOREACH (c, &s->connections.list, place) {
        if (c->phase == HTTP_PHASE_SUSPENDED)
            http_server_refuse_and_close(c->exchange, MHD_HTTP_SERVICE_UNAVAILABLE,
                                         "the server is shutting down");
    }
}

void http_server_close(struct http_server *s) {
    if (!s)
        return;
    http_server_refuse_suspended(s);
    if (s->mhd) {
        MHD_run(s->mhd); /* libmicrohttpd must not be stopped with a connection suspended */
        MHD_stop_daemon(s->mhd);
    }
    http_connections_release(&s->connections);
    buf_release(&s->url);
    free(s);
}
