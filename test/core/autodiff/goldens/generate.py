"""Makes rules.json: gradients of element-wise ops, products, reductions, softmax and normalizations.

Run: python test/core/autodiff/goldens/generate.py   (onnx 1.23.1, torch 2.13, numpy)
"""
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from cases import Cases, node, positive, randn, rng, spread

cases = Cases(pathlib.Path(__file__).parent / "rules.json")
x = spread(3, 4)
UNARY = {
    "Relu": F.relu,
    "Sigmoid": torch.sigmoid,
    "Tanh": torch.tanh,
    "Erf": torch.erf,
    "Abs": torch.abs,
    "Exp": torch.exp,
    "Neg": torch.neg,
    "Softplus": F.softplus,
    "Softsign": F.softsign,
    "Mish": F.mish,
    "Selu": F.selu,
    "Elu": F.elu,
    "Celu": F.celu,
    "Gelu": F.gelu,
    "Sin": torch.sin,
    "Cos": torch.cos,
    "Tan": torch.tan,
    "Atan": torch.atan,
    "Sinh": torch.sinh,
    "Cosh": torch.cosh,
    "Asinh": torch.asinh,
    "Identity": lambda x: x,
    "LeakyRelu": F.leaky_relu,
    "ThresholdedRelu": lambda x: torch.where(x > 1, x, 0),
}
for op, function in UNARY.items():
    values = spread(3, 4) * (3 if op in ("ThresholdedRelu", "Mish", "Elu", "Celu", "Selu") else 1)
    cases.add(op, [node(op, ["x"], ["y"])], {"x": values}, lambda x, f=function: f(x), batch=["x"])
for op, function in {"Sqrt": torch.sqrt, "Log": torch.log, "Reciprocal": torch.reciprocal}.items():
    cases.add(op, [node(op, ["x"], ["y"])], {"x": positive(3, 4)}, lambda x, f=function: f(x), batch=["x"])
for op, function in {"Asin": torch.asin, "Acos": torch.acos, "Atanh": torch.atanh}.items():
    cases.add(op, [node(op, ["x"], ["y"])], {"x": spread(3, 4)}, lambda x, f=function: f(x))
