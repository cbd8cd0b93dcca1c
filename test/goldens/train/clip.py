"""torch.nn.utils.clip_grad_norm_ on two tensors, in float32.

python3 test/goldens/train/clip.py > test/goldens/train/clip.json
"""

import json

import numpy as np
import torch

rng = np.random.default_rng(5)
out = []
for bound in [0.1, 1.0, 25.0]:
    gradient = rng.standard_normal(30).astype(np.float32) * 2
    parameters = [torch.nn.Parameter(torch.zeros(n)) for n in (18, 12)]
    parts = [torch.from_numpy(gradient[:18].copy()), torch.from_numpy(gradient[18:].copy())]
    for parameter, part in zip(parameters, parts):
        parameter.grad = part
    norm = torch.nn.utils.clip_grad_norm_(parameters, bound)
    clipped = torch.cat([parameter.grad for parameter in parameters])
    out.append(
        {"max": bound, "gradient": gradient.tolist(), "norm": norm.item(), "clipped": clipped.tolist()}
    )
print(json.dumps({"torch": torch.__version__, "cases": out}))
