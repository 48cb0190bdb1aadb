/* http_server: see http_server.h.
 *
 * libmicrohttpd (0.9.75 or 1.0.1) runs inside our loop. What it leaves to us: it takes message
 * framings that another server in the chain may read differently (request smuggling), its timeout
 * is reset by any single byte, at its limit of connections new clients wait unseen, and a refusal
 * that leaves unread bytes in the socket would reach the client as a reset connection.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http_server.h"

#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../base/mem.h"
#include "../os/clock.h"
#include "framing.h"
#include "listener.h"

enum {
    SWEEP_MS = 100,    /* how often deadlines and lingering sockets are looked at */
    LINGERING = 64,    /* refused connections whose client may still be sending, at most */
    LINGER_MS = 2000,  /* each for this long */
    SPARE_FILES = 128, /* open files that are not connections: bus, lingering, … */
    CROWDED_PERCENT = 95
};

/* One connection, and the request in progress on it. */
struct conn {
    struct http_request shown; /* first: what the callbacks see */
    struct http_server *server;
    struct MHD_Connection *mhd;
    TAILQ_ENTRY(conn) place;
    int fd;
    /* IDLE: no request. HEAD, BODY: what is being received. WAITING: suspended until the answer. */
    enum { IDLE, HEAD, BODY, WHOLE, WAITING } stage;
    int64_t accepted_ms; /* 0 once it has been given an answer */
    int64_t deadline_ms; /* it is cut then, unless it waits for our answer */
    bool cut;            /* shut down; libmicrohttpd will notice */
    bool linger;         /* bytes may still come after the answer */
    bool expects;        /* the client waits for 100 Continue or an answer */
    bool close;          /* the answer is the last one */
    struct buf uri, body;
    struct MHD_Response *response;
    unsigned status;
};

struct http_server {
    struct http_server_conf conf;
    struct http_server_facts facts;
    struct MHD_Daemon *mhd;
    struct buf url;
    TAILQ_HEAD(, conn) conns; /* in the order in which they became idle */
    int64_t n_conns, n_cut;
    size_t buffered, n_lingering;
    int64_t next_sweep_ms;
    bool quiet; /* no more connections: http_server_quiesce */
    bool again; /* libmicrohttpd has work to do that no socket tells of */
    struct {
        int fd;
        int64_t deadline_ms;
    } lingering[LINGERING];
};

/* --- connections --- */

/* Ends a connection: libmicrohttpd sees the end of its input and cleans up. */
static void cut(struct conn *c) {
    if (c->cut)
        return;
    c->cut = true;
    c->server->n_cut++;
    shutdown(c->fd, SHUT_RDWR);
}

static void cut_late(struct http_server *s, int64_t now) {
    struct conn *c;
    TAILQ_FOREACH (c, &s->conns, place)
        if (now >= c->deadline_ms && c->stage != WAITING)
            cut(c);
}

/* Makes room for a new client, who would hang in the backlog, where nobody can tell it anything:
 * cuts the one that has been longest without as much as a request's head, or else without the end
 * of a body. */
static void make_room(struct http_server *s, const struct conn *new) {
    if ((s->n_conns - s->n_cut) * 100 <= s->conf.max_connections * CROWDED_PERCENT)
        return;
    struct conn *c, *slow = NULL;
    TAILQ_FOREACH (c, &s->conns, place) {
        if (c == new || c->cut || c->stage > BODY || (slow && c->stage == BODY))
            continue;
        slow = c;
        if (c->stage <= HEAD)
            break;
    }
    if (slow)
        cut(slow);
}

/* Keeps the socket for a while and reads what the client still sends: closing it with unread bytes
 * would reset the connection, and the client might never see the answer. */
static void linger(struct http_server *s, const struct conn *c) {
    int fd = s->n_lingering < LINGERING ? dup(c->fd) : -1;
    if (fd < 0)
        return;
    s->lingering[s->n_lingering].fd = fd;
    s->lingering[s->n_lingering++].deadline_ms = clock_mono_ms() + LINGER_MS;
}