cases.add("Acosh", [node("Acosh", ["x"], ["y"])], {"x": positive(3, 4) + 1}, torch.acosh and (lambda x: torch.acosh(x)))
cases.add("HardSwish", [node("HardSwish", ["x"], ["y"])], {"x": spread(4, 20)}, lambda x: F.hardswish(x))
cases.add("HardSigmoid of PyTorch", [node("HardSigmoid", ["x"], ["y"], alpha=1 / 6)], {"x": spread(4, 20)}, lambda x: F.hardsigmoid(x))
cases.add("HardSigmoid with alpha and beta", [node("HardSigmoid", ["x"], ["y"], alpha=0.3, beta=0.4)], {"x": spread(4, 20)}, lambda x: (0.3 * x + 0.4).clamp(0, 1))
cases.add("LeakyRelu with alpha", [node("LeakyRelu", ["x"], ["y"], alpha=0.3)], {"x": x}, lambda x: F.leaky_relu(x, 0.3))
cases.add("Elu with alpha", [node("Elu", ["x"], ["y"], alpha=0.7)], {"x": x}, lambda x: F.elu(x, 0.7))
cases.add("Celu with alpha", [node("Celu", ["x"], ["y"], alpha=0.7)], {"x": x}, lambda x: F.celu(x, 0.7))
cases.add("Selu with alpha and gamma", [node("Selu", ["x"], ["y"], alpha=1.5, gamma=1.2)], {"x": x}, lambda x: 1.2 * torch.where(x > 0, x, 1.5 * (x.exp() - 1)))
cases.add("Gelu by tanh", [node("Gelu", ["x"], ["y"], approximate="tanh")], {"x": spread(4, 8)}, lambda x: F.gelu(x, approximate="tanh"))
cases.add("Gelu at large values", [node("Gelu", ["x"], ["y"])], {"x": spread(4, 8) * 5}, lambda x: F.gelu(x))
half, one, root = np.array(0.5, np.float32), np.array(1, np.float32), np.array(np.sqrt(2), np.float32)
PARTS = [node("Div", ["x", "root"], ["u"]), node("Erf", ["u"], ["e"]), node("Add", ["e", "one"], ["e1"])]
cases.add("Gelu by its parts, half last", [*PARTS, node("Mul", ["x", "e1"], ["p"]), node("Mul", ["p", "half"], ["y"])], {"x": spread(4, 8)}, lambda x: F.gelu(x), {"half": half, "one": one, "root": root}, batch=["x"])
cases.add("Gelu by its parts, half first", [node("Mul", ["half", "x"], ["h"]), *PARTS, node("Mul", ["h", "e1"], ["y"])], {"x": spread(4, 8)}, lambda x: F.gelu(x), {"half": half, "one": one, "root": root})
cases.add("Gelu by its parts, one of which is used elsewhere", [*PARTS, node("Mul", ["x", "e1"], ["p"]), node("Mul", ["p", "half"], ["q"]), node("Add", ["q", "e1"], ["y"])], {"x": spread(4, 8)}, lambda x: F.gelu(x) + 1 + torch.erf(x / 2**0.5), {"half": half, "one": one, "root": root})
cases.add("Erf that is no Gelu", [*PARTS, node("Mul", ["x", "e1"], ["p"]), node("Mul", ["p", "half"], ["y"])], {"x": spread(4, 8)}, lambda x: 0.7 * x * (1 + torch.erf(x / 2**0.5)), {"half": np.array(0.7, np.float32), "one": one, "root": root})
cases.add("PRelu per channel", [node("PRelu", ["x", "s"], ["y"])], {"x": spread(2, 3, 2, 2), "s": randn(3, 1, 1)}, lambda x, s: torch.where(x > 0, x, x * s), batch=["x"])
cases.add("PRelu with one slope", [node("PRelu", ["x", "s"], ["y"])], {"x": spread(2, 3), "s": randn(1)}, lambda x, s: torch.where(x > 0, x, x * s))
cases.add("x times Sigmoid", [node("Sigmoid", ["x"], ["s"]), node("Mul", ["x", "s"], ["y"])], {"x": x}, lambda x: F.silu(x))
for op in ("Sign", "Floor", "Ceil", "Round"):
    cases.add(f"{op} stops the gradient", [node(op, ["x"], ["z"]), node("Mul", ["z", "x"], ["y"])], {"x": spread(3, 4)}, lambda x, op=op: getattr(torch, op.lower())(x).detach() * x)

for op, function in {"Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Div": torch.div}.items():
    f = lambda a, b, f=function: f(a, b)
    cases.add(f"{op} of equal shapes", [node(op, ["a", "b"], ["y"])], {"a": randn(2, 3), "b": positive(2, 3)}, f, batch=["a", "b"])
    cases.add(f"{op} broadcasting both ways", [node(op, ["a", "b"], ["y"])], {"a": randn(4, 1, 3), "b": positive(2, 4, 5, 1)}, f)
    cases.add(f"{op} of a vector", [node(op, ["a", "b"], ["y"])], {"a": randn(2, 3, 4), "b": positive(4)}, f, batch=["a"])
    cases.add(f"{op} of a vector on the left", [node(op, ["b", "a"], ["y"])], {"b": randn(4), "a": positive(2, 3, 4)}, lambda b, a, f=function: f(b, a), batch=["a"])
    cases.add(f"{op} of a scalar", [node(op, ["a", "b"], ["y"])], {"a": randn(2, 3), "b": np.array(1.7, np.float32)}, f, batch=["a"])
    cases.add(f"{op} along axes of size 1", [node(op, ["a", "b"], ["y"])], {"a": randn(2, 3, 4), "b": positive(1, 3, 1)}, f, batch=["a"])
    cases.add(f"{op} of an input of unknown size that is 1", [node(op, ["a", "b"], ["y"])], {"a": randn(1, 3), "b": positive(4, 3)}, f, batch=["a"])
