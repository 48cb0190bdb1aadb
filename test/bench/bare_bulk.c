/* clang-format off */
/* bare_bulk: the throughput of libcurl alone with the same documents, as a baseline for `make
 * bench-servers`.
 *   bare_bulk URL FILE…    each FILE is one body for URL's _bulk, compressed as the store does it;
 *                          two requests are in flight
 * Reads all files first. Prints the seconds from the first request to the last answer. Main thread.
 * SPDX-License-Identifier: Apache-2.0 */
/* clang-format on */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../lib/adapter/codec/zip.h"

enum { IN_FLIGHT = 2 };

static void die(const char *what, const char *why) {
    fprintf(stderr, "bare_bulk: %s: %s\n", what, why);
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void read_file(const char *path, struct buf *body) {
    char bytes[65536];
    size_t n;
    FILE *f = fopen(path, "r");
    if (!f)
        die(path, "can't be opened");
    while ((n = fread(bytes, 1, sizeof bytes, f)) > 0)
        buf_add(body, bytes, n);
    fclose(f);
}

/* Only drains the answer: the benchmark counts the documents afterwards. */
static size_t on_reply(char *bytes, size_t one, size_t n, void *ctx) {
    (void)bytes, (void)ctx;
    return one * n;
}

static void begin(CURLM *multi, CURL *easy, struct span body) {
    struct buf packed = {0};
    deflate_gzip(body, &packed);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)packed.n);
    curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, packed.p);
    buf_release(&packed);
    if (curl_multi_add_handle(multi, easy) != CURLM_OK)
        die("curl", "no more memory");
}

static void replay(CURLM *multi, CURL **easy, const struct buf *bodies, size_t n) {
    size_t next = 0, running = 0;
    for (; next < n && next < IN_FLIGHT; next++, running++)
        begin(multi, easy[next], buf_view(&bodies[next]));
    while (running) {
        int count;
        curl_multi_perform(multi, &count);
        for (CURLMsg *m; (m = curl_multi_info_read(multi, &count));) {
            CURL *done = m->easy_handle;
            long status = 0;
            if (m->data.result != CURLE_OK)
                die("_bulk", curl_easy_strerror(m->data.result));
            curl_easy_getinfo(done, CURLINFO_RESPONSE_CODE, &status);
            if (status != 200)
                die("_bulk", "the answer is not 200");
            curl_multi_remove_handle(multi, done);
            running--;
            if (next < n)
                begin(multi, done, buf_view(&bodies[next++])), running++;
        }
        if (running)
            curl_multi_poll(multi, NULL, 0, 200, NULL);
    }
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: bare_bulk URL FILE...\n");
        return 2;
    }
    size_t n = (size_t)argc - 2;
    struct buf *bodies = calloc(n, sizeof *bodies), url = {0};
    CURL *easy[IN_FLIGHT];
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Content-Encoding: gzip");
    headers = curl_slist_append(headers, "Expect:");
    if (!bodies)
        die("memory", "there is no more");
    for (size_t i = 0; i < n; i++)
        read_file(argv[i + 2], &bodies[i]);
    buf_printf(&url, "%s/_bulk?filter_path=items.*.status,items.*.error.type,items.*.error.reason",
               argv[1]);
    for (size_t i = 0; i < IN_FLIGHT; i++) {
        if (!(easy[i] = curl_easy_init()))
            die("curl", "no more memory");
        curl_easy_setopt(easy[i], CURLOPT_URL, url.p);
        curl_easy_setopt(easy[i], CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(easy[i], CURLOPT_ACCEPT_ENCODING, "gzip");
        curl_easy_setopt(easy[i], CURLOPT_WRITEFUNCTION, on_reply);
    }
    CURLM *multi = curl_multi_init();
    double began = now();
    replay(multi, easy, bodies, n);
    printf("%.4f\n", now() - began);
    for (size_t i = 0; i < IN_FLIGHT; i++)
        curl_easy_cleanup(easy[i]);
    curl_multi_cleanup(multi);
    curl_slist_free_all(headers);
    for (size_t i = 0; i < n; i++)
        buf_release(&bodies[i]);
    free(bodies);
    buf_release(&url);
    return 0;
}