static void read_lingering(struct http_server *s, int64_t now) {
    char waste[16384];
    for (size_t i = s->n_lingering; i-- > 0;) {
        ssize_t n;
        int turns = 64; /* a fast sender must not hold up the others */
        do
            n = recv(s->lingering[i].fd, waste, sizeof waste, MSG_DONTWAIT);
        while (n > 0 && --turns);
        if ((n > 0 || (n < 0 && errno == EAGAIN)) && now < s->lingering[i].deadline_ms)
            continue;
        close(s->lingering[i].fd);
        s->lingering[i] = s->lingering[--s->n_lingering];
    }
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code) {
    struct http_server *s = cls;
    struct conn *c = *context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = c = mem_calloc(1, sizeof *c);
        *c = (struct conn){.server = s, .mhd = mhd, .accepted_ms = clock_mono_ms()};
        c->deadline_ms =
            c->accepted_ms +
            (s->conf.request_ms < s->conf.keepalive_ms ? s->conf.request_ms : s->conf.keepalive_ms);
        c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        TAILQ_INSERT_TAIL(&s->conns, c, place);
        s->n_conns++;
        make_room(s, c);
        return;
    }
    if (c->linger && !c->cut)
        linger(s, c);
    TAILQ_REMOVE(&s->conns, c, place);
    s->again |= s->n_conns >= s->conf.max_connections;
    s->n_conns--;
    s->n_cut -= c->cut;
    buf_release(&c->uri);
    free(c);
}

/* --- requests --- */

/* The request line is there. */
static void *on_uri(void *cls, const char *uri, struct MHD_Connection *mhd) {
    struct http_server *s = cls;
    struct conn *c =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    buf_clear(&c->uri);
    buf_text(&c->uri, uri);
    size_t path = strcspn(uri, "?");
    c->shown = (struct http_request){.path = {c->uri.p, path}};
    if (uri[path])
        c->shown.query = span_of(c->uri.p + path + 1);
    c->stage = HEAD;
    c->linger = true;
    c->close = false;
    c->deadline_ms = (c->accepted_ms ? c->accepted_ms : clock_mono_ms()) + s->conf.request_ms;
    s->facts.in_flight++;
    return c;
}

static void drop_body(struct conn *c) {
    c->server->buffered -= c->body.n;
    buf_release(&c->body);
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
                         enum MHD_RequestTerminationCode code) {
    struct http_server *s = cls;
    struct conn *c = *con_cls;
    (void)mhd, (void)code;
    if (!c)
        return;
    drop_body(c);
    if (c->response)
        MHD_destroy_response(c->response);
    c->response = NULL;
    free(c->shown.owner);
    c->shown.owner = NULL;
    c->stage = IDLE;
    c->accepted_ms = 0;
    c->deadline_ms = clock_mono_ms() + s->conf.keepalive_ms;
    TAILQ_REMOVE(&s->conns, c, place);
    TAILQ_INSERT_TAIL(&s->conns, c, place);
    s->facts.in_flight--;
}

static enum MHD_Result on_field(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_n,
                                const char *value, size_t n) {
    (void)kind;
    framing_field(cls, (struct span){name, name_n}, (struct span){value, n});
    return MHD_YES;
}

static void refuse_and_close(struct conn *c, unsigned status, const char *why) {
    c->close = true;
    http_refuse(&c->shown, status, why);
}

static void refuse_large(struct conn *c) {
    char why[128];
    snprintf(why, sizeof why, "Too large: a body may have %lld bytes (max_body)",
             (long long)c->server->conf.max_body);
    refuse_and_close(c, MHD_HTTP_CONTENT_TOO_LARGE, why);
}

/* Hands the answer to libmicrohttpd. Before the whole body was read: it closes the connection. */
static enum MHD_Result send_answer(struct conn *c) {
    c->linger = c->stage == HEAD;
    c->deadline_ms = clock_mono_ms() + c->server->conf.request_ms;
    return MHD_queue_response(c->mhd, c->status, c->response);
}

/* The head is there: refuse what must not be read on, then ask the owner. */
static enum MHD_Result begin(struct conn *c, const char *method, const char *version) {
    const struct http_server_conf *conf = &c->server->conf;
    bool newest = strcmp(version, MHD_HTTP_VERSION_1_1) == 0;
    struct framing framing = {0};
    c->shown.method = span_of(method);
    MHD_get_connection_values_n(c->mhd, MHD_HEADER_KIND, on_field, &framing);
    const char *fault = framing_fault(&framing, newest);
    struct span length = http_header(&c->shown, MHD_HTTP_HEADER_CONTENT_LENGTH);
    struct span expect = http_header(&c->shown, MHD_HTTP_HEADER_EXPECT);
    c->expects = expect.p && newest;
    if (fault)
        refuse_and_close(c, MHD_HTTP_BAD_REQUEST, fault);
    else if (c->expects && !span_is_word(expect, "100-continue"))
        refuse_and_close(c, MHD_HTTP_EXPECTATION_FAILED, "the only Expect taken is 100-continue");
    else if (length.p && strtoull(length.p, NULL, 10) > (unsigned long long)conf->max_body)
        refuse_large(c);
    else
        conf->head(conf->ctx, &c->shown);
    if (c->response && (c->close || c->expects))
        return send_answer(c);
    c->stage = BODY;
    return MHD_YES;
}

