"""Makes cases.json: small models at old opsets, with inputs and what they answer.

Run: python test/goldens/opset/generate.py   (onnx 1.23.1, onnxruntime 1.30.0, numpy)

The outputs are those of ONNX Runtime without graph optimizations. It has no kernels for most
operators of opsets 1 to 6: there the outputs are computed by numpy, from the operators' definitions.
"""
import base64
import json
import pathlib

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(13)
cases = []


def floats(*dims):
    return rng.standard_normal(dims).astype(np.float32)


def positive(*dims):
    return (rng.random(dims) + 0.5).astype(np.float32)


def ints(*values, dtype=np.int64):
    return np.array(values, dtype)


def node(op, inputs, outputs="y", **attributes):
    split = lambda names: names.split(" ") if isinstance(names, str) else names
    inputs = [] if inputs == "" else split(inputs)
    return helper.make_node(op, ["" if name == "_" else name for name in inputs], split(outputs), **attributes)


def value_info(name, array, shape="static"):
    dims = {"static": list(array.shape), "symbolic": [f"{name}_{i}" for i in range(array.ndim)], "unknown": None}
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), dims[shape])


def encoded(array):
    return {
        "type": str(array.dtype),
        "dims": list(array.shape),
        "data": base64.b64encode(np.ascontiguousarray(array).tobytes()).decode(),
    }


def case(name, opset, nodes, feeds, weights=None, expected=None, shape="static", outputs=None, functions=(), domains=()):
    """One case; `expected` (by output) replaces ONNX Runtime where that has no kernel."""
    nodes = nodes if isinstance(nodes, list) else [nodes]
    outputs = outputs or (list(expected) if expected else [nodes[-1].output[0]])
    inputs = [value_info(key, array, shape) for key, array in feeds.items()]
    weights = {key: np.asarray(array) for key, array in (weights or {}).items()}
    ir = 3 if opset < 9 else 4 if opset < 11 else 7 if opset < 17 else 8
    if ir < 4:
        inputs += [value_info(key, array) for key, array in weights.items()]
    graph = helper.make_graph(
        nodes,
        "g",
        inputs,
        [helper.make_tensor_value_info(output, TensorProto.UNDEFINED, None) for output in outputs],
        [numpy_helper.from_array(array, key) for key, array in weights.items()],
    )
    if expected:
        for info in graph.output:
            info.type.tensor_type.elem_type = helper.np_dtype_to_tensor_dtype(expected[info.name].dtype)
    imports = [helper.make_opsetid("", opset), *[helper.make_opsetid(domain, 1) for domain in domains]]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8 if functions else ir, functions=list(functions))
    del model.graph.value_info[:]
    if expected is None:
        for info in model.graph.output:
            info.type.Clear()
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        types = {"tensor(float)": 1, "tensor(int64)": 7, "tensor(bool)": 9, "tensor(int32)": 6, "tensor(float16)": 10, "tensor(double)": 11, "tensor(uint8)": 2, "tensor(int8)": 3}
        for info, meta in zip(model.graph.output, session.get_outputs()):
            info.type.tensor_type.elem_type = types[meta.type]
        expected = dict(zip(outputs, session.run(None, feeds)))
    model.producer_name = ""
    cases.append(
        {
            "name": name,
            "opset": opset,
            "model": base64.b64encode(model.SerializeToString()).decode(),
            "inputs": {key: encoded(array) for key, array in feeds.items()},
            "outputs": {key: encoded(np.asarray(array)) for key, array in expected.items()},
        }
    )


