"""Small models and what onnxruntime's quantize_dynamic makes of them.

    python models.py     (onnx 1.23, onnxruntime 1.30) writes <name>.onnx, <name>.<run>.onnx and cases.json
"""

import json
import logging
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as H
from onnx import numpy_helper as NH
from onnxruntime.quantization import QuantType, quantize_dynamic

HERE = Path(__file__).parent
logging.disable(logging.WARNING)


class Net:
    def __init__(self, seed, opset=17):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.weights, self.opset, self.ms = [], [], opset, False

    def weight(self, name, *dims, scale=1.0, offset=0.0):
        values = (self.rng.standard_normal(dims) * scale + offset).astype(np.float32)
        self.weights.append(NH.from_array(values, name))
        return name

    def constant(self, name, value):
        self.weights.append(NH.from_array(np.asarray(value), name))
        return name

    def node(self, op, inputs, outputs, name=None, domain="", **attributes):
        outputs = [outputs] if isinstance(outputs, str) else outputs
        self.ms |= domain != ""
        name = f"{outputs[0]}_node" if name is None else name
        self.nodes.append(H.make_node(op, inputs, outputs, name=name, domain=domain, **attributes))
        return outputs[0]

    def model(self, inputs, outputs):
        info = lambda entries: [H.make_tensor_value_info(n, t, d) for n, t, d in entries]
        graph = H.make_graph(self.nodes, "g", info(inputs), info(outputs), self.weights)
        imports = [H.make_opsetid("", self.opset)] + ([H.make_opsetid("com.microsoft", 1)] if self.ms else [])
        return H.make_model(graph, opset_imports=imports, ir_version=8, producer_name="golden")


def mlp(seed, opset=17, unnamed=False):
    net = Net(seed, opset)
    name = "" if unnamed else None
    net.node("MatMul", ["x", net.weight("w1", 12, 16)], "a", name)
    net.node("Add", ["a", net.weight("b1", 16)], "b", name)
    net.node("Relu", ["b"], "c", name)
    net.node("MatMul", ["c", net.weight("w2", 16, 5, offset=0.4)], "y", name)
    return net.model([("x", T.FLOAT, ["N", 12])], [("y", T.FLOAT, ["N", 5])])


def shared(seed):
    """One weight in two products without names (they share the scales' product), and read in float afterwards."""
    net = Net(seed)
    net.weight("w", 8, 8)
    net.node("MatMul", ["x", "w"], "a", "")
    net.node("MatMul", ["x", "w"], "b", "")
    net.node("Add", ["a", "b"], "c", "")
    net.node("Add", ["c", "w"], "y", "")
    return net.model([("x", T.FLOAT, [8, 8])], [("y", T.FLOAT, [8, 8])])


def float_first(seed):
    """A weight that is read in float before it is quantized keeps its float copy."""
    net = Net(seed)
    net.weight("w", 8, 8)
    net.node("Add", ["x", "w"], "a")
    net.node("MatMul", ["a", "w"], "y")
    return net.model([("x", T.FLOAT, [8, 8])], [("y", T.FLOAT, [8, 8])])


def gemms(seed):
    """alpha, beta and transA keep a Gemm a Gemm."""
    net = Net(seed)
    net.constant("starts", np.int64([0, 0]))
    net.constant("ends", np.int64([2, 4]))
    net.node("Gemm", ["x", net.weight("w1", 6, 8), net.weight("b1", 8)], "a")
    net.node("Gemm", ["a", net.weight("w2", 10, 8), net.weight("b2", 10)], "b", transB=1)
    net.node("Gemm", ["b", net.weight("w3", 10, 4)], "c")
    net.node("Gemm", ["c", net.weight("w4", 4, 4), net.weight("b4", 4)], "d", alpha=0.5)
    net.node("Gemm", ["d", net.weight("w5", 4, 4), net.weight("b5", 4)], "e", beta=2.0)
    net.node("Slice", ["e", "starts", "ends"], "f")
    net.node("Gemm", ["f", net.weight("w6", 2, 3)], "y", transA=1)
    return net.model([("x", T.FLOAT, [2, 6])], [("y", T.FLOAT, [4, 3])])


def convs(seed):
    net = Net(seed)
    net.node("Conv", ["x", net.weight("k1", 8, 3, 3, 3), net.weight("b1", 8)], "a", pads=[1] * 4, strides=[2, 2])
    net.node("Relu", ["a"], "b")
    net.node("Conv", ["b", net.weight("k2", 8, 1, 3, 3, offset=1)], "c", "", group=8, dilations=[2, 2])
    net.node("Conv", ["c", net.weight("k3", 6, 4, 1, 1), net.weight("b3", 6)], "y", group=2, auto_pad="SAME_UPPER")
    return net.model([("x", T.FLOAT, [1, 3, 15, 15])], [("y", T.FLOAT, [1, 6, 4, 4])])


def conv1d(seed):
    net = Net(seed)
    net.node("Conv", ["x", net.weight("k", 4, 3, 5), net.weight("b", 4)], "y", kernel_shape=[5])
    return net.model([("x", T.FLOAT, [2, 3, 20])], [("y", T.FLOAT, [2, 4, 16])])


