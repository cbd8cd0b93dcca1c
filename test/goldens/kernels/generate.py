"""Bytes of ONNX Runtime, torch and NumPy for the kernel tests: `python generate.py` writes goldens.json.

Inputs come from an integer hash that weights.ts repeats, so only digests of the results are kept.
`--dump FOLDER --count N` writes whole inputs and results of N values a distribution instead.

Needs onnxruntime 1.30, torch 2.13 (CPU) and NumPy 2.
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import torch
from onnxruntime.capi import _pybind_state as ort
from onnxruntime.quantization import quant_utils
from onnxruntime.quantization.matmul_nbits_quantizer import (
    DefaultWeightOnlyQuantizer,
    HQQWeightOnlyQuantizer,
)
from onnxruntime.transformers.float16 import convert_np_to_float16

HERE = Path(__file__).parent
COUNT = 1 << 14
BLOCK_SIZES = (16, 32, 64, 128, 256)
TYPES = {
    "int8": (onnx.TensorProto.INT8, True),
    "int8-asymmetric": (onnx.TensorProto.INT8, False),
    "uint8": (onnx.TensorProto.UINT8, False),
    "int16": (onnx.TensorProto.INT16, True),
    "uint16": (onnx.TensorProto.UINT16, False),
}


def words(seed, count):
    """The finalizer of MurmurHash3 on consecutive integers."""
    x = (np.arange(count, dtype=np.uint32) + np.uint32(seed)) * np.uint32(0x9E3779B9)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x85EBCA6B)
    x ^= x >> np.uint32(13)
    x *= np.uint32(0xC2B2AE35)
    return x ^ (x >> np.uint32(16))


def bell(seed, count):
    """Sums of four bytes about zero, exactly: a bell of standard deviation 148."""
    x = words(seed, count)
    total = sum((x >> np.uint32(shift)) & np.uint32(255) for shift in (0, 8, 16, 24))
    return total.astype(np.float32) - np.float32(510)


def float_bits(bits):
    """Random bits as finite float32 below 2^127 in magnitude."""
    exponent = (bits >> np.uint32(23)) & np.uint32(255)
    return np.where(exponent >= 254, bits & np.uint32(0x807FFFFF), bits).view(np.float32)


def distributions(count):
    f = np.float32
    unit = (words(1, count) >> np.uint32(8)).astype(f) * f(2.0**-24)
    rare = words(2, count) % np.uint32(9973) == 0
    steps = (words(3, count) % np.uint32(509)).astype(f) - f(254)
    return {
        "bell": bell(4, count) * f(0.00013),
        "uniform": unit * f(2) - f(1),
        "positive": unit * f(2.9) + f(0.1),
        "negative": unit * f(-2.9) - f(0.1),
        "outliers": bell(5, count) * np.where(rare, f(0.7), f(0.007)),
        "halves": steps * f(0.5),
        "scaled-halves": (steps * f(0.5)) * f(0.0123),
        "huge": bell(6, count) * f(2e35),
        "tiny": bell(7, count) * f(1e-39),
        "subnormal": bell(8, count) * f(1e-41),
        "bits": float_bits(words(9, count)),
        "zero": np.zeros(count, f),
    }


def matmul_nbits(weights, bits, block_size, symmetric):
    rows, cols = weights.shape
    per_byte = 8 // bits
    blocks = -(-rows // block_size)
    padded = np.pad(weights, ((0, blocks * block_size - rows), (0, 0)))
    packed = np.zeros((cols, blocks, block_size // per_byte), np.uint8)
    scales = np.zeros((cols, blocks), np.float32)
    zero_points = np.zeros((cols, -(-blocks // per_byte)), np.uint8)
    pack = getattr(ort, f"quantize_matmul_{bits}bits")
    pack(packed, padded, scales, zero_points, block_size, cols, rows, symmetric)
    return packed, scales, zero_points


def qdq(weights, bits, block_size, symmetric):
    rows, cols = weights.shape
    per_byte = 8 // bits
    blocks = -(-rows // block_size)
    packed = np.zeros(-(-rows * cols // per_byte), np.uint8)
    scales = np.zeros((blocks, cols), np.float32)
    zero_points = np.zeros(-(-blocks * cols // per_byte), np.uint8)
    pack = getattr(ort, f"quantize_qdq_matmul_{bits}bits")
    pack(packed, weights, scales, zero_points, block_size, cols, rows, symmetric)
    return packed, scales, zero_points


def gather(weights, block_size, symmetric):
    packed, scales, zero_points = DefaultWeightOnlyQuantizer.quantize_ndarray(
        weights, 1, block_size, symmetric
    )
    return packed, scales, np.zeros(0, np.uint8) if zero_points is None else zero_points


def bnb4(flat, block_size, kind):
    packed = np.zeros(-(-flat.size // 2), np.uint8)
    absmax = np.zeros(-(-flat.size // block_size), np.float32)
    ort.quantize_matmul_bnb4(packed, flat.copy(), absmax, block_size, kind, flat.size, 1)
    return packed, absmax


def hqq(weights, bits, block_size):
    """Codes, scales and float zero points; weights [rows, cols] with blocks along the rows."""
    codes, scales, zero_points = HQQWeightOnlyQuantizer(None).quantize_internal(
        torch.from_numpy(weights), bits=bits, group_size=block_size
    )
    return codes.numpy().astype(np.uint8), scales.numpy(), zero_points.numpy()


def threshold_neighbours():
    """Blocks of 16 that begin with 1, then float32 around every value at which a 4-bit float code changes."""
    grid = np.linspace(-1, 1, 4097, dtype=np.float32)
    edges = []
    for kind in (0, 1):
        for low, high in zip(grid, grid[1:]):
            ends = bnb4_codes(np.array([low, high]), kind)
            while ends[0] != ends[1] and np.nextafter(low, np.float32(2)) != high:
                middle = np.float32((np.float64(low) + np.float64(high)) / 2)
                code = bnb4_codes(np.array([middle]), kind)[0]
                low, high = (middle, high) if code == ends[0] else (low, middle)
            if ends[0] != ends[1]:
                edges += [np.nextafter(low, np.float32(-2)), low, high, np.nextafter(high, np.float32(2))]
    edges = np.array(edges, np.float32)
    edges = np.append(edges, np.zeros(-edges.size % 15, np.float32)).reshape(-1, 15)
    return np.hstack([np.ones((len(edges), 1), np.float32), edges]).ravel()


def bnb4_codes(values, kind):
    """Codes of values in [-1, 1], each beside a 1."""
    pairs = np.zeros((values.size, 16), np.float32)
    pairs[:, 0], pairs[:, 1] = 1, values
    packed, _ = bnb4(pairs.ravel(), 16, kind)
    return packed[::8] & 15


def square(values):
    side = int(np.sqrt(values.size))
    return np.ascontiguousarray(values[: side * side].reshape(side, side))


def results(values):
    """Every kernel's reference on one distribution: name → (parameters, arrays)."""
    matrix = square(values)
    out = {}
    for name, (onnx_type, symmetric) in TYPES.items():
        zero_point, scale, codes = quant_utils.quantize_data(values, onnx_type, symmetric)
        parameters = {"scale": float(np.float32(scale)), "zeroPoint": int(zero_point)}
        out[f"affine/{name}"] = (parameters, [codes])
    columns = [quant_utils.quantize_data(c.copy(), onnx.TensorProto.INT8, True) for c in matrix.T]
    scales = np.array([scale for _, scale, _ in columns], np.float32)
    out["affine/int8-columns"] = (None, [np.stack([codes for *_, codes in columns], 1), scales])
    out["float16"] = (None, [convert_np_to_float16(values)])
    out["bfloat16"] = (None, [torch.from_numpy(values).to(torch.bfloat16).view(torch.int16).numpy()])
    for block_size in BLOCK_SIZES:
        for symmetric in (False, True):
            how = f"{block_size}{'-symmetric' if symmetric else ''}"
            for bits in (2, 4, 8):
                arrays = matmul_nbits(matrix, bits, block_size, symmetric)
                out[f"matmul-{bits}/{how}"] = (None, arrays)
            out[f"qdq-4/{how}"] = (None, qdq(matrix, 4, block_size, symmetric))
            out[f"gather-4/{how}"] = (None, gather(matrix, block_size, symmetric))
    for kind, name in ((0, "fp4"), (1, "nf4")):
        for block_size in (16, 64):
            out[f"{name}/{block_size}"] = (None, bnb4(values, block_size, kind))
    return out


