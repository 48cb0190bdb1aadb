#!/usr/bin/env bash
# layers: which file may include which headers (CONTRIBUTING.md). Checks the #include lines of the
# product; then shows on a small tree of its own that violations are found.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"

LIBRARIES='rdkafka curl/ jansson yaml\.h sqlite3 microhttpd zlib msgpack gnutls openssl'
IO='^(stdio|time|unistd|pthread|fcntl|sys/.*|poll|signal)\.h$'
# others [LIBRARY]: prints a pattern of the headers of every library but that one.
others() {
    local library pattern=
    for library in $LIBRARIES; do [ "$library" = "${1:-}" ] || pattern="$pattern|$library"; done
    echo "^(${pattern#|})"
}

# The headers that each room may include: a pattern of paths seen from the top.
ADAPTERS='lib/adapter/(os/[a-z]+|http/http_(client|server)|codec/[a-z_]+)\.h' # with one implementation, so without a port
rooms() { # FILE
    case $1 in
    lib/base/*) echo '^lib/base/' ;;
    lib/conf/*) echo '^lib/(base|conf)/' ;;
    lib/core/*) echo '^lib/(base|core)/' ;;
    lib/port/*) echo '^lib/(base|conf|port)/' ;;
    # Elasticsearch is spoken to over HTTP.
    lib/adapter/elastic/*) echo "^lib/(base|conf|core|port)/|^lib/adapter/(elastic|os|codec)/|^lib/adapter/http/http_client\.h" ;;
    lib/adapter/versions.*) echo '^lib/(base|adapter)/' ;;
    lib/adapter/*) echo "^lib/(base|conf|core|port)/|^$(dirname "$1")/|^lib/adapter/(os|codec)/" ;;
    lib/app/*) echo "^lib/(base|conf|core|port|app)/|^lib/engines\.h|^$ADAPTERS" ;;
    lib/engines.*) echo '^lib/(base|conf|core|port|adapter)/|^lib/engines\.h' ;;
    cmd/*) echo "^lib/(base|conf|core|port|app)/|^lib/engines\.h|^$ADAPTERS|^cmd/" ;;
    distlog.c | man/*.c) echo '^lib/(base|conf)/|^lib/engines\.h|^lib/adapter/(os/[a-z]+|versions)\.h|^cmd/|^man/' ;;
    *) echo '^$' ;;
    esac
}
# forbidden FILE: prints a pattern of the system headers that it may not include.
forbidden() { # FILE
    case $1 in
    lib/core/*) echo "$IO|$(others)" ;;
    lib/conf/conf_yaml*) others 'yaml\.h' ;;
    lib/conf/conf_json*) others jansson ;;
    lib/adapter/kafka/*) others rdkafka ;;
    lib/adapter/sqlite/*) others sqlite3 ;;
    lib/adapter/elastic/*) others jansson ;;
    lib/adapter/http/http_client*) others curl/ ;;
    lib/adapter/http/http_server*) others microhttpd ;;
    lib/adapter/codec/zip*) others zlib ;;
    lib/adapter/versions.c) echo '^$' ;; # asks each library for its version, for --version
    *) others ;;
    esac
}
# strangers TREE: prints a line for each include that is not allowed.
strangers() {
    (
        cd "$1" || exit 1
        for file in $(find distlog.c cmd lib man -name '*.[ch]' 2>/dev/null | sort); do
            allowed=$(rooms "$file") banned=$(forbidden "$file")
            while IFS= read -r header; do
                path=$(realpath -m --relative-to=. "$(dirname "$file")/$header")
                grep -Eq "$allowed" <<<"$path" || echo "$file includes $path"
            done < <(sed -n 's/^ *# *include *"\([^"]*\)".*/\1/p' "$file")
            while IFS= read -r header; do
                ! grep -Eq "$banned" <<<"$header" || echo "$file includes <$header>"
            done < <(sed -n 's/^ *# *include *<\([^>]*\)>.*/\1/p' "$file")
        done
    )
}

is "$(strangers "$TOP")" "" "no file includes a header that its room may not use"

tree() { # FILE LINE: makes a tree with that one file, and checks it
    rm -rf "$TMP/tree" && mkdir -p "$TMP/tree/$(dirname "$1")" && echo "$2" >"$TMP/tree/$1"
    strangers "$TMP/tree"
}
is "$(tree lib/base/a.c '#include "../core/event.h"')" 'lib/base/a.c includes lib/core/event.h' \
    "base may not include core"
is "$(tree lib/core/a.c '#include <stdio.h>')" 'lib/core/a.c includes <stdio.h>' "core does no I/O"
is "$(tree lib/core/a.c '#include "../port/bus.h"')" 'lib/core/a.c includes lib/port/bus.h' "core knows no door"
is "$(tree lib/core/event.c '#include <jansson.h>')" 'lib/core/event.c includes <jansson.h>' "nor a library"
is "$(tree lib/adapter/sqlite/bus_sqlite.c '#include <curl/curl.h>')" 'lib/adapter/sqlite/bus_sqlite.c includes <curl/curl.h>' "an adapter has one library"
is "$(tree lib/adapter/sqlite/bus_sqlite.c '#include <sqlite3.h>')" '' "its own"
is "$(tree lib/adapter/kafka/a.c '#include "../sqlite/sqlite_file.h"')" 'lib/adapter/kafka/a.c includes lib/adapter/sqlite/sqlite_file.h' "nor another adapter"
is "$(tree lib/app/a.c '#include "../../cmd/cmd.h"')" 'lib/app/a.c includes cmd/cmd.h' "use cases know no command"
is "$(tree lib/app/a.c '#include "../adapter/elastic/es_client.h"')" 'lib/app/a.c includes lib/adapter/elastic/es_client.h' "and no engine"
is "$(tree cmd/a.c '#include <sqlite3.h>')" 'cmd/a.c includes <sqlite3.h>' "commands name no library"
is "$(tree cmd/a.c '#include "../lib/adapter/sqlite/bus_sqlite.h"')" 'cmd/a.c includes lib/adapter/sqlite/bus_sqlite.h' "commands name no engine"
is "$(tree distlog.c '#include <yaml.h>')" 'distlog.c includes <yaml.h>' "main names no library"
done_testing
