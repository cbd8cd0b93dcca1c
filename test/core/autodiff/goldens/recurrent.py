"""Makes recurrent.json: gradients of LSTM, GRU and RNN, as loops in torch that follow ONNX's definitions.

The values are held against ONNX Runtime's own operators here.
Run: python test/core/autodiff/goldens/recurrent.py   (onnx 1.23.1, onnxruntime 1.30, torch 2.13, numpy)
"""
import base64
import pathlib

import numpy as np
import onnxruntime
import torch
from cases import Cases, node, randn

cases = Cases(pathlib.Path(__file__).parent / "recurrent.json")
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
T, N, I, H = 4, 2, 3, 2


def loop(op, x, w, r, b, h, c, p, reverse, linear_first, coupled, clip):
    f = lambda v: torch.sigmoid(v.clamp(-clip, clip) if clip else v)
    g = lambda v: torch.tanh(v.clamp(-clip, clip) if clip else v)
    ys = [None] * T
    wb, rb = b.chunk(2)
    for t in reversed(range(T)) if reverse else range(T):
        a, u = x[t] @ w.T + wb, h @ r.T + rb
        if op == "RNN":
            h = g(a + u)
        elif op == "GRU":
            az, ar, an = a.chunk(3, 1)
            uz, ur, un = u.chunk(3, 1)
            z, q = f(az + uz), f(ar + ur)
            n = g(an + q * un) if linear_first else g(an + (q * h) @ r[2 * H :].T + rb[2 * H :])
            h = (1 - z) * n + z * h
        else:
            i, o, k, v = (a + u).chunk(4, 1)
            pi, po, pk = p.chunk(3)
            i = f(i + pi * c)
            k = 1 - i if coupled else f(k + pk * c)
            c = k * c + i * g(v)
            o = f(o + po * c)
            h = o * torch.tanh(c)  # which ONNX Runtime does not clip
        ys[t] = h
    return torch.stack(ys), h, c


def check(case):
    """ONNX Runtime's own operator gives the same value."""
    session = onnxruntime.InferenceSession(base64.b64decode(case["model"]))
    unpack = lambda v: np.frombuffer(base64.b64decode(v["data"]), {1: np.float32, 7: np.int64, 6: np.int32, 9: bool}[v["type"]]).reshape(v["dims"])
    feeds = {k.name: unpack(case["inputs"][k.name]) for k in session.get_inputs()}
    value = session.run([case["output"]], feeds)[0]
    assert np.abs(value - unpack(case["value"])).max() < 2e-6, case["name"]


def add(op, name, directions=1, bias=True, initial=False, outputs="y h c", layout=0, peepholes=False, constants=None, **attributes):
    g = GATES[op]
    linear_first, coupled, clip = attributes.get("linear_before_reset", 0), attributes.get("input_forget", 0), attributes.get("clip", 0)
    direction = attributes.get("direction", "forward")
    used = [o for o in outputs.split() if o != "c" or op == "LSTM"]
    inputs = {"x": randn(*((N, T, I) if layout else (T, N, I)))}
    parameters = {"w": randn(directions, g * H, I), "r": randn(directions, g * H, H)}
    if bias:
        parameters["b"] = randn(directions, 2 * g * H)
    state = (N, directions, H) if layout else (directions, N, H)
    if initial:
        parameters["h0"] = randn(*state)
        if op == "LSTM":
            parameters["c0"] = randn(*state)
    if peepholes:
        parameters["p"] = randn(directions, 3 * H)
    names = ["x", "w", "r", "b" if bias else "", "lengths" if constants else "", "h0" if initial else "", "c0" if initial and op == "LSTM" else "", "p" if peepholes else ""]
    if op != "LSTM":
        names = names[:6]
    while names[-1] == "":
        names.pop()
    if layout:
        attributes["layout"] = 1

    def function(x, w, r, b=None, h0=None, c0=None, p=None):
        if layout:
            x, h0, c0 = [v if v is None else v.transpose(0, 1) for v in (x, h0, c0)]
        zeros = torch.zeros(N, H)
        ways = []
        for d in range(directions):
            ways.append(loop(op, x, w[d], r[d], b[d] if b is not None else torch.zeros(2 * g * H), h0[d] if h0 is not None else zeros, c0[d] if c0 is not None else zeros, p[d] if p is not None else torch.zeros(3 * H), direction == "reverse" or d == 1, linear_first, coupled, clip))
        y = torch.stack([way[0] for way in ways], 1)
        h, c = [torch.stack([way[i] for way in ways]) for i in (1, 2)]
        if layout:
            y, h, c = y.permute(2, 0, 1, 3), h.transpose(0, 1), c.transpose(0, 1)
        return torch.cat([{"y": y, "h": h, "c": c}[o].reshape(-1) for o in used])

    outs = [o if o in used else "" for o in (("y", "h", "c") if op == "LSTM" else ("y", "h"))]
    while outs[-1] == "":
        outs.pop()
    flat = [node("Reshape", [o, "flat"], [f"{o}1"]) for o in used]
    tail = node("Concat", [f"{o}1" for o in used], ["all"], axis=0) if len(used) > 1 else node("Identity", [f"{used[0]}1"], ["all"])
    cases.add(f"{op} {name}", [node(op, names, outs, hidden_size=H, **attributes), *flat, tail], inputs, function, {"flat": np.array([-1]), **(constants or {})}, parameters=parameters, output="all", batch=["x"] if layout and not initial else [], opset=21)
    if not layout:
        # ONNX Runtime's CPU kernels have no layout 1.
        check(cases.cases[-1])


for op in GATES:
    add(op, "forward")
    add(op, "reverse", direction="reverse")
    add(op, "in both directions, with initial states", 2, initial=True, direction="bidirectional")
    add(op, "of which only the last state is used", outputs="h")
    add(op, "of which only the sequence is used, without biases", outputs="y", bias=False)
    add(op, "with the batch first", layout=1)
    add(op, "with the batch first, in both directions, with initial states", 2, initial=True, layout=1, direction="bidirectional")
    add(op, "clipped", clip=0.6)
    add(op, "with lengths that are all whole", constants={"lengths": np.array([T, T], np.int32)})
add("LSTM", "with peepholes", peepholes=True, initial=True)
add("LSTM", "with peepholes in both directions", 2, peepholes=True, direction="bidirectional")
add("LSTM", "with coupled gates", input_forget=1, initial=True)
add("LSTM", "of which only the cell state is used", outputs="c")
add("GRU", "as torch's", linear_before_reset=1, initial=True)
add("GRU", "as torch's, from zeros", linear_before_reset=1)
add("GRU", "as torch's, without biases", linear_before_reset=1, bias=False)
cases.write()
