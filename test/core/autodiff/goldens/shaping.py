"""Makes shaping.json: gradients of ops that reshape, join, cut, pad, pick and place elements, and of Einsum.

Run: python test/core/autodiff/goldens/shaping.py   (onnx 1.23.1, torch 2.13, numpy)
"""
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from cases import Cases, node, positive, randn, spread

cases = Cases(pathlib.Path(__file__).parent / "shaping.json")
ints = lambda *values: np.array(values, np.int64)
x = randn(2, 3, 4)


def add(name, op, function, constants=None, inputs=None, outputs=("y",), batch=("x",), **attributes):
    inputs = inputs or {"x": x}
    names = [*inputs, *(constants or {})]
    cases.add(name, [node(op, names, list(outputs), **attributes)], inputs, function, constants, batch=batch)


add("Reshape", "Reshape", lambda x: x.reshape(2, 12), {"s": ints(0, -1)})
add("Reshape to one axis", "Reshape", lambda x: x.reshape(-1), {"s": ints(-1)})
add("Reshape that moves the first axis", "Reshape", lambda x: x.reshape(3, -1), {"s": ints(3, -1)})
add("Flatten", "Flatten", lambda x: x.flatten(1))
add("Flatten 2", "Flatten", lambda x: x.reshape(6, 4), axis=2)
add("Flatten 0", "Flatten", lambda x: x.reshape(1, -1), axis=0)
add("Squeeze", "Squeeze", lambda x: x.squeeze(1), {"a": ints(1)}, {"x": randn(2, 1, 3)})
add("Squeeze of all", "Squeeze", lambda x: x.squeeze(), None, {"x": randn(2, 1, 3, 1)}, batch=())
add("Unsqueeze", "Unsqueeze", lambda x: x[:, None, ..., None], {"a": ints(1, -1)})
add("Transpose", "Transpose", lambda x: x.permute(2, 0, 1), perm=[2, 0, 1])
add("Transpose without perm", "Transpose", lambda x: x.permute(2, 1, 0))
add("Expand", "Expand", lambda x: x.expand(5, 2, 3, 4), {"s": ints(5, 1, 3, 4)}, {"x": randn(2, 1, 4)})
add("Expand to the same shape", "Expand", lambda x: x + 0, {"s": ints(1, 1, 1)})
add("Tile", "Tile", lambda x: x.repeat(1, 2, 3), {"r": ints(1, 2, 3)})
add("Tile of the first axis", "Tile", lambda x: x.repeat(2, 1, 1), {"r": ints(2, 1, 1)})
z = randn(2, 12, 2, 3)
depth = lambda x: F.pixel_shuffle(x, 2)
add("DepthToSpace CRD", "DepthToSpace", depth, None, {"x": z}, mode="CRD", blocksize=2)
add("DepthToSpace DCR", "DepthToSpace", lambda x: x.reshape(-1, 2, 2, 3, 2, 3).permute(0, 3, 4, 1, 5, 2).reshape(-1, 3, 4, 6), None, {"x": z}, blocksize=2)
add("SpaceToDepth", "SpaceToDepth", lambda x: x.reshape(-1, 3, 2, 2, 3, 2).permute(0, 3, 5, 1, 2, 4).reshape(-1, 12, 2, 3), None, {"x": randn(2, 3, 4, 6)}, blocksize=2)
for upper in (0, 1):
    add(f"Trilu upper {upper}", "Trilu", lambda x, u=upper: x.triu() if u else x.tril(), upper=upper)
    add(f"Trilu upper {upper} by a diagonal", "Trilu", lambda x, u=upper: x.triu(-1) if u else x.tril(1), {"k": np.array(-1 if upper else 1, np.int64)}, upper=upper)

