#!/usr/bin/env bash
# config: where settings come from, in which order, what is rejected, secrets, reading its output back.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
export DISTLOG_CONFIG= # no file but the tests' own

# value [WORDS]: topics.input and its origin
value() { setting topics.input --origin "$@"; }
is "$(value)" "nodes  # default" "a default is built in"
echo 'topics: {input: a}' >a.yaml
is "$(value -c a.yaml)" "a  # a.yaml:1" "the YAML overrides the default"
export DISTLOG_TOPICS_INPUT=b
is "$(value -c a.yaml)" "b  # environment DISTLOG_TOPICS_INPUT" "the environment overrides the YAML"
is "$(value -c a.yaml -o topics.input=c)" "c  # -o" "the command line overrides everything"
unset DISTLOG_TOPICS_INPUT

mkdir -p "$XDG_CONFIG_HOME/distlog"
unset DISTLOG_CONFIG
echo 'topics: {input: user}' >"$XDG_CONFIG_HOME/distlog/distlog.yaml"
like "$(value)" '^user ' "the user's configuration folder is read"
like "$(unset XDG_CONFIG_HOME && value)" '^user ' "it is found with and without XDG_CONFIG_HOME"
echo 'topics: {input: here}' >distlog.yaml
is "$(value)" "here  # distlog.yaml:1" "./distlog.yaml is read instead of it"
is "$(DISTLOG_CONFIG=a.yaml value)" "a  # a.yaml:1" "\$DISTLOG_CONFIG is read instead of both"
is "$(DISTLOG_CONFIG= value)" "nodes  # default" "no file is read if \$DISTLOG_CONFIG is empty"
is "$(DISTLOG_CONFIG=none value -c a.yaml)" "a  # a.yaml:1" "-c is read instead of all of them"
rm distlog.yaml "$XDG_CONFIG_HOME/distlog/distlog.yaml"
export DISTLOG_CONFIG=

run distlog config -c none.yaml
is "$status:$out" "2:" "a missing file is an error"
is "$err" "distlog config: cannot read none.yaml: No such file or directory" "the message names it"
run distlog config -c "$TMP"
is "$status:$err" "2:distlog config: cannot read $TMP: Is a directory" "a folder is an error"
run distlog help -c none.yaml
is "$status" 0 "help does not need the file"

run distlog config --check
is "$status:$out:$err" "0::" "--check prints nothing if all settings are valid"
# refuses LINE KEY WHAT: runs --check on the YAML of standard input
refuses() {
    cat >bad.yaml
    run distlog config --check -c bad.yaml
    is "$status:$out:$err" "2::distlog config: bad.yaml:$1: $2: $3" "refused: $2: $3"
}
refuses 2 bus.tpye "unknown setting; did you mean 'bus.type'?" <<<$'bus:\n  tpye: local'
refuses 3 bus.type "duplicate key; it was first used on line 2" <<<$'bus:\n  type: local\n  type: local'
refuses 1 bus.type "a list is not one of $(distlog config -o bus.type=x 2>&1 |
    sed -n "s/.* is not one of //p")" <<<'bus: {type: [a]}'
refuses 1 node.message "a mapping is not text" <<<'node: {message: {a: b}}'
# shellcheck disable=SC2016
refuses 1 topics.input '${NO_SUCH_NAME} is not set in the environment' <<<'topics: {input: "${NO_SUCH_NAME}"}'
DISTLOG_BUS_TYPE=rabbit run distlog config --check
is "$status" 2 "an invalid value in the environment is an error"
like "$err" "^distlog config: environment DISTLOG_BUS_TYPE: 'rabbit' is not one of local" \
    "the message names it"
DISTLOG_PORT=tcp://10.0.0.1:80 DISTLOG_BUS_TPYE=x run distlog config --check
is "$status" 0 "variables that are not settings are ignored"

export PART='a b: #$1'
# shellcheck disable=SC2016
echo 'node: {message: "x${PART}$$", user: "$${x}"}' >expand.yaml
# shellcheck disable=SC2016
is "$(setting node.message -c expand.yaml) $(setting node.user -c expand.yaml)" \
    "'xa b: #\$\$1\$\$' '\$\${x}'" \
    "\${NAME} is expanded from the environment, \$\$ is a dollar sign"
run distlog config -c expand.yaml
echo "$out" >again.yaml
before=$out
run distlog config -c again.yaml
is "$out" "$before" "the output of config can be read back"
run distlog config -c "$TOP/distlog.yaml"
shipped=$out
run distlog config
is "$shipped" "$out" "distlog.yaml has every setting at its default"
settings() { grep -oE '^ *[a-z_]+: ' "$1" | grep -v _file: | sort; }
echo "$out" >all.yaml
is "$(settings "$TOP/distlog.yaml")" "$(settings all.yaml)" "distlog.yaml omits no setting"

