/* versions: see versions.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "versions.h"

#include <curl/curl.h>
#include <jansson.h>
#include <librdkafka/rdkafka.h>
#include <microhttpd.h>
#include <msgpack.h>
#include <sqlite3.h>
#include <yaml.h>
#include <zlib.h>

void versions_print(struct buf *out) {
    const struct {
        const char *name, *version;
    } libraries[] = {
        {"librdkafka", rd_kafka_version_str()},
        {"libcurl", curl_version_info(CURLVERSION_NOW)->version},
        {"jansson", jansson_version_str()},
        {"libyaml", yaml_get_version_string()},
        {"SQLite", sqlite3_libversion()},
        {"libmicrohttpd", MHD_get_version()},
        {"zlib", zlibVersion()},
        {"msgpack-c", msgpack_version()},
    };
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++)
        buf_printf(out, "%s%s %s", i ? ", " : "", libraries[i].name, libraries[i].version);
}