static void take_bytes(struct conn *c, const char *bytes, size_t n) {
    struct http_server *s = c->server;
    if (c->response)
        return; /* answered already: read on only to find the next request */
    if (c->body.n + n > (size_t)s->conf.max_body) {
        refuse_large(c);
    } else if (s->buffered + n > (size_t)s->conf.max_buffered) {
        http_field(&c->shown, MHD_HTTP_HEADER_RETRY_AFTER, "1");
        http_refuse(&c->shown, MHD_HTTP_SERVICE_UNAVAILABLE,
                    "too many bytes are being received at once (max_buffered)");
    } else {
        s->buffered += n;
        buf_add(&c->body, bytes, n);
    }
}

/* libmicrohttpd calls this when the head is there, for each piece of the body, at the body's end,
 * and again when the connection is resumed. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *bytes,
                                  size_t *n, void **con_cls) {
    struct http_server *s = cls;
    struct conn *c = *con_cls;
    (void)url;
    if (c->stage == HEAD)
        return begin(c, method, version);
    if (*n > 0) {
        take_bytes(c, bytes, *n);
        *n = 0;
        return MHD_YES;
    }
    if (c->stage == BODY) {
        c->stage = WHOLE;
        c->shown.body = buf_view(&c->body);
        if (!c->response)
            s->conf.body(s->conf.ctx, &c->shown);
        drop_body(c);
    }
    if (c->response)
        return send_answer(c);
    c->stage = WAITING;
    MHD_suspend_connection(mhd);
    return MHD_YES;
}

struct span http_header(const struct http_request *r, const char *name) {
    const struct conn *c = (const struct conn *)(const void *)r;
    const char *value = NULL;
    size_t n = 0;
    MHD_lookup_connection_value_n(c->mhd, MHD_HEADER_KIND, name, strlen(name), &value, &n);
    return (struct span){value, n};
}

void http_field(struct http_request *r, const char *name, const char *value) {
    size_t i = 0;
    while (i < sizeof r->fields / sizeof r->fields[0] && r->fields[i].name)
        i++;
    assert(i < sizeof r->fields / sizeof r->fields[0]); /* raise the bound in http_server.h */
    r->fields[i] = (struct http_field){name, value};
}

void http_respond(struct http_request *r, unsigned status, struct span body) {
    struct conn *c = (struct conn *)(void *)r;
    c->status = status;
    c->response =
        MHD_create_response_from_buffer(body.n, (void *)(uintptr_t)body.p, MHD_RESPMEM_MUST_COPY);
    if (!c->response)
        mem_abort();
    c->close |= c->server->quiet;
    MHD_add_response_header(c->response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain");
    for (size_t i = 0; i < sizeof r->fields / sizeof *r->fields && r->fields[i].name; i++)
        MHD_add_response_header(c->response, r->fields[i].name, r->fields[i].value);
    if (c->close)
        MHD_add_response_header(c->response, MHD_HTTP_HEADER_CONNECTION, "close");
    else
        MHD_set_response_options(c->response, MHD_RF_SEND_KEEP_ALIVE_HEADER, MHD_RO_END);
    if (c->stage != WAITING)
        return;
    c->stage = WHOLE;
    c->deadline_ms = clock_mono_ms() + c->server->conf.request_ms;
    c->server->again = true;
    MHD_resume_connection(c->mhd);
}

void http_refuse(struct http_request *r, unsigned status, const char *why) {
    BUF_LOCAL struct buf body = {0};
    ((struct conn *)(void *)r)->server->facts.refused++;
    buf_printf(&body, "%u %s\n%s\n", status, MHD_get_reason_phrase_for(status), why);
    http_respond(r, status, buf_view(&body));
}

/* --- the server --- */

/* Lets this process have as many open files as it may; how many connections it can then take. */
static int64_t fit_open_files(int64_t wanted) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files); /* cannot fail with these arguments */
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    rlim_t room = files.rlim_max > 2 * SPARE_FILES ? files.rlim_max - SPARE_FILES : SPARE_FILES;
    return (rlim_t)wanted < room ? wanted : (int64_t)room;
}

