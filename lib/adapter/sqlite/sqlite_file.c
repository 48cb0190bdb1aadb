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
#include <stdio.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "../../base/buf.h"
#include "../../base/mem.h"

enum {
    WAL_BOUND = 4 * 1024 * 1024, /* checkpoint when the WAL is larger */
    HEADER_BYTES = 100           /* size of a database header (sqlite.org/fileformat2) */
};

/* --- the file: create, check, open --- */

/* Creates the folders above path. The last one is the data folder, which the group distlog shares
 * whatever the umask; those above it are private, as the XDG specification asks. */
static void sqlite_file_make_folders(struct sqlite_file *f) {
    char *folder = mem_strndup(f->db.path, strlen(f->db.path));
    char *slash = strchr(folder + 1, '/');
    while (slash) {
        char *next = strchr(slash + 1, '/');
        *slash = '\0';
        int made = mkdir(folder, 0700);
        if (made == 0 && !next)
            chmod(folder, 0770);
        if (made != 0 && errno != EEXIST)
            sqlite_db_fail(
                &f->db,
                "%s: cannot create the folder: %s (choose another one with DISTLOG_DATA or %s)",
                folder, strerror(errno), f->db.kind->setting);
        *slash = '/';
        slash = next;
    }
    free(folder);
}

/* Is it on a file system whose locks or shared memory don't reach other hosts? Compares the magic
 * numbers of statfs(2). */
