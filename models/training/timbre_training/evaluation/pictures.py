"""Draws spectrograms of ours and of the reference side by side into one PNG. Knows no measure."""
import numpy as np

from .. import mel

SECONDS = 6.0
COLOURS = 48


def side_by_side(path, rows):
    """rows: (title, ours, reference), samples at 16 kHz -> a PNG with the reference on the left and
    ours on the right, one row for each piece."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from PIL import Image

    figure, axes = pyplot.subplots(
        len(rows), 2, figsize=(11, 2.1 * len(rows)), sharex=True, sharey=True, squeeze=False,
        layout="constrained",
    )
    for line, (title, ours, reference) in zip(axes, rows):
        for axis, who, sound in zip(line, ("FluidSynth", "timbred"), (reference, ours)):
            frames = mel.log_mel(sound[: round(SECONDS * mel.RATE)])
            axis.imshow(
                frames.T, origin="lower", aspect="auto", vmin=np.log(1e-4), vmax=2, cmap="magma",
                extent=(0, len(frames) / 50, 0, mel.BINS), interpolation="nearest",
            )
            axis.set_title(f"{title}: {who}", fontsize=8)
    for axis in axes[-1]:
        axis.set_xlabel("seconds", fontsize=8)
    figure.supylabel("mel band", fontsize=8)
    figure.savefig(path, dpi=80)
    pyplot.close(figure)
    Image.open(path).convert("RGB").quantize(COLOURS).save(path, optimize=True)
