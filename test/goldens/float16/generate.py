"""Writes goldens.json: small models and what onnxruntime's float16 converter makes of them.

usage: python generate.py   (onnx 1.23.1, onnxruntime 1.30.0, numpy 2.4)

values: sha256 of convert_np_to_float16 and of ml_dtypes' bfloat16 over float32 bit patterns i * 2654435761.
models: per case the model, the converter's options, the float16 bytes of each tensor of its result, whether
that result loads in ONNX Runtime, and how often each op type occurs in it.
"""

import base64
import hashlib
import json
import pathlib
import warnings
from collections import Counter

import ml_dtypes
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper, parser
from onnxruntime.transformers.float16 import convert_float_to_float16, convert_np_to_float16

warnings.filterwarnings("ignore")
ort.set_default_logger_severity(4)
rng = np.random.default_rng(16)


def normal(*dims, std=0.5):
    return (rng.standard_normal(dims) * std).astype(np.float32)


def parsed(text, weights=None, opset=17, ir=8, domains=""):
    model = parser.parse_model(f'<ir_version: {ir}, opset_import: ["" : {opset}{domains}]>\n{text}')
    add_weights(model.graph, weights or {})
    return model


def add_weights(graph, weights):
    graph.initializer.extend(numpy_helper.from_array(a, n) for n, a in weights.items())


def as_constants(model):
    """Moves every initializer into a Constant node."""
    graph = model.graph
    nodes = [helper.make_node("Constant", [], [t.name], value=t) for t in graph.initializer] + list(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.node.extend(nodes)
    return model


MLP = "g (float[2,8] x) => (float[2,4] y) { h = Gemm(x, w1, b1) r = Relu(h) s = MatMul(r, w2) y = Softmax(s) }"


def mlp_weights():
    return {"w1": normal(8, 16), "b1": normal(16), "w2": normal(16, 4)}


def resize(opset):
    roi = ", r" if opset > 10 else ""
    return parsed(
        "g (float[1,2,4,4] x) => (float[1,3,8,8] y) { c = Conv <kernel_shape = [1,1]> (x, w)"
        f' y = Resize <mode = "nearest"> (c{roi}, s) }}',
        {"w": normal(3, 2, 1, 1), "s": np.float32([1, 1, 2, 2]), **({"r": np.zeros(0, np.float32)} if roi else {})},
        opset=opset,
    )


def branches():
    """If with weights of its own and of the outer graph in both branches, a blocked op in one."""
    model = parsed(
        """g (float[2,4] x, bool flag) => (float[2,4] y, float[2,4] z) {
          a = MatMul(x, outer)
          y = If (flag) <
            then_branch = t () => (float[2,4] p) { q = MatMul(a, inner) p = Max(q, x) },
            else_branch = e () => (float[2,4] u) { u = Add(a, bias) }
          >
          z = Mul(y, a)
        }""",
        {"outer": normal(4, 4), "bias": normal(4)},
    )
    add_weights(model.graph.node[1].attribute[0].g, {"inner": normal(4, 4)})
    return model


def loop():
    """The state is multiplied by a captured weight; each round's state is collected."""
    return parsed(
        """g (float[2,4] x) => (float[2,4] y, float[N,2,4] all) {
          trips = Constant <value = int64 {3}> ()
          yes = Constant <value = bool {1}> ()
          y, all = Loop (trips, yes, x) <
            body = b (int64 i, bool go, float[2,4] s) => (bool on, float[2,4] next, float[2,4] out) {
              on = Identity(go)
              m = MatMul(s, w)
              f = Cast <to = 1> (i)
              next = Add(m, f)
              out = Identity(next)
            }
          >
        }""",
        {"w": normal(4, 4)},
    )


def scan():
    return parsed(
        """g (float[3,4] xs, float[4] start) => (float[4] last, float[3,4] sums) {
          last, sums = Scan <num_scan_inputs = 1,
            body = b (float[4] s, float[4] x) => (float[4] n, float[4] o) {
              t = Mul(x, scale) n = Add(s, t) o = Identity(n)
            }> (start, xs)
        }""",
        {"scale": normal(4)},
    )


def inputs_with_default():
    """IR version 3: every initializer is an input too."""
    model = parsed(MLP, mlp_weights(), opset=9, ir=3)
    for t in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(t.name, t.data_type, t.dims))
    return model


