"""`python quarantine.py SECONDS JSON`: commands in a network of their own, which holds nothing but this machine and a
name server that writes down what it is asked.

JSON is a list of lists of words. After so many seconds what still runs is stopped. The last line says, as JSON:
`asked`, the names, and `codes`, how each command ended (None: it ran until it was stopped). Exits with 3, and one
sentence, where this system gives no such network. Linux alone.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

NEW_MOUNTS, NEW_USERS, NEW_NETWORK = 0x00020000, 0x10000000, 0x40000000
"""Of unshare(2)."""
PRIVATE_BELOW, BIND = 0x00044000, 0x00001000
"""Of mount(2)."""
SET_FLAGS, UP = 0x8914, 1
"""Of netdevice(7)."""


def enter() -> None:
    """Leave the network, and let names be asked of this process."""
    libc, user, group = ctypes.CDLL(None, use_errno=True), os.getuid(), os.getgid()

    def done(failed: int) -> None:
        if failed:
            print(f"no network of its own here ({os.strerror(ctypes.get_errno())})")
            sys.exit(3)

    done(libc.unshare(NEW_NETWORK | NEW_MOUNTS | (NEW_USERS if user else 0)))
    if user:
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        fcntl.ioctl(own, SET_FLAGS, struct.pack("16sh", b"lo", UP))
    done(libc.mount(b"none", b"/", None, PRIVATE_BELOW, None))
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as servers:
        servers.write("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        servers.flush()
        done(libc.mount(servers.name.encode(), b"/etc/resolv.conf", None, BIND, None))


def name_server() -> list[str]:
    """The names that are asked for from now on; nobody is answered."""
    asked: list[str] = []
    door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    door.bind(("127.0.0.1", 53))

    def serve() -> None:
        while True:
            question, at, parts = door.recv(4096), 12, []
            while question[at]:
                parts.append(question[at + 1 : at + 1 + question[at]].decode("ascii", "replace"))
                at += question[at] + 1
            asked.append(".".join(parts))

    threading.Thread(target=serve, daemon=True).start()
    return asked


def main(seconds: float, commands: list[list[str]]) -> None:
    enter()
    asked = name_server()
    running = [subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for words in commands]
    time.sleep(seconds)
    codes = [process.poll() for process in running]
    for process in running:
        process.terminate()
    for process in running:
        process.wait(30)
    print(json.dumps({"asked": sorted(set(asked)), "codes": codes}))


if __name__ == "__main__":
    main(float(sys.argv[1]), json.loads(sys.argv[2]))