cases.add("Mul of a value by itself", [node("Mul", ["x", "x"], ["y"])], {"x": x}, lambda x: x * x)
cases.add("A value used three times", [node("Mul", ["x", "x"], ["s"]), node("Exp", ["x"], ["e"]), node("Add", ["s", "e"], ["y"])], {"x": x}, lambda x: x * x + x.exp())
for exponent in (1.0, 2.0, 3.0, 0.5, -1.0, -1.5, 4.0):
    cases.add(f"Pow {exponent}", [node("Pow", ["x", "p"], ["y"])], {"x": positive(2, 3)}, lambda x, p=exponent: x**p, {"p": np.array(exponent, np.float32)}, batch=["x"])
cases.add("Pow of a negative base", [node("Pow", ["x", "p"], ["y"])], {"x": x}, lambda x: x**3, {"p": np.array([3.0], np.float32)})
cases.add("Pow of a tensor", [node("Pow", ["x", "p"], ["y"])], {"x": positive(2, 3), "p": randn(3)}, lambda x, p: x**p, batch=["x"])
cases.add("Pow of a zero base", [node("Pow", ["x", "p"], ["y"])], {"x": np.array([0.0, 1.5, 2.0], np.float32), "p": np.array([2.0, 2.5, 1.5], np.float32)}, lambda x, p: x**p)
cases.add("Pow with an integer exponent", [node("Pow", ["x", "p"], ["y"])], {"x": x}, lambda x: x**2, {"p": np.array(2, np.int64)})
cases.add("Sum", [node("Sum", ["a", "b", "c"], ["y"])], {"a": randn(2, 3), "b": randn(3), "c": randn(2, 1)}, lambda a, b, c: a + b + c)
cases.add("Mean", [node("Mean", ["a", "b", "c"], ["y"])], {"a": randn(2, 3), "b": randn(3), "c": randn(2, 1)}, lambda a, b, c: (a + b + c) / 3)
cases.add("Max", [node("Max", ["a", "b"], ["y"])], {"a": randn(4, 5), "b": randn(5)}, torch.maximum and (lambda a, b: torch.maximum(a, b)), batch=["a"])
cases.add("Min of three", [node("Min", ["a", "b", "c"], ["y"])], {"a": randn(4, 5), "b": randn(5), "c": randn(4, 1)}, lambda a, b, c: torch.minimum(torch.minimum(a, b), c))
cases.add("Max with ties", [node("Max", ["a", "b"], ["y"])], {"a": np.round(randn(4, 5)), "b": np.round(randn(4, 5))}, lambda a, b: torch.maximum(a, b))
cases.add("Max with a constant", [node("Max", ["a", "b"], ["y"])], {"a": spread(4, 5)}, lambda a: a.clamp_min(0.3), {"b": np.array(0.3, np.float32)})
cases.add("Clip", [node("Clip", ["x", "low", "high"], ["y"])], {"x": x}, lambda x: x.clamp(-0.3, 0.4), {"low": np.array(-0.3, np.float32), "high": np.array(0.4, np.float32)}, batch=["x"])
cases.add("Clip from above only", [node("Clip", ["x", "", "high"], ["y"])], {"x": x}, lambda x: x.clamp(max=0.4), {"high": np.array(0.4, np.float32)})
cases.add("Clip without bounds", [node("Clip", ["x"], ["y"])], {"x": x}, lambda x: x)
cases.add("Clip with bounds that have gradients", [node("Clip", ["x", "low", "high"], ["y"])], {"x": x, "low": np.array(-0.3, np.float32), "high": np.array(0.4, np.float32)}, lambda x, low, high: torch.clamp(x, low, high))
cases.add("Where", [node("Where", ["c", "a", "b"], ["y"])], {"c": x > 0, "a": randn(3, 4), "b": randn(2, 1, 4)}, lambda c, a, b: torch.where(c, a, b))
cases.add("Cast to float64 and back", [node("Cast", ["x"], ["d"], to=11), node("Exp", ["d"], ["e"]), node("Cast", ["e"], ["y"], to=1)], {"x": x}, lambda x: x.double().exp().to(x.dtype))
cases.add("Cast to int64 stops the gradient", [node("Cast", ["x"], ["i"], to=7), node("Cast", ["i"], ["f"], to=1), node("Mul", ["f", "x"], ["y"])], {"x": spread(4, 9) * 3}, lambda x: x.detach().trunc() * x)
cases.add("Dropout that is off", [node("Dropout", ["x", "r"], ["d"]), node("Exp", ["d"], ["y"])], {"x": x}, lambda x: x.exp(), {"r": np.array(0.5, np.float32)})

