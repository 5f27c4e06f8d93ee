"""Passes bytes between clients and the server HOST:PORT until it is killed; prints the port it listens on.

A process of its own, because the driver keeps Python's lock while it waits for an answer.
"""

import socket
import sys
import threading


def pump(source, target):
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
    except OSError:
        pass
    for one in (source, target):
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def main(host, port):
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        client, _ = listener.accept()
        server = socket.create_connection((host, int(port)))
        for pair in [(client, server), (server, client)]:
            threading.Thread(target=pump, args=pair, daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1].rsplit(":", 1))