two = {"a": randn(2, 3, 4), "b": randn(2, 1, 4)}
cases.add("Concat", [node("Concat", ["a", "b"], ["y"], axis=1)], two, lambda a, b: torch.cat([a, b], 1), batch=["a", "b"])
cases.add("Concat -1 of three", [node("Concat", ["a", "a", "b"], ["y"], axis=-1)], {"a": randn(2, 3), "b": randn(2, 2)}, lambda a, b: torch.cat([a, a, b], -1), batch=["a", "b"])
cases.add("Concat with a constant", [node("Concat", ["k", "a"], ["y"], axis=0)], {"a": randn(2, 3)}, lambda a: torch.cat([torch.ones(1, 3).to(a), a]), {"k": np.ones((1, 3), np.float32)}, batch=["a"])
cases.add("Concat between constants", [node("Concat", ["k", "a", "l"], ["y"], axis=0)], {"a": randn(2, 3)}, lambda a: torch.cat([torch.ones(1, 3).to(a), a, torch.zeros(2, 3).to(a)]), {"k": np.ones((1, 3), np.float32), "l": np.zeros((2, 3), np.float32)}, batch=["a"])
cases.add("Split", [node("Split", ["x", "s"], ["p", "q"], axis=1), node("Concat", ["q", "p"], ["y"], axis=1)], {"x": x}, lambda x: torch.cat([x[:, 1:], x[:, :1]], 1), {"s": ints(1, 2)}, batch=["x"])
cases.add("Split of which one part is used", [node("Split", ["x", "s"], ["p", "q", "r"], axis=-1), node("Mul", ["p", "p"], ["y"])], {"x": x}, lambda x: x[..., :2] ** 2, {"s": ints(2, 1, 1)}, batch=["x"])
cases.add("Split into equal parts", [node("Split", ["x"], ["p", "q"], axis=2, num_outputs=2), node("Mul", ["p", "q"], ["y"])], {"x": x}, lambda x: x[..., :2] * x[..., 2:], batch=["x"])
cases.add("Split into unequal parts", [node("Split", ["x"], ["p", "q"], axis=1, num_outputs=2), node("MatMul", ["q", "r"], ["m"]), node("Concat", ["p", "m"], ["y"], axis=1)], {"x": x}, lambda x: torch.cat([x[:, :2], x[:, 2:]], 1), {"r": np.eye(4, dtype=np.float32)}, batch=["x"])

FAR = 2**63 - 1
SLICES = {
    "": ([1, 0], [3, 3], [1, 2], [1, 1]),
    "from the end": ([-2], [FAR], [2], [1]),
    "with an end from the end": ([0], [-1], [-1], [1]),
    "step 2": ([1], [FAR], [1], [2]),
    "step 3 and step 2": ([0, 1], [FAR, FAR], [1, 2], [3, 2]),
    "backwards": ([-1], [-FAR], [1], [-1]),
    "backwards by 2": ([FAR], [-FAR], [2], [-2]),
    "backwards by 3 between bounds": ([6], [0], [2], [-3]),
    "of everything": ([0], [FAR], [1], [1]),
}
w = randn(2, 7, 8)
for name, (starts, ends, axes, steps) in SLICES.items():

    def sliced(x, starts=starts, ends=ends, axes=axes, steps=steps):
        for start, end, axis, step in zip(starts, ends, axes, steps):
            size = x.shape[axis]
            index = range(*slice(start if abs(start) < 100 else None, end if abs(end) < 100 else None, step).indices(size))
            x = x.index_select(axis, torch.tensor(list(index)))
        return x

    add(f"Slice {name}".strip(), "Slice", sliced, {"s": ints(*starts), "e": ints(*ends), "a": ints(*axes), "k": ints(*steps)}, {"x": w})
add("Slice of the first axes without axes", "Slice", lambda x: x[1:2, 2:5], {"s": ints(1, 2), "e": ints(2, 5)}, {"x": w}, batch=())
add("Slice of all but the batch, without axes", "Slice", lambda x: x[:, 2:5], {"s": ints(0, 2), "e": ints(FAR, 5)}, {"x": w})

rows = {"x": randn(5, 3)}
for name, start, end, step in (("from 1", 1, FAR, 1), ("to the last but one", 0, -1, 1), ("of the last two", -2, FAR, 1), ("backwards", -1, -FAR, -1), ("by 2, backwards", -1, -FAR, -2)):
    add(f"Slice of the first axis {name}", "Slice", lambda x, s=start, e=end, k=step: x[torch.tensor(list(range(*slice(s, None if abs(e) == FAR else e, k).indices(5))))], {"s": ints(start), "e": ints(end), "a": ints(0), "k": ints(step)}, rows)
cases.add("Slice of which one axis has a size that is not known", [node("Slice", ["x", "s", "e", "a"], ["y"])], {"x": randn(4, 3, 2)}, lambda x: x[1:, :2], {"s": ints(0, 1), "e": ints(2, FAR), "a": ints(1, 0)}, batch=["x"])
cases.add("Slice by a start that is fed", [node("Slice", ["x", "s", "e", "a"], ["y"])], {"x": w, "s": ints(2)}, lambda x, s: x[:, 2:6], {"e": ints(6), "a": ints(1)}, batch=["x"])

