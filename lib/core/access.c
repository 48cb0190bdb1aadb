/* access: see access.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "access.h"

void access_init(struct access *a, const char *user, const char *password, const char *token,
                 const struct str_list *origins) {
    *a = (struct access){.origins = origins};
    if (user[0]) {
        BUF_LOCAL struct buf pair = {0};
        buf_printf(&pair, "%s:%s", user, password);
        buf_base64(&a->basic, buf_view(&pair));
    }
    buf_text(&a->token, token);
}

void access_release(struct access *a) {
    buf_release(&a->basic);
    buf_release(&a->token);
}

bool access_asks(const struct access *a) {
    return a->basic.n || a->token.n;
}

/* Looks at every byte of given whatever was wrong before, so its time depends on given alone. */
static bool same_secret(struct span given, const struct buf *secret) {
    if (secret->n == 0)
        return false;
    volatile unsigned char differ = given.n != secret->n;
    size_t at = 0;
    for (size_t i = 0; i < given.n; i++) {
        differ = differ | (unsigned char)(given.p[i] ^ secret->p[at]);
        at = at + 1 < secret->n ? at + 1 : 0;
    }
    return !differ;
}

bool access_allows(const struct access *a, struct span authorization) {
    if (!access_asks(a))
        return true;
    struct span scheme;
    if (!authorization.p)
        return false;
    span_next(&authorization, ' ', &scheme);
    while (authorization.n && *authorization.p == ' ')
        authorization = (struct span){authorization.p + 1, authorization.n - 1};
    return (span_is_word(scheme, "Basic") && same_secret(authorization, &a->basic)) ||
           (span_is_word(scheme, "Bearer") && same_secret(authorization, &a->token));
}

const char *access_challenge(const struct access *a) {
    return a->basic.n ? "Basic realm=\"distlog\"" : "Bearer realm=\"distlog\"";
}

enum access_page access_page(const struct access *a, struct span origin, const char **allow) {
    *allow = NULL;
    if (!a->origins || origin.n == 0)
        return ACCESS_NO_PAGE;
    for (size_t i = 0; i < a->origins->n && !*allow; i++)
        if (strcmp(a->origins->items[i], "*") == 0 || span_is(origin, a->origins->items[i]))
            *allow = a->origins->items[i];
    return *allow ? ACCESS_PAGE : ACCESS_FOREIGN;
}