def odd_shapes():
    """Matrices whose rows and columns fill neither blocks, bytes nor vectors."""
    out = {}
    for rows in (1, 2, 3, 33, 65, 98, 129, 161):
        for cols in (1, 7, 19):
            matrix = np.ascontiguousarray((bell(rows, rows * cols) * np.float32(0.01)).reshape(rows, cols))
            for block_size in (16, 32, 128):
                for symmetric in (False, True):
                    how = f"{rows}x{cols}/{block_size}{'-symmetric' if symmetric else ''}"
                    for bits in (2, 4, 8):
                        out[f"matmul-{bits}/{how}"] = matmul_nbits(matrix, bits, block_size, symmetric)
                    out[f"qdq-4/{how}"] = qdq(matrix, 4, block_size, symmetric)
                    out[f"gather-4/{how}"] = gather(matrix, block_size, symmetric)
    return out


def sweep():
    """Float32 of all exponents, NaN and Inf among them."""
    return (np.arange(1 << 16, dtype=np.uint32) * np.uint32(65599)).view(np.float32)


def digest(arrays):
    state = hashlib.sha256()
    for array in arrays:
        state.update(np.ascontiguousarray(array).tobytes())
    return state.hexdigest()[:16]


def text(array):
    return np.ascontiguousarray(array).tobytes().hex()


