#!/usr/bin/env python3
"""Prints QEMU's object tree with all values, one request after another.

    benches/tree.py [--package] SOCKET

As the tools before `qom tree` do it, for benches/compare: over a plain socket,
or with the package qemu.qmp.
"""

import json
import socket
import sys


class Plain:
    """Each request goes out as the package writes it, and its reply is read."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.replies = self.socket.makefile("rb")
        self.replies.readline()
        self.ask("qmp_capabilities")

    def ask(self, command, **arguments):
        request = {"execute": command, "arguments": arguments}
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        while True:
            reply = json.loads(self.replies.readline())
            if "return" in reply:
                return reply["return"]
            if "error" in reply:
                raise ValueError(reply["error"]["desc"])


class Package:
    def __init__(self, path):
        from qemu.qmp.legacy import QEMUMonitorProtocol

        self.monitor = QEMUMonitorProtocol(path)
        self.monitor.connect()

    def ask(self, command, **arguments):
        try:
            return self.monitor.cmd(command, **arguments)
        except Exception as error:
            raise ValueError(error)


def draw(server, path):
    print(path)
    members = server.ask("qom-list", path=path)
    children = [member for member in members if member["type"].startswith("child<")]
    for member in members:
        if member in children:
            continue
        try:
            value = server.ask("qom-get", path=path, property=member["name"])
        except ValueError as error:
            value = f"unreadable: {error}"
        print(f"  {member['name']}: {value} ({member['type']})")
    for child in children:
        draw(server, f"{path.rstrip('/')}/{child['name']}")


if __name__ == "__main__":
    kind = Package if "--package" in sys.argv else Plain
    draw(kind(sys.argv[-1]), "/")