def run_node(made, feeds, opset=7):
    infos = [value_info(key, array) for key, array in feeds.items()]
    graph = helper.make_graph([made], "g", infos, [helper.make_tensor_value_info(name, 1, None) for name in made.output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=3)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return dict(zip(made.output, session.run(None, feeds)))


def inputs_from_attributes():
    x = floats(2, 3, 1, 4)
    case("Squeeze 11", 11, node("Squeeze", "x", axes=[2]), {"x": x})
    case("Squeeze 9 without axes", 9, node("Squeeze", "x"), {"x": x})
    case("Unsqueeze 11", 11, node("Unsqueeze", "x", axes=[0, -1]), {"x": x})
    for op in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare"):
        data = {"x": positive(2, 3, 4)}
        case(f"Reduce{op} 11", 11, node(f"Reduce{op}", "x", axes=[1, -1], keepdims=0), data)
        case(f"Reduce{op} 12 of all", 12, node(f"Reduce{op}", "x"), data)
    case("Split 11", 11, node("Split", "x", "a b", axis=3, split=[1, 3]), {"x": x}, outputs=["a", "b"])
    case("Split 7 in equal parts", 7, node("Split", "x", "a b", axis=0), {"x": x}, outputs=["a", "b"])
    case("Split 13 in equal parts", 13, node("Split", "x", "a b", axis=-1), {"x": x}, outputs=["a", "b"])
    case("Split 1 by input", 1, node("Split", "x s", "a b", axis=1), {"x": x}, {"s": ints(1, 2)},
         {"a": x[:, :1], "b": x[:, 1:]})
    end = 2**63 - 1
    case("Slice 9", 9, node("Slice", "x", starts=[0, -3], ends=[1, end], axes=[0, 3]), {"x": x})
    case("Slice 7 without axes", 7, node("Slice", "x", starts=[1], ends=[2]), {"x": x})
    case("TopK 9", 9, node("TopK", "x", "v i", k=2, axis=3), {"x": x}, outputs=["v", "i"])
    case("Reshape 1", 1, node("Reshape", "x", shape=[0, -1], consumed_inputs=[0]), {"x": x}, expected={"y": x.reshape(2, 12)})
    case("Clip 7", 7, node("Clip", "x", min=-0.5, max=0.75), {"x": x})
    case("Clip 9 with one bound", 9, node("Clip", "x", max=0.25), {"x": x})
    half = floats(4).astype(np.float16)
    case("Clip 6 of float16", 6, node("Clip", "x", min=0.0), {"x": half}, expected={"y": np.maximum(half, 0)})
    case("Clip 1", 1, node("Clip", "x", min=0.0, consumed_inputs=[0]), {"x": x}, expected={"y": np.maximum(x, 0)})
    pads = [0, 0, 1, 0, 0, 1, 0, 2]
    case("Pad 10", 10, node("Pad", "x", pads=pads, value=1.5), {"x": x})
    case("Pad 7 at the edge", 7, node("Pad", "x", mode="edge", pads=pads), {"x": x}, shape="unknown")
    wide = floats(1, 1, 3, 4)
    case("Pad 7 by reflection", 7, node("Pad", "x", mode="reflect", pads=[0, 0, 1, 0, 0, 0, 1, 2]), {"x": wide})
    case("Pad 1", 1, node("Pad", "x", paddings=pads, value=2.0), {"x": x},
         expected={"y": np.pad(x, [(0, 0), (0, 1), (1, 0), (0, 2)], constant_values=2)})
    case("Dropout 10", 10, node("Dropout", "x", ratio=0.3), {"x": x})
    case("Dropout 7", 7, node("Dropout", "x"), {"x": x})
    case("Dropout 7 with its mask", 7, node("Dropout", "x", "y m"), {"x": x}, expected={"y": x, "m": np.ones_like(x)})
    case("Dropout 1", 1, node("Dropout", "x", is_test=1, consumed_inputs=[0]), {"x": x}, expected={"y": x})
    signal = floats(2, 8, 1)
    case("DFT 17", 17, node("DFT", "x", axis=1, onesided=1), {"x": signal})
    case("DFT 17 along another axis", 17, node("DFT", "x", axis=2), {"x": floats(1, 2, 8, 1)})


def softmax():
    x = floats(2, 3, 4)
    for op in ("Softmax", "LogSoftmax", "Hardmax"):
        case(f"{op} 11 over two axes", 11, node(op, "x", axis=1), {"x": x})
        case(f"{op} 9 by default", 9, node(op, "x"), {"x": x}, shape="symbolic")
        case(f"{op} 7 over the last axis", 7, node(op, "x", axis=2), {"x": x})
        case(f"{op} 12 with unknown rank", 12, node(op, "x", axis=-2), {"x": x}, shape="unknown")
    case("Softmax 9 before ones", 9, node("Softmax", "x"), {"x": floats(2, 5, 1, 1)})


def broadcasting():
    a = positive(2, 3, 4, 5)
    numpy_ops = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}
    for op, f in numpy_ops.items():
        b = positive(3)
        case(f"{op} 6 from axis 1", 6, node(op, "a b", broadcast=1, axis=1), {"a": a, "b": b},
             expected={"y": f(a, b[:, None, None])})
        case(f"{op} 1 in place", 1, node(op, "a b", broadcast=0, consumed_inputs=[0, 0]), {"a": a, "b": a},
             expected={"y": f(a, a)})
    b = positive(3, 4)
    case("Mul 6 from axis -3", 6, node("Mul", "a b", broadcast=1, axis=-3), {"a": a}, {"b": b}, {"y": a * b[..., None]})
    last = positive(5)
    case("Add 6 lined up at the end", 6, node("Add", "a b", broadcast=1), {"a": a}, {"b": last}, {"y": a + last})
    exponent = np.float32([1, 2, 3, 2])
    case("Pow 6 from axis 2", 6, node("Pow", "a b", broadcast=1, axis=2), {"a": a}, {"b": exponent},
         {"y": np.power(a, exponent[:, None])})
    threshold = positive(3)
    for op, f in {"Equal": np.equal, "Greater": np.greater, "Less": np.less}.items():
        left = np.round(a).astype(np.int32) if op == "Equal" else a
        right = np.round(threshold).astype(np.int32) if op == "Equal" else threshold
        case(f"{op} 6 from axis 1", 6, node(op, "a b", broadcast=1, axis=1), {"a": left, "b": right},
             expected={"y": f(left, right[:, None, None])})
    p, q = a > 1, np.array([True, False, True])
    for op, f in {"And": np.logical_and, "Or": np.logical_or, "Xor": np.logical_xor}.items():
        case(f"{op} 6 from axis 1", 6, node(op, "a b", broadcast=1, axis=1), {"a": p, "b": q},
             expected={"y": f(p, q[:, None, None])})
    x, slope = floats(2, 3, 2, 2), np.float32([0.1, 0.2, 0.3])
    case("PRelu 6 by channel", 6, node("PRelu", "x s"), {"x": x}, {"s": slope},
         {"y": np.where(x < 0, x * slope[:, None, None], x)})
    case("PRelu 1 with one slope", 1, node("PRelu", "x s", consumed_inputs=[0, 0]), {"x": x}, {"s": slope[:1]},
         {"y": np.where(x < 0, x * slope[0], x)})
    m, n, c = floats(2, 3), floats(3, 4), floats(4)
    case("Gemm 6", 6, node("Gemm", "m n c", broadcast=1, alpha=0.5), {"m": m}, {"n": n, "c": c}, {"y": np.float32(0.5) * (m @ n) + c})
    case("Gemm 1", 1, node("Gemm", "m n c", broadcast=1), {"m": m}, {"n": n, "c": c}, {"y": m @ n + c})