def embeddings(seed):
    """Codes go through Gather and Transpose; each float reader gets a DequantizeLinear."""
    net = Net(seed)
    net.node("Gather", [net.weight("table", 20, 8), "ids"], "e")
    net.node("Transpose", ["e"], "t", perm=[0, 2, 1])
    net.node("MatMul", ["e", net.weight("w", 8, 6)], "p")
    net.node("ReduceMax", ["t"], "q", keepdims=0, axes=[1])
    net.node("Softmax", ["t"], "r")
    return net.model(
        [("ids", T.INT64, [2, 3])],
        [("p", T.FLOAT, [2, 3, 6]), ("q", T.FLOAT, [2, 3]), ("r", T.FLOAT, [2, 8, 3]), ("e", T.FLOAT, [2, 3, 8])],
    )


def lstm(seed, direction, extras):
    net = Net(seed)
    d, hidden, width = (2 if direction == "bidirectional" else 1), 6, 5
    inputs = ["x", net.weight("W", d, 4 * hidden, width), net.weight("R", d, 4 * hidden, hidden, scale=0.4)]
    if extras:
        inputs += [net.weight("B", d, 8 * hidden), "", "h", net.weight("c0", d, 2, hidden)]
    outputs = ["y", "yh", "yc"] if extras else ["y"]
    net.node("LSTM", inputs, outputs, direction=direction, hidden_size=hidden)
    given = [("x", T.FLOAT, [4, 2, width])] + ([("h", T.FLOAT, [d, 2, hidden])] if extras else [])
    shapes = {"y": [4, d, 2, hidden], "yh": [d, 2, hidden], "yc": [d, 2, hidden]}
    return net.model(given, [(name, T.FLOAT, shapes[name]) for name in outputs])


def attention(seed):
    net = Net(seed)
    net.node("Attention", ["x", net.weight("w", 8, 24), net.weight("b", 24)], "a", domain="com.microsoft", num_heads=2)
    net.node("Attention", ["a", net.weight("w2", 8, 24), net.weight("b2", 24), "mask"], "y", domain="com.microsoft", num_heads=4)
    return net.model([("x", T.FLOAT, [2, 3, 8]), ("mask", T.INT32, [2])], [("y", T.FLOAT, [2, 3, 8])])


def embed_layer_normalization(seed, segments):
    net = Net(seed)
    inputs = ["ids", "segments" if segments else "", net.weight("word", 30, 8), net.weight("position", 10, 8),
              net.weight("segment", 2, 8) if segments else "", net.weight("gamma", 8, offset=1), net.weight("beta", 8)]
    net.node("EmbedLayerNormalization", inputs, ["e", "mask"], domain="com.microsoft", epsilon=1e-6)
    net.node("MatMul", ["e", net.weight("w", 8, 4)], "y")
    given = [("ids", T.INT32, [2, 4])] + ([("segments", T.INT32, [2, 4])] if segments else [])
    return net.model(given, [("y", T.FLOAT, [2, 4, 4])])


MODES = [
    {},
    {"weight_type": "quint8"},
    {"per_channel": True},
    {"weight_type": "quint8", "per_channel": True, "reduce_range": True},
    {"reduce_range": True},
]


def cases():
    """(name, model, options of each run)"""
    yield "mlp", mlp(1), [*MODES, {"nodes_to_exclude": ["a_node"]}, {"nodes_to_quantize": ["a_node"]}]
    yield "mlp-unnamed", mlp(5, unnamed=True), [{}]
    yield "mlp-opset11", mlp(5, opset=11), [{}]
    yield "gemms", gemms(2), MODES
    yield "convs", convs(3), [*MODES, {"op_types_to_quantize": ["Conv"], "nodes_to_exclude": ["y_node"]}]
    yield "conv1d", conv1d(8), [{}]
    yield "shared", shared(9), [{}, {"per_channel": True}]
    yield "float-first", float_first(10), [{}]
    yield "embeddings", embeddings(11), [
        {}, {"per_channel": True, "weight_type": "quint8"}, {"op_types_to_quantize": ["Gather"]},
    ]
    yield "lstm", lstm(4, "bidirectional", True), MODES
    yield "lstm-reverse", lstm(12, "reverse", False), [{}]
    yield "attention", attention(13), [{}, {"per_channel": True, "reduce_range": True}]
    yield "embed-layer-normalization", embed_layer_normalization(14, True), [{}]
    yield "embed-layer-normalization-alone", embed_layer_normalization(15, False), [{"per_channel": True}]


def main():
    written = []
    for name, model, runs in cases():
        source = HERE / f"{name}.onnx"
        onnx.save(model, source)
        for number, options in enumerate(runs):
            target = HERE / f"{name}.{number}.onnx"
            chosen = {**options, "weight_type": QuantType.QUInt8 if "weight_type" in options else QuantType.QInt8}
            quantize_dynamic(source, target, **chosen)
            written.append({"source": source.name, "target": target.name, "options": options})
    lines = ",\n".join(json.dumps(case) for case in written)
    (HERE / "cases.json").write_text(f"[\n{lines}\n]\n")


main()
