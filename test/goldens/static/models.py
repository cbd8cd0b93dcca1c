"""Small models and what onnxruntime's quantize_static makes of them, with the ranges that its calibrator found.

    python models.py     (onnx 1.23, onnxruntime 1.30) writes <name>.onnx, <name>.<run>.onnx and cases.json
"""

import base64
import json
import logging
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as H
from onnx import numpy_helper as NH
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantType, quantize_static

HERE = Path(__file__).parent
logging.disable(logging.WARNING)


class Net:
    def __init__(self, seed, opset=17):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.weights, self.opset = [], [], opset

    def weight(self, name, *dims, scale=1.0, offset=0.0):
        values = (self.rng.standard_normal(dims) * scale + offset).astype(np.float32)
        self.weights.append(NH.from_array(values, name))
        return name

    def constant(self, name, value):
        self.weights.append(NH.from_array(np.asarray(value), name))
        return name

    def node(self, op, inputs, outputs, name=None, **attributes):
        outputs = [outputs] if isinstance(outputs, str) else outputs
        name = f"{outputs[0]}_node" if name is None else name
        self.nodes.append(H.make_node(op, inputs, outputs, name=name, **attributes))
        return outputs[0]

    def model(self, inputs, outputs):
        info = lambda entries: [H.make_tensor_value_info(n, t, d) for n, t, d in entries]
        graph = H.make_graph(self.nodes, "g", info(inputs), info(outputs), self.weights)
        return H.make_model(graph, opset_imports=[H.make_opsetid("", self.opset)], ir_version=8, producer_name="golden")


def convnet(seed, opset=17):
    net = Net(seed, opset)
    net.node("Conv", ["x", net.weight("k1", 6, 3, 3, 3), net.weight("b1", 6)], "c1", pads=[1] * 4)
    net.node("Relu", ["c1"], "r1")
    net.node("MaxPool", ["r1"], "p1", kernel_shape=[2, 2], strides=[2, 2])
    net.node("Conv", ["p1", net.weight("k2", 6, 1, 3, 3, offset=0.3), net.weight("b2", 6)], "c2", group=6, pads=[1] * 4)
    net.node("Clip", ["c2", net.constant("low", np.float32(0)), net.constant("high", np.float32(6))], "r2")
    net.node("Conv", ["r2", net.weight("k3", 4, 6, 1, 1)], "c3")
    net.node("AveragePool", ["c3"], "p2", kernel_shape=[2, 2], strides=[1, 1])
    net.node("GlobalAveragePool", ["p2"], "g")
    net.node("Flatten", ["g"], "f")
    net.node("Gemm", ["f", net.weight("w", 5, 4), net.weight("b", 5)], "l", transB=1)
    net.node("Softmax", ["l"], "y")
    return net.model([("x", T.FLOAT, [1, 3, 8, 8])], [("y", T.FLOAT, [1, 5])])


def mlp(seed):
    net = Net(seed)
    net.node("MatMul", ["x", net.weight("w1", 12, 16)], "a")
    net.node("Add", ["a", net.weight("b1", 16)], "b")
    net.node("Relu", ["b"], "c")
    net.node("MatMul", ["c", net.weight("w2", 16, 5, offset=0.4)], "d")
    net.node("Sigmoid", ["d"], "e")
    net.node("Mul", ["d", "e"], "f")
    net.node("LeakyRelu", ["f"], "g", alpha=0.1)
    net.node("Add", ["g", net.constant("one", np.float32(0.5))], "y")
    return net.model([("x", T.FLOAT, ["N", 12])], [("y", T.FLOAT, ["N", 5])])