def quantized(opset, scale_type="float"):
    return parsed(
        "g (float[2,8] x) => (float[2,4] y) { d = DequantizeLinear <axis = 1> (q, s) y = MatMul(x, d) }",
        {"q": rng.integers(-127, 127, (8, 4)).astype(np.int8), "s": np.abs(normal(4, std=0.02)) + np.float32(1e-3)},
        opset=opset,
    )


def four_bits():
    """MatMulNBits as the 4-bit quantizer makes it: two blocks of 32 rows, 32 columns, symmetric."""
    model = parsed(
        """g (float[2,64] x) => (float[2,32] y) {
          h = com.microsoft.MatMulNBits <K = 64, N = 32, bits = 4, block_size = 32> (x, q, s)
          y = Add(h, b)
        }""",
        {
            "q": rng.integers(0, 256, (32, 2, 16)).astype(np.uint8),
            "s": normal(64, std=0.02),
            "b": normal(32),
        },
        domains=', "com.microsoft" : 1',
    )
    return model


def gather_four_bits():
    return parsed(
        """g (int64[3] ids) => (float[3,32] y) {
          e = com.microsoft.GatherBlockQuantized <bits = 4, block_size = 16> (q, ids, s)
          y = Add(e, b)
        }""",
        {
            "q": rng.integers(0, 256, (10, 16)).astype(np.uint8),
            "s": normal(10, 2, std=0.02),
            "b": normal(32),
        },
        domains=', "com.microsoft" : 1',
    )


def sparse():
    model = parsed("g (float[2,8] x) => (float[2,4] y) { y = MatMul(x, w) }", opset=17)
    values = numpy_helper.from_array(normal(3), "w")
    indices = numpy_helper.from_array(np.int64([1, 9, 30]), "w_indices")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [8, 4]))
    return model


EXTREME = np.float32([1e-9, -1e-9, 5.9e-8, 6e-8, 65503, 65504, 65519, 65520, 1e30, -1e30, np.inf, -np.inf, np.nan, 0, -0.0, 1 / 3])