for shapes in ([(3, 4), (4, 5)], [(2, 3, 4), (4, 5)], [(2, 2, 3, 4), (4, 5)], [(2, 1, 3, 4), (6, 4, 5)], [(3, 4), (2, 4, 5)], [(4,), (4,)], [(4,), (4, 5)], [(3, 4), (4,)], [(2, 3, 4), (4,)], [(4,), (2, 4, 5)]):
    a, b = shapes
    cases.add(f"MatMul {list(a)} {list(b)}", [node("MatMul", ["a", "b"], ["y"])], {"a": randn(*a), "b": randn(*b)}, lambda a, b: a @ b, batch=["a"] if len(a) > 1 else [])
cases.add("MatMul [2,3,4] [2,4,5], both of unknown batch", [node("MatMul", ["a", "b"], ["y"])], {"a": randn(2, 3, 4), "b": randn(2, 4, 5)}, lambda a, b: a @ b, batch=["a", "b"])
for transA in (0, 1):
    for transB in (0, 1):
        a = randn(4, 3) if transA else randn(3, 4)
        b = randn(5, 4) if transB else randn(4, 5)
        f = lambda a, b, c=None, tA=transA, tB=transB: (a.T if tA else a) @ (b.T if tB else b)
        cases.add(f"Gemm transA {transA} transB {transB}", [node("Gemm", ["a", "b", "c"], ["y"], transA=transA, transB=transB)], {"a": a, "b": b, "c": randn(5)}, lambda a, b, c, f=f: f(a, b) + c, batch=[] if transA else ["a"])
        cases.add(f"Gemm transA {transA} transB {transB} with alpha and beta", [node("Gemm", ["a", "b", "c"], ["y"], transA=transA, transB=transB, alpha=0.5, beta=2.0)], {"a": a, "b": b, "c": randn(3, 1)}, lambda a, b, c, f=f: 0.5 * f(a, b) + 2 * c)
cases.add("Gemm without a bias", [node("Gemm", ["a", "b"], ["y"])], {"a": randn(3, 4), "b": randn(4, 5)}, lambda a, b: a @ b)
cases.add("Gemm with a scalar bias", [node("Gemm", ["a", "b", "c"], ["y"])], {"a": randn(3, 4), "b": randn(4, 5), "c": np.array(0.5, np.float32)}, lambda a, b, c: a @ b + c)

t = spread(2, 3, 4) + np.float32(0.013)
for axis in (-1, 0, 1):
    cases.add(f"Softmax {axis}", [node("Softmax", ["x"], ["y"], axis=axis)], {"x": t}, lambda x, a=axis: x.softmax(a), batch=["x"])
    cases.add(f"LogSoftmax {axis}", [node("LogSoftmax", ["x"], ["y"], axis=axis)], {"x": t}, lambda x, a=axis: x.log_softmax(a), batch=["x"])
cases.add("Softmax of a mask of -inf", [node("Add", ["x", "m"], ["z"]), node("Softmax", ["z"], ["y"])], {"x": randn(3, 3)}, lambda x: (x + torch.full((3, 3), -torch.inf).triu(1).to(x.dtype)).softmax(-1), {"m": np.triu(np.full((3, 3), -np.inf, np.float32), 1)})

