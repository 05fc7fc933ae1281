"""Reads the weights of a TensorFlow checkpoint (V2) without TensorFlow.

Its index is a LevelDB table of BundleEntryProto, and its data are plain float32.
"""

import struct

import numpy as np

FLOAT = 1  # the type's number in an entry


def varint(data, at):
    """-> the number that begins at `at`, and the position after it"""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def fields(message):
    """A protobuf message -> (number, value) of each field; values of variable length are bytes."""
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        kind = tag & 7
        if kind == 0:
            value, at = varint(message, at)
        else:
            size, at = varint(message, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            value, at = message[at : at + size], at + size
        yield tag >> 3, value


def block(table, handle):
    """A block of a LevelDB table -> its (key, value) pairs, in which keys are stored without the
    prefix that they share."""
    offset, at = varint(handle, 0)
    size, _ = varint(handle, at)
    assert table[offset + size] == 0, "a compressed block"
    data = table[offset : offset + size]
    end, at, key = size - 4 - 4 * struct.unpack("<I", data[-4:])[0], 0, b""
    while at < end:
        shared, at = varint(data, at)
        own, at = varint(data, at)
        length, at = varint(data, at)
        key = key[:shared] + data[at : at + own]
        yield key, data[at + own : at + own + length]
        at += own + length


def read(index, data):
    """The bytes of `.index` and `.data-00000-of-00001` -> name: float32 array, without the
    variables of the optimizer."""
    footer = index[-48:]
    at = 0
    for _ in range(2):  # the handle of the meta index
        _, at = varint(footer, at)
    found = {}
    for _, handle in block(index, footer[at:]):
        for name, value in block(index, handle):
            entry = dict(fields(value)) if name and b"Adam" not in name else {}
            if entry.get(1) != FLOAT:
                continue
            dims = [dim for number, dim in fields(entry.get(2, b"")) if number == 2]
            shape = [dict(fields(dim)).get(1, 0) for dim in dims]
            begin = entry.get(4, 0)
            array = np.frombuffer(data[begin : begin + entry[5]], "<f4")
            found[name.decode()] = array.reshape(shape)
    return found
