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
    buf_printf(
        out,
        "librdkafka %s, libcurl %s, jansson %s, libyaml %s, SQLite %s, libmicrohttpd %s, zlib %s, "
        "msgpack-c %s",
        rd_kafka_version_str(), curl_version_info(CURLVERSION_NOW)->version, jansson_version_str(),
        yaml_get_version_string(), sqlite3_libversion(), MHD_get_version(), zlibVersion(),
        msgpack_version());
}