/* STRICT_FOR_CLIENT is 1 from libmicrohttpd 1.0 on. It unfolds header fields before it shows them,
 * so that framing.c cannot see a fold: the library must refuse them itself. And it counts the line
 * feed behind a chunk's extension to the chunk (1.0.1 does): unless it refuses that line feed,
 * trailers behind a last chunk with an extension are read as the next request. 0.9 keeps its
 * default, since with 1 it cuts connections without an answer. The version is asked at run time:
 * they share a soname, so one binary may meet both. */
static struct MHD_Daemon *start(struct http_server *s, int fd) {
    static const char tls_versions[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
    bool tls = s->conf.cert[0];
    struct MHD_OptionItem secure[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)s->conf.cert},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)s->conf.key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)tls_versions},
        {MHD_OPTION_END, 0, NULL}};
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (tls ? MHD_USE_TLS : 0), 0, NULL, NULL,
        on_request, s, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)s->conf.max_connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)s->conf.max_header, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        s, MHD_OPTION_URI_LOG_CALLBACK, on_uri, s, MHD_OPTION_STRICT_FOR_CLIENT,
        MHD_get_version()[0] != '0', MHD_OPTION_ARRAY, tls ? secure : &secure[3], MHD_OPTION_END);
}

struct http_server *http_server_open(const struct http_server_conf *conf, bool *hopeless,
                                     struct err *err) {
    struct http_server *s = mem_calloc(1, sizeof *s);
    s->conf = *conf;
    TAILQ_INIT(&s->conns);
    s->facts.max_connections = s->conf.max_connections = fit_open_files(conf->max_connections);
    buf_text(&s->url, conf->cert[0] ? "https://" : "http://");
    int fd = listener_open(conf->listen, &s->url, &s->facts.loopback, hopeless, err);
    s->facts.url = s->url.p;
    s->mhd = fd < 0 ? NULL : start(s, fd);
    if (s->mhd)
        return s;
    if (fd >= 0) {
        *hopeless = true;
        err_set(err, conf->cert[0]
                         ? "the certificate and its private key can't be used: is each PEM, and "
                           "do they belong together?"
                         : "libmicrohttpd does not start");
        close(fd);
    }
    http_server_close(s);
    return NULL;
}

const struct http_server_facts *http_server_facts(const struct http_server *s) {
    return &s->facts;
}

void http_server_run(struct http_server *s, int wait_ms, int fd) {
    MHD_UNSIGNED_LONG_LONG pending;
    int epoll = MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    struct pollfd wait[] = {{.fd = epoll, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    if (MHD_get_timeout(s->mhd, &pending) == MHD_YES && pending < (unsigned)wait_ms)
        wait_ms = (int)pending;
    if ((s->n_conns || s->n_lingering) && wait_ms > SWEEP_MS)
        wait_ms = SWEEP_MS;
    if (s->again)
        wait_ms = 0;
    s->again = false;
    poll(wait, 2, wait_ms);
    MHD_run(s->mhd);
    int64_t now = clock_mono_ms();
    if (now < s->next_sweep_ms)
        return;
    s->next_sweep_ms = now + SWEEP_MS;
    cut_late(s, now);
    read_lingering(s, now);
}

void http_server_quiesce(struct http_server *s) {
    s->quiet = true;
    close(MHD_quiesce_daemon(s->mhd)); /* it is ours again */
}

void http_server_close(struct http_server *s) {
    if (!s)
        return;
    struct conn *c;
    TAILQ_FOREACH (c, &s->conns, place)
        if (c->stage == WAITING)
            refuse_and_close(c, MHD_HTTP_SERVICE_UNAVAILABLE, "the server ends");
    if (s->mhd) {
        MHD_run(s->mhd); /* libmicrohttpd must not be stopped with a connection suspended */
        MHD_stop_daemon(s->mhd);
    }
    while (s->n_lingering)
        close(s->lingering[--s->n_lingering].fd);
    buf_release(&s->url);
    free(s);
}
