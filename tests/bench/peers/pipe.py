"""The same pipe as anybody would write it, with nothing that a pipe of use needs: pipe.py SOCKET."""

import os
import select
import socket
import sys

server = socket.socket(socket.AF_UNIX)
server.connect(sys.argv[1])
while True:
    ready, _, _ = select.select([0, server], [], [])
    if 0 in ready:
        if not (said := os.read(0, 65536)):
            break
        server.sendall(said)
    if server in ready:
        if not (heard := server.recv(65536)):
            break
        os.write(1, heard)
