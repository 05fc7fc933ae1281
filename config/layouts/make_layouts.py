#!/usr/bin/env python3
"""Writes the layouts beside it, open-stage-control.json and touchosc.tosc; with --check it only
compares.

This file has the controls and their places; names and programs come from ctl/src/instruments.rs.
tests/tests/layouts.rs checks every address against the daemon's own table. Only the standard
library of Python is needed.
"""

import json
import re
import sys
import uuid
import zlib
from pathlib import Path
from xml.sax.saxutils import escape

HERE = Path(__file__).resolve().parent
INSTRUMENTS = HERE.parents[1] / "ctl/src/instruments.rs"
WIDTH, HEIGHT = 1280, 720
STRIP = 68
# The x position of the master strip.
MASTER = 16 * STRIP + 8
GAIN_DB = (-60, 12)
# The range of a MIDI controller, and the small faders of each strip for some of them: name and
# initial value.
CONTROLLER = (0, 127)
SMALL = [("pan", 64), ("reverb", 40), ("brightness", 64)]
# The small faders below them, with a range of 0 to 1: name, and address on the strip.
SHARES = [("morph", "morph/amount"), ("morph_pressure", "morph/pressure"), ("spread", "spread")]
# The faders of reverb and chorus on the master strip: address and range.
ROOM = [("/reverb/level", GAIN_DB), ("/reverb/time", (0.2, 10)), ("/chorus/level", GAIN_DB)]
METER_DB = (-60, 0)
# The port on which TouchOSC listens; the layout sends it to the daemon.
TOUCHOSC_PORT = 9001


def programs():
    text = INSTRUMENTS.read_text(encoding="utf-8")
    names = re.findall(r'"([^"]+)"', text[text.index("INSTRUMENTS:") :].split("];")[0])
    assert len(names) == 128, f"{INSTRUMENTS}: found {len(names)} instruments, wanted 128"
    return names


def kits():
    """The drum kits, as pairs of a program and a name."""
    text = INSTRUMENTS.read_text(encoding="utf-8")
    found = re.findall(r'\((\d+), "([^"]+)"\)', text[text.index("KITS:") :].split("];")[0])
    assert found, f"{INSTRUMENTS}: found no drum kits"
    return [(int(program), name) for program, name in found]


# ---- Open Stage Control: one JSON object a widget.


def widget(kind, name, at, address=None, **more):
    left, top, width, height = at
    base = {"type": kind, "id": name, "left": left, "top": top, "width": width, "height": height}
    # A widget without an address neither sends nor listens.
    base |= {"address": address} if address else {"address": "auto", "bypass": True}
    return base | {"decimals": 1} | more


def text(name, at, shown, address=None):
    return widget("text", name, at, address, default=shown, interaction=False)


def switch(name, at, label, address, color):
    return widget("button", name, at, address, label=label, mode="toggle", on=True, off=False,
                  colorWidget=color)


def tap(name, at, label, address, color="auto"):
    return widget("button", name, at, address, label=label, mode="tap", typeTags="i", on=1, off=0,
                  colorWidget=color)


def fader(name, at, address, limits=GAIN_DB):
    low, high = limits
    scale = {"min": low, "max": high}
    return widget("fader", name, at, address, range=scale, default=0, typeTags="f",
                  design="compact", doubleTap=True)


def small(name, at, address, limits, start, tag):
    """A horizontal fader."""
    low, high = limits
    scale = {"min": low, "max": high}
    return widget("fader", name, at, address, range=scale, default=start, typeTags=tag,
                  design="compact",
                  horizontal=True, doubleTap=True)


def meter(name, at, address):
    # The message has two numbers; a fader shows the first, the peak.
    low, high = METER_DB
    return widget("fader", name, at, address, range={"min": low, "max": high}, interaction=False,
                  default=low, design="compact")