is "$(setting bus.local.path)" "$DISTLOG_DATA/bus.db" "a bare file name is in the data folder"
is "$(setting bus.local.path -o bus.local.path=./x.db)" "./x.db" "a path is used as it is"
is "$(setting bus.local.path -o bus.local.path=~/x.db)" "$HOME/x.db" "~/ is the home folder"
run distlog config -o bus=x
is "$status:$out:${err%%$'\n'*}" \
    "2::distlog config: -o: bus: a section, not a setting; name one of its settings" \
    "a section can't be set"

echo hush-hush >secret
run distlog config -o node.token=hush
unlike "$out" hush "a secret is not printed"
like "$out" '^ *# token: \*{6}$' "a comment stands in its place"
echo "$out" >again.yaml
run distlog config -c again.yaml
like "$out" "^ *token: ''\$" "reading that back sets nothing"
run distlog config -o node.token_file=secret
like "$out" '^ *token_file: secret$' "the file name of a secret is printed"
unlike "$out" hush "the content of that file is not"
is "$(DISTLOG_NODE_TOKEN_FILE=secret setting node.token_file --origin)" \
    "secret  # environment DISTLOG_NODE_TOKEN_FILE" \
    "the environment may name the file"
echo 'node: {token: x, token_file: secret}' >both.yaml
run distlog config -c both.yaml
is "$status:$err" "2:distlog config: both.yaml:1: node.token_file: token and token_file are both set (both.yaml:1); set only one of them" \
    "a secret and its file can't both be given"
echo 'node: {token: "", token_file: secret}' >empty.yaml
is "$(setting node.token_file -c empty.yaml)" "secret" "one of them may be empty"
echo 'topics: {input: a}' >$'odd\033.yaml'
is "$(setting topics.input -c $'odd\033.yaml' --origin)" 'a  # odd\x1b.yaml:1' \
    "control characters of a file's name are escaped"
run distlog config -o node.token_file=$'secret\033'
is "$status" 2 "control characters in a setting are rejected"
head -c 70000 /dev/zero | tr '\0' x >large
run distlog config -o node.token_file=large
is "$status" 2 "a secret of 70 KB is rejected"
run distlog config -o node.token_file=none
like "$err" "^distlog config: -o: node.token_file: cannot read none: No such file or directory" \
    "a missing secret file is an error"
run distlog config -o bus.kafka.properties=sasl.username=me,sasl.password=hush
like "$out" '# properties: .sasl.username: me, sasl.password: \*{6}.$' \
    "a map with secrets is printed without them"
unlike "$out$err" hush "its secrets appear nowhere"
unlike "$(cat "$TOP/distlog.yaml")" 'properties_file' "a map has no setting for a file with its secret"

# as_yaml: rewrites `config --format json` as the YAML that config prints, but for the '#' before a secret.
as_yaml() {
    python3 -c '
import json, re, sys
def scalar(v):
    if not isinstance(v, str):
        return json.dumps(v)
    if v == "******" or re.fullmatch(r"[A-Za-z0-9/._]([A-Za-z0-9/._+:@%=-]*[A-Za-z0-9/._+@%=-])?", v) and v != "null":
        return v
    return "\x27" + re.sub(r"([\x27$])", r"\1\1", v) + "\x27"
def value(v):
    if isinstance(v, list):
        return "[" + ", ".join(map(scalar, v)) + "]"
    if isinstance(v, dict):
        return "{" + ", ".join(scalar(k) + ": " + scalar(x) for k, x in v.items()) + "}"
    return scalar(v)
maps = {"routes", "properties", "weights"}
def write(settings, indent):
    for k, v in settings.items():
        if isinstance(v, dict) and "origin" in v:
            print(indent + k + ": " + value(v["value"]) + "  # " + v["origin"])
        elif isinstance(v, dict) and k not in maps:
            print(indent + k + ":")
            write(v, indent + "  ")
        else:
            print(indent + k + ": " + value(v))
write(json.load(sys.stdin), "")'
}
# shellcheck disable=SC2016
options=(-o node.token=hush -o collect.auth.token_file=secret -o 'node.message=it"s \ $5, ü' -o collect.max_records=7
    -o 'bus.kafka.properties=sasl.username=me,sasl.password=hush' -o 'collect.cors_allow_origins=http://a.example,https://b')
for origin in --no-origin --origin; do
    yaml=$(distlog config $origin "${options[@]}" | sed 's/^\( *\)# /\1/')
    run distlog config $origin --format json "${options[@]}"
    is "$(as_yaml <<<"$out")" "$yaml" "config $origin --format json says the same as the YAML"
    unlike "$out" hush "and no secret either"
done
is "$(distlog config --format json | python3 -c '
import json, sys
c = json.load(sys.stdin)
print(c["bus"]["kafka"]["partitions"], c["bus"]["kafka"]["create_topics"], c["collect"]["routes"], c["bus"]["max_record"])')" \
    "3 True {'log.input': 'nodes'} 1MB" "numbers, booleans and mappings have their types"
done_testing
