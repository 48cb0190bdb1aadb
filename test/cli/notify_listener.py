"""Plays systemd's end of the notification protocol (sd_notify(3)).

Usage: notify_listener.py SOCKET FILE
Listens at SOCKET and appends to FILE a line for each variable of each message: the number of the
message, when it came (monotonic, in seconds), and NAME=value.
SPDX-License-Identifier: Apache-2.0
"""
import socket
import sys
import time


def main(path, log_path):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(path)
    number = 0
    while True:
        message = listener.recv(65536).decode()
        number += 1
        with open(log_path, "a", encoding="utf-8") as log:
            for variable in message.split("\n"):
                log.write(f"{number} {time.monotonic():.3f} {variable}\n")


main(*sys.argv[1:])