def first_opsets():
    x = floats(2, 3, 4)
    sigmoid = lambda v: 1 / (1 + np.exp(-v))
    selu = lambda v: 1.05070102 * np.where(v > 0, v, 1.67326319 * (np.exp(v) - 1))
    unary = {
        "Abs": np.abs, "Ceil": np.ceil, "Exp": np.exp, "Floor": np.floor, "Neg": np.negative, "Sigmoid": sigmoid,
        "Tanh": np.tanh, "Relu": lambda v: np.maximum(v, 0), "Elu": lambda v: np.where(v > 0, v, np.exp(v) - 1),
        "LeakyRelu": lambda v: np.where(v < 0, np.float32(0.01) * v, v), "Selu": selu,
        "HardSigmoid": lambda v: np.clip(0.2 * v + 0.5, 0, 1),
    }
    for op, f in unary.items():
        case(f"{op} 1", 1, node(op, "x", consumed_inputs=[0]), {"x": x}, expected={"y": f(x).astype(np.float32)})
    p = positive(2, 3)
    for op, f in {"Log": np.log, "Sqrt": np.sqrt, "Reciprocal": lambda v: 1 / v}.items():
        case(f"{op} 1", 1, node(op, "x", consumed_inputs=[0]), {"x": p}, expected={"y": f(p)})
    a, b = floats(2, 3), floats(2, 3)
    for op, y in {"Max": np.maximum(a, b), "Min": np.minimum(a, b), "Sum": a + b, "Mean": (a + b) / 2}.items():
        case(f"{op} 1", 1, node(op, "a b", consumed_inputs=[0, 0]), {"a": a, "b": b}, expected={"y": y.astype(np.float32)})
    case("Cast 1", 1, node("Cast", "x", to="INT32"), {"x": x * 4}, expected={"y": (x * 4).astype(np.int32)})
    case("Concat 1", 1, node("Concat", "a b"), {"a": a, "b": b}, expected={"y": np.concatenate([a, b], 1)})
    case("Tile 1", 1, node("Tile", "x t i"), {"x": x}, {"t": np.float32(2), "i": np.float32(1)}, {"y": np.tile(x, (1, 2, 1))})
    image = floats(1, 2, 4, 4)
    pooled = np.sqrt((image**2).reshape(1, 2, 2, 2, 2, 2).sum((3, 5)))
    case("LpPool 1", 1, node("LpPool", "x", p=2.0, kernel_shape=[2, 2], strides=[2, 2]), {"x": image}, expected={"y": pooled})
    case("GlobalLpPool 1", 1, node("GlobalLpPool", "x", p=2.0), {"x": image},
         expected={"y": np.sqrt((image**2).sum((2, 3), keepdims=True))})
    scale, bias = positive(2), floats(2)
    mean, variance = image.mean((2, 3), keepdims=True), image.var((2, 3), keepdims=True)
    case("InstanceNormalization 1", 1, node("InstanceNormalization", "x s b", consumed_inputs=[0]), {"x": image}, {"s": scale, "b": bias},
         {"y": (image - mean) / np.sqrt(variance + np.float32(1e-5)) * scale[:, None, None] + bias[:, None, None]})
    case("Upsample 1", 1, node("Upsample", "x", height_scale=2.0, width_scale=3.0, mode="nearest"), {"x": image},
         expected={"y": image.repeat(2, 2).repeat(3, 3)})
    # Opset 7 only dropped the flag, so ONNX Runtime answers for the same node without it.
    sizes = {"RNN": (1, "y h"), "GRU": (3, "y h"), "LSTM": (4, "y h c")}
    for op, (gates, outputs) in sizes.items():
        feeds, weights = {"x": floats(3, 2, 2)}, {"w": floats(1, gates * 3, 2), "r": floats(1, gates * 3, 3)}
        answers = run_node(node(op, "x w r", outputs, hidden_size=3), {**feeds, **weights})
        for opset in (1, 6):
            case(f"{op} {opset}", opset, node(op, "x w r", outputs, hidden_size=3, output_sequence=1), feeds, weights, answers)


