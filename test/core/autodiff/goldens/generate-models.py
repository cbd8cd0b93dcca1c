"""Makes models.json: whole models as torch exports them, with the gradients of their parameters.

Run: python test/core/autodiff/goldens/generate-models.py   (onnx 1.23.1, torch 2.13, numpy)

The error that counts is the largest of a model's gradients: torch's own in float32 is written with it.
"""
import copy
import io
import pathlib
import warnings

import numpy as np
import onnx
import torch
import torch.nn as nn
import torch.nn.functional as F
from cases import Cases, base64, packed, randn, rng

warnings.simplefilter("ignore")
cases = Cases(pathlib.Path(__file__).parent / "models.json")


def add(name, module, inputs, training=False):
    """Inputs by position; their first axis is of unknown size in the exported model."""
    module.train(training)
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out")
    names = [f"x{i}" for i in range(len(inputs))]
    tensors = [torch.tensor(v) for v in inputs]
    file = io.BytesIO()
    torch.onnx.export(
        copy.deepcopy(module),
        tuple(tensors),
        file,
        dynamo=False,
        input_names=names,
        output_names=["y"],
        dynamic_axes={k: {0: "batch"} for k in [*names, "y"]},
        opset_version=18,
        do_constant_folding=False,
        training=torch.onnx.TrainingMode.TRAINING if training else torch.onnx.TrainingMode.EVAL,
    )
    model = onnx.load_from_string(file.getvalue())
    for n in model.graph.node:
        n.doc_string = ""

    def gradients(dtype):
        copied = copy.deepcopy(module).to(dtype)
        y = copied(*[t.to(dtype) if t.is_floating_point() else t for t in tensors])
        if not hasattr(gradients, "cotangent"):
            gradients.cotangent = randn(*y.shape)
        y.backward(torch.tensor(gradients.cotangent).to(dtype))
        return y, {k: p.grad for k, p in copied.named_parameters()}

    y, want = gradients(torch.float64)
    _, got = gradients(torch.float32)
    # Equal parameters (scales of 1, biases of 0) are one initializer, and the others its Identity.
    initializers = {i.name for i in model.graph.initializer} | {n.output[0] for n in model.graph.node if n.op_type == "Identity"}
    missing = [k for k in want if k not in initializers]
    assert not missing, (name, missing, initializers)
    # Zero but for rounding: biases whose shift a later batch normalization takes away, recurrent weights of one step.
    want = {k: g for k, g in want.items() if g.abs().max() > 1e-9}
    errors = {k: float((got[k].double() - g).abs().max() / g.abs().max()) for k, g in want.items()}
    print(name, sum(g.numel() for g in want.values()), "parameters,", len(model.graph.node), "nodes, torch's error", max(errors.items(), key=lambda kv: kv[1]), min(float(g.abs().max()) for g in want.values()))
    cases.cases.append(
        {
            "name": name,
            "model": base64.b64encode(model.SerializeToString()).decode(),
            "inputs": {k: packed(v) for k, v in zip(names, inputs)},
            "output": "y",
            "value": packed(y.detach().numpy().astype(np.float32)),
            "cotangent": packed(gradients.cotangent),
            "gradients": {k: {**packed(g.numpy().astype(np.float32)), "error": errors[k]} for k, g in want.items()},
            "batch": names,
        }
    )


class LeNet(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(1, 4, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(4, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(24, 16), nn.ReLU(), nn.Linear(16, 10))


class Residual(nn.Module):
    def __init__(self, c, m, stride):
        super().__init__()
        self.a = nn.Sequential(nn.Conv2d(c, m, 3, stride, 1, bias=False), nn.BatchNorm2d(m), nn.ReLU(), nn.Conv2d(m, m, 3, 1, 1, bias=False), nn.BatchNorm2d(m))
        self.skip = nn.Identity() if c == m and stride == 1 else nn.Sequential(nn.Conv2d(c, m, 1, stride, bias=False), nn.BatchNorm2d(m))

    def forward(self, x):
        return F.relu(self.a(x) + self.skip(x))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.blocks = nn.Sequential(Residual(4, 4, 1), Residual(4, 8, 2))
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        return self.head(F.adaptive_avg_pool2d(self.blocks(self.stem(x)), 1).flatten(1))


class Squeeze(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.a, self.b = nn.Conv2d(c, 4, 1), nn.Conv2d(4, c, 1)

    def forward(self, x):
        return x * F.hardsigmoid(self.b(F.relu(self.a(x.mean((2, 3), keepdim=True)))))


class Inverted(nn.Module):
    def __init__(self, c, m, stride, act):
        super().__init__()
        e = c * 2
        self.same = c == m and stride == 1
        self.a = nn.Sequential(nn.Conv2d(c, e, 1, bias=False), nn.BatchNorm2d(e), act, nn.Conv2d(e, e, 3, stride, 1, groups=e, bias=False), nn.BatchNorm2d(e), act, Squeeze(e), nn.Conv2d(e, m, 1, bias=False), nn.BatchNorm2d(m))

    def forward(self, x):
        return x + self.a(x) if self.same else self.a(x)


class MobileNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1, bias=False), nn.BatchNorm2d(6), nn.Hardswish())
        self.blocks = nn.Sequential(Inverted(6, 6, 1, nn.ReLU6()), Inverted(6, 8, 2, nn.Hardswish()))
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


class Block(nn.Module):
    def __init__(self, d, heads, causal):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.n1, self.n2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, 2 * d), nn.Linear(2 * d, d)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(self.n1(x)).reshape(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        a = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        x = x + self.out(a.transpose(1, 2).reshape(b, t, d))
        return x + self.down(F.gelu(self.up(self.n2(x))))


class Transformer(nn.Module):
    def __init__(self, causal, d=8, vocabulary=9, length=6):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, d), nn.Parameter(torch.randn(1, length, d) * 0.1)
        self.blocks = nn.Sequential(Block(d, 2, causal), Block(d, 2, causal))
        self.norm, self.head = nn.LayerNorm(d), nn.Linear(d, vocabulary)

    def forward(self, ids):
        return F.log_softmax(self.head(self.norm(self.blocks(self.tokens(ids) + self.positions))), -1)


class Recurrent(nn.Module):
    def __init__(self, cell, **options):
        super().__init__()
        self.cell = cell(6, 8, batch_first=True, **options)
        self.head = nn.Linear(8 * (2 if options.get("bidirectional") else 1), 3)

    def forward(self, x):
        return self.head(self.cell(x)[0][:, -1])


add("MLP", nn.Sequential(nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 16), nn.Tanh(), nn.Linear(16, 5)), [randn(7, 12)])
add("LeNet", LeNet(), [randn(3, 1, 16, 16)])
add("ResNet blocks with the batch's statistics", ResNet(), [randn(4, 3, 16, 16)], training=True)
add("MobileNet blocks with the batch's statistics", MobileNet(), [randn(4, 3, 16, 16)], training=True)
add("MobileNet blocks, frozen statistics", MobileNet(), [randn(2, 3, 16, 16)])
add("transformer encoder", Transformer(False), [rng.integers(0, 9, (3, 6))])
add("causal transformer", Transformer(True), [rng.integers(0, 9, (3, 6))])
add("LSTM", Recurrent(nn.LSTM), [randn(3, 5, 6)])
add("bidirectional GRU", Recurrent(nn.GRU, bidirectional=True), [randn(3, 4, 6)])
cases.write()
