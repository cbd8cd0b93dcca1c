"""Makes fused.json: gradients of attention and of com.microsoft's fused operators, against torch's plain forms.

The values are held against ONNX Runtime's own operators here.
Run: python test/core/autodiff/goldens/fused.py   (onnx 1.23.1, onnxruntime 1.30, torch 2.13, numpy)
"""
import base64
import pathlib

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from cases import Cases, node, positive, randn

cases = Cases(pathlib.Path(__file__).parent / "fused.json")
N, T, HEADS, SIZE = 2, 3, 2, 4
WIDTH = HEADS * SIZE
TYPES = {1: np.float32, 6: np.int32, 7: np.int64, 9: bool}
unpack = lambda v: np.frombuffer(base64.b64decode(v["data"]), TYPES[v["type"]]).reshape(v["dims"])


def check(case):
    session = onnxruntime.InferenceSession(base64.b64decode(case["model"]))
    value = session.run([case["output"]], {k.name: unpack(case["inputs"][k.name]) for k in session.get_inputs()})[0]
    assert np.abs(value - unpack(case["value"])).max() < 1e-5, (case["name"], np.abs(value - unpack(case["value"])).max())


def fused(name, op, inputs, function, constants=None, parameters=None, names=None, outputs=("y",), domain="com.microsoft", opset=20, tail=(), output="y", batch=("x",), **attributes):
    names = names or [*inputs, *(parameters or {})]
    cases.add(name, [node(op, names, list(outputs), domain=domain, **attributes), *tail], inputs, function, constants, parameters=parameters, opset=opset, output=output, batch=[k for k in batch if k in inputs], domains=[domain] if domain else [])
    check(cases.cases[-1])


heads = lambda v, n=HEADS: v.reshape(v.shape[0], v.shape[1], n, -1).transpose(1, 2)
joined = lambda v: v.transpose(1, 2).flatten(2)


def attend(q, k, v, bias=None, scale=None, causal=None, cap=0):
    scores = q @ k.transpose(-1, -2) * (scale or q.shape[-1] ** -0.5)
    if cap:
        scores = cap * torch.tanh(scores / cap)
    if bias is not None:
        scores = scores + bias
    if causal is not None:
        scores = scores + torch.full(scores.shape[-2:], -1e9).triu(1 + causal).to(scores.dtype)
    return scores.softmax(-1) @ v


x3 = lambda t=T, w=WIDTH: randn(N, t, w)
qkv = {"x": x3(), "k": x3(5), "v": x3(5)}
four = {"x": randn(N, 4, T, SIZE), "k": randn(N, 2, T, SIZE), "v": randn(N, 2, T, SIZE)}
lens = {"domain": "", "opset": 23, "batch": ("x", "k", "v")}
flat = {"q_num_heads": HEADS, "kv_num_heads": HEADS}
fused("Attention", "Attention", qkv, lambda x, k, v: joined(attend(heads(x), heads(k), heads(v))), **lens, **flat)
fused("Attention with a scale, causal", "Attention", {"x": x3(), "k": x3(), "v": x3()}, lambda x, k, v: joined(attend(heads(x), heads(k), heads(v), None, 0.3, 0)), scale=0.3, is_causal=1, **lens, **flat)
grouped = lambda k: k.repeat_interleave(2, 1)
fused("Attention of grouped heads", "Attention", four, lambda x, k, v: attend(x, grouped(k), grouped(v)), **lens)
fused("Attention with a float mask", "Attention", {**qkv, "m": randn(T, 5)}, lambda x, k, v, m: joined(attend(heads(x), heads(k), heads(v), m)), **lens, **flat)
seen = np.array([[True, False, True, True, False], [True] * 5, [False, True, True, True, True]])
fused("Attention with a bool mask", "Attention", {**qkv, "m": seen}, lambda x, k, v, m: joined(attend(heads(x), heads(k), heads(v), torch.where(m, 0.0, -1e9).to(x))), **lens, **flat)
fused("Attention with a soft cap", "Attention", qkv, lambda x, k, v: joined(attend(heads(x), heads(k), heads(v), cap=0.8)), softcap=0.8, **lens, **flat)
fused("Attention with a past", "Attention", {"x": x3(2), "k": x3(2), "v": x3(2), "pk": randn(N, HEADS, T, SIZE), "pv": randn(N, HEADS, T, SIZE)}, lambda x, k, v, pk, pv: joined(attend(heads(x), torch.cat([pk, heads(k)], 2), torch.cat([pv, heads(v)], 2), causal=T)), names=["x", "k", "v", "", "pk", "pv"], outputs=("y", "nk", "nv"), is_causal=1, **{**lens, "batch": ("x", "k", "v", "pk", "pv")}, **flat)