REDUCTIONS = {
    "ReduceSum": lambda x, a, k: x.sum(a, k),
    "ReduceMean": lambda x, a, k: x.mean(a, k),
    "ReduceMax": lambda x, a, k: x.amax(a, k),
    "ReduceMin": lambda x, a, k: x.amin(a, k),
    "ReduceL1": lambda x, a, k: x.abs().sum(a, k),
    "ReduceL2": lambda x, a, k: (x * x).sum(a, k).sqrt(),
    "ReduceSumSquare": lambda x, a, k: (x * x).sum(a, k),
    "ReduceLogSumExp": lambda x, a, k: torch.logsumexp(x, a, k),
}
for op, f in REDUCTIONS.items():
    for axes, keep in (((1,), 1), ((0, -1), 0), ((-2,), 0)):
        cases.add(f"{op} of {list(axes)}, keepdims {keep}", [node(op, ["x", "axes"], ["y"], keepdims=keep)], {"x": t}, lambda x, f=f, a=axes, k=keep: f(x, a, bool(k)), {"axes": np.array(axes)}, batch=["x"])
    cases.add(f"{op} of all axes", [node(op, ["x"], ["y"], keepdims=0)], {"x": t}, lambda x, f=f: f(x, (0, 1, 2), False), batch=["x"])
cases.add("ReduceLogSum", [node("ReduceLogSum", ["x", "axes"], ["y"])], {"x": positive(2, 3)}, lambda x: x.sum(1, True).log(), {"axes": np.array([1])})
cases.add("ReduceProd", [node("ReduceProd", ["x", "axes"], ["y"], keepdims=0)], {"x": positive(2, 3)}, lambda x: x.prod(1), {"axes": np.array([1])}, batch=["x"])
cases.add("ReduceProd with zeros", [node("ReduceProd", ["x", "axes"], ["y"])], {"x": np.array([[2, 0, 3], [0, 0, 1.5], [1, 2, 4]], np.float32)}, lambda x: x.prod(1, True), {"axes": np.array([1])})
cases.add("ReduceMax with ties", [node("ReduceMax", ["x", "axes"], ["y"])], {"x": np.round(randn(4, 6))}, lambda x: x.amax(1, True), {"axes": np.array([1])})
cases.add("ReduceL2 of zeros", [node("ReduceL2", ["x", "axes"], ["y"])], {"x": np.array([[0, 0], [3, 4]], np.float32)}, lambda x: x.norm(dim=1, keepdim=True), {"axes": np.array([1])})
cases.add("ReduceMean by the attribute of opset 17", [node("ReduceMean", ["x"], ["y"], axes=[1], keepdims=0)], {"x": t}, lambda x: x.mean(1), opset=17, batch=["x"])

for axes, shape in (((-1,), (2, 3, 8)), ((1,), (2, 3, 4))):
    dims = shape[axes[0]:]
    cases.add(f"LayerNormalization from axis {axes[0]}", [node("LayerNormalization", ["x", "w", "b"], ["y"], axis=axes[0], epsilon=1e-5)], {"x": randn(*shape), "w": randn(*dims), "b": randn(*dims)}, lambda x, w, b, d=dims: F.layer_norm(x, d, w, b), batch=["x"])
cases.add("LayerNormalization without a bias", [node("LayerNormalization", ["x", "w"], ["y"])], {"x": randn(2, 3, 8), "w": randn(8)}, lambda x, w: F.layer_norm(x, (8,), w), batch=["x"])
cases.add("LayerNormalization far from 0", [node("LayerNormalization", ["x", "w", "b"], ["y"])], {"x": randn(4, 16) + 30, "w": randn(16), "b": randn(16)}, lambda x, w, b: F.layer_norm(x, (16,), w, b))
cases.add("LayerNormalization by its parts", [
    node("ReduceMean", ["x", "axes"], ["m"]), node("Sub", ["x", "m"], ["c"]), node("Pow", ["c", "two"], ["s"]), node("ReduceMean", ["s", "axes"], ["v"]),
    node("Add", ["v", "e"], ["ve"]), node("Sqrt", ["ve"], ["d"]), node("Div", ["c", "d"], ["n"]), node("Mul", ["n", "w"], ["nw"]), node("Add", ["nw", "b"], ["y"])],
    {"x": randn(2, 3, 8), "w": randn(8), "b": randn(8)}, lambda x, w, b: F.layer_norm(x, (8,), w, b), {"axes": np.array([-1]), "two": np.array(2, np.float32), "e": np.array(1e-5, np.float32)}, batch=["x"])
