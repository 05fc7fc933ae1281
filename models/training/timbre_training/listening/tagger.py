"""Embeddings of two public music taggers (`musicnn`, Pons & Serra 2019; ISC licence), without
TensorFlow.

Their checkpoints are in the wheel of musicnn 0.1.0, which is never installed. They are converted
once to ONNX graphs, which are stored in work/listen.
"""

import zipfile
from functools import cache
from pathlib import Path

import numpy as np

from . import checkpoint, sound

WORK = Path(__file__).resolve().parents[2] / "work" / "listen"
WHEEL = WORK / "musicnn-0.1.0-py3-none-any.whl"
TAGGERS = ("MTT_vgg", "MTT_musicnn")
RATE, HOP, FFT, MELS, FRAMES, STEP = 16_000, 256, 512, 96, 187, 124
BATCH_NORM_EPSILON = 1e-3


class Graph:
    """An ONNX graph that is built node by node, with the numbers that TensorFlow gives to unnamed
    layers."""

    def __init__(self, weights):
        self.weights, self.nodes, self.constants, self.counts = weights, [], [], {}

    def constant(self, array):
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, kind, *inputs, name=None, **attributes):
        from onnx import helper

        name = name or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def numbered(self, layer):
        """Names such as conv2d, conv2d_1, ... in the order of the calls."""
        count = self.counts[layer] = self.counts.get(layer, -1) + 1
        return layer + (f"_{count}" if count else "")

    def get(self, layer, part):
        """The weights of a layer, in whatever scope they are."""
        return next(
            array for name, array in self.weights.items() if name.split("/")[-2:] == [layer, part]
        )

    def batch_norm(self, x):
        layer = self.numbered("batch_normalization")
        names = ("gamma", "beta", "moving_mean", "moving_variance")
        parts = [self.constant(self.get(layer, name)) for name in names]
        return self.node("BatchNormalization", x, *parts, epsilon=BATCH_NORM_EPSILON)

    def conv(self, x, layer=None, pads=(0, 0, 0, 0)):
        layer = layer or self.numbered("conv2d")
        kernel = self.constant(self.get(layer, "kernel").transpose(3, 2, 0, 1))
        bias = self.constant(self.get(layer, "bias"))
        return self.node("Relu", self.node("Conv", x, kernel, bias, pads=list(pads)))

    def dense(self, x):
        layer = self.numbered("dense")
        parts = [self.constant(self.get(layer, part)) for part in ("kernel", "bias")]
        return self.node("Relu", self.node("Gemm", x, *parts))

    def pool(self, x, size, strides):
        return self.node("MaxPool", x, kernel_shape=list(size), strides=list(strides))

    def model(self, output):
        from onnx import helper

        self.node("Identity", output, name="embedding")
        graph = helper.make_graph(
            self.nodes,
            "tagger",
            [helper.make_tensor_value_info("x", 1, ["n", 1, FRAMES, MELS])],
            [helper.make_tensor_value_info("embedding", 1, None)],
            self.constants,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def vgg(g):
    x = g.batch_norm("x")
    pools = [((4, 1), (2, 2)), *[((2, 2), (2, 2))] * 3, ((4, 4), (4, 4))]
    for i, (size, strides) in enumerate(pools, 1):
        x = g.pool(g.batch_norm(g.conv(x, f"{i}CNN", (1, 1, 1, 1))), size, strides)
    return g.node("Flatten", g.node("Transpose", x, perm=[0, 2, 3, 1]))


def musicnn(g):
    """[n, 1, frames, mels] -> front end [n, channels, frames, 1] -> [n, 1, frames, channels]"""
    x = g.batch_norm("x")
    padded = lambda x: g.node("Pad", x, g.constant(np.array([0, 0, 3, 0, 0, 0, 3, 0])))
    front = []
    for height in (0.4, 0.7):
        y = g.batch_norm(g.conv(padded(x)))
        front.append(g.pool(y, (1, MELS - int(height * MELS) + 1), (1, 1)))
    for length in (128, 64, 32):
        before = (length - 1) // 2
        y = g.batch_norm(g.conv(x, pads=(before, 0, length - 1 - before, 0)))
        front.append(g.pool(y, (1, MELS), (1, 1)))
    turn = lambda x: g.node("Transpose", x, perm=[0, 3, 2, 1])  # [n, c, t, 1] <-> [n, 1, t, c]
    front = turn(g.node("Concat", *front, axis=1))
    one = turn(g.batch_norm(g.conv(padded(front))))
    two = g.node("Add", turn(g.batch_norm(g.conv(padded(one)))), one)
    three = g.node("Add", turn(g.batch_norm(g.conv(padded(two)))), two)
    features = g.node("Concat", front, one, two, three, axis=3)  # [n, 1, t, c]
    most = g.node("ReduceMax", features, axes=[2], keepdims=0)
    mean = g.node("ReduceMean", features, axes=[2], keepdims=0)
    both = g.node("Concat", most, mean, axis=1)
    flat = g.node("Flatten", g.node("Transpose", both, perm=[0, 2, 1]))  # most and mean in turn
    return g.batch_norm(g.dense(g.batch_norm(flat)))


def prepare():
    """Makes the missing graphs."""
    for name in TAGGERS:
        path = WORK / f"{name}.onnx"
        if path.exists():
            continue
        with zipfile.ZipFile(WHEEL) as wheel:
            index, data = (
                wheel.read(f"musicnn/{name}/.{part}") for part in ("index", "data-00000-of-00001")
            )
        g = Graph(checkpoint.read(index, data))
        path.write_bytes(g.model((vgg if "vgg" in name else musicnn)(g)).SerializeToString())


@cache
def _session(name):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return onnxruntime.InferenceSession(
        WORK / f"{name}.onnx", options, providers=["CPUExecutionProvider"]
    )


def windows(audio):
    """Sound at 48 kHz -> log mels [n, 1, 187, 96] of 3 s, 2 s apart; shorter sound is repeated."""
    import librosa
    import soxr

    x = soxr.resample(audio.astype(np.float32), sound.RATE, RATE)
    x = np.tile(x, -(-FRAMES * HOP // max(1, len(x)))) if len(x) < FRAMES * HOP else x
    mel = librosa.feature.melspectrogram(y=x, sr=RATE, hop_length=HOP, n_fft=FFT, n_mels=MELS)
    mel = np.log10(1e4 * mel.T.astype(np.float16).astype(np.float32) + 1)
    return np.stack([mel[i : i + FRAMES] for i in range(0, len(mel) - FRAMES + 1, STEP)])[:, None]


def of_file(name, path, _reference):
    """The embeddings of all windows of a file, for each tagger."""
    x = windows(sound.levelled(sound.read(path)))
    return {t: _session(t).run(["embedding"], {"x": x})[0].tolist() for t in TAGGERS}
