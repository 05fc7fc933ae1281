"""Sends broken requests, frames and packets over TCP to the real daemon: garbage.py TIMBRED
[COUNT]. The daemon must not panic or use more memory, must go on playing, and must answer at the
end. COUNT is the number of all three kinds together.
"""

import random
import socket
import struct
import sys
import threading
import time

from daemon import Daemon

KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = (
    "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Version: 13\r\n{KEY}\r\n\r\n"
)
#: Frames or packets that one connection tries; a broken one ends most.
PIECES = 5
LORIS = 40
MORE_KB = 16_000
#: Gaps a second beside those without garbage: three busy programs share two cores then.
MORE_GAPS_HZ = 0.25
#: Connections a second: making them is work as well.
MOST_HZ = 500

chance = random.Random(20)


def bytes_of(most: int) -> bytes:
    return chance.randbytes(chance.randrange(most))


def request() -> bytes:
    path = chance.choice(
        [
            "/",
            "/ch/1/gain",
            "/%00",
            "/../../etc/passwd",
            "/recordings/..%2f..%2fx.wav",
            "/panel/%2e%2e/x",
            "/" + "a" * 9000,
            "//////",
            "/?" + "&" * 4000,
            "/ch/*/gain",
            "/\xff",
        ]
    )
    kind = chance.randrange(9)
    if kind == 0:
        return bytes_of(2000)
    if kind == 1:  # giant headers
        return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX: {'x' * 60_000}\r\n\r\n".encode(
            "latin1"
        )
    if kind == 2:  # very many headers
        return ("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + "A: b\r\n" * 2000 + "\r\n").encode()
    if kind == 3:  # half a request
        return f"GET {path} HTTP/1.1\r\nHos".encode("latin1")
    if kind == 4:
        method = chance.choice(["POST", "PUT", "TRACE", "X" * 3000, "CONNECT", "PRI"])
        length = chance.choice([0, 5, 10**18, -1])
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}"
        return f"{head}\r\n\r\nabc".encode("latin1")
    if kind == 5:
        host = chance.choice(["evil.example", "", "127.0.0.1:99999999", "[::1", "a@b", "x" * 5000])
        return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: null\r\n\r\n".encode("latin1")
    if kind == 6:
        return (
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"FFFFFFFFFFFFFFFF\r\n" + bytes_of(50)
        )
    if kind == 7:
        query = chance.choice(["VALUE", "COLOUR", "HOST_INFO", "%", "token=" + "x" * 3000])
        return f"GET {path}?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode("latin1")
    text = bytearray(UPGRADE.encode())
    for _ in range(3):
        text[chance.randrange(len(text))] = chance.randrange(256)
    return bytes(text)


def frame() -> bytes:
    """A WebSocket frame, of which most have an error."""
    kind = chance.randrange(8)
    payload = chance.choice(
        [
            bytes_of(200),
            b'{"COMMAND":"LISTEN","DATA":"/"}',
            b'{"COMMAND":7}',
            b"{" * 500,
            b'{"COMMAND":"IGNORE","DATA":"//*"}',
            b"/ch/1/gain\0\0,f\0\0\xc1\0\0\0",
            b"\xff\xfe",
        ]
    )
    opcode = chance.choice([1, 1, 2, 2, 0, 3, 8, 9, 10, 15])
    length = len(payload)
    if kind == 0:  # no mask
        return bytes([0x80 | opcode, min(length, 125)]) + payload[:125]
    if kind == 1:  # longer than is said
        return (
            bytes([0x82, 0x80 | 127])
            + struct.pack(">Q", chance.choice([2**63, 2**40, 10**6]))
            + b"abcd"
            + payload
        )
    if kind == 2:  # half a frame
        return bytes([0x82, 0x80 | 126]) + struct.pack(">H", 60_000) + b"abcd" + payload
    if kind == 3:  # reserved bits, fragments without an end
        return (
            bytes([chance.choice([0x70, 0x01, 0x02]) | opcode, 0x80 | min(length, 125)])
            + b"\0\0\0\0"
            + payload[:125]
        )
    mask = chance.randbytes(4)
    masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload[:125]))
    return bytes([0x80 | opcode, 0x80 | len(masked)]) + mask + masked