cases.add("RMSNormalization by its parts", [
    node("Pow", ["x", "two"], ["s"]), node("ReduceMean", ["s", "axes"], ["v"]), node("Add", ["v", "e"], ["ve"]), node("Sqrt", ["ve"], ["d"]), node("Reciprocal", ["d"], ["r"]),
    node("Mul", ["x", "r"], ["n"]), node("Mul", ["w", "n"], ["y"])],
    {"x": randn(2, 3, 8), "w": randn(8)}, lambda x, w: F.rms_norm(x, (8,), w, 1e-5), {"axes": np.array([-1]), "two": np.array(2, np.float32), "e": np.array(1e-5, np.float32)}, batch=["x"])
for shape in ((2, 3, 4), (2, 3, 4, 3), (2, 3, 2, 3, 2)):
    cases.add(f"InstanceNormalization of rank {len(shape)}", [node("InstanceNormalization", ["x", "w", "b"], ["y"], epsilon=1e-4)], {"x": randn(*shape), "w": randn(3), "b": randn(3)}, lambda x, w, b: F.instance_norm(x, weight=w, bias=b, eps=1e-4), batch=["x"])
cases.add("GroupNormalization", [node("GroupNormalization", ["x", "w", "b"], ["y"], num_groups=2)], {"x": randn(2, 4, 3, 2), "w": randn(4), "b": randn(4)}, lambda x, w, b: F.group_norm(x, 2, w, b), batch=["x"], opset=21)
cases.add("RMSNormalization", [node("RMSNormalization", ["x", "w"], ["y"], axis=-1, epsilon=1e-4)], {"x": randn(2, 3, 8), "w": randn(8)}, lambda x, w: F.rms_norm(x, (8,), w, 1e-4), batch=["x"], opset=23)
for p in (1, 2):
    cases.add(f"LpNormalization, p {p}", [node("LpNormalization", ["x"], ["y"], axis=1, p=p)], {"x": randn(3, 4)}, lambda x, p=p: F.normalize(x, p, 1), batch=["x"])
cases.add("MeanVarianceNormalization", [node("MeanVarianceNormalization", ["x"], ["y"])], {"x": randn(2, 3, 2, 2)}, lambda x: (x - x.mean((0, 2, 3), True)) / x.std((0, 2, 3), correction=0, keepdim=True), batch=["x"])
for size in (3, 4):
    cases.add(f"LRN of {size} channels", [node("LRN", ["x"], ["y"], size=size, alpha=0.5, beta=0.7, bias=1.5)], {"x": randn(2, 5, 2, 2)}, (lambda x: F.local_response_norm(x, 3, 0.5, 0.7, 1.5)) if size == 3 else (lambda x: x / (1.5 + 0.5 / 4 * sum(F.pad(x * x, (0, 0, 0, 0, 1, 2))[:, i : i + 5] for i in range(4))) ** 0.7), batch=["x"])