add("Pad", "Pad", lambda x: F.pad(x, (1, 2, 0, 3)), {"p": ints(0, 0, 1, 0, 3, 2)})
add("Pad with a value", "Pad", lambda x: F.pad(x, (1, 2), value=3.0), {"p": ints(0, 0, 1, 0, 0, 2), "v": np.array(3.0, np.float32)})
add("Pad by negative numbers", "Pad", lambda x: F.pad(x, (-1, 2, 1, -1)), {"p": ints(0, 1, -1, 0, -1, 2)})
cases.add("Pad along listed axes", [node("Pad", ["x", "p", "", "a"], ["y"])], {"x": x}, lambda x: F.pad(x, (1, 2)), {"p": ints(1, 2), "a": ints(-1)}, batch=["x"])
image = randn(2, 2, 4, 5)
for mode, theirs in {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}.items():
    add(f"Pad {mode}", "Pad", lambda x, m=theirs: F.pad(x, (3, 2, 1, 2), mode=m), {"p": ints(0, 0, 1, 3, 0, 0, 2, 2)}, {"x": image}, mode=mode)
    add(f"Pad {mode} on one side", "Pad", lambda x, m=theirs: F.pad(x, (2, 0, 0, 0), mode=m), {"p": ints(0, 0, 0, 2, 0, 0, 0, 0)}, {"x": image}, mode=mode)

table = randn(5, 3)
twice = np.array([[0, 4, 4], [2, 0, 4]])
cases.add("Gather of rows, some twice", [node("Gather", ["w", "i"], ["y"])], {"w": table, "i": twice}, lambda w, i: w[i], batch=["i"])
cases.add("Gather of rows by negative indices", [node("Gather", ["w", "i"], ["y"])], {"w": table, "i": np.array([-1, 0, -5])}, lambda w, i: w[i], batch=["i"])
cases.add("Gather along axis 1", [node("Gather", ["x", "i"], ["y"], axis=1)], {"x": x, "i": np.array([[2, 0], [2, 2]])}, lambda x, i: x[:, i], batch=["x"])
cases.add("Gather along the last axis", [node("Gather", ["x", "i"], ["y"], axis=-1)], {"x": x, "i": np.array([3, 3, 1])}, lambda x, i: x[..., i], batch=["x"])
add("Gather by a constant scalar", "Gather", lambda x: x[:, -1], {"i": np.array(-1, np.int64)}, axis=1)
add("Gather by a constant scalar along axis 0", "Gather", lambda x: x[1], {"i": np.array(1, np.int64)})
add("Gather of the last of the first axis", "Gather", lambda x: x[-1], {"i": np.array(-1, np.int64)})
cases.add("Gather by a scalar", [node("Gather", ["x", "i"], ["y"], axis=1)], {"x": x, "i": np.array(2)}, lambda x, i: x[:, i], batch=["x"])
add("Gather by constants", "Gather", lambda x: x[:, [2, 0, 2]], {"i": ints(2, 0, 2)}, axis=1)
elements = np.array([[[0, 2, 1, 0], [2, 2, 0, 1]]] * 2)
cases.add("GatherElements", [node("GatherElements", ["x", "i"], ["y"], axis=1)], {"x": x, "i": elements}, lambda x, i: x.gather(1, i), batch=["x", "i"])
cases.add("GatherND", [node("GatherND", ["x", "i"], ["y"])], {"x": x, "i": np.array([[0, 1], [1, 2], [0, 1], [-1, -3]])}, lambda x, i: x[i[:, 0], i[:, 1]], batch=["i"])
cases.add("GatherND of elements", [node("GatherND", ["x", "i"], ["y"])], {"x": x, "i": np.array([[[0, 1, 2], [1, 2, 3]]])}, lambda x, i: x[i[..., 0], i[..., 1], i[..., 2]])
cases.add("GatherND with batch axes", [node("GatherND", ["x", "i"], ["y"], batch_dims=1)], {"x": x, "i": np.array([[[1], [1]], [[2], [0]]])}, lambda x, i: torch.stack([x[b, i[b, :, 0]] for b in range(2)]), batch=["x", "i"])
places = np.array([[[0, 2, 1, 0]], [[1, 1, 0, 2]]])
updates = randn(2, 1, 4)
cases.add("ScatterElements", [node("ScatterElements", ["x", "i", "u"], ["y"], axis=1)], {"x": x, "i": places, "u": updates}, lambda x, i, u: x.scatter(1, i, u), batch=["x", "i", "u"])
cases.add("ScatterElements add", [node("ScatterElements", ["x", "i", "u"], ["y"], axis=1, reduction="add")], {"x": x, "i": np.array([[[0, 2, 1, 0], [0, 1, 1, 0]]] * 2), "u": randn(2, 2, 4)}, lambda x, i, u: x.scatter_add(1, i, u), batch=["x", "i", "u"])
pairs = np.array([[0, 1], [1, 2]])
cases.add("ScatterND", [node("ScatterND", ["x", "i", "u"], ["y"])], {"x": x, "i": pairs, "u": randn(2, 4)}, lambda x, i, u: x.index_put((i[:, 0], i[:, 1]), u))
cases.add("ScatterND add", [node("ScatterND", ["x", "i", "u"], ["y"], reduction="add")], {"x": x, "i": pairs, "u": randn(2, 4)}, lambda x, i, u: x.index_put((i[:, 0], i[:, 1]), u, accumulate=True))
for exclusive in (0, 1):
    for reverse in (0, 1):

        def total(x, e=exclusive, r=reverse):
            x = x.flip(1) if r else x
            y = x.cumsum(1) - (x if e else 0)
            return y.flip(1) if r else y

        add(f"CumSum exclusive {exclusive} reverse {reverse}", "CumSum", total, {"a": np.array(1, np.int64)}, exclusive=exclusive, reverse=reverse)