def packet() -> bytes:
    """A packet of OSC over TCP, by length or by SLIP, of which most have an error."""
    body = chance.choice(
        [
            b"/ch/1/gain\0\0,f\0\0\xc1\0\0\0",
            b"/subscribe\0\0,\0\0\0",
            bytes_of(300),
            b"#bundle\0" + bytes_of(60),
        ]
    )
    kind = chance.randrange(6)
    if kind == 0:
        return struct.pack(">I", chance.choice([2**31, 65_537, len(body) + 9])) + body
    if kind == 1:
        return b"\xc0" + body + b"\xdb" + bytes_of(3) + b"\xc0"
    if kind == 2:
        return b"\xc0" * 50 + body
    if kind == 3:
        return b"/" + b"a" * 70_000
    return (struct.pack(">I", len(body)) + body) if kind == 4 else (b"\xc0" + body + b"\xc0")


def attempt(port: int, first: bytes, more: list[bytes]) -> int:
    """Sends pieces over one connection, and returns how many were sent before the other side closed
    it."""
    sent = 0
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as stream:
            # The connection is reset when it is closed, so that none is left in TIME_WAIT.
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            stream.settimeout(1)
            if first:
                stream.sendall(first)
                stream.recv(1024)
            for piece in more:
                stream.settimeout(1)
                stream.sendall(piece)
                sent += 1
                stream.settimeout(0.002)
                if not heard(stream):
                    break
    except OSError:
        pass
    return sent


def heard(stream: socket.socket) -> bool:
    """Whether the other side is still connected, even if it sends nothing."""
    try:
        return bool(stream.recv(65_536))
    except TimeoutError:
        return True


def loris(port: int, over: threading.Event) -> None:
    """Sends requests a byte at a time, again and again."""
    while not over.is_set():
        streams = []
        try:
            for _ in range(LORIS):
                streams.append(socket.create_connection(("127.0.0.1", port), 2))
            for byte in UPGRADE.encode()[:8]:
                for stream in streams:
                    stream.send(bytes([byte]))
                if over.wait(1):
                    break
        except OSError:
            pass
        for stream in streams:
            stream.close()


def main(program: str, count: int) -> None:
    args = ["--hop-ms", "160"]
    # The sound is made far ahead of the device with little work, so that a busy machine alone
    # causes no gap.
    with Daemon(program, args=args, TIMBRED_AUDIO__LEAD_MS="700") as daemon:
        quiet = daemon.status()
        time.sleep(3)
        before = daemon.status()
        quiet_hz = (before["underruns"] - quiet["underruns"]) / 3
        over = threading.Event()
        slow = threading.Thread(target=loris, args=(daemon.http, over))
        slow.start()
        done, connections, memory_kb, begun = 0, 0, 0, time.monotonic()
        while done < count:
            kind = connections % 3
            if kind == 0:
                done += attempt(daemon.http, b"", [request()])
            elif kind == 1:
                done += attempt(daemon.http, UPGRADE.encode(), [frame() for _ in range(PIECES)])
            else:
                done += attempt(daemon.osc, b"", [packet() for _ in range(PIECES)])
            connections += 1
            if not memory_kb and done > count / 4:
                memory_kb = daemon.memory_kb()
            time.sleep(max(0.0, begun + connections / MOST_HZ - time.monotonic()))
        seconds = time.monotonic() - begun
        over.set()
        slow.join()
        after = daemon.status()
        gaps_hz = (after["underruns"] - before["underruns"]) / seconds
        played_s = (after["frames_played"] - before["frames_played"]) / 48_000
        grown_kb = daemon.memory_kb() - memory_kb
        print(
            f"{done} requests, frames and packets on {connections} connections in {seconds:.0f} s: "
            f"played {played_s:.1f} s, underruns {gaps_hz:.2f}/s after {quiet_hz:.2f}/s, "
            f"memory {memory_kb} kB + {grown_kb} kB"
        )
        log = daemon.log.read_text()
        assert daemon.process.poll() is None and "panicked" not in log, log[-3000:]
        assert abs(played_s / seconds - 1) < 0.05, "the device stood still"
        assert gaps_hz <= quiet_hz + MORE_GAPS_HZ, "garbage makes gaps"
        assert grown_kb < MORE_KB, "memory grew"
        # Slow clients have been disconnected by then, and there is room for new ones.
        time.sleep(6)
        with socket.create_connection(("127.0.0.1", daemon.http), 5) as stream:
            stream.sendall(UPGRADE.encode())
            assert stream.recv(12) == b"HTTP/1.1 101"


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100_000)
