"""Scales, zero points and codes of onnxruntime's quantizer for small weights.

    python affine.py     (onnxruntime 1.30, numpy 2) writes affine.json beside this file
"""

import base64
import json
from pathlib import Path

import numpy as np
from onnx import TensorProto
from onnxruntime.quantization.quant_utils import quantize_data

SHAPE = (5, 4, 3)
RNG = np.random.default_rng(7)


def distributions():
    n = int(np.prod(SHAPE))
    normal = RNG.standard_normal(n)
    yield "normal", normal
    yield "positive", np.abs(normal) + 0.1
    yield "negative", -np.abs(normal) - 0.1
    yield "zeros", np.zeros(n)
    yield "negative zeros", -np.zeros(n)
    yield "constant", np.full(n, 0.3)
    yield "denormal", normal * 1e-40
    yield "near the smallest normal scale", normal * 127 * 1.2e-38
    yield "large", normal * 1e37
    yield "outlier", np.where(np.arange(n) == 17, 1000, normal * 1e-3)
    yield "ties", (RNG.integers(-128, 128, n) + 0.5) / 2
    yield "integers", RNG.integers(-127, 128, n).astype(np.float64)
    yield "some channels zero", np.where(np.arange(n) // 3 % 4 == 1, 0, normal)


def quantize(weight, qtype, symmetric, reduce_range, axis):
    if axis is None:
        zero, scale, codes = quantize_data(weight.flatten(), qtype, symmetric, reduce_range)
        return [scale.item()], [int(zero)], codes.reshape(weight.shape)
    scales, zeros, parts = [], [], []
    for channel in range(weight.shape[axis]):
        part = weight.take(channel, axis)
        zero, scale, codes = quantize_data(part.flatten(), qtype, symmetric, reduce_range)
        scales.append(scale.item())
        zeros.append(int(zero))
        parts.append(codes.reshape(part.shape))
    return scales, zeros, np.stack(parts, axis)


def text(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def main():
    weights = []
    for name, values in distributions():
        for dtype in (np.float32, np.float16) if name in ("normal", "outlier", "ties") else (np.float32,):
            weight = values.astype(dtype).reshape(SHAPE)
            cases = []
            for qtype, symmetric in (("int8", True), ("int8", False), ("uint8", False), ("uint8", True)):
                for reduce_range in (False, True):
                    for axis in (None, 0, 1, 2):
                        onnx_type = TensorProto.INT8 if qtype == "int8" else TensorProto.UINT8
                        scales, zeros, codes = quantize(weight, onnx_type, symmetric, reduce_range, axis)
                        cases.append([qtype, symmetric, reduce_range, axis, text(np.float32(scales)), zeros, text(codes)])
            weights.append({"name": f"{name} {np.dtype(dtype).name}", "dtype": np.dtype(dtype).name, "data": text(weight), "cases": cases})
    golden = {"shape": SHAPE, "weights": weights}
    Path(__file__).with_name("affine.json").write_text(json.dumps(golden, separators=(",", ":")))


main()
