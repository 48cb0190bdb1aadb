/* conf_file: see conf_file.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

enum {
    LINKS_MAX = 40,
    TARGET_BYTES = 4096
}; /* symbolic links in a row, as Linux has it; of what one says */

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

/* Judges one thing on the way to the file. The first risk is the one that is reported. */
static void conf_file_judge(struct conf_file *f, const struct stat *st, const char *what,
                            const char *path) {
    enum conf_risk risk = conf_file_risk(st, geteuid());
    if (f->risk.n || risk == CONF_RISK_NONE)
        return;
    if (risk == CONF_RISK_OWNER) {
        buf_printf(&f->risk, "%s belongs to ", what);
        conf_file_print_user(st->st_uid, &f->risk);
        if (S_ISDIR(st->st_mode))
            buf_text(&f->cure, "copy it to a folder of your own");
        else
            buf_printf(&f->cure, "take %s over with chown", path);
        return;
    }
    buf_printf(&f->risk, "%s may be written by ", what);
    if (risk == CONF_RISK_WORLD)
        buf_text(&f->risk, "everyone");
    else
        conf_file_print_group(st->st_gid, &f->risk);
    buf_printf(&f->risk, ", mode %04o", st->st_mode & 07777);
    buf_printf(&f->cure, "run chmod go-w %s", path);
}

/* Sets path to what the symbolic link opened as link says, which is seen from folder. */
static int conf_file_follow(int link, const char *folder, struct buf *path) {
    char target[TARGET_BYTES];
    ssize_t n = readlinkat(link, "", target, sizeof target);
    if (n <= 0 || (size_t)n == sizeof target)
        return -1;
    buf_clear(path);
    if (*target != '/')
        buf_printf(path, "%s/", folder);
    buf_add(path, target, (size_t)n);
    return 0;
}

/* Judges one name and its folder; st becomes the name's own. If it is a symbolic link, path becomes
 * where it leads. What is judged and what is followed are the same, for both are held open. Returns
 * the name's descriptor, which does not read, or -1. */
static int conf_file_step(struct conf_file *f, struct buf *path, struct stat *st) {
    const char *slash = strrchr(path->p, '/');
    size_t n = slash ? (size_t)(slash - path->p) : 0;
    BUF_LOCAL struct buf folder = {0}, what = {0};
    if (!slash)
        buf_char(&folder, '.');
    else if (n == 0)
        buf_char(&folder, '/');
    else
        buf_add(&folder, path->p, n);

    struct stat of_folder;
    int name = -1;
    int dir = open(folder.p, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0 && fstat(dir, &of_folder) == 0)
        name = openat(dir, slash ? slash + 1 : path->p, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    bool found = name >= 0 && fstat(name, st) == 0;
    if (found) {
        buf_printf(&what, "its folder %s", folder.p);
        conf_file_judge(f, st, S_ISLNK(st->st_mode) ? "its link" : "it", path->p);
        conf_file_judge(f, &of_folder, what.p, folder.p);
        if (S_ISLNK(st->st_mode))
            found = conf_file_follow(name, folder.p, path) == 0;
    }
    if (dir >= 0)
        close(dir);
    if (found)
        return name;
    if (name >= 0)
        close(name);
    return -1;
}

/* Judges all names on the way from path to a file, which st then describes. Returns that one's
 * descriptor, or -1: they lead to none. */
static int conf_file_walk(struct conf_file *f, const char *path, struct stat *st) {
    BUF_LOCAL struct buf at = {0};
    buf_text(&at, path);
    for (int links = 0; links <= LINKS_MAX; links++) {
        int name = conf_file_step(f, &at, st);
        if (name < 0 || !S_ISLNK(st->st_mode))
            return name;
        close(name);
    }
    return -1;
}

/* Opens path, which led to name (-1: to none), and judges what that gave. */
static int conf_file_read(struct conf_file *f, const char *path, int name, struct err *err) {
    struct stat named, st;
    f->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (f->fd < 0 || fstat(f->fd, &st) != 0)
        return err_set(err, "cannot read %s: %s", path, strerror(errno));
    conf_file_judge(f, &st, "it", path);
    /* What a shell passes as /dev/fd/63 has no name that others could give to something else. */
    bool has_name = S_ISREG(st.st_mode) && st.st_nlink > 0;
    bool walked = name >= 0 && fstat(name, &named) == 0;
    bool same = walked && named.st_dev == st.st_dev && named.st_ino == st.st_ino;
    if (has_name && !same && !f->risk.n) {
        buf_text(&f->risk, "it was replaced while it was opened");
        buf_text(&f->cure, "try again");
    }
    return 0;
}

int conf_file_open(struct conf_file *f, const char *path, bool if_safe, struct err *err) {
    struct stat st;
    *f = (struct conf_file){.fd = -1};
    int name = *path ? conf_file_walk(f, path, &st) : -1;
    bool unsafe = if_safe && f->risk.n; /* not even opened: a FIFO would keep us waiting */
    int failed = unsafe ? -1 : conf_file_read(f, path, name, err);
    if (name >= 0)
        close(name);
    return if_safe && f->risk.n ? -1 : failed;
}

void conf_file_release(struct conf_file *f) {
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
    buf_release(&f->risk);
    buf_release(&f->cure);
}
