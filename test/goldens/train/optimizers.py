"""Steps of torch.optim's optimizers (single tensor, CPU, float32), and of Lion as its paper has it.

python3 test/goldens/train/optimizers.py > test/goldens/train/optimizers.json
"""

import base64
import json

import numpy as np
import torch

N, STEPS = 37, 6
RATES = [0.1, 0.1, 0.05, 0.01, 0.003, 0.001]


class Lion(torch.optim.Optimizer):
    """Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", algorithm 2."""

    def __init__(self, params, lr, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                state = self.state[p]
                m = state.setdefault("exp_avg", torch.zeros_like(p))
                p.mul_(1 - group["lr"] * group["weight_decay"])
                c = m * beta1 + p.grad * (1 - beta1)
                p.sub_(torch.sign(c) * group["lr"])
                m.mul_(beta2).add_(p.grad * (1 - beta2))


CASES = [
    ("sgd", {}),
    ("sgd", {"weight_decay": 0.01}),
    ("sgd", {"momentum": 0.9}),
    ("sgd", {"momentum": 0.8, "dampening": 0.3, "weight_decay": 0.1}),
    ("sgd", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.05}),
    ("adam", {}),
    ("adam", {"betas": [0.8, 0.95], "eps": 1e-4, "weight_decay": 0.02}),
    ("adamw", {}),
    ("adamw", {"betas": [0.5, 0.9], "weight_decay": 0.2}),
    ("lion", {}),
    ("lion", {"betas": [0.95, 0.98], "weight_decay": 0.1}),
]
SLOTS = {"sgd": ["momentum_buffer"], "adam": ["exp_avg", "exp_avg_sq"], "lion": ["exp_avg"]}
SLOTS["adamw"] = SLOTS["adam"]


def code(x):
    return base64.b64encode(np.ascontiguousarray(x, "<f4").tobytes()).decode()


def gradient(rng, step):
    g = rng.standard_normal(N) * 10.0 ** rng.integers(-6, 4, N)
    g[::9] = 0
    return g.astype(np.float32)


out = []
for index, (kind, options) in enumerate(CASES):
    rng = np.random.default_rng(index)
    p = torch.nn.Parameter(torch.from_numpy((rng.standard_normal(N) * 3).astype(np.float32)))
    arguments = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
    if kind == "lion":
        optimizer = Lion([p], lr=0.1, **arguments)
    else:
        make = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[kind]
        optimizer = make([p], lr=0.1, foreach=False, fused=False, **arguments)
    case = {"type": kind, "options": options, "start": code(p.detach().numpy()), "steps": []}
    for step in range(STEPS):
        g = gradient(rng, step)
        for group in optimizer.param_groups:
            group["lr"] = RATES[step]
        p.grad = torch.from_numpy(g.copy())
        optimizer.step()
        state = optimizer.state[p]
        slots = [code(state[s].numpy()) for s in SLOTS[kind] if state.get(s) is not None]
        case["steps"].append(
            {"lr": RATES[step], "gradient": code(g), "parameters": code(p.detach().numpy()), "state": slots}
        )
    out.append(case)
print(json.dumps({"torch": torch.__version__, "cases": out}, indent=1))