static bool sqlite_file_on_network(int fd) {
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

static uint32_t sqlite_file_big_endian(const unsigned char *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Reads the header without SQLite, which might roll back a foreign file's journal. */
static void sqlite_file_check_header(struct sqlite_file *f, int fd) {
    unsigned char header[HEADER_BYTES];
    const struct sqlite_db_kind *kind = f->db.kind;
    ssize_t n = pread(fd, header, sizeof header, 0);
    if (n < 0) {
        sqlite_db_fail(&f->db, "%s: %s", f->db.path, strerror(errno));
        return;
    }
    bool is_database = n == HEADER_BYTES && memcmp(header, "SQLite format 3", 16) == 0;
    if (!is_database || sqlite_file_big_endian(header + 68) != (uint32_t)kind->application_id) {
        sqlite_db_fail(&f->db, "%s: not a distlog %s file (set %s to another path)", f->db.path,
                       kind->what, kind->setting);
        return;
    }
    uint32_t version = sqlite_file_big_endian(header + 60);
    if (version != (uint32_t)kind->version)
        sqlite_db_fail(&f->db,
                       "%s: the %s file has format %u, but this distlog needs format %d (use a "
                       "matching version, or set %s to another path)",
                       f->db.path, kind->what, version, (int)kind->version, kind->setting);
}

int sqlite_file_open_beside(struct sqlite_file *f, const char *suffix) {
    if (f->db.rc != SQLITE_DB_OK)
        return -1;
    BUF_LOCAL struct buf name = {0};
    buf_printf(&name, "%s%s", f->db.path, suffix);
    int fd = open(name.p, O_RDWR | O_CLOEXEC | O_CREAT, 0660);
    /* EPERM: another user of the group created it, so its mode is right already. */
    if (fd < 0 || (fchmod(fd, 0660) != 0 && errno != EPERM))
        sqlite_db_fail(&f->db, "%s: %s", name.p, strerror(errno));
    return fd;
}

static void sqlite_file_lock(struct sqlite_file *f) {
    int tries = 0;
    while (f->db.rc == SQLITE_DB_OK && flock(f->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (!sqlite_db_wait_busy(NULL, tries))
            sqlite_db_check(&f->db, SQLITE_BUSY);
        tries++;
    }
}

static void sqlite_file_unlock(struct sqlite_file *f) {
    flock(f->lock_fd, LOCK_UN);
}

/* Builds the database under another name and renames it, so that no process ever sees an incomplete
 * file. The caller holds the lock. */
static void sqlite_file_create(struct sqlite_file *f) {
    BUF_LOCAL struct buf name = {0}, sql = {0};
    buf_printf(&name, "%s-new", f->db.path);
    buf_printf(&sql,
               "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA application_id=%d; PRAGMA user_version=%d;"
               "BEGIN; %s; COMMIT; PRAGMA journal_mode=WAL;",
               (int)f->db.kind->application_id, (int)f->db.kind->version, f->db.kind->schema);
    unlink(name.p); /* left by a process that died at this point */
    int fd = sqlite_file_open_beside(f, "-new");
    sqlite_db_connect(&f->db, name.p);
    sqlite_db_exec(&f->db, sql.p);
    /* Closing the last connection removes the WAL, so that the rename moves everything. */
    sqlite_db_disconnect(&f->db);
    if (f->db.rc == SQLITE_DB_OK && rename(name.p, f->db.path) != 0)
        sqlite_db_fail(&f->db, "%s: cannot create the %s file: %s", f->db.path, f->db.kind->what,
                       strerror(errno));
    if (fd >= 0)
        close(fd);
    if (f->db.rc != SQLITE_DB_OK)
        unlink(name.p);
}

/* Returns false if there is no file; else checks the one that exists and notes its identity. */
static bool sqlite_file_check_existing(struct sqlite_file *f) {
    int fd = open(f->db.path, O_RDWR | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return false;
    if (fd < 0) {
        const char *hint =
            errno == EACCES ? " (only its owner and the group distlog have access)" : "";
        sqlite_db_fail(&f->db, "%s: cannot open the %s: %s%s", f->db.path, f->db.kind->what,
                       strerror(errno), hint);
        return true;
    }
    sqlite_file_check_header(f, fd);
    fstat(fd, &f->opened);
    close(fd);
    return true;
}

/* Everything that comes before SQLite opens the file. */
static void sqlite_file_prepare_path(struct sqlite_file *f, bool create) {
    /* The check comes first, so that nothing is created beside a foreign file. */
    bool exists = sqlite_file_check_existing(f);
    if (!exists && create)
        sqlite_file_make_folders(f);
    if (!exists && !create)
        sqlite_db_fail(&f->db,
                       "%s: the %s does not exist yet (run `distlog %s` to create it, or set %s to "
                       "another path)",
                       f->db.path, f->db.kind->what, f->db.kind->what, f->db.kind->setting);
    f->lock_fd = sqlite_file_open_beside(f, "-lock");
    if (f->db.rc == SQLITE_DB_OK && sqlite_file_on_network(f->lock_fd))
        sqlite_db_fail(&f->db,
                       "%s: on a network file system, whose locks SQLite cannot trust (set %s to a "
                       "local path)",
                       f->db.path, f->db.kind->setting);
    if (exists || f->db.rc != SQLITE_DB_OK)
        return;
    sqlite_file_lock(f);
    /* Another process may have created it in the meantime. */
    if (f->db.rc == SQLITE_DB_OK && !sqlite_file_check_existing(f)) {
        sqlite_file_create(f);
        sqlite_file_check_existing(f);
    }
    sqlite_file_unlock(f);
}

static void sqlite_file_configure(struct sqlite_file *f) {
    if (f->db.rc != SQLITE_DB_OK)
        return;
    sqlite3_db_config(f->db.handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_db_config(f->db.handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(f->db.handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite_db_exec(&f->db, "PRAGMA wal_autocheckpoint=0;"
                           "PRAGMA mmap_size=0;"
                           "PRAGMA secure_delete=OFF;"
                           "PRAGMA synchronous=FULL;"
                           "PRAGMA temp_store=MEMORY;"
                           "PRAGMA cache_size=-2000;"
                           /* Reads the schema, so that a damaged file is found now. */
                           "SELECT count(*) FROM sqlite_schema;");
    f->durable = true;
    f->checkpoint_at = WAL_BOUND;
}

void sqlite_file_open(struct sqlite_file *f, const struct sqlite_db_kind *kind, const char *path,
                      bool create) {
    *f = (struct sqlite_file){.lock_fd = -1};
    sqlite_db_init(&f->db, kind, path);
    sqlite_file_prepare_path(f, create);
    sqlite_db_connect(&f->db, path);
    sqlite_file_configure(f);
}

void sqlite_file_close(struct sqlite_file *f) {
    bool opened = f->db.path != NULL;
    sqlite_db_close(&f->db);
    if (opened && f->lock_fd >= 0)
        close(f->lock_fd); /* releases the lock, too */
}

/* --- transactions --- */

void sqlite_file_check_in_place(struct sqlite_file *f) {
    struct stat now;
    bool same = stat(f->db.path, &now) == 0 && now.st_dev == f->opened.st_dev &&
                now.st_ino == f->opened.st_ino;
    if (!same)
        sqlite_db_fail(
            &f->db, "%s: the %s file was deleted or replaced while it was in use (restart distlog)",
            f->db.path, f->db.kind->what);
}

void sqlite_file_begin(struct sqlite_file *f, bool durable) {
    sqlite_file_lock(f);
    sqlite_file_check_in_place(f);
    if (durable != f->durable) {
        /* In WAL mode NORMAL skips the fsync of a commit; the next FULL one covers earlier ones. */
        sqlite_db_exec(&f->db, durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
        if (f->db.rc == SQLITE_DB_OK)
            f->durable = durable;
    }
    sqlite_db_exec(&f->db, "BEGIN IMMEDIATE");
}

/* Bytes of the file path + suffix; 0 if there is none. */
static int64_t sqlite_file_size_of(const struct sqlite_file *f, const char *suffix) {
    BUF_LOCAL struct buf name = {0};
    struct stat st;
    buf_printf(&name, "%s%s", f->db.path, suffix);
    if (stat(name.p, &st) != 0)
        return 0;
    return (int64_t)st.st_size;
}

int64_t sqlite_file_size(const struct sqlite_file *f) {
    return sqlite_file_size_of(f, "") + sqlite_file_size_of(f, "-wal");
}

bool sqlite_file_no_writer_active(struct sqlite_file *f) {
    if (flock(f->lock_fd, LOCK_SH | LOCK_NB) != 0)
        return false;
    sqlite_file_unlock(f);
    return true;
}

/* Copies a large WAL into the database and empties it. A reader in the middle of a query makes that
 * incomplete; then one of the next commits tries again. The caller holds the lock. */
static void sqlite_file_checkpoint(struct sqlite_file *f) {
    int64_t size = sqlite_file_size_of(f, "-wal");
    if (size < f->checkpoint_at)
        return;
    sqlite3_busy_handler(f->db.handle, NULL, NULL); /* don't wait for readers */
    int rc = sqlite3_wal_checkpoint_v2(f->db.handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    sqlite3_busy_handler(f->db.handle, sqlite_db_wait_busy, NULL);
    if (rc == SQLITE_OK)
        f->checkpoint_at = WAL_BOUND;
    else
        f->checkpoint_at = size + WAL_BOUND / 4;
}

bool sqlite_file_end(struct sqlite_file *f) {
    sqlite_db_exec(&f->db, "COMMIT");
    bool committed = f->db.rc == SQLITE_DB_OK;
    if (committed)
        sqlite_file_checkpoint(f);
    else if (f->db.handle && !sqlite3_get_autocommit(f->db.handle))
        sqlite3_exec(f->db.handle, "ROLLBACK", NULL, NULL, NULL);
    sqlite_file_unlock(f);
    return committed;
}
