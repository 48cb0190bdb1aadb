/* access: see access.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "access.h"
#include "../base/base64.h"

void access_init(struct access *a, const char *user, const char *password, const char *token,
                 const struct str_list *origins) {
    *a = (struct access){.origins = origins};
    if (user[0]) {
        BUF_LOCAL struct buf pair = {0};
        buf_printf(&pair, "%s:%s", user, password);
        base64_encode(&a->basic, buf_view(&pair));
    }
    buf_text(&a->token, token);
}

void access_release(struct access *a) {
    buf_release(&a->basic);
    buf_release(&a->token);
}

bool access_is_required(const struct access *a) {
    return a->basic.n || a->token.n;
}

/* Looks at every byte of given whatever was wrong before, so that its time depends on given alone.
 */
static bool access_is_secret(struct span given, const struct buf *secret) {
    if (secret->n == 0)
        return false;
    volatile unsigned char difference = given.n != secret->n;
    size_t at = 0;
    for (size_t i = 0; i < given.n; i++) {
        difference = difference | (unsigned char)(given.p[i] ^ secret->p[at]);
        at++;
        if (at == secret->n)
            at = 0;
    }
    return !difference;
}

bool access_allows(const struct access *a, struct span authorization) {
    struct span credentials = authorization, scheme;
    if (!access_is_required(a))
        return true;
    if (!span_next(&credentials, ' ', &scheme))
        return false;
    while (credentials.n && credentials.p[0] == ' ')
        credentials = (struct span){credentials.p + 1, credentials.n - 1};
    if (span_is_word(scheme, "Basic"))
        return access_is_secret(credentials, &a->basic);
    if (span_is_word(scheme, "Bearer"))
        return access_is_secret(credentials, &a->token);
    return false;
}

const char *access_challenge(const struct access *a) {
    if (a->basic.n)
        return "Basic realm=\"distlog\"";
    return "Bearer realm=\"distlog\"";
}

enum access_origin access_check_origin(const struct access *a, struct span origin,
                                       const char **allow) {
    *allow = NULL;
    if (!a->origins || origin.n == 0)
        return ACCESS_ORIGIN_NONE;
    for (size_t i = 0; i < a->origins->n; i++) {
        const char *item = a->origins->items[i];
        if (strcmp(item, "*") == 0 || span_is(origin, item)) {
            *allow = item;
            return ACCESS_ORIGIN_ALLOWED;
        }
    }
    return ACCESS_ORIGIN_DENIED;
}
