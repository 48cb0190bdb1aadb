/* sqlite_file: see sqlite_file.h.
 *
 * Why a lock file beside SQLite's own locks: releases 3.7.0 to 3.51.2 (Debian 12 has 3.40.1) can
 * corrupt a WAL when one connection commits while another begins a checkpoint. Every write
 * transaction and every checkpoint of distlog holds PATH-lock, so the two never meet. Hence also
 * wal_autocheckpoint=0 and no checkpoint on close; mmap is off for the same release range.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sqlite_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "../../base/buf.h"
#include "../../base/mem.h"
#include "../os/stop.h"

enum {
    STEP_US = 200,
    WAIT_STEPS = 20000,          /* about 5 s: a sleep takes somewhat longer than it says */
    STOP_STEPS = 1500,           /* the same once a stop was asked: a daemon must leave in time */
    WAL_BOUND = 4 * 1024 * 1024, /* checkpoint when the WAL is larger */
    HEADER = 100                 /* bytes of a database header (sqlite.org/fileformat2) */
};

/* Waits a step, or says that it was long enough. SQLite's own busy_timeout sleeps up to 100 ms at a
 * time. */
static int on_busy(void *ctx, int tries) {
    (void)ctx;
    if (tries >= (stop_asked() ? STOP_STEPS : WAIT_STEPS))
        return 0;
    nanosleep(&(struct timespec){.tv_nsec = STEP_US * 1000}, NULL);
    return 1;
}

void sqlite_file_fail(struct sqlite_file *f, const char *format, ...) {
    va_list args;
    if (f->rc != SQLITE_FILE_OK)
        return;
    f->rc = SQLITE_FILE_FATAL;
    va_start(args, format);
    vsnprintf(f->err.text, sizeof f->err.text, format, args);
    va_end(args);
}

enum sqlite_file_rc sqlite_file_take(struct sqlite_file *f, struct err *err) {
    enum sqlite_file_rc rc = f->rc;
    if (rc != SQLITE_FILE_OK)
        *err = f->err;
    f->rc = SQLITE_FILE_OK;
    return rc;
}

/* What a result of SQLite means, if it is a failure. */
static void judge(struct sqlite_file *f, int rc) {
    bool of_db = f->db && sqlite3_extended_errcode(f->db) == rc;
    const char *why = of_db ? sqlite3_errmsg(f->db) : sqlite3_errstr(rc), *path = f->path;
    int what = rc & 0xff, os = of_db ? sqlite3_system_errno(f->db) : 0;
    /* A full disk, met where SQLite does not say so itself; after a failed fsync nobody knows what
     * is there.
     */
    if ((what == SQLITE_IOERR || what == SQLITE_CANTOPEN) && rc != SQLITE_IOERR_FSYNC &&
        os == ENOSPC)
        what = SQLITE_FULL;
    switch (what) {
    case SQLITE_OK:
    case SQLITE_DONE:
        return;
    case SQLITE_NOMEM:
        mem_abort();
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        sqlite_file_fail(f, "%s: another process keeps the %s locked", path, f->kind->what);
        break;
    case SQLITE_FULL:
        sqlite_file_fail(f, "%s: no space left on the disk (free some, or move %s)", path,
                         f->kind->setting);
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        sqlite_file_fail(f,
                         "%s: the file is damaged: %s (restore it, or move it away to begin anew)",
                         path, why);
        break;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        sqlite_file_fail(f, "%s: %s (check the owner and mode of the file and its folder)", path,
                         why);
        break;
    default:
        sqlite_file_fail(f, "%s: %s%s%s", path, why, os ? ": " : "", os ? strerror(os) : "");
    }
    if (what == SQLITE_BUSY || what == SQLITE_LOCKED || what == SQLITE_FULL)
        f->rc = SQLITE_FILE_RETRY;
}

void sqlite_file_exec(struct sqlite_file *f, const char *sql) {
    if (f->rc == SQLITE_FILE_OK)
        judge(f, sqlite3_exec(f->db, sql, NULL, NULL, NULL));
}

struct sqlite_file_query {
    const char *sql; /* the literal: its address is enough to know it by */
    int64_t table;
    sqlite3_stmt *s;
};

