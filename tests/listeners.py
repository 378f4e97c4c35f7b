"""Ports of 127.0.0.1 for what tests start, and whether somebody listens there."""

import socket
import time


def free_ports(number):
    """Ports that are all different; somebody else may have one by the time it is used."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def free_port():
    return free_ports(1)[0]


def is_listening(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def await_listener(port, process, seconds=20):
    """Waits for a real server's start; how long it takes is not judged."""
    end = time.monotonic() + seconds
    while not is_listening(port):
        assert process.poll() is None, f"{process.args[0]} has ended"
        assert time.monotonic() < end, f"{process.args[0]} does not listen"
        time.sleep(0.02)
