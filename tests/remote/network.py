"""Tests the daemon between two machines (network namespaces) with a cable. The daemon on one is
found by mDNS and used from the other, which may not do everything: network.py TIMBRED, as root.
Ends with 0 if all is well.

Finds with python-zeroconf, which is of another project, and asks with the standard library. Knows
only the ports of the daemon.
"""

import ctypes
import http.client
import os
import socket
import struct
import subprocess
import sys
import time

from daemon import Daemon, wait
from zeroconf import IPVersion, ServiceBrowser, ServiceListener, Zeroconf

HERE, HERE_AGAIN, THERE = "10.77.0.1", "10.77.0.3", "10.77.0.2"
STAGE, HALL = f"stage{os.getpid()}", f"hall{os.getpid()}"
TOKEN = "sesame-open-12"
KINDS = {"_oscjson._tcp.local.": "http", "_osc._udp.local.": "osc"}
STAGED = ["ip", "netns", "exec", STAGE]


def run(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def cable() -> None:
    """Makes two machines and a cable between them."""
    for name in (STAGE, HALL):
        run("ip", "netns", "add", name)
    ends = f"s{os.getpid()}", f"h{os.getpid()}"
    run("ip", "link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
    for name, end, ip in ((STAGE, ends[0], HERE), (HALL, ends[1], THERE)):
        run("ip", "link", "set", end, "netns", name, "name", "cable0")
        run("ip", "-n", name, "addr", "add", f"{ip}/24", "dev", "cable0")
        run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", name, "link", "set", "cable0", "up")


class Found(ServiceListener):
    """The services that a listener in the hall has found."""

    def __init__(self) -> None:
        self.services: dict[str, tuple[list[str], int]] = {}

    def add_service(self, zeroconf: Zeroconf, kind: str, name: str) -> None:
        if info := zeroconf.get_service_info(kind, name, 3000):
            self.services[kind] = info.parsed_addresses(IPVersion.All), info.port, name

    update_service = add_service

    def remove_service(self, zeroconf: Zeroconf, kind: str, name: str) -> None:
        self.services.pop(kind, None)


def found(program: str) -> None:
    """The daemon is found under its name with the address of the cable, also after that has
    changed, and not with that of the loopback."""
    heard = Found()
    zeroconf = Zeroconf(interfaces=[THERE])
    ServiceBrowser(zeroconf, list(KINDS), heard)
    with Daemon(program, STAGED):
        time.sleep(3)
        assert heard.services == {}, f"on the loopback, and found: {heard.services}"
    environment = {
        "TIMBRED_REMOTE__BIND": "0.0.0.0",
        "TIMBRED_OSC__BIND": "0.0.0.0",
        "TIMBRED_REMOTE__NAME": "Grand (Hall 3)",
    }
    with Daemon(program, STAGED, **environment) as daemon:
        begun = time.monotonic()
        wait("both services", lambda: len(heard.services) == 2)
        seconds = time.monotonic() - begun
        for kind, port in (("_oscjson._tcp.local.", daemon.http), ("_osc._udp.local.", daemon.osc)):
            addresses, told, name = heard.services[kind]
            assert addresses == [HERE] and told == port, heard.services
            assert name == f"Grand (Hall 3).{kind}", name
        print(f"found {seconds:.1f} s after it was ready: {heard.services}")
        control = program.removesuffix("timbred") + "timbrectl"
        listed = run(control, "find")
        assert "Grand (Hall 3)" in listed and f"http://{HERE}:{daemon.http}/" in listed, listed
        assert run(control, "--host", "grand (hall 3)", "get", "master.gain").strip() == "-6"
        assert "/" in run(control, "--host", HERE, "--port", str(daemon.osc), "panel")
        # The network disappears with its address, and comes back with another one.
        run("ip", "-n", STAGE, "addr", "flush", "dev", "cable0")
        time.sleep(7)
        run("ip", "-n", STAGE, "addr", "add", f"{HERE_AGAIN}/24", "dev", "cable0")
        zeroconf.close()
        heard, zeroconf = Found(), Zeroconf(interfaces=[THERE])
        ServiceBrowser(zeroconf, list(KINDS), heard)
        begun = time.monotonic()
        wait(
            "the other address",
            lambda: any(HERE_AGAIN in s[0] for s in heard.services.values()),
            30,
        )
        print(f"found at its other address after {time.monotonic() - begun:.1f} s")
    wait("goodbye", lambda: heard.services == {}, 5)
    zeroconf.close()


def osc(address: str, *args: str | int) -> bytes:
    pad = lambda text: text.encode() + b"\0" * (4 - len(text.encode()) % 4)
    tags = "".join("i" if isinstance(arg, int) else "s" for arg in args)
    packed = (struct.pack(">i", arg) if isinstance(arg, int) else pad(arg) for arg in args)
    return pad(address) + pad("," + tags) + b"".join(packed)


def ask(daemon: Daemon, *packets: bytes) -> str:
    """The last answer to OSC packets from one socket in the hall."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(5)
        answer = b""
        for packet in packets:
            peer.sendto(packet, (HERE, daemon.osc))
            answer = peer.recv(65536)
        return answer.decode(errors="replace")


def get(daemon: Daemon, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection(HERE, daemon.http, timeout=5)
    connection.request("GET", path, headers=headers or {})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def may(program: str) -> None:
    """Checks what a machine of the network may not do: use other web pages, other host names, no
    token, paths."""
    environment = {
        "TIMBRED_REMOTE__BIND": "0.0.0.0",
        "TIMBRED_OSC__BIND": "0.0.0.0",
        "TIMBRED_REMOTE__TOKEN": TOKEN,
    }
    with Daemon(program, STAGED, **environment) as daemon:
        known = {"Authorization": f"Bearer {TOKEN}"}
        assert get(daemon, "/master/gain", known)[0] == 200
        assert get(daemon, f"/master/gain?VALUE&token={TOKEN}")[0] == 200
        for _ in range(3):
            assert get(daemon, "/master/gain")[0] == 401
            assert get(daemon, "/", {**known, "Origin": "http://evil.example"})[0] == 403
            assert get(daemon, "/", {**known, "Host": "evil.example"})[0] == 403
            upgrade = {
                "Upgrade": "websocket",
                "Connection": "Upgrade",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            }
            assert get(daemon, "/", upgrade)[0] == 401
            assert get(daemon, "/", {**upgrade, **known, "Origin": "http://evil.example"})[0] == 403
        status, page = get(daemon, "/", {"Accept": "text/html"})
        assert status == 401 and "<form" in page
        assert "found no token" in ask(daemon, osc("/master/gain"))
        assert "another token" in ask(daemon, osc("/auth", "guess-guess"))
        auth = osc("/auth", TOKEN)
        assert "timbred" in ask(daemon, auth)
        assert "/master/gain" in ask(daemon, auth, osc("/master/gain"))
        for path in ("/etc/x", "../x", "a/../../x"):
            refused = ask(daemon, auth, osc("/record/start", path))
            assert "wanted a name" in refused, refused
        for model in ("/tmp", "../x"):
            assert "installed model" in ask(daemon, auth, osc("/engine/model", model))
        assert "there are" in ask(daemon, auth, osc("/audio/device", "tee:null,/tmp/x"))
        assert "/subscribe" in ask(daemon, auth, osc("/subscribe", THERE, 9, "/record"))
        refused = ask(daemon, auth, osc("/subscribe", "10.77.0.9", 9, "/record"))
        assert "wanted your own address" in refused, refused
        assert "/record/start" in ask(daemon, auth, osc("/record/start", "take"))
        assert get(daemon, "/recordings/..%2fstate.toml", known)[0] == 404
        assert get(daemon, "/recordings/%2fetc%2fpasswd.wav", known)[0] == 404
        control = program.removesuffix("timbred") + "timbrectl"
        there = [control, "--host", HERE, "--port", str(daemon.osc)]
        refused = subprocess.run([*there, "status"], capture_output=True, text=True)
        assert refused.returncode != 0 and "token" in refused.stderr, refused
        assert f"?token={TOKEN}" in run(*there, "--token", TOKEN, "panel")
        # The token is needed for OSC over TCP, too.
        with socket.create_connection((HERE, daemon.osc), 5) as tcp:
            for packet in (osc("/master/gain"), auth, osc("/master/gain")):
                tcp.sendall(struct.pack(">I", len(packet)) + packet)
            answers = [tcp_packet(tcp) for _ in range(3)]
        assert (
            b"found no token" in answers[0] and b"timbred" in answers[1] and b",f" in answers[2]
        ), answers
        log = daemon.log.read_text()
        for said in (
            "HTTP without the token of",
            "HTTP from another page of",
            "HTTP by another name of",
            "a file's path of",
            "a subscription for another machine of",
        ):
            count = log.count(said)
            assert count == 1, f"{said}: {count} times\n{log}"
        assert TOKEN not in log
    print("refused, and said once each: another page, another name, no token, a path, "
          "a third machine")


def tcp_packet(stream: socket.socket) -> bytes:
    head = stream.recv(4, socket.MSG_WAITALL)
    return stream.recv(struct.unpack(">I", head)[0], socket.MSG_WAITALL)


def main(program: str) -> None:
    cable()
    try:
        enter()
        may(program)
        found(program)
    finally:
        for name in (STAGE, HALL):
            subprocess.run(["ip", "netns", "del", name], check=False)


def enter() -> None:
    """Moves this thread, and all programs that it starts, into the hall (os.setns needs Python
    3.12)."""
    namespace = os.open(f"/var/run/netns/{HALL}", os.O_RDONLY)
    assert ctypes.CDLL(None, use_errno=True).setns(namespace, 0x40000000) == 0


if __name__ == "__main__":
    main(sys.argv[1])
