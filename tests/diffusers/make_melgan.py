"""Makes a mel decoder of random weights, with the operators and the size of the published one as
far as they are public.

    python make_melgan.py FOLDER [--causal] [--seed N]

The published file (`melgan/model.onnx`, the SoundStream mel decoder for music) was not available
here. This is the decoder in the paper on SoundStream (arXiv 2107.03312): a convolution of 7; four
blocks that raise the rate by 8, 5, 4 and 2 and halve the channels from 512 on, each with a
transposed convolution and three residual units with dilations of 1, 3 and 9; ELU in between; and a
convolution of 7. The graph is that which tf2onnx makes of such layers, where one dimension is an
image of height 1. Input and output are those of the pipeline: `input_features` float [B, T, 128],
natural-log mel, to [B, T * 320] samples. Padding is on both sides, which is the harder case in live
playing; --causal pads only in front, as in the paper.
"""
import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

BINS = 128
CHANNELS = 512
STRIDES = (8, 5, 4, 2)
DILATIONS = (1, 3, 9)
KERNEL = 7
OPSET = 13


class Graph:
    """The nodes and weights of a graph that is being built; values are [B, channels, 1, T]."""

    def __init__(self, seed, is_causal):
        self.nodes, self.weights, self.draw = [], [], np.random.default_rng(seed)
        self.is_causal = is_causal

    def op(self, kind, *inputs, to=None, **attributes):
        name = to or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name, **attributes))
        return name

    def constant(self, values, dtype=np.float32):
        name = f"constant_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def drawn(self, shape, inputs):
        return self.constant(self.draw.standard_normal(shape) / np.sqrt(inputs))

    def conv(self, x, inputs, outputs, kernel=KERNEL, dilation=1, gain=1.0):
        reach = dilation * (kernel - 1)
        before = reach if self.is_causal else reach // 2
        weights = self.drawn((outputs, inputs, 1, kernel), inputs * kernel / gain**2)
        bias = self.constant(0.01 * self.draw.standard_normal(outputs))
        pads = [0, before, 0, reach - before]
        return self.op("Conv", x, weights, bias, pads=pads, dilations=[1, dilation])

    def rise(self, x, inputs, outputs, stride):
        """A transposed convolution with a kernel of twice the stride, cut to T * stride."""
        weights = self.drawn((inputs, outputs, 1, 2 * stride), 2 * inputs)
        bias = self.constant(0.01 * self.draw.standard_normal(outputs))
        x = self.op("ConvTranspose", x, weights, bias, strides=[1, stride])
        before = 0 if self.is_causal else stride // 2
        ends = [self.constant([at], np.int64) for at in (before, before - stride, 3)]
        return self.op("Slice", x, *ends)

    def residual(self, x, channels, dilation):
        y = self.conv(self.op("Elu", x), channels, channels, dilation=dilation)
        y = self.conv(self.op("Elu", y), channels, channels, kernel=1, gain=0.5)
        return self.op("Add", x, y)


def decoder(seed, is_causal):
    g = Graph(seed, is_causal)
    x = g.op("Transpose", "input_features", perm=[0, 2, 1])
    x = g.op("Unsqueeze", x, g.constant([2], np.int64))
    # A quiet mel is -11.5, which the first layer scales to about 1.
    x = g.conv(x, BINS, CHANNELS, gain=0.2)
    channels = CHANNELS
    for stride in STRIDES:
        x = g.rise(g.op("Elu", x), channels, channels // 2, stride)
        channels //= 2
        for dilation in DILATIONS:
            x = g.residual(x, channels, dilation)
    x = g.conv(g.op("Elu", x), channels, 1, gain=0.1)
    g.op("Squeeze", x, g.constant([1, 2], np.int64), to="samples")
    port = lambda name, *shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    inputs, outputs = port("input_features", "batch", "frames", BINS), port("samples", "batch", "n")
    graph = helper.make_graph(g.nodes, "mel_decoder", [inputs], [outputs], g.weights)
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", OPSET)])


def main():
    help_form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=help_form)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--causal", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    model = decoder(args.seed, args.causal)
    onnx.checker.check_model(model)
    values = sum(int(np.prod(weights.dims)) for weights in model.graph.initializer)
    args.folder.mkdir(parents=True, exist_ok=True)
    path = args.folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    print(f"{path}: {values / 1e6:.2f} M values, {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