def normalization():
    x = floats(2, 3, 2, 2)
    stats = {"s": positive(3), "b": floats(3), "m": floats(3), "v": positive(3)}
    case("BatchNormalization 7", 7, node("BatchNormalization", "x s b m v", spatial=1), {"x": x}, stats)
    case("BatchNormalization 9", 9, node("BatchNormalization", "x s b m v", epsilon=1e-3), {"x": x}, stats)
    case("BatchNormalization 9 of the batch", 9, node("BatchNormalization", "x s b m v", "y a c d e", momentum=0.8), {"x": x}, stats, outputs=["y", "a", "c"])
    case("BatchNormalization 9 of the batch, unread", 9, node("BatchNormalization", "x s b m v", "y a c d e"), {"x": x}, stats)
    single = {"s": positive(3, 2, 2), "b": floats(3, 2, 2), "m": floats(3, 2, 2), "v": positive(3, 2, 2)}
    case("BatchNormalization 7 of single elements", 7, node("BatchNormalization", "x s b m v", spatial=0), {"x": x}, single)
    case("BatchNormalization 1", 1, node("BatchNormalization", "x s b m v", is_test=1, consumed_inputs=[0, 0, 0, 1, 1]), {"x": x}, stats,
         {"y": batch_norm(x, *[stats[key][:, None, None] for key in "sbmv"])})
    groups = floats(1, 4, 2, 2)
    weights = {"s": positive(2), "b": floats(2)}
    case("GroupNormalization 18", 18, node("GroupNormalization", "x s b", num_groups=2), {"x": groups}, weights)
    case("GroupNormalization 18 of unknown channels", 18, node("GroupNormalization", "x s b", num_groups=2), {"x": groups}, weights, shape="unknown")
    case("MeanVarianceNormalization 8", 8, node("MeanVarianceNormalization", "x"), {"x": x})
    case("MeanVarianceNormalization 8 across channels", 8, node("MeanVarianceNormalization", "x", across_channels=1), {"x": x})
    case("MeanVarianceNormalization 8 of the mean", 8, node("MeanVarianceNormalization", "x", normalize_variance=0), {"x": x})