def open_stage_control():
    names = {f"{n} {name}": n for n, name in enumerate(programs())}
    kit_names = {f"{n} {name}": n for n, name in kits()}
    widgets = []
    for n in range(1, 17):
        x, ch = (n - 1) * STRIP, f"/ch/{n}"
        wide = STRIP - 6
        widgets += [
            text(f"number_{n}", [x, 4, wide, 28], "Drums" if n == 10 else str(n)),
            text(f"name_{n}", [x, 36, wide, 44], "", f"{ch}/instrument"),
            widget("dropdown", f"program_{n}", [x, 84, wide, 36], f"{ch}/program",
                   values=kit_names if n == 10 else names, typeTags="i", default=0),
            fader(f"gain_{n}", [x, 128, wide - 16, 240], f"{ch}/gain"),
            meter(f"meter_{n}", [x + wide - 14, 128, 14, 240], f"{ch}/meter"),
            *(small(f"{name}_{n}", [x, 372 + 26 * at, wide, 24], f"{ch}/{name}", CONTROLLER, start,
                    "i")
              for at, (name, start) in enumerate(SMALL)),
            *(small(f"{name}_{n}", [x, 450 + 26 * at, wide, 24], f"{ch}/{address}", (0, 1), 0, "f")
              for at, (name, address) in enumerate(SHARES)),
            switch(f"mute_{n}", [x, 536, wide, 44], "mute", f"{ch}/mute", "#c04040"),
            switch(f"solo_{n}", [x, 586, wide, 44], "solo", f"{ch}/solo", "#c0a030"),
            widget("input", f"transpose_{n}", [x, 636, wide, 36], f"{ch}/transpose", typeTags="i",
                   default=0),
        ]
    x, half, wide = MASTER, 88, 180
    widgets += [
        text("master", [x, 4, wide, 28], "timbred"),
        text("model", [x, 36, wide, 28], "", "/engine/model"),
        fader("master_gain", [x, 84, half, 306], "/master/gain"),
        meter("master_meter", [x + half + 4, 84, half, 306], "/meter/master"),
        *(small(address[1:].replace("/", "_"), [x, 396 + 30 * at, wide, 28], address, limits,
                limits[0], "f")
          for at, (address, limits) in enumerate(ROOM)),
        switch("master_mute", [x, 492, wide, 40], "mute", "/master/mute", "#c04040"),
        tap("panic", [x, 536, wide, 44], "PANIC", "/panic", "#e02020"),
        tap("record_start", [x, 586, half, 40], "record", "/record/start", "#e02020"),
        tap("record_stop", [x + half + 4, 586, half, 40], "stop", "/record/stop"),
        text("record", [x, 630, wide, 28], "", "/record"),
    ]
    for n, name in enumerate(["latency_ms", "load", "steps_now", "underruns"]):
        left, top = x + (n % 2) * (half + 4), 662 + n // 2 * 28
        widgets.append(text(name, [left, top, half, 26], "", f"/engine/{name}"))
    root = {
        "type": "root",
        "id": "root",
        "width": WIDTH,
        "height": HEIGHT,
        # Asks for all values, and for every change from now on. The subscription lasts two minutes,
        # so it is renewed every minute.
        "onCreate": "var ask = function() { send('/subscribe', '//*') }\nask()\nsend('//*')\n"
                    "setInterval(ask, 60000)",
        "widgets": widgets,
        "tabs": [],
    }
    session = {"createdWith": "Open Stage Control", "version": "1.25.0", "type": "session",
               "content": root}
    return json.dumps(session, indent=1) + "\n"


# ---- TouchOSC: XML.


def value(kind, content):
    return f"<![CDATA[{content}]]>" if kind == "s" else str(content)


def properties(**all_of_them):
    """Each is NAME=(TYPE, VALUE)."""
    rows = (
        f"<property type='{kind}'><key><![CDATA[{key}]]></key>"
        f"<value>{value(kind, content)}</value></property>"
        for key, (kind, content) in sorted(all_of_them.items())
    )
    return f"<properties>{''.join(rows)}</properties>"


def frame(x, y, w, h):
    return ("r", f"<x>{x}</x><y>{y}</y><w>{w}</w><h>{h}</h>")


def color(r, g, b):
    return ("c", f"<r>{r}</r><g>{g}</g><b>{b}</b><a>1</a>")


def initial(key, content):
    return (
        f"<value><key><![CDATA[{key}]]></key><locked>0</locked>"
        f"<lockedDefaultCurrent>0</lockedDefaultCurrent>"
        f"<default><![CDATA[{content}]]></default><defaultPull>0</defaultPull></value>"
    )