def moves(seed):
    """What moves values keeps their scale; where its input has none, it stays as it is."""
    net = Net(seed)
    i64 = lambda name, *values: net.constant(name, np.int64(values))
    net.node("Transpose", ["x"], "early", perm=[0, 2, 1])
    net.node("Conv", ["early", net.weight("k", 6, 4, 3), net.weight("b", 6)], "c", pads=[1, 1])
    net.node("Transpose", ["c"], "t", perm=[0, 2, 1])
    net.node("Reshape", ["t", i64("shape", 1, 2, 4, 6)], "r")
    net.node("Squeeze", ["r", i64("zero", 0)], "s")
    net.node("Unsqueeze", ["s", "zero"], "u")
    net.node("Slice", ["u", i64("starts", 0), i64("ends", 2), i64("axes", 2)], "v")
    net.node("Pad", ["v", i64("pads", 0, 0, 1, 1, 0, 0, 1, 1)], "p0")
    net.node("Pad", ["p0", "pads", net.constant("fill", np.float32(1.5))], "p1")
    net.node("Pad", ["p1", "pads"], "p2", mode="reflect")
    net.node("Resize", ["p2", "", net.constant("scales", np.float32([1, 1, 2, 2]))], "z", mode="nearest")
    net.node("Split", ["z", i64("sizes", 1, 1)], ["q0", "q1"], axis=1)
    net.node("Concat", ["q0", "q1", "q0"], "k2", axis=1)
    net.node("Gather", ["k2", i64("ids", 0, 2)], "g", axis=1)
    net.node("GatherElements", ["g", net.constant("places", np.zeros((1, 2, 3, 4), np.int64))], "ge", axis=2)
    net.node("TopK", ["ge", i64("three", 3)], ["top", "which"])
    net.node("Less", ["top", "fill"], "less")
    net.node("Where", ["less", "top", "top"], "y")
    net.node("ArgMax", ["ge"], "best", axis=3)
    return net.model([("x", T.FLOAT, [1, 8, 4])], [("y", T.FLOAT, [1, 2, 3, 3]), ("best", T.INT64, [1, 2, 3, 1])])


def norms(seed):
    net = Net(seed)
    net.node("Conv", ["x", net.weight("k", 4, 3, 1, 1), net.weight("kb", 4)], "c")
    names = [net.weight("s1", 4, offset=1), net.weight("o1", 4), net.weight("m1", 4)]
    net.node("BatchNormalization", ["c", *names, net.constant("v1", np.float32([1, 2, 3, 0.5]))], "b")
    net.node("InstanceNormalization", ["b", net.weight("s2", 4, offset=1), net.weight("o2", 4)], "i")
    net.node("LayerNormalization", ["i", net.weight("s3", 5, offset=1), net.weight("o3", 5)], "y")
    return net.model([("x", T.FLOAT, [1, 3, 5, 5])], [("y", T.FLOAT, [1, 4, 5, 5])])


def gemms(seed):
    """A bias of two products, one of another scale (beta), one that is no constant; alpha; a weight of two products."""
    net = Net(seed)
    net.weight("bias", 8)
    net.node("Gemm", ["x", net.weight("w1", 6, 8), "bias"], "a")
    net.node("Gemm", ["a", net.weight("w2", 8, 8), "bias"], "b", transB=1, beta=2.5)
    net.node("Gemm", ["b", "w2", "x2"], "c", alpha=0.5)
    net.node("Gemm", ["c", net.weight("w3", 8, 4)], "y")
    return net.model([("x", T.FLOAT, [2, 6]), ("x2", T.FLOAT, [2, 8])], [("y", T.FLOAT, [2, 4])])


def activations(seed):
    """Relus that cannot go: of a graph input, of a value with two readers, of an output; Clip behind an op that stays float."""
    net = Net(seed)
    net.node("Relu", ["x"], "r0")
    net.node("MatMul", ["r0", net.weight("w1", 6, 6)], "a")
    net.node("Relu", ["a"], "r1")
    net.node("Add", ["a", "r1"], "s")
    net.node("Relu", ["s"], "r2")
    net.node("Tanh", ["r2"], "t")
    net.node("Clip", ["t", "", net.constant("high", np.float32(0.5))], "k")
    net.node("MatMul", ["k", net.weight("w2", 6, 3)], "m")
    net.node("Relu", ["m"], "y")
    net.node("MatMul", ["r2", net.weight("w3", 6, 2)], "z")
    net.node("Relu", ["z"], "u")
    return net.model(
        [("x", T.FLOAT, [2, 6])], [("y", T.FLOAT, [2, 3]), ("z", T.FLOAT, [2, 2]), ("u", T.FLOAT, [2, 2])]
    )


