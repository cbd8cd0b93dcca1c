"""Whole runs of a small perceptron in torch: the order of clipping, schedule, decay and step.

python3 test/goldens/train/loop.py > test/goldens/train/loop.json

The model, its first weights and its rows are those of test/core/train/modes/toy.ts; a step takes all 60 rows.
"""

import json
import math

import torch
from transformers import get_scheduler

STEPS, ROWS, INPUTS, HIDDEN = 12, 60, 5, 7
SHAPES = [("w2", (HIDDEN, 1)), ("b2", (1,)), ("w1", (INPUTS, HIDDEN)), ("b1", (HIDDEN,))]

CASES = [
    ("sgd", {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.02}, ("constant", {}), None),
    ("adam", {"lr": 0.02}, ("linear", {"warmup_steps": 3}), 0.05),
    ("adamw", {"lr": 0.02, "weight_decay": 0.3}, ("cosine", {"warmup_steps": 2}), 0.1),
]

x = torch.tensor(
    [[math.sin(row * 12.9898 + i * 78.233) for i in range(INPUTS)] for row in range(ROWS)], dtype=torch.float64
)
y = x[:, 0] * x[:, 1] + 0.5 * x[:, 2]

out = []
for kind, options, (schedule, schedule_options), clip in CASES:
    parameters, offset = {}, 0
    for name, shape in SHAPES:
        n = math.prod(shape)
        values = [0.0 if i % 3 == 0 else math.sin(i * 3.7) * 0.6 for i in range(offset, offset + n)]
        parameters[name] = torch.nn.Parameter(torch.tensor(values, dtype=torch.float32).double().reshape(shape))
        offset += n
    decay = options.get("weight_decay", 0)
    groups = [
        {"params": [parameters["w2"], parameters["w1"]], "weight_decay": decay},
        {"params": [parameters["b2"], parameters["b1"]], "weight_decay": 0},
    ]
    rest = {k: v for k, v in options.items() if k != "weight_decay"}
    make = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[kind]
    optimizer = make(groups, **rest)
    warmup = schedule_options.get("warmup_steps", 0)
    scheduler = get_scheduler(schedule, optimizer, warmup, STEPS)
    losses, norms = [], []
    for _ in range(STEPS):
        optimizer.zero_grad()
        hidden = torch.tanh(x @ parameters["w1"] + parameters["b1"])
        loss = (((hidden @ parameters["w2"])[:, 0] + parameters["b2"] - y) ** 2).mean()
        loss.backward()
        if clip is not None:
            norms.append(torch.nn.utils.clip_grad_norm_(parameters.values(), clip).item())
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    vector = torch.cat([p.detach().reshape(-1) for p in parameters.values()]).tolist()
    out.append(
        {
            "optimizer": {"type": kind, **options},
            "schedule": {"type": schedule, **schedule_options},
            "clip": clip,
            "losses": losses,
            "norms": norms,
            "vector": vector,
        }
    )
print(json.dumps({"torch": torch.__version__, "cases": out}))