/* The statement of sql, whose # stands for the table's number. */
static sqlite3_stmt *prepared(struct sqlite_file *f, const char *sql, int64_t table) {
    for (size_t i = 0; i < f->n_queries; i++)
        if (f->queries[i].sql == sql && f->queries[i].table == table)
            return f->queries[i].s;
    BUF_LOCAL struct buf text = {0};
    struct sqlite_file_query q = {sql, table, NULL};
    for (const char *c = sql; *c; c++) {
        if (*c == '#')
            buf_printf(&text, "%" PRId64, table);
        else
            buf_char(&text, *c);
    }
    judge(f, sqlite3_prepare_v3(f->db, text.p, -1, SQLITE_PREPARE_PERSISTENT, &q.s, NULL));
    if (!q.s)
        return NULL;
    f->queries = mem_room(f->queries, f->n_queries, &f->cap_queries, sizeof q);
    f->queries[f->n_queries++] = q;
    return q.s;
}

sqlite3_stmt *sqlite_file_query(struct sqlite_file *f, const char *sql, const char *types, ...) {
    va_list args;
    if (f->rc != SQLITE_FILE_OK)
        return NULL;
    va_start(args, types);
    int64_t table = *types == '#' ? types++, va_arg(args, int64_t) : 0;
    sqlite3_stmt *s = prepared(f, sql, table);
    for (int i = 1; s && *types; types++, i++) {
        if (*types == 'i') {
            sqlite3_bind_int64(s, i, va_arg(args, int64_t));
        } else if (*types == 's') {
            sqlite3_bind_text(s, i, va_arg(args, const char *), -1, SQLITE_STATIC);
        } else { /* SQLite takes a null pointer for NULL */
            struct span v = va_arg(args, struct span);
            if (*types == 't')
                sqlite3_bind_text64(s, i, v.p, v.n, SQLITE_STATIC, SQLITE_UTF8);
            else
                sqlite3_bind_blob64(s, i, v.p, v.n, SQLITE_STATIC);
        }
    }
    va_end(args);
    return s;
}

bool sqlite_file_step(struct sqlite_file *f, sqlite3_stmt *s) {
    if (!s || f->rc != SQLITE_FILE_OK)
        return false;
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        return true;
    judge(f, rc);
    sqlite3_reset(s);
    return false;
}

int64_t sqlite_file_number(struct sqlite_file *f, sqlite3_stmt *s, int at) {
    int64_t n = sqlite3_column_int64(s, at);
    if ((n > SQLITE_FILE_MAX || n < -SQLITE_FILE_MAX) && f->rc == SQLITE_FILE_OK)
        judge(f, SQLITE_CORRUPT);
    return n;
}

struct span sqlite_file_span(sqlite3_stmt *s, int at) {
    if (sqlite3_column_type(s, at) == SQLITE_NULL)
        return (struct span){0};
    const void *p = sqlite3_column_blob(s, at);
    return (struct span){p ? p : "", (size_t)sqlite3_column_bytes(s, at)};
}

int64_t sqlite_file_finish(struct sqlite_file *f, sqlite3_stmt *s) {
    int64_t number = 0;
    while (sqlite_file_step(f, s))
        number = sqlite_file_number(f, s, 0);
    return f->rc == SQLITE_FILE_OK ? number : 0;
}

/* Makes the folders above path: the last one is the data folder, which the group distlog shares
 * whatever the umask; those above it are nobody else's, as the XDG specification has it. */
static void make_folders(struct sqlite_file *f) {
    char *folder = mem_strndup(f->path, strlen(f->path));
    for (char *slash = strchr(folder + 1, '/'), *next; slash; slash = next) {
        next = strchr(slash + 1, '/');
        *slash = '\0';
        int made = mkdir(folder, 0700);
        if (made == 0 && !next)
            chmod(folder, 0770);
        if (made != 0 && errno != EEXIST)
            sqlite_file_fail(
                f, "%s: can't make the folder: %s (choose another place with DISTLOG_DATA or %s)",
                folder, strerror(errno), f->kind->setting);
        *slash = '/';
    }
    free(folder);
}

/* Magic numbers of statfs(2) whose locking or shared memory does not reach other hosts. */
static bool on_network(int fd) {
    static const unsigned long magic[] = {
        0x6969 /* NFS */,     0x517b /* SMB */,      0xff534d42 /* CIFS */, 0xfe534d42 /* SMB2 */,
        0x5346414f /* AFS */, 0x00c36400 /* Ceph */, 0x01021997 /* 9P */,   0x73757245 /* Coda */};
    struct statfs fs;
    if (fstatfs(fd, &fs) != 0)
        return false;
    for (size_t i = 0; i < sizeof magic / sizeof *magic; i++)
        if ((unsigned long)fs.f_type == magic[i])
            return true;
    return false;
}

