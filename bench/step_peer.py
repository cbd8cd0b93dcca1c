"""The peer of bench/step.ts: the same models, trained by torch on one thread.

python step_peer.py  reads lines `MODEL gradient|step STEPS` and answers each with the CPU milliseconds of one.
"""

import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(1)
torch.manual_seed(0)


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        b, t, d = x.shape
        h = self.norm1(x)
        q, k, v = (f(h).reshape(b, t, self.heads, d // self.heads).transpose(1, 2) for f in (self.q, self.k, self.v))
        a = F.scaled_dot_product_attention(q, k, v)
        x = x + self.out(a.transpose(1, 2).reshape(b, t, d))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Transformer(nn.Module):
    def __init__(self, width=128, heads=4, length=64, vocabulary=256):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Parameter(torch.randn(length, width) * 0.02)
        self.blocks = nn.Sequential(Block(width, heads), Block(width, heads))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)

    def forward(self, ids):
        return self.head(self.norm(self.blocks(self.tokens(ids) + self.positions)))


def depthwise():
    layers = [nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU()]
    width = 16
    for to, stride in ((32, 1), (64, 2), (64, 1), (128, 2)):
        layers += [nn.Conv2d(width, width, 3, stride, 1, groups=width), nn.ReLU(), nn.Conv2d(width, to, 1), nn.ReLU()]
        width = to
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


MODELS = {
    "mlp": (lambda: nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)), lambda: torch.randn(64, 784), 10),
    "cnn": (
        lambda: nn.Sequential(nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * 49, 64), nn.ReLU(), nn.Linear(64, 10)),
        lambda: torch.randn(32, 1, 28, 28),
        10,
    ),
    "depthwise": (depthwise, lambda: torch.randn(16, 3, 32, 32), 10),
    "transformer": (Transformer, lambda: torch.randint(0, 256, (8, 64)), 256),
}
ready = {}


def steps(name, task, count):
    if name not in ready:
        make, data, classes = MODELS[name]
        model, x = make(), data()
        rows = model(x).reshape(-1, classes).shape[0]
        ready[name] = model, x, torch.randint(0, classes, (rows,)), classes, torch.optim.SGD(model.parameters(), lr=0.01)
        steps(name, "step", 3)
    model, x, labels, classes, optimizer = ready[name]
    start = time.process_time()
    for _ in range(count):
        optimizer.zero_grad()
        F.cross_entropy(model(x).reshape(-1, classes), labels).backward()
        if task == "step":
            optimizer.step()
    return (time.process_time() - start) / count * 1000


for line in sys.stdin:
    name, task, count = line.split()
    print(steps(name, task, int(count)), flush=True)