weights = {"w": randn(6, 3 * WIDTH), "b": randn(3 * WIDTH)}


def packed(x, w, b, bias=None, scale=None, causal=None):
    return joined(attend(*[heads(part) for part in (x @ w + b).chunk(3, -1)], bias, scale, causal))


x = {"x": x3(w=6)}
raw = np.array([[1, 1, 0], [1, 0, 1]], np.int32)
hidden = lambda m: torch.where(m == 0, -10000.0, 0.0)
fused("com.microsoft Attention", "Attention", x, packed, parameters=weights, num_heads=HEADS)
fused("com.microsoft Attention, unidirectional, with a scale", "Attention", x, lambda x, w, b: packed(x, w, b, None, 0.4, 0), parameters=weights, num_heads=HEADS, unidirectional=1, scale=0.4)
fused("com.microsoft Attention with a mask of keys", "Attention", {**x, "m": raw}, lambda x, m, w, b: packed(x, w, b, hidden(m)[:, None, None].to(x)), parameters=weights, names=["x", "w", "b", "m"], batch=("x", "m"), num_heads=HEADS)
fused("com.microsoft Attention with a mask of pairs", "Attention", {**x, "m": np.array([[[1, 0, 1], [1, 1, 0], [0, 1, 1]]] * 2, np.int32)}, lambda x, m, w, b: packed(x, w, b, hidden(m)[:, None].to(x)), parameters=weights, names=["x", "w", "b", "m"], batch=("x", "m"), num_heads=HEADS)
fused("com.microsoft Attention with lengths", "Attention", {**x, "m": np.array([2, 3], np.int32)}, lambda x, m, w, b: packed(x, w, b, torch.where(torch.arange(T) < m[:, None], 0.0, -10000.0)[:, None, None].to(x)), parameters=weights, names=["x", "w", "b", "m"], batch=("x", "m"), num_heads=HEADS)
fused("com.microsoft Attention with a bias of scores", "Attention", {**x, "s": randn(N, HEADS, T, T)}, lambda x, s, w, b: packed(x, w, b, s), parameters=weights, names=["x", "w", "b", "", "", "s"], batch=("x", "s"), num_heads=HEADS)
uneven = {"w": randn(6, 8 + 8 + 4), "b": randn(20)}
fused("com.microsoft Attention of sizes that differ", "Attention", x, lambda x, w, b: joined(attend(*[heads(p) for p in (x @ w + b).split([8, 8, 4], -1)])), parameters=uneven, num_heads=HEADS, qkv_hidden_sizes=[8, 8, 4])
mha = {"batch": ("x", "k", "v", "m"), "num_heads": HEADS}
fused("MultiHeadAttention", "MultiHeadAttention", qkv, lambda x, k, v: joined(attend(heads(x), heads(k), heads(v))), **mha)
fused("MultiHeadAttention with biases", "MultiHeadAttention", qkv, lambda x, k, v, b: joined(attend(*[heads(p + q) for p, q in zip((x, k, v), b.chunk(3))])), parameters={"b": randn(3 * WIDTH)}, **mha)
keys = np.array([[1, 1, 0, 1, 0], [1, 0, 1, 1, 1]], np.int32)
fused("MultiHeadAttention with masked keys", "MultiHeadAttention", {**qkv, "m": keys}, lambda x, k, v, m: joined(attend(heads(x), heads(k), heads(v), hidden(m)[:, None, None].to(x))), names=["x", "k", "v", "", "m"], **mha)
fused("MultiHeadAttention with a bias of scores, unidirectional", "MultiHeadAttention", {"x": x3(), "k": x3(), "v": x3(), "s": randn(1, HEADS, T, T)}, lambda x, k, v, s: joined(attend(heads(x), heads(k), heads(v), s, causal=0)), names=["x", "k", "v", "", "", "s"], unidirectional=1, **mha)

row = {"x": x3(w=5)}
for opset in (19, 20):
    fused(f"BiasGelu at opset {opset}", "BiasGelu", row, lambda x, b: F.gelu(x + b), parameters={"b": randn(5)}, opset=opset)
    fused(f"FastGelu at opset {opset}", "FastGelu", row, lambda x, b: F.gelu(x + b, approximate="tanh"), parameters={"b": randn(5)}, opset=opset)