def partial(kind, conversion, content, limits=(0, 1)):
    low, high = limits
    return (
        f"<partial><type>{kind}</type><conversion>{conversion}</conversion>"
        f"<value><![CDATA[{escape(content)}]]></value>"
        f"<scaleMin>{low}</scaleMin><scaleMax>{high}</scaleMax></partial>"
    )


def osc(address, arguments, sends=True, receives=True, on="ANY"):
    trigger = f"<trigger><var><![CDATA[x]]></var><condition>{on}</condition></trigger>"
    triggers = f"<triggers>{trigger}</triggers>" if sends else "<triggers/>"
    return (
        f"<osc><enabled>1</enabled><send>{int(sends)}</send><receive>{int(receives)}</receive>"
        f"<feedback>0</feedback><connections>00001</connections>{triggers}"
        f"<path>{partial('CONSTANT', 'STRING', address)}</path>"
        f"<arguments>{''.join(arguments)}</arguments></osc>"
    )


def node(kind, name, at, message="", values="", children="", **more):
    identity = uuid.uuid5(uuid.NAMESPACE_URL, f"timbred/touchosc/{name}")
    head = properties(name=("s", name), frame=frame(*at), **more)
    messages = f"<messages>{message}</messages>" if message else ""
    inner = f"<children>{children}</children>" if children else ""
    body = f"{head}<values>{values}</values>{messages}{inner}"
    return f"<node ID='{identity}' type='{kind}'>{body}</node>"


def touch_fader(name, at, address, limits=GAIN_DB):
    message = osc(address, [partial("VALUE", "FLOAT", "x", limits)])
    low, high = limits
    start = initial("x", (0 - low) / (high - low)) + initial("touch", "false")
    return node("FADER", name, at, message, start, color=color(0.3, 0.6, 0.8), orientation=("i", 0))


def touch_small(name, at, address, limits, start, kind):
    """A horizontal fader."""
    message = osc(address, [partial("VALUE", kind, "x", limits)])
    low, high = limits
    values = initial("x", (start - low) / (high - low)) + initial("touch", "false")
    return node("FADER", name, at, message, values, color=color(0.4, 0.5, 0.6),
                orientation=("i", 1))


def touch_label(name, at, shown, address=None):
    message = osc(address, [partial("VALUE", "STRING", "text")], sends=False) if address else ""
    look = {"background": ("b", 0), "interactive": ("b", 0), "outline": ("b", 0),
            "textSize": ("i", 13), "color": color(0.2, 0.2, 0.2)}
    return node("LABEL", name, at, message, initial("text", shown), **look)


def touch_button(name, at, label, address, paint, toggles):
    """A button cannot have a text, so a label lies over it and passes touches through."""
    argument = [partial("VALUE", "BOOLEAN" if toggles else "INTEGER", "x")]
    # An action is sent when the finger touches the button, not when it leaves.
    once = {} if toggles else {"receives": False, "on": "RISE"}
    message = osc(address, argument, **once)
    start = initial("x", 0) + initial("touch", "false")
    button = node("BUTTON", name, at, message, start, buttonType=("i", 2 if toggles else 0),
                  color=paint)
    return button + touch_label(f"{name}_label", at, label)


