/* conf_file: see conf_file.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

enum {
    CONF_FILE_LINKS = 40,         /* symbolic links in a row, Linux's own limit */
    CONF_FILE_TARGET_BYTES = 4096 /* of the target of a symbolic link, and one more */
};

enum conf_risk conf_file_risk(const struct stat *st, uid_t caller) {
    if (st->st_uid != caller && st->st_uid != 0)
        return CONF_RISK_OWNER;
    if (S_ISLNK(st->st_mode) || S_ISCHR(st->st_mode))
        return CONF_RISK_NONE;
    if (S_ISDIR(st->st_mode) && st->st_mode & S_ISVTX)
        return CONF_RISK_NONE;
    if (st->st_mode & S_IWOTH)
        return CONF_RISK_WORLD;
    if (st->st_mode & S_IWGRP && st->st_gid != st->st_uid)
        return CONF_RISK_GROUP;
    return CONF_RISK_NONE;
}

static void conf_file_print_user(uid_t uid, struct buf *out) {
    const struct passwd *user = getpwuid(uid);
    if (user)
        buf_printf(out, "user %s (uid %u)", user->pw_name, uid);
    else
        buf_printf(out, "uid %u", uid);
}

static void conf_file_print_group(gid_t gid, struct buf *out) {
    const struct group *group = getgrgid(gid);
    if (group)
        buf_printf(out, "group %s (gid %u)", group->gr_name, gid);
    else
        buf_printf(out, "gid %u", gid);
}

static void conf_file_report_owner(struct conf_file *f, const struct stat *st, const char *what,
                                   const char *path) {
    buf_printf(&f->risk, "%s is owned by ", what);
    conf_file_print_user(st->st_uid, &f->risk);
    if (S_ISDIR(st->st_mode))
        buf_text(&f->cure, "copy it to a folder of your own");
    else
        buf_printf(&f->cure, "take ownership of %s with chown", path);
}

static void conf_file_report_mode(struct conf_file *f, const struct stat *st, const char *what,
                                  const char *path, enum conf_risk risk) {
    buf_printf(&f->risk, "%s is writable by ", what);
    if (risk == CONF_RISK_WORLD)
        buf_text(&f->risk, "everyone");
    else
        conf_file_print_group(st->st_gid, &f->risk);
    buf_printf(&f->risk, ", mode %04o", st->st_mode & 07777);
    buf_printf(&f->cure, "run chmod go-w %s", path);
}

/* Examines one thing on the way to the file: st describes what is at path, and what is its name in
 * messages. Only the first risk is reported. */
static void conf_file_examine(struct conf_file *f, const struct stat *st, const char *what,
                              const char *path) {
    const enum conf_risk risk = conf_file_risk(st, geteuid());
    if (f->risk.n > 0 || risk == CONF_RISK_NONE)
        return;
    if (risk == CONF_RISK_OWNER)
        conf_file_report_owner(f, st, what, path);
    else
        conf_file_report_mode(f, st, what, path, risk);
}

/* Sets path to the target of the symbolic link that is open as link. A relative target starts from
 * folder, which contains the link. */
static int conf_file_follow(int link, const char *folder, struct buf *path) {
    char target[CONF_FILE_TARGET_BYTES];
    const ssize_t n = readlinkat(link, "", target, sizeof target);
    if (n <= 0 || (size_t)n == sizeof target)
        return -1;
    buf_clear(path);
    if (*target != '/')
        buf_printf(path, "%s/", folder);
    buf_add(path, target, (size_t)n);
    return 0;
}

/* Splits path into its folder, which is appended to folder, and the returned name. */
static const char *conf_file_split(const char *path, struct buf *folder) {
    const char *slash = strrchr(path, '/');
    if (!slash) {
        buf_char(folder, '.');
        return path;
    }
    if (slash == path)
        buf_char(folder, '/');
    else
        buf_add(folder, path, (size_t)(slash - path));
    return slash + 1;
}

/* Opens the folder and what is called name in it, as O_PATH does, and sets the two stats. Returns
 * name's descriptor, or -1. */
static int conf_file_open_in(const char *folder, const char *name, struct stat *of_folder,
                             struct stat *of_name) {
    const int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return -1;
    int fd = -1;
    if (fstat(dir, of_folder) == 0)
        fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    close(dir);
    if (fd >= 0 && fstat(fd, of_name) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Examines what is at path and its folder; st becomes path's own. If it is a symbolic link, path
 * becomes its target. Both are held open meanwhile, so that what is examined and what is followed
 * are the same. Returns the descriptor of what was examined, which cannot be read from, or -1. */
static int conf_file_step(struct conf_file *f, struct buf *path, struct stat *st) {
    BUF_LOCAL struct buf folder = {0};
    BUF_LOCAL struct buf what = {0};
    const char *name = conf_file_split(path->p, &folder);
    struct stat of_folder;
    const int fd = conf_file_open_in(folder.p, name, &of_folder, st);
    if (fd < 0)
        return -1;
    const bool is_link = S_ISLNK(st->st_mode);
    buf_printf(&what, "its folder %s", folder.p);
    conf_file_examine(f, st, is_link ? "its link" : "it", path->p);
    conf_file_examine(f, &of_folder, what.p, folder.p);
    if (is_link && conf_file_follow(fd, folder.p, path) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Examines everything on the way from path to a file, which st then describes. Returns the file's
 * descriptor, or -1 if the way leads to none. */
static int conf_file_walk(struct conf_file *f, const char *path, struct stat *st) {
    BUF_LOCAL struct buf at = {0};
    buf_text(&at, path);
    for (int links = 0; links <= CONF_FILE_LINKS; links++) {
        const int fd = conf_file_step(f, &at, st);
        if (fd < 0 || !S_ISLNK(st->st_mode))
            return fd;
        close(fd);
    }
    return -1;
}

/* True if walked, a descriptor or -1, refers to the file that st describes. */
static bool conf_file_is_same(int walked, const struct stat *st) {
    struct stat named;
    if (walked < 0 || fstat(walked, &named) != 0)
        return false;
    return named.st_dev == st->st_dev && named.st_ino == st->st_ino;
}

/* Opens path for reading and examines the result. walked: where the walk ended, or -1. */
static int conf_file_read(struct conf_file *f, const char *path, int walked, struct err *err) {
    struct stat st;
    f->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (f->fd < 0 || fstat(f->fd, &st) != 0)
        return err_set(err, "cannot read %s: %s", path, strerror(errno));
    conf_file_examine(f, &st, "it", path);
    /* What a shell passes as /dev/fd/63 has no name that others could give to another file. */
    const bool has_name = S_ISREG(st.st_mode) && st.st_nlink > 0;
    if (has_name && !conf_file_is_same(walked, &st) && f->risk.n == 0) {
        buf_text(&f->risk, "it was replaced while it was being opened");
        buf_text(&f->cure, "try again");
    }
    return 0;
}

int conf_file_open(struct conf_file *f, const char *path, bool if_safe, struct err *err) {
    *f = (struct conf_file){.fd = -1};
    struct stat st;
    int walked = -1;
    if (*path != '\0')
        walked = conf_file_walk(f, path, &st);
    int failed = -1;
    /* An unsafe file is not even opened, because opening a FIFO would block. */
    const bool may_open = !if_safe || f->risk.n == 0;
    if (may_open)
        failed = conf_file_read(f, path, walked, err);
    if (walked >= 0)
        close(walked);
    if (if_safe && f->risk.n > 0)
        return -1;
    return failed;
}

void conf_file_release(struct conf_file *f) {
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
    buf_release(&f->risk);
    buf_release(&f->cure);
}
