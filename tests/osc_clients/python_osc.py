"""Tests the daemon with python-osc: python_osc.py PORT. Ends with 0 if every answer is right.

Run by tests/tests/osc_clients.rs; it knows only the port of the daemon.
"""

import sys
import time

from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.udp_client import SimpleUDPClient

LONG_S = 10.0


class Peer(SimpleUDPClient):
    """A client that knows when all of its messages have been answered."""

    tokens = 0

    def next_message(self, timeout_s=LONG_S):
        """The next message as (address, arguments); None if none arrives in time."""
        for message in self.get_messages(timeout_s):
            return message.address, list(message.params)
        return None

    def answers(self):
        """Everything that arrives until the daemon has handled all messages."""
        self.tokens += 1
        self.send_message("/ping", self.tokens)
        found = []
        while True:
            message = self.next_message()
            assert message, f"no answer; so far {found}"
            if message == ("/ping", [self.tokens, "timbred"]):
                return found
            found.append(message)

    def ask(self, address, value=None):
        self.send_message(address, value)
        return self.answers()

    def one(self, address):
        [(found, values)] = self.ask(address)
        assert found == address, found
        return values[0] if len(values) == 1 else values


def is_equal(found, wanted):
    assert found == wanted, f"found {found!r}, wanted {wanted!r}"


def message(address, *args):
    builder = OscMessageBuilder(address)
    for arg in args:
        builder.add_arg(arg)
    return builder.build()


def bundle(at, *messages):
    builder = OscBundleBuilder(at)
    for one in messages:
        builder.add_content(one)
    return builder.build()


def query_and_set(peer):
    for value in (-12, -6.0, 3.0):
        is_equal(peer.ask("/ch/5/gain", value), [])
        is_equal(peer.one("/ch/5/gain"), float(value))
    for value in (True, False, 1, 0.0):
        is_equal(peer.ask("/ch/5/mute", value), [])
        is_equal(peer.one("/ch/5/mute"), bool(value))
    is_equal(peer.ask("/ch/5/instrument", "violin"), [])
    is_equal(peer.one("/ch/5/program"), 40)
    is_equal(peer.one("/ch/5/instrument"), "Violin")
    is_equal(peer.ask("/engine/seed", 1 << 40), [])
    is_equal(peer.one("/engine/seed"), 1 << 40)
    is_equal(peer.one("/engine/hop_ms"), "model")
    assert peer.one("/version")[0] == "timbred"
    assert len(peer.one("/meter/master")) == 2
    is_equal(peer.one("/record"), "off")
    assert '"latency_ms"' in peer.one("/status")


def patterns(peer):
    is_equal(peer.ask("/ch/{1,10}/gain", -3.0), [])
    answers = dict(peer.ask("/ch/*/gain"))
    is_equal(len(answers), 16)
    is_equal((answers["/ch/1/gain"], answers["/ch/10/gain"], answers["/ch/2/gain"]),
             ([-3.0], [-3.0], [0.0]))
    is_equal(len(peer.ask("/ch/1[0-2]/transpose")), 3)
    is_equal(len(peer.ask("/ch/?/mute")), 9)


def bundles(peer):
    wrong = bundle(IMMEDIATELY, message("/ch/7/gain", -1.0), message("/ch/8/gain", "loud"))
    peer.send(wrong)
    [(address, (about, code, text))] = peer.answers()
    is_equal((address, about, code), ("/error", "/ch/8/gain", 2))
    is_equal(peer.one("/ch/7/gain"), 0.0)
    peer.send(bundle(IMMEDIATELY, message("/ch/7/gain", -1.0), message("/ch/8/gain", -2.0),
                     message("/ch/7/gain")))
    is_equal(peer.answers(), [("/ch/7/gain", [-1.0])])
    # This bundle waits for its time.
    at = time.time() + 1.0
    peer.send(bundle(at, message("/ch/7/gain", -9.0), message("/ch/7/gain")))
    is_equal(peer.one("/ch/7/gain"), -1.0)
    is_equal(peer.next_message(), ("/ch/7/gain", [-9.0]))
    late_s = time.time() - at
    assert 0 <= late_s < 2, f"{late_s} s late"


def subscriptions(peer, port):
    other = Peer("127.0.0.1", port)
    [(address, (host, target, pattern, hz, lease_s))] = other.ask("/subscribe", "/ch/9/*")
    is_equal((address, host, pattern, hz, lease_s),
             ("/subscribe", "127.0.0.1", "/ch/9/*", 30.0, 120))
    peer.send_message("/ch/9/gain", -7.0)
    is_equal(other.next_message(), ("/ch/9/gain", [-7.0]))
    # A client's own changes are not sent back to it, unless the value was clamped.
    is_equal(other.ask("/ch/9/gain", -8.0), [])
    other.send_message("/ch/9/gain", 99.0)
    is_equal(other.next_message(), ("/ch/9/gain", [12.0]))
    other.ask("/unsubscribe")
    peer.ask("/ch/9/gain", 0.0)
    is_equal(other.next_message(0.3), None)


def errors(peer):
    def code(address, value=None):
        [(found, (about, number, text))] = peer.ask(address, value)
        assert found == "/error" and about == address and text, (found, about, text)
        return number, text

    is_equal(code("/ch/1/gian")[0], 1)
    assert "/ch/1/gain" in code("/ch/1/gian")[1]
    is_equal(code("/master/gain", "loud")[0], 2)
    is_equal(code("/master/gain", [1.0, 2.0])[0], 2)
    is_equal(code("/master/gain", float("nan"))[0], 3)
    is_equal(code("/engine/load", 1.0)[0], 4)
    is_equal(code("/record/stop")[0], 7)


def notes(peer):
    is_equal(peer.ask("/ch/1/note", [60, 100]), [])
    heard = None
    for _ in range(100):
        time.sleep(0.05)
        heard = peer.one("/meter/master")
        if heard[0] > -60.0:
            break
    else:
        raise AssertionError(f"the note is not heard: {heard}")
    is_equal(peer.ask("/ch/1/note", [60, 0.0]), [])
    is_equal(peer.ask("/panic"), [])


def main():
    port = int(sys.argv[1])
    peer = Peer("127.0.0.1", port)
    query_and_set(peer)
    patterns(peer)
    bundles(peer)
    subscriptions(peer, port)
    errors(peer)
    notes(peer)


main()
