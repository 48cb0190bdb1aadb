/* conf_file: opens a file of settings and finds out who else could change it.
 * Owns only what a struct conf_file holds. Any thread.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/stat.h>

#include "../base/buf.h"
#include "../base/err.h"

enum conf_risk {
    CONF_RISK_NONE,
    CONF_RISK_OWNER, /* another user owns it, and may change it whatever its mode */
    CONF_RISK_GROUP, /* its group may write to it */
    CONF_RISK_WORLD, /* everyone may write to it */
};

/* Finds out who besides root and the user caller may change what st describes: a file, a folder, or
 * a symbolic link itself.
 *
 * Only the numbers in st count. A group may write if its number is that of the owner: it is then
 * taken for the owner's private group. This is the condition under which login.defs(5) makes the
 * umask 002, so a file in one's own home is no risk. Adding members to such a group, or an ACL
 * to such a file, means trusting them. In a sticky folder, such as /tmp, others cannot replace a
 * file that is not theirs. The mode of a symbolic link or of a character device (/dev/null) does
 * not let others change what is read. */
enum conf_risk conf_file_risk(const struct stat *st, uid_t caller);

struct conf_file {
    int fd; /* open for reading, or -1 */
    /* "it is owned by user alice (uid 1001)"; empty if only the caller and root may change it. */
    struct buf risk;
    struct buf cure; /* how to end the risk: "run chmod go-w FILE" */
};

/* Opens the file at path. Examines it, the folder that contains its name, and the same for each
 * symbolic link on the way; f->risk then describes the first risk. What was examined is what f->fd
 * reads, even if names change meanwhile. The caller is the effective user. if_safe: a file with a
 * risk is not opened. Returns 0; or -1 with err; or -1 with a risk, if if_safe. The caller always
 * calls conf_file_release. */
int conf_file_open(struct conf_file *f, const char *path, bool if_safe, struct err *err);
/* Closes f->fd and frees the texts. */
void conf_file_release(struct conf_file *f);
