"""Small models that verification must find inputs for, and numpy's figures for comparisons.

Run with onnx 1.23 and numpy: python test/goldens/verify/generate.py
"""

import json
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).parent
rng = np.random.default_rng(7)


def weight(name, *shape):
    values = rng.standard_normal(shape) / np.sqrt(shape[0])
    return numpy_helper.from_array(values.astype(np.float32), name)


def ints(name, values):
    return numpy_helper.from_array(np.array(values, np.int64), name)


def info(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


def save(name, nodes, inputs, outputs, initializers):
    graph = helper.make_graph(nodes, name, inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, HERE / f"{name}.onnx")


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs, outputs, **attributes)


FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64

# One attention layer over token and segment embeddings; positions come from a table of 24 rows.
save(
    "transformer",
    [
        node("Gather", ["words", "input_ids"], ["word"]),
        node("Cast", ["token_type_ids"], ["segment32"], to=TensorProto.INT32),
        node("Gather", ["segments", "segment32"], ["segment"]),
        node("Gather", ["places", "position_ids"], ["place"]),
        node("Sum", ["word", "segment", "place"], ["x"]),
        *[node("MatMul", ["x", w], [y]) for w, y in (("wq", "q"), ("wk", "k"), ("wv", "v"))],
        node("Transpose", ["k"], ["kt"], perm=[0, 2, 1]),
        node("MatMul", ["q", "kt"], ["scores"]),
        node("Cast", ["attention_mask"], ["mask"], to=FLOAT),
        node("Sub", ["one", "mask"], ["hidden_tokens"]),
        node("Mul", ["hidden_tokens", "minus"], ["bias2"]),
        node("Unsqueeze", ["bias2", "axis1"], ["bias"]),
        node("Add", ["scores", "bias"], ["masked"]),
        node("Softmax", ["masked"], ["attention"], axis=-1),
        node("MatMul", ["attention", "v"], ["context"]),
        node("MatMul", ["context", "head"], ["logits"]),
    ],
    [info(n, INT64, ["batch_size", "sequence_length"]) for n in
     ("input_ids", "attention_mask", "token_type_ids", "position_ids")],
    [info("logits", FLOAT, ["batch_size", "sequence_length", 5])],
    [weight("words", 40, 16), weight("segments", 2, 16), weight("places", 24, 16),
     weight("wq", 16, 16), weight("wk", 16, 16), weight("wv", 16, 16), weight("head", 16, 5),
     numpy_helper.from_array(np.float32(1), "one"), numpy_helper.from_array(np.float32(-1e4), "minus"),
     ints("axis1", [1])],
)

save(
    "conv",
    [
        node("Conv", ["image", "w1"], ["h1"], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Relu", ["h1"], ["r1"]),
        node("Conv", ["r1", "w2"], ["h2"], group=8, pads=[1, 1, 1, 1]),
        node("GlobalAveragePool", ["h2"], ["p"]),
        node("Flatten", ["p"], ["f"]),
        node("Gemm", ["f", "w3"], ["logits"], transB=1),
    ],
    [info("image", FLOAT, ["N", None, "H", "W"])],
    [info("logits", FLOAT, ["N", 10])],
    [weight("w1", 8, 3, 3, 3), weight("w2", 8, 1, 3, 3), weight("w3", 10, 8)],
)

save(
    "lstm",
    [
        node("LSTM", ["x", "w", "r", "", "", "h0", "c0"], ["all", "hn", "cn"], hidden_size=6),
        node("Squeeze", ["all", "axis1"], ["y"]),
    ],
    [info("x", FLOAT, ["time", "batch", None]), info("h0", FLOAT, [1, "batch", None]),
     info("c0", FLOAT, [1, "batch", None])],
    [info("y", FLOAT, ["time", "batch", 6]), info("hn", FLOAT, [1, "batch", 6]),
     info("cn", FLOAT, [1, "batch", 6])],
    [weight("w", 1, 24, 4), weight("r", 1, 24, 6), ints("axis1", [1])],
)

# Exported with a batch of 4 baked into a Reshape.
save(
    "fixed-batch",
    [
        node("Reshape", ["x", "shape"], ["parts"]),
        node("MatMul", ["parts", "w"], ["y"]),
    ],
    [info("x", FLOAT, ["batch", 12])],
    [info("y", FLOAT, [4, 3, 2])],
    [ints("shape", [4, 3, 4]), weight("w", 4, 2)],
)

save(
    "random",
    [
        node("MatMul", ["x", "w"], ["steady"]),
        node("RandomNormalLike", ["steady"], ["noise"]),
        node("Add", ["steady", "noise"], ["noisy"]),
    ],
    [info("x", FLOAT, [1, 4])],
    [info("steady", FLOAT, [1, 3]), info("noisy", FLOAT, [1, 3])],
    [weight("w", 4, 3)],
)

cases = []
for scale in (1e-3, 0.1, 1.0):
    a = rng.standard_normal((3, 7)).astype(np.float32)
    b = (a + scale * rng.standard_normal((3, 7))).astype(np.float32)
    x, y = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    cases.append({
        "a": a.ravel().tolist(),
        "b": b.ravel().tolist(),
        "cosine": x @ y / np.linalg.norm(x) / np.linalg.norm(y),
        "sqnr_db": 10 * np.log10((x @ x) / ((x - y) @ (x - y))),
        "max_abs_error": np.abs(x - y).max(),
        "argmax_agreement": float((a.argmax(1) == b.argmax(1)).mean()),
    })
(HERE / "comparisons.json").write_text(json.dumps(cases) + "\n")

arrays = {
    "float32": np.arange(6, dtype=np.float32).reshape(2, 3) / 4,
    "int64": np.array([-1, 2**40], np.int64),
    "scalar": np.array(3.5),
    "fortran": np.asfortranarray(np.arange(24, dtype=np.int16).reshape(2, 3, 4)),
    "half": np.array([[1.5, -2]], np.float16),
    "flags": np.array([True, False]),
    "empty": np.zeros((0, 4), np.uint8),
}
np.savez_compressed(HERE / "arrays.npz", **arrays)