def small_scales(seed):
    """Biases so large against the products' scales that int32 would overflow: the weights' scales grow."""
    net = Net(seed)
    net.node("Conv", ["x", net.weight("k", 4, 2, 1, 1, scale=1e-8), net.constant("b", np.float32([3, -8, 0.5, 0]))], "c")
    net.node("Relu", ["c"], "r")
    net.node("Flatten", ["r"], "f")
    net.node("Gemm", ["f", net.weight("w", 16, 3, scale=1e-11), net.constant("b2", np.float32([1, -40, 7]))], "y")
    return net.model([("x", T.FLOAT, [1, 2, 2, 2])], [("y", T.FLOAT, [1, 3])])


def transposed(seed):
    net = Net(seed)
    net.node("ConvTranspose", ["x", net.weight("k", 3, 4, 2, 2), net.weight("b", 4)], "c", strides=[2, 2])
    net.node("Reshape", ["c", net.constant("shape", np.int64([1, 8, 8]))], "r")
    net.node("MatMul", ["r", net.weight("w", 8, 6)], "m")
    net.node("Transpose", ["m"], "t", perm=[0, 2, 1])
    net.node("MatMul", ["t", "m"], "y")
    return net.model([("x", T.FLOAT, [1, 3, 2, 2])], [("y", T.FLOAT, [1, 6, 6])])


def stacked(seed):
    """A stack of matrices: per channel onnxruntime makes a model of it that does not run."""
    net = Net(seed)
    net.node("MatMul", ["x", net.weight("w", 2, 4, 3)], "y")
    return net.model([("x", T.FLOAT, [2, 5, 4])], [("y", T.FLOAT, [2, 5, 3])])


def embedding(seed):
    net = Net(seed)
    net.node("Gather", [net.weight("table", 20, 8), "ids"], "e")
    net.node("Add", ["e", net.weight("position", 3, 8)], "a")
    net.node("MatMul", ["a", net.weight("w", 8, 4)], "y")
    return net.model([("ids", T.INT64, [2, 3])], [("y", T.FLOAT, [2, 3, 4])])


def half_done(seed):
    """A weight that has codes already."""
    net = Net(seed)
    net.constant("codes", net.rng.integers(-127, 127, (6, 5)).astype(np.int8))
    net.constant("codes_scale", np.float32(0.02))
    net.constant("codes_zero", np.int8(0))
    net.node("DequantizeLinear", ["codes", "codes_scale", "codes_zero"], "w")
    net.node("Gemm", ["x", "w", net.weight("b", 5)], "a")
    net.node("MatMul", ["a", net.weight("w2", 5, 4)], "y")
    return net.model([("x", T.FLOAT, [2, 6])], [("y", T.FLOAT, [2, 4])])


def residual(seed):
    """Outputs that others read, and a name that occurs twice in one node."""
    net = Net(seed)
    net.node("Conv", ["x", net.weight("k1", 3, 3, 3, 3), net.weight("b1", 3)], "a", pads=[1] * 4)
    net.node("Relu", ["a"], "b")
    net.node("Conv", ["b", net.weight("k2", 3, 3, 3, 3)], "c", pads=[1] * 4)
    net.node("Add", ["c", "x"], "d")
    net.node("Relu", ["d"], "e")
    net.node("Mul", ["e", "e"], "f")
    net.node("MaxPool", ["f"], "g", kernel_shape=[2, 2])
    net.node("Relu", ["g"], "h")
    net.node("Concat", ["e", "d"], "y", axis=1)
    return net.model(
        [("x", T.FLOAT, [1, 3, 5, 5])],
        [("y", T.FLOAT, [1, 6, 5, 5]), ("e", T.FLOAT, [1, 3, 5, 5]), ("h", T.FLOAT, [1, 3, 4, 4])],
    )


MODES = [
    {},
    {"activation_type": "quint8"},
    {"activation_type": "quint8", "weight_type": "quint8", "reduce_range": True},
    {"per_channel": True},
    {"per_channel": True, "activation_type": "quint8", "reduce_range": True},
    {"activation_symmetric": True, "per_channel": True},
    {"activation_type": "quint8", "activation_symmetric": True, "weight_symmetric": False},
]
SOME = [MODES[0], MODES[4]]