def batch_norm(x, scale, bias, mean, variance):
    return ((x - mean) / np.sqrt(variance + np.float32(1e-5)) * scale + bias).astype(np.float32)


def resampling():
    x = floats(1, 2, 3, 4)
    case("Upsample 7", 7, node("Upsample", "x", scales=[1.0, 1.0, 2.0, 3.0]), {"x": x})
    case("Upsample 7 linear", 7, node("Upsample", "x", scales=[1.0, 1.0, 2.0, 1.5], mode="linear"), {"x": x})
    case("Upsample 9", 9, node("Upsample", "x s", mode="nearest"), {"x": x}, {"s": np.float32([1, 1, 1.5, 2])})
    case("Upsample 9 computed", 9, node("Upsample", "x s", mode="linear"), {"x": x, "s": np.float32([1, 1, 2, 2])})
    for mode in ("nearest", "linear"):
        for name, scales in {"up": [1, 1, 2, 1.3], "down": [1, 1, 0.6, 0.5], "up and down": [1, 1, 2, 0.7]}.items():
            case(f"Resize 10 {mode} {name}", 10, node("Resize", "x s", mode=mode), {"x": x}, {"s": np.float32(scales)})
    case("Resize 11", 11, node("Resize", "x r s", mode="linear", coordinate_transformation_mode="align_corners"), {"x": x},
         {"r": np.float32([]), "s": np.float32([1, 1, 2, 2])})
    case("Resize 11 to sizes", 11, node("Resize", "x r e s", mode="linear"), {"x": x},
         {"r": np.float32([]), "e": np.float32([]), "s": ints(1, 2, 5, 6)})
    case("Resize 11 as TensorFlow", 11, node("Resize", "x r s", coordinate_transformation_mode="tf_half_pixel_for_nn", nearest_mode="floor"),
         {"x": x}, {"r": np.float32([]), "s": np.float32([1, 1, 1.7, 0.6])})
    case("Resize 13 to sizes", 13, node("Resize", "x _ _ s", mode="cubic"), {"x": x}, {"s": ints(1, 2, 5, 6)})
    regions = {"r": np.float32([[0, 0, 2, 2], [0.5, 0.25, 3, 2]]), "i": ints(0, 0)}
    case("RoiAlign 10", 10, node("RoiAlign", "x r i", output_height=2, output_width=2, sampling_ratio=2), {"x": x}, regions)
    grid = (rng.random((1, 2, 3, 2)) * 2 - 1).astype(np.float32)
    for mode in ("bilinear", "nearest", "bicubic"):
        case(f"GridSample 16 {mode}", 16, node("GridSample", "x g", mode=mode), {"x": x, "g": grid})
    case("GridSample 16 by default", 16, node("GridSample", "x g"), {"x": x, "g": grid})
    case("AveragePool 7", 7, node("AveragePool", "x", kernel_shape=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1), {"x": x})
    case("AveragePool 10 with ceil_mode", 10, node("AveragePool", "x", kernel_shape=[2, 2], strides=[2, 3], ceil_mode=1), {"x": x})
    case("MaxPool 8", 8, node("MaxPool", "x", "y i", kernel_shape=[2, 2]), {"x": x}, outputs=["y", "i"])
    case("Conv 1", 7, node("Conv", "x w", kernel_shape=[2, 2], auto_pad="SAME_LOWER"), {"x": x}, {"w": floats(2, 2, 2, 2)})
    case("ConvTranspose 1", 7, node("ConvTranspose", "x w", strides=[2, 2], output_shape=[7, 9]), {"x": x}, {"w": floats(2, 2, 2, 2)})
    case("DepthToSpace 1", 7, node("DepthToSpace", "x", blocksize=2), {"x": floats(1, 4, 2, 2)})


