/* conf_file: opens a file of settings and finds out who else may change it.
 * Owns nothing but what a struct conf_file holds. Any thread.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/stat.h>

#include "../base/buf.h"
#include "../base/err.h"

enum conf_risk {
    CONF_RISK_NONE,
    CONF_RISK_OWNER, /* it belongs to another user, who may change it whatever its mode */
    CONF_RISK_GROUP, /* its group may write it */
    CONF_RISK_WORLD, /* everyone may write it */
};

/* Who but root and the user caller may change what st describes: a file, a folder, or a symbolic
 * link itself.
 *
 * Only st's numbers count. A group is taken for its owner's private one, which may write, if it has
 * the owner's number: this is the condition under which login.defs(5) makes the umask 002, so a
 * file in one's own home is no risk. Whoever adds members to such a group, or an ACL to such a
 * file, trusts them. In a sticky folder, such as /tmp, others cannot replace a file that is not
 * theirs. A symbolic link's mode and a character device's (/dev/null) let nobody change what is
 * read. */
enum conf_risk conf_file_risk(const struct stat *st, uid_t caller);

struct conf_file {
    int fd; /* to read from; -1 before and after */
    struct buf
        risk; /* "it belongs to user alice (uid 1001)"; empty: only caller and root may change it */
    struct buf cure; /* how to end the risk: "run chmod go-w FILE" */
};

/* Judges the file at path, the folder that its name is in, and the same for each symbolic link on
 * the way, and opens it. if_safe: a file with a risk is not opened. The judgement is of what fd
 * reads, even if names change meanwhile. The caller is the effective user. 0, or -1 with err, or
 * with a risk (if_safe). In any case the caller calls conf_file_release. */
int conf_file_open(struct conf_file *f, const char *path, bool if_safe, struct err *err);
void conf_file_release(struct conf_file *f);