fused("com.microsoft Gelu", "Gelu", row, lambda x: F.gelu(x))
fused("FastGelu without a bias", "FastGelu", row, lambda x: F.gelu(x, approximate="tanh"))
fused("QuickGelu", "QuickGelu", row, lambda x: x * torch.sigmoid(1.5 * x), alpha=1.5)
image, kernel = {"x": randn(2, 2, 4, 4)}, {"w": randn(3, 2, 3, 3), "b": randn(3)}
same = {"pads": [1] * 4, "kernel_shape": [3, 3]}
fused("FusedConv Relu", "FusedConv", image, lambda x, w, b: F.conv2d(x, w, b, padding=1).relu(), parameters=kernel, activation="Relu", **same)
fused("FusedConv LeakyRelu", "FusedConv", image, lambda x, w, b: F.leaky_relu(F.conv2d(x, w, b, padding=1), 0.2), parameters=kernel, activation="LeakyRelu", activation_params=[0.2], **same)
fused("FusedConv Clip", "FusedConv", image, lambda x, w, b: F.conv2d(x, w, b, padding=1).clamp(-1, 2), parameters=kernel, activation="Clip", activation_params=[-1.0, 2.0], **same)
fused("FusedConv HardSigmoid", "FusedConv", image, lambda x, w, b: (0.2 * F.conv2d(x, w, b, padding=1) + 0.4).clamp(0, 1), parameters=kernel, activation="HardSigmoid", activation_params=[0.2, 0.4], **same)
fused("FusedConv with a sum", "FusedConv", {**image, "z": randn(2, 3, 4, 4)}, lambda x, z, w, b: (F.conv2d(x, w, b, padding=1) + z).relu(), parameters=kernel, names=["x", "w", "b", "z"], batch=("x", "z"), activation="Relu", **same)
fused("FusedGemm", "FusedGemm", {"x": randn(3, 4)}, lambda x, w, b: F.leaky_relu(2 * x @ w.T + b, 0.3), parameters={"w": randn(5, 4), "b": randn(5)}, transB=1, alpha=2.0, activation="LeakyRelu", activation_alpha=0.3)
fused("FusedMatMul", "FusedMatMul", {"x": randn(2, 4, 3)}, lambda x, w: 0.5 * x.transpose(-1, -2) @ w.T, parameters={"w": randn(5, 4)}, transA=1, transB=1, alpha=0.5)
norm = {"g": randn(5), "t": randn(5)}
two = {**row, "s": x3(w=5)}
fused("SkipLayerNormalization", "SkipLayerNormalization", two, lambda x, s, g, t: F.layer_norm(x + s, (5,), g, t, 1e-5), parameters=norm, batch=("x", "s"), epsilon=1e-5)
add = node("Add", ["n", "sum"], ["y"])
fused("SkipLayerNormalization with a bias, whose sum is used", "SkipLayerNormalization", two, lambda x, s, g, t, c: F.layer_norm(x + s + c, (5,), g, t, 1e-5) + (x + s + c), parameters={**norm, "c": randn(5)}, outputs=("n", "", "", "sum"), tail=[add], batch=("x", "s"), epsilon=1e-5)
rms = lambda v, g: v * torch.rsqrt((v * v).mean(-1, True) + 1e-5) * g
fused("SkipSimplifiedLayerNormalization", "SkipSimplifiedLayerNormalization", two, lambda x, s, g: rms(x + s, g) + (x + s), parameters={"g": randn(5)}, outputs=("n", "", "", "sum"), tail=[add], batch=("x", "s"), epsilon=1e-5)
ids, kinds = np.array([[1, 0, 3], [3, 3, 2]], np.int32), np.array([[0, 1, 1], [0, 0, 1]], np.int32)
tables = {"words": randn(5, 5), "places": randn(6, 5), "kinds": randn(2, 5), **norm}
embedded = lambda i, s, words, places, kinds, g, t: F.layer_norm(words[i.long()] + places[:T] + kinds[s.long()], (5,), g, t, 1e-5)
fused("EmbedLayerNormalization", "EmbedLayerNormalization", {"i": ids, "s": kinds}, embedded, parameters=tables, names=["i", "s", *tables], outputs=("y", ""), batch=("i", "s"), epsilon=1e-5)
bare = {k: v for k, v in tables.items() if k != "kinds"}
fused("EmbedLayerNormalization without segments", "EmbedLayerNormalization", {"i": ids}, lambda i, words, places, g, t: F.layer_norm(words[i.long()] + places[:T], (5,), g, t, 1e-5), parameters=bare, names=["i", "", "words", "places", "", "g", "t"], outputs=("y", ""), batch=("i",), epsilon=1e-5)
cases.write()
