#!/usr/bin/env python3
"""analyse.py [--planted] TOOL...: prints what clang-tidy, cppcheck or gcc-analyzer (gcc's
-fanalyzer) find in the product, or with --planted in a file that has a fault for each of them.

Each file's result is kept in build/lint/ under a hash of all that it depends on (the file, the
project's headers it includes, flags, configuration, the tool's version), so that only changed files
are analysed again. Files are analysed in parallel, one process a core.
"""
# SPDX-License-Identifier: Apache-2.0
import concurrent.futures
import fcntl
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
CACHE = os.path.join(TOP, "build/lint")
INCLUDE = re.compile(r'^ *# *include *"([^"]*)"', re.M)
FINDING = re.compile(r"^\S+?:\d+:\d+: (?!note:)")
LEAST_ANALYZER = 14  # older releases of gcc report much that is not so
# gcc's false findings, by file. A pragma can't switch them off: older releases don't know the name.
SUPPRESSED = {
    # A child keeps what dup2 gave it, and pipe2 doesn't succeed with a negative descriptor.
    "lib/adapter/os/process.c": ["-Wno-analyzer-fd-leak"],
}


def run(command, **more):
    return subprocess.run(command, cwd=TOP, text=True, check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, **more)


def product_files():
    """The product's C files, seen from the top."""
    found = ["distlog.c"]
    for room in ("cmd", "lib"):
        for folder, _, names in os.walk(os.path.join(TOP, room)):
            found += [os.path.relpath(os.path.join(folder, name), TOP) for name in names
                      if name.endswith((".c", ".h"))]
    return sorted(found)


def analysed_files():
    """The C files to analyse: the product's and those of the generator of its manual."""
    generator = os.listdir(os.path.join(TOP, "man"))
    found = product_files() + [f"man/{name}" for name in generator]
    return sorted(name for name in found if name.endswith(".c"))


def compile_flags():
    """The preprocessor's flags and the warnings of each source, by name."""
    with open(os.path.join(TOP, "compile_commands.json"), encoding="utf-8") as file:
        rows = json.load(file)
    wanted = re.compile(r"-[DIU]|-std|-W")
    return {row["file"]: [flag for flag in row["arguments"] if wanted.match(flag)] for row in rows}


def gcc_version():
    text = run(["gcc", "-dumpversion"]).stdout.strip()
    return int(text.split(".")[0]) if text else 0


@functools.lru_cache
def version_of(tool):
    return run(["gcc" if tool == "gcc-analyzer" else tool, "--version"]).stdout


@functools.lru_cache
def thorough():
    """The flag that newer releases of cppcheck need to follow every branch."""
    has_levels = "--check-level" in run(["cppcheck", "--help"]).stdout
    return ["--check-level=exhaustive"] if has_levels else []


def command_of(tool, name, flags):
    plain = [flag for flag in flags if not flag.startswith("-W")]
    if tool == "clang-tidy":
        return ["clang-tidy", "--quiet", "--config-file=.clang-tidy", name, "--", *plain]
    if tool == "cppcheck":
        defines = [flag for flag in plain if flag.startswith(("-DDISTLOG", "-DSYSCONFDIR"))]
        return ["cppcheck", "--quiet", "--enable=warning,performance,portability", "--std=c11",
                "--inline-suppr", "--library=test/lint/cppcheck.cfg",
                *thorough(),
                "--template={file}:{line}:{column}: {severity}: {message} [{id}]", *defines, name]
    # Behind the C library's checking wrappers -fanalyzer recognizes neither open nor read.
    plain = [flag for flag in plain if not flag.startswith("-D_FORTIFY_SOURCE")]
    return ["gcc", "-fanalyzer", "-O2", *plain, *SUPPRESSED.get(name, []), "-c", "-o", "/dev/null",
            name]


def available(tool):
    """Why the tool can't be used here, or None."""
    program = "gcc" if tool == "gcc-analyzer" else tool
    if not shutil.which(program):
        return f"no {program} here"
    if tool == "gcc-analyzer" and gcc_version() < LEAST_ANALYZER:
        return f"gcc {gcc_version()} is older than {LEAST_ANALYZER}"
    return None


def closure(name, seen):
    """Adds the file and what it includes of ours to seen."""
    if name in seen or not os.path.exists(os.path.join(TOP, name)):
        return
    with open(os.path.join(TOP, name), encoding="utf-8") as file:
        text = file.read()
    seen[name] = text
    for header in INCLUDE.findall(text):
        closure(os.path.normpath(os.path.join(os.path.dirname(name), header)), seen)


def key_of(tool, command, name):
    seen = {"version": version_of(tool)}
    settings = [".clang-tidy"] if tool == "clang-tidy" else []
    if tool == "cppcheck":
        settings = ["test/lint/cppcheck.cfg"]
    for dependency in (*settings, name):
        closure(dependency, seen)
    return hashlib.sha256(json.dumps([command, sorted(seen.items())]).encode()).hexdigest()


def analysed(tool, name, flags):
    """The findings in one file, from the cache if nothing changed."""
    command = command_of(tool, name, flags)
    kept = os.path.join(CACHE, tool, key_of(tool, command, name))
    with open(kept + ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two tests may want the same file
        if not os.path.exists(kept):
            done = run(command)
            output = (done.stdout + done.stderr).replace(TOP + "/", "")
            if done.returncode != 0 and not findings_of(output):
                raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}: {output}")
            with open(kept + ".new", "w", encoding="utf-8") as file:
                file.write(output)
            os.rename(kept + ".new", kept)
    with open(kept, encoding="utf-8") as file:
        return findings_of(file.read())


def findings_of(output):
    return [line for line in output.split("\n") if FINDING.match(line)]


def findings(tool, files):
    """A line for each finding, sorted, each once."""
    flags = compile_flags()
    os.makedirs(os.path.join(CACHE, tool), exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        lists = pool.map(lambda name: analysed(tool, name, flags.get(name, [])), files)
    return sorted({line for lines in lists for line in lines})


def text_findings(tool, text):
    """The findings in a source that is given as a text."""
    with tempfile.NamedTemporaryFile("w", suffix=".c") as file:
        file.write(text)
        file.flush()
        done = run(command_of(tool, file.name, ["-std=c11"]))
    return findings_of(done.stdout + done.stderr)


PLANTED = """#include <stdlib.h>
int f(int a)
{
    char *p = malloc(8);
    if (a = 2 && a == a)
        p[9] = 1;
    free(p);
    return p[0];
}
"""


def main():
    tools = [argument for argument in sys.argv[1:] if argument != "--planted"]
    for tool in tools:
        reason = available(tool)
        if reason:
            print(f"# {tool}: skipped, {reason}", file=sys.stderr)
        elif len(tools) < len(sys.argv) - 1:
            print(*text_findings(tool, PLANTED), sep="\n")
        else:
            print(*findings(tool, analysed_files()), sep="\n")


if __name__ == "__main__":
    main()