def goldens():
    named = {}
    for distribution, values in distributions(COUNT).items():
        named[distribution] = {
            name: {**(parameters or {}), "digest": digest(arrays)}
            for name, (parameters, arrays) in results(values).items()
        }
    small = np.ascontiguousarray((bell(77, 4 * 96) * np.float32(0.003)).reshape(4, 96))
    edges = threshold_neighbours()
    return {
        "count": COUNT,
        "distributions": named,
        "oddShapes": {name: digest(arrays) for name, arrays in odd_shapes().items()},
        "sweep": {
            "float16": digest([convert_np_to_float16(sweep())]),
            "halves": digest([np.arange(65536, dtype=np.uint16).view(np.float16).astype(np.float32)]),
        },
        "thresholds": {"x": text(edges), "fp4": text(bnb4(edges, 16, 0)[0]), "nf4": text(bnb4(edges, 16, 1)[0])},
        "hqq": {
            f"{bits}/{block_size}/{gain}": dict(
                zip(("codes", "scales", "zeroPoints"), map(text, hqq(small * np.float32(gain), bits, block_size)))
            )
            for bits, block_size, gain in ((4, 32, 1), (4, 64, 40), (8, 32, 1), (2, 16, 40))
        },
    }


def dump(folder, count):
    folder.mkdir(parents=True, exist_ok=True)
    index = []
    for distribution, values in distributions(count).items():
        values.tofile(folder / f"{distribution}.f32")
        for name, (parameters, arrays) in results(values).items():
            files = []
            for i, array in enumerate(arrays):
                files.append(f"{distribution}.{name.replace('/', '.')}.{i}")
                np.ascontiguousarray(array).tofile(folder / files[-1])
            index.append({"distribution": distribution, "name": name, "files": files, **(parameters or {})})
    (folder / "index.json").write_text(json.dumps(index))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dump", type=Path)
    parser.add_argument("--count", type=int, default=COUNT)
    options = parser.parse_args()
    with np.errstate(all="ignore"):
        if options.dump:
            dump(options.dump, options.count)
        else:
            (HERE / "goldens.json").write_text(json.dumps(goldens(), indent=1) + "\n")
