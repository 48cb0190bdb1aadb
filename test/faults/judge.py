"""judge: whether a daemon should have ended as it did. An end is a dict, as daemons.py writes it down.
SPDX-License-Identifier: Apache-2.0"""
import re
import signal

LEAVE_S = 5 + 10  # what a daemon has to leave, whatever its engines do; and what a busy machine may add
NO_MEMORY = re.compile(r"^distlog[^:]*: out of memory$", re.M)
NO_SPACE = re.compile(r"no space left|No space left|disk is full")
FAILED_IO = {"EIO": re.compile(r"disk I/O error|Input/output error"), "ENOSPC": NO_SPACE, "EDQUOT": NO_SPACE}


def judge(end):
    """Why it should not have ended so, or None."""
    code, by = end["code"], end["by"]
    late = end["leaving_s"]
    if late is not None and late > LEAVE_S:
        return f"took {late:.0f} s to leave after SIGTERM"
    if code == 0:
        return None if "SIGTERM" in by else "left with exit code 0 without having been told to"
    if code == -signal.SIGKILL:
        return None if "SIGKILL" in by or "FAULTS_POINT" in end["faults"] else "somebody killed it"
    if code == -signal.SIGTERM and not end["said"]:
        return None  # it came before there was a handler for it
    if code == 128 + signal.SIGTERM and by.count("SIGTERM") > 1:
        return None  # a second signal means now
    if code == 1:
        return judge_failure(end)
    return f"ended by signal {-code}" if code < 0 else f"left with exit code {code}"


def judge_failure(end):
    """The same of exit code 1: some fault has to be the reason, and the daemon has to say it."""
    by, lines, faults = end["by"], end["lines"], end["faults"]
    text = "\n".join(lines)
    if not lines:
        return "left with exit code 1 and said nothing"
    if NO_MEMORY.search(text):
        well = end["hits"] and len(NO_MEMORY.findall(text)) == 1 and NO_MEMORY.search(lines[-1])
        return None if well else "out of memory: expected the fault, and one line, its last"
    if "FAULTS_IO" in faults and end["hits"] and FAILED_IO[faults["FAULTS_IO"].split(":")[0]].search(text):
        return None
    if end["trouble"] and ("SIGTERM" in by or "leaving: " in text or NO_SPACE.search(text)):
        return None
    paused = {"SIGSTOP", "stall", "sleep"} & set(by)
    if "SIGTERM" in by and ("leaving: " in text or paused or end["hits"]):
        return None  # no answer in time; or its group moved on before it could commit
    return "left with exit code 1 without need"