def others():
    data, updates = floats(3, 4), floats(2, 4)
    index = np.array([[0, 1, 2, 0], [2, 0, 1, 1]], np.int64)
    case("Scatter 9", 9, node("Scatter", "d i u", axis=0), {"d": data}, {"i": index, "u": updates})
    case("OneHot 9", 9, node("OneHot", "i d v"), {"i": ints(0, 2, 1)}, {"d": ints(3), "v": np.float32([0, 1])})
    case("Gather 1", 7, node("Gather", "x i", axis=1), {"x": data}, {"i": ints(2, 0)})
    case("ArgMax 7", 7, node("ArgMax", "x", axis=1, keepdims=0), {"x": data})
    case("QuantizeLinear 10", 10, node("QuantizeLinear", "x s z"), {"x": data}, {"s": np.float32(0.05), "z": np.uint8(128)})
    case("DequantizeLinear 10", 10, node("DequantizeLinear", "x s"), {"x": np.arange(-4, 4, dtype=np.int8)}, {"s": np.float32(0.1)})
    case("LSTM 7", 7, node("LSTM", "x w r", "y h c", hidden_size=3), {"x": floats(3, 2, 2)},
         {"w": floats(1, 12, 2), "r": floats(1, 12, 3)}, outputs=["y", "h", "c"])
    case("NonMaxSuppression 10", 10, node("NonMaxSuppression", "b s m i t"), {"b": np.float32([[[0, 0, 1, 1], [0, 0.1, 1, 1.1], [2, 2, 3, 3]]])},
         {"s": np.float32([[[0.9, 0.8, 0.7]]]), "m": ints(2), "i": np.float32([0.5]), "t": np.float32([0])})


