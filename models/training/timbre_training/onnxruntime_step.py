"""Measures the time of one denoising step in ONNX Runtime, on request by lines: `timbred bench
--compare --reference` runs it.

    timbred bench --compare --reference "PYTHON models/training/timbre_training/onnxruntime_step.py"

Needs numpy and onnxruntime, which nothing else here does. For each line `L M THREADS` it runs the
step in STEP.onnx twice and answers with the milliseconds of the second run. L is the number of
target frames, M that of tokens and context frames; inputs are noise.
"""
import sys
import time

import numpy as np
import onnxruntime as ort

# Threads that wait for work keep a core busy for some time after a run. This pause lets them stop,
# so that the next engine is not slowed down.
QUIET_S = 0.005


def session(path, threads):
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def inputs(step, sizes):
    """-> {name: noise [its shape, with free lengths from `sizes`]}"""
    draw = np.random.default_rng(1)
    shape = lambda port: [sizes.get(dim, dim) for dim in port.shape]
    return {
        port.name: draw.standard_normal(shape(port), np.float32) * np.float32(0.1)
        for port in step.get_inputs()
    }


def main():
    path = sys.argv[1]
    sessions, last, given = {}, None, None
    for line in sys.stdin:
        frames, heard, threads = map(int, line.split())
        if threads not in sessions:
            sessions = {threads: session(path, threads)}
            last = None
        if last != (frames, heard):
            last, given = (frames, heard), inputs(sessions[threads], {"L": frames, "M": heard})
        sessions[threads].run(None, given)
        begun = time.perf_counter()
        sessions[threads].run(None, given)
        ms = (time.perf_counter() - begun) * 1e3
        time.sleep(QUIET_S)
        print(f"{ms:.4f}", flush=True)


if __name__ == "__main__":
    main()