def cases():
    """(name, model, options of each run)"""
    yield "convnet", convnet(1), [
        *MODES,
        {"nodes_to_exclude": ["c2_node", "l_node"]},
        {"nodes_to_quantize": ["c1_node", "r1_node", "p1_node"]},
        {"op_types_to_quantize": ["Conv"]},
        {"calibrate_method": "percentile", "activation_type": "quint8"},
        {"calibrate_method": "percentile", "percentile": 95.0},
        {"calibrate_method": "percentile", "percentile": 95.0, "calibration_range_symmetric": False},
        {"calibrate_method": "entropy"},
        {"calibration_moving_average": True},
    ]
    yield "convnet-opset11", convnet(2, opset=11), [{}]
    yield "mlp", mlp(3), [*MODES[:4], {"op_types_to_quantize": ["MatMul", "Sigmoid"]}]
    yield "moves", moves(4), MODES[:2]
    yield "norms", norms(5), SOME
    yield "gemms", gemms(6), [*MODES, {"calibration_range_symmetric": True}]
    yield "activations", activations(7), [*SOME, MODES[5], {"op_types_to_quantize": ["MatMul", "Tanh"]}]
    yield "small-scales", small_scales(8), [MODES[0], MODES[3], MODES[2]]
    yield "transposed", transposed(9), SOME
    yield "stacked", stacked(13), [{}]
    yield "embedding", embedding(10), MODES[:4]
    yield "half-done", half_done(11), SOME
    yield "residual", residual(12), SOME


EXTRA = {
    "activation_symmetric": "ActivationSymmetric",
    "weight_symmetric": "WeightSymmetric",
    "calibration_moving_average": "CalibMovingAverage",
    "calibration_range_symmetric": "CalibTensorRangeSymmetric",
    "percentile": "CalibPercentile",
}
TYPES = {"qint8": QuantType.QInt8, "quint8": QuantType.QUInt8}
METHODS = {"percentile": CalibrationMethod.Percentile, "entropy": CalibrationMethod.Entropy}
SAMPLES = 11


class Reader(CalibrationDataReader):
    def __init__(self, samples):
        self.left = list(samples)

    def get_next(self):
        return self.left.pop(0) if self.left else None


def samples_of(model, seed):
    rng = np.random.default_rng(seed)
    samples = []
    for _ in range(SAMPLES):
        feeds = {}
        for info in model.graph.input:
            dims = [d.dim_value or 2 for d in info.type.tensor_type.shape.dim]
            floats = rng.standard_normal(dims).astype(np.float32)
            whole = info.type.tensor_type.elem_type == T.INT64
            feeds[info.name] = rng.integers(0, 19, dims) if whole else floats
        samples.append(feeds)
    return samples


def quantized(source, target, options, samples):
    given = dict(options)
    extra = {EXTRA[name]: given.pop(name) for name in list(given) if name in EXTRA}
    for name in ("activation_type", "weight_type"):
        if name in given:
            given[name] = TYPES[given[name]]
    if "calibrate_method" in given:
        given["calibrate_method"] = METHODS[given["calibrate_method"]]
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "ranges.json"
        quantize_static(source, target, Reader(samples), extra_options=extra, calibration_cache_path=cache, **given)
        found = json.loads(cache.read_text())["data"]
    number = lambda value: float(np.ravel(value["data"] if isinstance(value, dict) else value)[0])
    return {name: [number(d["lowest"]), number(d["highest"])] for name, d in sorted(found.items())}


def main():
    written = []
    for seed, (name, model, runs) in enumerate(cases()):
        source = HERE / f"{name}.onnx"
        onnx.checker.check_model(model)
        onnx.save(model, source)
        samples = samples_of(model, seed)
        packed = {
            name: base64.b64encode(np.stack([s[name] for s in samples]).tobytes()).decode() for name in samples[0]
        }
        written.append({"source": source.name, "samples": packed, "runs": []})
        for number, options in enumerate(runs):
            target = HERE / f"{name}.{number}.onnx"
            ranges = quantized(source, target, options, samples)
            written[-1]["runs"].append({"target": target.name, "options": options, "ranges": ranges})
    (HERE / "cases.json").write_text(json.dumps(written, separators=(",", ":")) + "\n")


main()
