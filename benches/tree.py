#!/usr/bin/env python3
"""Prints QEMU's object tree with all values, one request after another.

    benches/tree.py [--package] SOCKET

For benches/compare: this is how tools without `qom tree` do it, over a plain
socket or with the package qemu.qmp.
"""

import json
import socket
import sys


class PlainClient:
    """Sends requests as the package writes them, over a plain socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.replies = self.socket.makefile("rb")
        self.replies.readline()
        self.execute("qmp_capabilities")

    def execute(self, command, **arguments):
        request = {"execute": command, "arguments": arguments}
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        while True:
            reply = json.loads(self.replies.readline())
            if "return" in reply:
                return reply["return"]
            if "error" in reply:
                raise ValueError(reply["error"]["desc"])


class PackageClient:
    def __init__(self, path):
        from qemu.qmp.legacy import QEMUMonitorProtocol

        self.monitor = QEMUMonitorProtocol(path)
        self.monitor.connect()

    def execute(self, command, **arguments):
        try:
            return self.monitor.cmd(command, **arguments)
        except Exception as error:
            raise ValueError(error)


def print_tree(client, path):
    print(path)
    members = client.execute("qom-list", path=path)
    children = [member for member in members if member["type"].startswith("child<")]
    for member in members:
        if member in children:
            continue
        try:
            value = client.execute("qom-get", path=path, property=member["name"])
        except ValueError as error:
            value = f"unreadable: {error}"
        print(f"  {member['name']}: {value} ({member['type']})")
    for child in children:
        print_tree(client, f"{path.rstrip('/')}/{child['name']}")


if __name__ == "__main__":
    Client = PackageClient if "--package" in sys.argv else PlainClient
    print_tree(Client(sys.argv[-1]), "/")
