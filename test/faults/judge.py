"""judge: whether a daemon was right to end as it did. An end is a dict, as daemons.py records it.
SPDX-License-Identifier: Apache-2.0"""
import signal

from messages import IO_ERROR, LEAVING, NO_MEMORY, NO_SPACE

# A daemon has 5 s to stop, whatever its engines do; a busy machine may add 10 s.
SHUTDOWN_S = 5 + 10
IO_ERRORS = {"EIO": IO_ERROR, "ENOSPC": NO_SPACE, "EDQUOT": NO_SPACE}


def judge(end):
    """The reason why it should not have ended like this, or None."""
    code, signals = end["code"], end["signals"]
    shutdown_s = end["shutdown_s"]
    if shutdown_s is not None and shutdown_s > SHUTDOWN_S:
        return f"took {shutdown_s:.0f} s to stop after SIGTERM"
    if code == 0:
        return None if "SIGTERM" in signals else "ended with exit code 0 without a SIGTERM"
    if code == -signal.SIGKILL:
        was_expected = "SIGKILL" in signals or "FAULTS_POINT" in end["faults"]
        return None if was_expected else "was killed, but not by the harness"
    if code == -signal.SIGTERM and not end["lines"]:
        return None  # the signal came before its handler was installed
    if code == 128 + signal.SIGTERM and signals.count("SIGTERM") > 1:
        return None  # a second signal means now
    if code == 1:
        return judge_failure(end)
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"


def judge_failure(end):
    """The same for exit code 1: a fault has to be the cause, and the daemon has to report it."""
    signals, lines, faults = end["signals"], end["lines"], end["faults"]
    text = "\n".join(lines)
    if not lines:
        return "ended with exit code 1 and logged nothing"
    if NO_MEMORY.search(text):
        return judge_out_of_memory(end, text)
    if "FAULTS_IO" in faults and end["hits"]:
        error = faults["FAULTS_IO"].split(":")[0]
        if IO_ERRORS[error].search(text):
            return None
    gave_up = "SIGTERM" in signals or LEAVING in text or NO_SPACE.search(text)
    if end["outage"] and gave_up:
        return None
    was_paused = {"SIGSTOP", "stall", "sleep"} & set(signals)
    if "SIGTERM" in signals and (LEAVING in text or was_paused or end["hits"]):
        return None  # no answer in time, or its group moved on before it could commit
    return "ended with exit code 1 without a cause"


def judge_out_of_memory(end, text):
    is_one_line = len(NO_MEMORY.findall(text)) == 1 and NO_MEMORY.search(end["lines"][-1])
    if end["hits"] and is_one_line:
        return None
    return "out of memory: expected an injected failure, and exactly one line, the last"