cases.add("Shrink", [node("Shrink", ["x"], ["y"], lambd=0.3, bias=0.3)], {"x": spread(3, 4)}, lambda x: F.softshrink(x, 0.3))
labels = np.array([2, 0, 3, 1])
scores, places = randn(4, 4), rng.integers(0, 4, (4, 3))
weights = np.array([1, 2, 0.5, 3], np.float32)
for reduction in ("mean", "sum", "none"):
    cases.add(f"SoftmaxCrossEntropyLoss, {reduction}", [node("SoftmaxCrossEntropyLoss", ["x", "l"], ["y"], reduction=reduction)], {"x": scores, "l": labels}, lambda x, l, r=reduction: F.cross_entropy(x, l, reduction=r), batch=["x", "l"])
    cases.add(f"SoftmaxCrossEntropyLoss with weights and an index to ignore, {reduction}", [node("SoftmaxCrossEntropyLoss", ["x", "l", "w"], ["y"], reduction=reduction, ignore_index=3)], {"x": randn(4, 4, 3), "l": places}, lambda x, l, r=reduction: F.cross_entropy(x, l, torch.tensor(weights).to(x.dtype), reduction=r, ignore_index=3), {"w": weights})
cases.add("NegativeLogLikelihoodLoss", [node("LogSoftmax", ["x"], ["p"], axis=1), node("NegativeLogLikelihoodLoss", ["p", "l"], ["y"])], {"x": scores, "l": labels}, lambda x, l: F.nll_loss(x.log_softmax(1), l), batch=["x", "l"])
mean, variance = randn(3), positive(3)
stats = {"mean": mean, "variance": variance}
T = lambda v, like: torch.tensor(v).to(like.dtype)
for shape in ((5, 3), (4, 3, 5), (3, 3, 4, 3), (2, 3, 2, 3, 2)):
    inputs = lambda: {"x": randn(*shape), "w": positive(3), "b": randn(3)}
    cases.add(f"BatchNormalization frozen, rank {len(shape)}", [node("BatchNormalization", ["x", "w", "b", "mean", "variance"], ["y"])], inputs(), lambda x, w, b: F.batch_norm(x, T(mean, x), T(variance, x), w, b, False), stats, batch=["x"])
    cases.add(f"BatchNormalization training, rank {len(shape)}", [node("BatchNormalization", ["x", "w", "b", "mean", "variance"], ["y", "nm", "nv"], training_mode=1)], inputs(), lambda x, w, b: F.batch_norm(x, T(mean, x), T(variance, x), w, b, True), stats, batch=["x"])
cases.add("BatchNormalization training, only its input", [node("BatchNormalization", ["x", "w", "b", "mean", "variance"], ["y", "nm", "nv"], training_mode=1)], {"x": randn(4, 3, 2)}, lambda x: F.batch_norm(x, None, None, torch.ones(3).to(x) * 1.5, torch.zeros(3).to(x), True), {**stats, "w": np.full(3, 1.5, np.float32), "b": np.zeros(3, np.float32)})

scale = np.array(0.05, np.float32)
QDQ = [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["d"]), node("Mul", ["d", "v"], ["y"])]
cases.add("QuantizeLinear and DequantizeLinear, straight through", QDQ, {"x": randn(5, 30) * 4, "v": randn(5, 30)}, lambda x, v: torch.fake_quantize_per_tensor_affine(x.float(), 0.05, 3, -128, 127).to(x.dtype) * v, {"s": scale, "z": np.array(3, np.int8)}, batch=["x", "v"])
cases.add("QuantizeLinear to uint8", QDQ, {"x": randn(4, 20) * 2, "v": randn(4, 20)}, lambda x, v: torch.fake_quantize_per_tensor_affine(x.float(), 0.02, 120, 0, 255).to(x.dtype) * v, {"s": np.array(0.02, np.float32), "z": np.array(120, np.uint8)})
scales = np.array([0.01, 0.03, 0.002], np.float32)
PER_AXIS = [node("QuantizeLinear", ["x", "s", "z"], ["q"], axis=1), node("DequantizeLinear", ["q", "s", "z"], ["d"], axis=1), node("Mul", ["d", "v"], ["y"])]
cases.add("QuantizeLinear per channel", PER_AXIS, {"x": randn(4, 3, 5), "v": randn(4, 3, 5)}, lambda x, v: torch.fake_quantize_per_channel_affine(x.float(), torch.tensor(scales), torch.zeros(3, dtype=torch.int32), 1, -128, 127).to(x.dtype) * v, {"s": scales, "z": np.zeros(3, np.int8)})
cases.write()