CASES = {
    "mlp": (parsed(MLP, mlp_weights()), {}),
    "mlp, io float32": (parsed(MLP, mlp_weights()), {"keep_io_types": True}),
    "mlp, one input float32": (parsed(MLP, mlp_weights()), {"keep_io_types": ["x"]}),
    "mlp, a node blocked": (
        parsed("g (float[2,8] x) => (float[2,4] y) { [first] h = Gemm(x, w1, b1) r = Relu(h) s = MatMul(r, w2) y = Softmax(s) }", mlp_weights()),
        {"node_block_list": ["first"]},
    ),
    "mlp, MatMul blocked": (parsed(MLP, mlp_weights()), {"op_block_list": ["MatMul"]}),
    "mlp, MatMul blocked, initializers forced": (parsed(MLP, mlp_weights()), {"op_block_list": ["MatMul"], "force_fp16_initializers": True}),
    "mlp, weights in Constant nodes": (as_constants(parsed(MLP, mlp_weights())), {}),
    "mlp, initializers are inputs": (inputs_with_default(), {"keep_io_types": True}),
    "a weight that blocked and other nodes read": (
        parsed("g (float[2,300] x) => (float[2,300] y) { m = Max(x, w) y = Mul(m, w) }", {"w": normal(300)}),
        {},
    ),
    "extreme values": (parsed("g (float[16] x) => (float[16] y) { y = Add(x, w) }", {"w": EXTREME}), {}),
    "extreme values, narrow bounds": (
        parsed("g (float[16] x) => (float[16] y) { y = Add(x, w) }", {"w": EXTREME}),
        {"min_positive_val": 1e-7, "max_finite_val": 1e4},
    ),
    "Resize of opset 10": (resize(10), {}),
    "Resize of opset 11": (resize(11), {}),
    "Resize of opset 19": (resize(19), {"keep_io_types": True}),
    "If with captures": (branches(), {}),
    "If with captures, io float32": (branches(), {"keep_io_types": True}),
    "If blocked": (branches(), {"op_block_list": ["If"]}),
    "Loop": (loop(), {}),
    "Loop, io float32": (loop(), {"keep_io_types": True}),
    "Scan": (scan(), {}),
    "types by attribute": (
        parsed(
            """g (float[3,3] x) => (float[3,3] y, float[3,3] e, float[3,3] r) {
              shape = Shape(x)
              zeros = ConstantOfShape(shape)
              ones = ConstantOfShape <value = float[1] {1.0}> (shape)
              eye = EyeLike(x)
              random = RandomUniformLike <low = 0.5, high = 0.5> (x)
              seven = RandomNormal <mean = 7.0, scale = 0.000001, shape = [3,3]> ()
              like = CastLike(shape3, x)
              a = Add(x, zeros)
              b = Add(a, ones)
              y = Add(b, like)
              e = Add(x, eye)
              n = Add(random, seven)
              r = Add(x, n)
            }""",
            {"shape3": np.int64([1, 2, 3])},
        ),
        {},
    ),
    "sizes and positions": (
        parsed(
            """g (float[N] x, int64[S] ids) => (float[S,4] angles, int64[1] half, float[N] y) {
              position = Cast <to = 1> (ids)
              axis = Constant <value = int64[1] {1}> ()
              column = Unsqueeze(position, axis)
              angle = Mul(column, frequency)
              angles = Cos(angle)
              shape = Shape(x)
              size = Cast <to = 1> (shape)
              halved = Div(size, two)
              down = Floor(halved)
              half = Cast <to = 7> (down)
              y = Mul(x, three)
            }""",
            {"frequency": np.float32([[1, 0.1, 0.01, 0.001]]), "two": np.float32([2]), "three": np.float32([3])},
        ),
        {"keep_io_types": True},
    ),
    "blocked operators in a row": (
        parsed(
            """g (float[2,6] x) => (float[2,3] v, int64[2,3] i, float[2,6] m) {
              a = Mul(x, w)
              k = Constant <value = int64[1] {3}> ()
              v, i = TopK(a, k)
              lo = Min(a, x)
              m = Max(lo, a)
            }""",
            {"w": normal(6)},
        ),
        {},
    ),
    "normalizations": (
        parsed(
            """g (float[2,4,5] x) => (float[2,4,5] y, float[2,4,1] mean) {
              c = BatchNormalization(x, s, b, m, v)
              n, mean = LayerNormalization(c, g, h)
              y = InstanceNormalization(n, s, b)
            }""",
            {"s": normal(4), "b": normal(4), "m": normal(4), "v": np.abs(normal(4)) + 1, "g": normal(5), "h": normal(5)},
        ),
        {"keep_io_types": True},
    ),
    "statistics beyond float16": (
        parsed(
            "g (float[1,2,3] x) => (float[1,2,3] y) { k = Mul(x, c) y = BatchNormalization(k, s, b, m, v) }",
            {"c": np.float32([5000]), "s": normal(2), "b": normal(2), "m": normal(2), "v": np.float32([2.5e7, 9e7])},
        ),
        {},
    ),
    "int8 weights, opset 13": (quantized(13), {}),
    "int8 weights, opset 19": (quantized(19), {}),
    "int8 weights, opset 23": (quantized(23), {}),
    "4-bit weights": (four_bits(), {}),
    "4-bit weights, io float32": (four_bits(), {"keep_io_types": True}),
    "4-bit embeddings": (gather_four_bits(), {}),
    "sequences": (
        parsed(
            """g (float[2,4] x) => (float[2,4] y) {
              a = Mul(x, w)
              s = SequenceConstruct(a, x)
              at = Constant <value = int64 {1}> ()
              e = SequenceAt(s, at)
              y = Add(e, a)
            }""",
            {"w": normal(4)},
        ),
        {},
    ),
    "a function": (
        parsed(
            """g (float[2,4] x) => (float[2,4] y) { a = Mul(x, w) b = local.twice(a) y = Add(b, x) }
            <domain: "local", opset_import: ["" : 17]> twice (t) => (u) { u = Add(t, t) }""",
            {"w": normal(4)},
            domains=', "local" : 1',
        ),
        {},
    ),
    "functions that expand": (
        parsed(
            """g (float[2,4,16] x) => (float[2,4,16] a, float[2,4,16] r, float[2,4,16] m) {
              a = Attention <q_num_heads = 2, kv_num_heads = 2> (x, x, x)
              r = RMSNormalization <axis = -1> (x, s)
              m = MeanVarianceNormalization <axes = [2]> (x)
            }""",
            {"s": normal(16)},
            opset=23,
            ir=10,
        ),
        {"keep_io_types": True},
    ),
    "scatter with a reduction": (
        parsed(
            """g (float[4,3] x) => (float[4,3] y, float[4,3] z) {
              a = Mul(x, w)
              y = ScatterND <reduction = "add"> (a, at, u)
              z = ScatterND (a, at, u)
            }""",
            {"w": normal(3), "at": np.int64([[1], [2]]), "u": normal(2, 3)},
            opset=18,
        ),
        {},
    ),
    "sparse weights": (sparse(), {}),
    "outputs that are weights and inputs": (
        parsed("g (float[2,4] x) => (float[2,4] y, float[2,4] x, float[4] w) { y = Mul(x, w) }", {"w": normal(4)}),
        {"keep_io_types": True},
    ),
    "the same type twice": (
        parsed(
            "g (float[2,4] x) => (float[2,4] y) { a = MatMul(x, w) b = Cast <to = 1> (a) c = Sin(b) d = CastLike(c, a) e = Where(z, d, b) y = Cast <to = 1> (e) }",
            {"w": normal(4, 4), "z": np.array([True, False, True, True])},
        ),
        {},
    ),
}