static uint32_t big_endian(const unsigned char *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Looks at the header without SQLite, which might roll back a foreign file's journal. */
static void check_header(struct sqlite_file *f, int fd) {
    unsigned char h[HEADER];
    const struct sqlite_file_kind *kind = f->kind;
    ssize_t n = pread(fd, h, sizeof h, 0);
    if (n < 0)
        sqlite_file_fail(f, "%s: %s", f->path, strerror(errno));
    else if (n < HEADER || memcmp(h, "SQLite format 3", 16) != 0 ||
             big_endian(h + 68) != (uint32_t)kind->application_id)
        sqlite_file_fail(f, "%s: this is not a distlog %s file (choose another %s)", f->path,
                         kind->what, kind->setting);
    else if (big_endian(h + 60) != (uint32_t)kind->version)
        sqlite_file_fail(f, "%s: the %s file has format %u, this distlog reads %d", f->path,
                         kind->what, big_endian(h + 60), (int)kind->version);
}

int sqlite_file_beside(struct sqlite_file *f, const char *tail) {
    if (f->rc != SQLITE_FILE_OK)
        return -1;
    BUF_LOCAL struct buf name = {0};
    buf_printf(&name, "%s%s", f->path, tail);
    int fd = open(name.p, O_RDWR | O_CLOEXEC | O_CREAT, 0660);
    /* EPERM: another user of the group made it, and its mode is right already. */
    if (fd < 0 || (fchmod(fd, 0660) != 0 && errno != EPERM))
        sqlite_file_fail(f, "%s: %s", name.p, strerror(errno));
    return fd;
}

static void lock(struct sqlite_file *f) {
    for (int tries = 0; f->rc == SQLITE_FILE_OK && flock(f->lock_fd, LOCK_EX | LOCK_NB) != 0;
         tries++)
        if (!on_busy(NULL, tries))
            judge(f, SQLITE_BUSY);
}

static void unlock(struct sqlite_file *f) {
    flock(f->lock_fd, LOCK_UN);
}

bool sqlite_file_quiet(struct sqlite_file *f) {
    bool quiet = flock(f->lock_fd, LOCK_SH | LOCK_NB) == 0;
    if (quiet)
        unlock(f);
    return quiet;
}

static void connect_to(struct sqlite_file *f, const char *path) {
    if (f->rc != SQLITE_FILE_OK)
        return;
    judge(f, sqlite3_open_v2(path, &f->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL));
    if (f->rc != SQLITE_FILE_OK)
        return;
    sqlite3_extended_result_codes(f->db, 1);
    sqlite3_busy_handler(f->db, on_busy, NULL);
}

/* Builds the database under another name and renames it: nobody ever sees half a file. The caller
 * holds the lock. */
static void make_file(struct sqlite_file *f) {
    BUF_LOCAL struct buf name = {0}, sql = {0};
    buf_printf(&name, "%s-new", f->path);
    buf_printf(&sql,
               "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA application_id=%d; PRAGMA user_version=%d;"
               "BEGIN; %s; COMMIT; PRAGMA journal_mode=WAL;",
               (int)f->kind->application_id, (int)f->kind->version, f->kind->schema);
    unlink(name.p); /* left by a process that died here */
    int fd = sqlite_file_beside(f, "-new");
    connect_to(f, name.p);
    sqlite_file_exec(f, sql.p);
    sqlite3_close(
        f->db); /* the last connection: it removes the WAL, so that the rename moves all */
    f->db = NULL;
    if (f->rc == SQLITE_FILE_OK && rename(name.p, f->path) != 0)
        sqlite_file_fail(f, "%s: can't make the %s file: %s", f->path, f->kind->what,
                         strerror(errno));
    if (fd >= 0)
        close(fd);
    if (f->rc != SQLITE_FILE_OK)
        unlink(name.p);
}

/* Is there a file? Checks it, too. */
static bool check_file(struct sqlite_file *f) {
    int fd = open(f->path, O_RDWR | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return false;
    if (fd < 0) {
        const char *hint = errno == EACCES ? " (its owner or the group distlog may use it)" : "";
        sqlite_file_fail(f, "%s: can't open the %s: %s%s", f->path, f->kind->what, strerror(errno),
                         hint);
        return true;
    }
    check_header(f, fd);
    fstat(fd, &f->opened);
    close(fd);
    return true;
}

static void set_up(struct sqlite_file *f) {
    if (f->rc != SQLITE_FILE_OK)
        return;
    sqlite3_db_config(f->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_db_config(f->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(f->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite_file_exec(f,
                     "PRAGMA wal_autocheckpoint=0; PRAGMA mmap_size=0; PRAGMA secure_delete=OFF;"
                     "PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-2000;"
                     "SELECT count(*) FROM sqlite_schema;");
    f->durable = true;
    f->checkpoint_at = WAL_BOUND;
}

/* All that comes before SQLite sees the file. RETRY if the lock is held for long, or the disk is
 * full. */
static void prepare_file(struct sqlite_file *f, bool create) {
    bool there = check_file(f); /* first of all: beside a foreign file nothing is made */
    if (!there && create)
        make_folders(f);
    if (!there && !create)
        sqlite_file_fail(f,
                         "%s: there is no %s yet (`distlog %s` makes it; %s chooses another place)",
                         f->path, f->kind->what, f->kind->what, f->kind->setting);
    f->lock_fd = sqlite_file_beside(f, "-lock");
    if (f->rc == SQLITE_FILE_OK && on_network(f->lock_fd))
        sqlite_file_fail(
            f, "%s: a network file system, whose locks SQLite can't trust (choose a local %s)",
            f->path, f->kind->setting);
    if (there || f->rc != SQLITE_FILE_OK)
        return;
    lock(f);
    if (f->rc == SQLITE_FILE_OK &&
        !check_file(f)) { /* another process may have made it meanwhile */
        make_file(f);
        check_file(f);
    }
    unlock(f);
}

void sqlite_file_open(struct sqlite_file *f, const struct sqlite_file_kind *kind, const char *path,
                      bool create) {
    *f = (struct sqlite_file){.kind = kind, .lock_fd = -1, .path = mem_strndup(path, strlen(path))};
    prepare_file(f, create);
    connect_to(f, path);
    set_up(f);
}

void sqlite_file_close(struct sqlite_file *f) {
    for (size_t i = 0; i < f->n_queries; i++)
        sqlite3_finalize(f->queries[i].s);
    sqlite3_close(f->db);
    if (f->path && f->lock_fd >= 0)
        close(f->lock_fd); /* and with it the lock */
    free(f->queries);
    free(f->path);
}

void sqlite_file_in_place(struct sqlite_file *f) {
    struct stat st;
    if (stat(f->path, &st) != 0 || st.st_dev != f->opened.st_dev || st.st_ino != f->opened.st_ino)
        sqlite_file_fail(
            f, "%s: the %s file was deleted or replaced while it was in use (start again)", f->path,
            f->kind->what);
}

void sqlite_file_begin(struct sqlite_file *f, bool durable) {
    lock(f);
    sqlite_file_in_place(f);
    /* In WAL mode NORMAL skips the fsync of a commit; the next FULL one covers what came before. */
    if (durable != f->durable)
        sqlite_file_exec(f, durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
    if (f->rc == SQLITE_FILE_OK)
        f->durable = durable;
    sqlite_file_exec(f, "BEGIN IMMEDIATE");
}

static int64_t size_of(const struct sqlite_file *f, const char *tail) {
    BUF_LOCAL struct buf name = {0};
    struct stat st;
    buf_printf(&name, "%s%s", f->path, tail);
    return stat(name.p, &st) == 0 ? (int64_t)st.st_size : 0;
}

int64_t sqlite_file_size(const struct sqlite_file *f) {
    return size_of(f, "") + size_of(f, "-wal");
}

/* Moves the WAL into the database and empties it. A reader in mid-query makes it incomplete: then
 * one of the next commits tries again. The caller holds the lock. */
static void checkpoint(struct sqlite_file *f) {
    int64_t size = size_of(f, "-wal");
    if (size < f->checkpoint_at)
        return;
    sqlite3_busy_handler(f->db, NULL, NULL); /* readers are not waited for */
    int rc = sqlite3_wal_checkpoint_v2(f->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    sqlite3_busy_handler(f->db, on_busy, NULL);
    f->checkpoint_at = rc == SQLITE_OK ? WAL_BOUND : size + WAL_BOUND / 4;
}

bool sqlite_file_end(struct sqlite_file *f) {
    sqlite_file_exec(f, "COMMIT");
    bool done = f->rc == SQLITE_FILE_OK;
    if (done)
        checkpoint(f);
    else if (f->db && !sqlite3_get_autocommit(f->db))
        sqlite3_exec(f->db, "ROLLBACK", NULL, NULL, NULL);
    unlock(f);
    return done;
}