def control_flow():
    x = floats(2, 4)
    value = lambda name, type=TensorProto.FLOAT, shape=None: helper.make_tensor_value_info(name, type, shape)
    yes = helper.make_graph([node("Unsqueeze", "x", "a", axes=[0])], "yes", [], [value("a")])
    no = helper.make_graph(
        [node("Softmax", "x", "s", axis=0), node("Unsqueeze", "s", "b", axes=[0])], "no", [], [value("b")]
    )
    for flag in (True, False):
        case(f"If 9, {flag}", 9, node("If", "c", then_branch=yes, else_branch=no), {"c": np.array(flag), "x": x})
    body = helper.make_graph(
        [
            node("Clip", "state", "clipped", min=-1.0, max=1.0),
            node("Identity", "going", "going_out"),
            node("Add", "clipped x", "next"),
            node("Split", "next", "left right", axis=1),
        ],
        "body",
        [value("i", TensorProto.INT64, []), value("going", TensorProto.BOOL, []), value("state", shape=[2, 4])],
        [value("going_out", TensorProto.BOOL, []), value("next", shape=[2, 4]), value("left", shape=[2, 2])],
    )
    case("Loop 9", 9, node("Loop", "n c x", "last all", body=body), {"x": x}, {"n": ints(3)[0], "c": np.array(True)}, outputs=["last", "all"])
    body = helper.make_graph(
        [node("Add", "sum item", "sum_out"), node("Unsqueeze", "sum_out", "row", axes=[0])],
        "body",
        [value("sum", shape=[2]), value("item", shape=[2])],
        [value("sum_out", shape=[2]), value("row", shape=[1, 2])],
    )
    case("Scan 8", 8, node("Scan", "_ s x", "last all", body=body, num_scan_inputs=1),
         {"s": floats(3, 2), "x": floats(3, 4, 2)}, outputs=["last", "all"])
    case("Scan 8 backwards", 8, node("Scan", "_ s x", "last all", body=body, num_scan_inputs=1, directions=[1]),
         {"s": floats(3, 2), "x": floats(3, 4, 2)}, outputs=["last", "all"])
    case("Scan 9", 9, node("Scan", "s x", "last all", body=body, num_scan_inputs=1),
         {"s": floats(2), "x": floats(4, 2)}, outputs=["last", "all"])
    function = helper.make_function(
        "local", "scaled", ["x"], ["y"],
        [node("Unsqueeze", "x", "u", axes=[0]), node("Softmax", "u", "s", axis=1), node("ReduceSum", "s", "t", axes=[1]), node("Add", "s t", "y")],
        [helper.make_opsetid("", 11)],
    )
    case("a function at opset 11", 11, helper.make_node("scaled", ["x"], ["y"], domain="local"), {"x": x},
         functions=[function], domains=["local"])


def experimental():
    x = floats(1, 2, 4, 5)
    case("Affine", 7, node("Affine", "x", alpha=0.5, beta=1.25), {"x": x})
    case("Scale", 8, node("Scale", "x", scale=0.3), {"x": x})
    case("ImageScaler", 7, node("ImageScaler", "x", scale=0.5, bias=[1.0, -1.0]), {"x": x})
    case("ParametricSoftplus", 7, node("ParametricSoftplus", "x", alpha=0.5, beta=2.0), {"x": x})
    case("ScaledTanh", 9, node("ScaledTanh", "x", alpha=0.5, beta=2.0), {"x": x})
    case("Crop", 7, node("Crop", "x", border=[1, 0, 2, 1]), {"x": x})
    case("Crop to a size", 7, node("Crop", "x", border=[1, 1, 0, 0], scale=[2, 3]), {"x": x})
    case("DynamicSlice", 9, node("DynamicSlice", "x s e a"), {"x": x}, {"s": ints(1), "e": ints(3), "a": ints(2)})
    case("ThresholdedRelu", 7, node("ThresholdedRelu", "x", alpha=0.5), {"x": x})
    fill = np.float32([[1, 2], [3, 4]])
    case("GivenTensorFill", 7, [node("GivenTensorFill", "", "f", values=fill.ravel().tolist(), shape=[2, 2]), node("Add", "f x")],
         {"x": fill}, expected={"y": fill + fill})
    case("ConstantFill", 7, [node("ConstantFill", "", "f", value=1.5, shape=[2, 2]), node("Add", "f x")], {"x": fill}, expected={"y": fill + np.float32(1.5)})
    case("ConstantFill like an input", 7, [node("ConstantFill", "x", "f", value=1.5), node("Add", "f x")], {"x": fill}, expected={"y": fill + np.float32(1.5)})


if __name__ == "__main__":
    for group in (inputs_from_attributes, softmax, broadcasting, first_opsets, normalization, resampling, others, control_flow, experimental):
        group()
    target = pathlib.Path(__file__).parent / "cases.json"
    target.write_text("[\n" + ",\n".join(json.dumps(entry) for entry in cases) + "\n]\n")
    print(len(cases), "cases,", target.stat().st_size, "bytes")