distinct = spread(2, 3, 4)
add("TopK", "TopK", lambda x: x.topk(2)[0], {"k": ints(2)}, {"x": distinct}, ("y", "i"))
add("TopK of the smallest, along axis 1", "TopK", lambda x: x.topk(2, 1, largest=False)[0], {"k": ints(2)}, {"x": distinct}, ("y", "i"), axis=1, largest=0)
cases.add("OneHot stops the gradient", [node("OneHot", ["i", "d", "v"], ["h"]), node("MatMul", ["h", "w"], ["y"])], {"i": np.array([1, 0, 2]), "w": randn(3, 2)}, lambda i, w: w[i], {"d": np.array(3, np.int64), "v": np.array([0.0, 1.0], np.float32)})
cases.add("ReverseSequence", [node("ReverseSequence", ["x", "l"], ["y"], time_axis=1, batch_axis=0)], {"x": x, "l": np.array([2, 3])}, lambda x, l: torch.stack([torch.cat([x[b, : l[b]].flip(0), x[b, l[b] :]]) for b in range(2)]))

SIZES = {"b": 2, "i": 3, "j": 4, "k": 5, "h": 2, "q": 3, "d": 4, "s": 3, "e": 5}
for equation in ("bij,bjk->bik", "bhqd,bhsd->bhqs", "bsh,hde->bsde", "ij->j", "ij->ji", "ij,ij->", "i,j->ij", "bi,bi,i->b", "ij,jk", "ijk->", "bij,b->i"):
    terms = equation.split("->")[0].split(",")
    make = positive if equation.endswith("->") else randn
    inputs = {chr(97 + i): make(*[SIZES[c] for c in term]) for i, term in enumerate(terms)}
    cases.add(f"Einsum {equation}", [node("Einsum", list(inputs), ["y"], equation=equation)], inputs, lambda q=equation, **inputs: torch.einsum(q, *inputs.values()), batch=[name for name, term in zip(inputs, terms) if term[0] == "b"])
cases.add("Einsum with an ellipsis", [node("Einsum", ["a", "b"], ["y"], equation="...ij,...jk->...ik")], {"a": randn(2, 2, 3, 4), "b": randn(2, 2, 4, 2)}, lambda a, b: torch.einsum("...ij,...jk->...ik", a, b))
cases.add("Einsum that broadcasts", [node("Einsum", ["a", "b"], ["y"], equation="bij,bjk->bik")], {"a": randn(2, 3, 4), "b": randn(1, 4, 2)}, lambda a, b: torch.einsum("bij,bjk->bik", a, b))
cases.write()
