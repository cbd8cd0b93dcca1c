"""Learning rates of transformers' get_scheduler and torch's StepLR, step by step.

python3 test/goldens/train/schedules.py > test/goldens/train/schedules.json
"""

import json

import torch
import transformers
from transformers import get_scheduler

LR = 0.3
CASES = [
    ("constant", {}, 6, lambda o, n: get_scheduler("constant", o)),
    ("constant", {"warmup_steps": 4}, 8, lambda o, n: get_scheduler("constant_with_warmup", o, 4)),
    ("linear", {}, 10, lambda o, n: get_scheduler("linear", o, 0, n)),
    ("linear", {"warmup_steps": 3}, 13, lambda o, n: get_scheduler("linear", o, 3, n)),
    ("cosine", {}, 10, lambda o, n: get_scheduler("cosine", o, 0, n)),
    ("cosine", {"warmup_steps": 5}, 17, lambda o, n: get_scheduler("cosine", o, 5, n)),
    (
        "cosine",
        {"warmup_steps": 2, "min_lr": 0.03},
        12,
        lambda o, n: get_scheduler("cosine_with_min_lr", o, 2, n, scheduler_specific_kwargs={"min_lr": 0.03}),
    ),
    ("linear", {"warmup_steps": 9}, 9, lambda o, n: get_scheduler("linear", o, 9, n)),
    (
        "step",
        {"step_size": 3, "gamma": 0.5},
        10,
        lambda o, n: torch.optim.lr_scheduler.StepLR(o, step_size=3, gamma=0.5),
    ),
]

out = []
for kind, options, total, make in CASES:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LR)
    scheduler = make(optimizer, total)
    rates = []
    for _ in range(total):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    out.append({"type": kind, "options": options, "lr": LR, "total": total, "rates": rates})
print(json.dumps({"transformers": transformers.__version__, "torch": torch.__version__, "cases": out}, indent=1))
