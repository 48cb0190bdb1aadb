"""judge: whether a daemon should have ended as it did. An end is a dict, as daemons.py writes it down.
SPDX-License-Identifier: Apache-2.0"""
import signal


def judge(end):
    """Why a daemon should not have ended so, or None."""
    code, by = end["code"], end["by"]
    if code == 0:
        return None if "SIGTERM" in by else "left with exit code 0 without having been told to"
    if code == -signal.SIGKILL:
        return None if "SIGKILL" in by or "FAULTS_POINT" in end["faults"] else "somebody killed it"
    if code == -signal.SIGTERM and not end["said"]:
        return None  # it came before there was a handler for it
    if code == 128 + signal.SIGTERM and by.count("SIGTERM") > 1:
        return None  # a second signal means now
    if code == 1:
        overtaken = "SIGSTOP" in by and "SIGTERM" in by  # its group moved on before it could commit
        return None if overtaken or end["faults"] or end["trouble"] else "left with exit code 1 without need"
    return f"ended by signal {-code}" if code < 0 else f"left with exit code {code}"
