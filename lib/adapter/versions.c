/* versions: see versions.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "versions.h"

#include <curl/curl.h>
#include <jansson.h>
#include <librdkafka/rdkafka.h>
#include <microhttpd.h>
#include <sqlite3.h>
#include <yaml.h>
#include <zlib.h>

void versions_print(struct buf *out) {
    buf_printf(out, "librdkafka %s, ", rd_kafka_version_str());
    buf_printf(out, "libcurl %s, ", curl_version_info(CURLVERSION_NOW)->version);
    buf_printf(out, "jansson %s, ", jansson_version_str());
    buf_printf(out, "libyaml %s, ", yaml_get_version_string());
    buf_printf(out, "SQLite %s, ", sqlite3_libversion());
    buf_printf(out, "libmicrohttpd %s, ", MHD_get_version());
    buf_printf(out, "zlib %s", zlibVersion());
}