def touchosc():
    red, yellow, grey = color(0.8, 0.2, 0.2), color(0.8, 0.7, 0.2), color(0.5, 0.5, 0.5)
    nodes = []
    for n in range(1, 17):
        x, ch, wide = (n - 1) * STRIP, f"/ch/{n}", STRIP - 6
        program = osc(f"{ch}/program", [partial("VALUE", "INTEGER", "x", (0, 127))])
        nodes += [
            touch_label(f"number_{n}", [x, 4, wide, 24], "Drums" if n == 10 else str(n)),
            touch_label(f"instrument_{n}", [x, 30, wide, 40], "", f"{ch}/instrument"),
            node("RADIAL", f"program_{n}", [x, 74, wide, 62], program,
                 initial("x", 0) + initial("touch", "false"), color=grey),
            touch_fader(f"gain_{n}", [x, 144, wide - 16, 252], f"{ch}/gain"),
            node("FADER", f"meter_{n}", [x + wide - 14, 144, 14, 252],
                 osc(f"{ch}/meter", [partial("VALUE", "FLOAT", "x", METER_DB)],
                     sends=False), initial("x", 0),
                 color=yellow, interactive=("b", 0)),
            *(touch_small(f"{name}_{n}", [x, 400 + 28 * at, wide, 26], f"{ch}/{name}", CONTROLLER,
                          start, "INTEGER")
              for at, (name, start) in enumerate(SMALL)),
            *(touch_small(f"{name}_{n}", [x, 484 + 28 * at, wide, 26], f"{ch}/{address}", (0, 1), 0,
                          "FLOAT")
              for at, (name, address) in enumerate(SHARES)),
            touch_button(f"mute_{n}", [x, 572, wide, 64], "mute", f"{ch}/mute", red, True),
            touch_button(f"solo_{n}", [x, 644, wide, 64], "solo", f"{ch}/solo", yellow, True),
        ]
    x, half, wide = MASTER, 88, 180
    # The message has peak and rms. The first moves the bar, and the second goes to an unused
    # property.
    levels = [partial("VALUE", "FLOAT", "x", METER_DB), partial("PROPERTY", "STRING", "tag")]
    meter_message = osc("/meter/master", levels, sends=False)
    nodes += [
        touch_label("model", [x, 4, wide, 24], "timbred", "/engine/model"),
        touch_fader("master_gain", [x, 74, half, 308], "/master/gain"),
        *(touch_small(address[1:].replace("/", "_"), [x, 388 + 30 * at, wide, 28], address, limits,
                      limits[0], "FLOAT")
          for at, (address, limits) in enumerate(ROOM)),
        node("FADER", "meter", [x + half + 4, 74, half, 308], meter_message, initial("x", 0),
             color=yellow, interactive=("b", 0)),
        touch_button("master_mute", [x, 484, wide, 48], "mute", "/master/mute", red, True),
        touch_button("panic", [x, 540, wide, 48], "PANIC", "/panic", red, False),
        touch_button("record_start", [x, 596, half, 40], "record", "/record/start", red, False),
        touch_button("record_stop", [x + half + 4, 596, half, 40], "stop", "/record/stop", grey,
                     False),
        touch_label("record", [x, 640, wide, 24], "off", "/record"),
    ]
    for n, name in enumerate(["latency_ms", "load", "steps_now", "underruns"]):
        left, top = x + (n % 2) * (half + 4), 666 + n // 2 * 26
        nodes.append(touch_label(name, [left, top, half, 24], "", f"/engine/{name}"))
    script = (
        "local last = -60000\n"
        "function update()\n"
        "  local now = getMillis()\n"
        "  if now - last >= 60000 then\n"
        "    if last < 0 then sendOSC({'//*', {}}) end\n"
        "    last = now\n"
        f"    sendOSC({{'/subscribe', {{{{tag = 'i', value = {TOUCHOSC_PORT}}}, "
        "{tag = 's', value = '//*'}}})\n"
        "  end\n"
        "end\n"
    )
    root = node("GROUP", "timbred", [0, 0, WIDTH, HEIGHT], children="".join(nodes),
                script=("s", script), color=color(0, 0, 0))
    return f"<?xml version='1.0' encoding='UTF-8'?><lexml version='3'>{root}</lexml>"


def main():
    made = {"open-stage-control.json": open_stage_control().encode(),
            "touchosc.tosc": touchosc().encode()}
    stale = []
    for name, content in made.items():
        path = HERE / name
        unpack = zlib.decompress if name.endswith(".tosc") else bytes
        # The bytes that zlib writes depend on its version, so the contents are compared.
        if sys.argv[1:] != ["--check"]:
            path.write_bytes(zlib.compress(content, 9) if name.endswith(".tosc") else content)
        elif not path.exists() or unpack(path.read_bytes()) != content:
            stale.append(name)
    if stale:
        sys.exit(f"{', '.join(stale)}: not as make_layouts.py makes them; run "
                 "`python3 config/layouts/make_layouts.py`")


main()