def tensors(graph):
    yield from ((t.name, t) for t in graph.initializer)
    yield from ((s.values.name, s.values) for s in graph.sparse_initializer)
    for node in graph.node:
        for a in node.attribute:
            if node.op_type == "Constant" and a.name == "value":
                yield node.output[0], a.t
            if a.type == onnx.AttributeProto.GRAPH:
                yield from tensors(a.g)


def op_types(graph):
    for node in graph.node:
        yield node.op_type
        for a in node.attribute:
            if a.type == onnx.AttributeProto.GRAPH:
                yield from op_types(a.g)


def converted(model, options):
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    with np.errstate(all="ignore"):
        result = convert_float_to_float16(copy, **options)
    try:
        ort.InferenceSession(result.SerializeToString(), providers=["CPUExecutionProvider"])
        loads = True
    except Exception:
        loads = False
    half = {
        name: base64.b64encode(numpy_helper.to_array(t).tobytes()).decode()
        for name, t in tensors(result.graph)
        if t.data_type == TensorProto.FLOAT16
    }
    return {"loads": loads, "half": half, "ops": dict(sorted(Counter(op_types(result.graph)).items()))}


def main():
    bits = (np.arange(200_001, dtype=np.uint64) * 2654435761 % 2**32).astype(np.uint32)
    # What becomes of a signalling NaN depends on numpy's build: only quiet ones are compared.
    bits[(bits & 0x7FFFFFFF) > 0x7F800000] |= 0x400000
    x = bits.view(np.float32)
    sha = lambda a: hashlib.sha256(a.tobytes()).hexdigest()
    with np.errstate(all="ignore"):
        finite = np.where(np.isfinite(x), x, np.float32(0))
        largest = float(ml_dtypes.finfo(ml_dtypes.bfloat16).max)
        bfloat = np.clip(finite, -largest, largest).astype(ml_dtypes.bfloat16)
        values = {
            "count": len(bits),
            "float16": sha(convert_np_to_float16(x)),
            "float16_1e-7_1e4": sha(convert_np_to_float16(x, 1e-7, 1e4)),
            "bfloat16_finite": sha(bfloat),
        }
    models = []
    for name, (model, options) in CASES.items():
        ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        data = base64.b64encode(model.SerializeToString()).decode()
        models.append({"name": name, "model": data, "options": options, "python": converted(model, options)})
        print(f"{name}: loads {models[-1]['python']['loads']}")
    path = pathlib.Path(__file__).with_name("goldens.json")
    path.write_text(json.dumps({"values": values, "models": models}, indent=1) + "\n")


if __name__ == "__main__":
    main()
