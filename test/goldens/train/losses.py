"""Losses and gradients of torch 2.13 in float64 -> losses.json. usage: python losses.py

The model is y = act(x * w), x [rows, *row] and w [*row]; gradients are of w. Numbers are float32 values.
"""
import json
import numpy as np, torch
import torch.nn.functional as F

rng = np.random.default_rng(3)

def normal(*shape, scale=1.0):
    return (rng.standard_normal(shape) * scale).astype(np.float32)

cases = []

def case(name, row, label, options, loss_of, act=None, dtype='int64', label_shape=None, rows=3, x=None, w=None, correct_of=None, count_of=None):
    x = normal(rows, *row) if x is None else x
    w = normal(*row) if w is None else w
    xt = torch.tensor(x, dtype=torch.float64)
    wt = torch.tensor(w, dtype=torch.float64, requires_grad=True)
    z = xt * wt
    lt = torch.tensor(label)
    loss = loss_of(z, lt)
    loss.backward()
    correct = None if correct_of is None else float(correct_of(z.detach(), lt))
    count = float(count_of(z.detach(), lt)) if count_of else float(z.numel())
    cases.append({'name': name, 'options': options, 'row': list(row), 'act': act, 'x': x.reshape(-1).tolist(), 'w': w.reshape(-1).tolist(),
                  'rows': rows, 'dtype': dtype, 'label_shape': list(np.asarray(label).shape[1:]) if label_shape is None else label_shape,
                  'label': np.asarray(label, np.float64).reshape(-1).tolist(),
                  'loss': loss.item(), 'correct': correct, 'count': count, 'gradient': wt.grad.numpy().reshape(-1).tolist()})

def ce(axis=1, **kw):
    def f(z, y):
        z = z.movedim(axis, 1)
        return F.cross_entropy(z, y, **kw)
    return f

def right(axis=1, ignore=-100):
    return lambda z, y: ((z.argmax(axis) == y) & (y != ignore)).sum()

valid = lambda ignore=-100: (lambda z, y: (y != ignore).sum())
cls = lambda *shape, c: rng.integers(0, c, shape)

y = cls(5, c=7)
for act in [None, 'Softmax', 'LogSoftmax']:
    case(f'cross_entropy of {act or "logits"}', [7], y, {'type': 'cross_entropy'}, ce(), act=act, rows=5, correct_of=right(), count_of=valid())
for dtype in ['int32', 'uint8', 'float32']:
    case(f'cross_entropy with {dtype} labels [N, 1]', [7], y, {'type': 'cross_entropy'}, ce(), dtype=dtype, label_shape=[1], rows=5, correct_of=right(), count_of=valid())
case('cross_entropy with label_smoothing', [7], y, {'type': 'cross_entropy', 'label_smoothing': 0.1}, ce(label_smoothing=0.1), rows=5, correct_of=right(), count_of=valid())
y2 = cls(3, 4, c=5); y2[0, 1] = -100; y2[2, 3] = -100
case('cross_entropy per position with ignored labels', [4, 5], y2, {'type': 'cross_entropy'}, ce(2), correct_of=right(2), count_of=valid())
case('cross_entropy per position with label_smoothing and ignored labels', [4, 5], y2, {'type': 'cross_entropy', 'label_smoothing': 0.2}, ce(2, label_smoothing=0.2), act='Softmax', correct_of=right(2), count_of=valid())
y3 = cls(2, 3, 4, c=6); y3[1, 2, 2] = 0
case('cross_entropy per pixel, classes on axis 1, ignore_index 0', [6, 3, 4], y3, {'type': 'cross_entropy', 'ignore_index': 0}, ce(1, ignore_index=0), rows=2, correct_of=right(1, 0), count_of=valid(0))
case('cross_entropy of large logits', [7], y, {'type': 'cross_entropy'}, ce(), rows=5, x=normal(5, 7, scale=30.0), w=normal(7, scale=10.0), correct_of=right(), count_of=valid())
soft = rng.dirichlet(np.ones(7), 5).astype(np.float32)
case('cross_entropy with probabilities as labels', [7], soft, {'type': 'cross_entropy'}, ce(), rows=5, dtype='float32',
     correct_of=lambda z, y: (z.argmax(1) == y.argmax(1)).sum(), count_of=lambda z, y: len(y))
case('kl_divergence', [7], soft, {'type': 'kl_divergence'}, lambda z, y: F.kl_div(z.log_softmax(1), y.double(), reduction='batchmean'), rows=5, dtype='float32', count_of=lambda z, y: len(y))
one_hot = np.eye(7, dtype=np.float32)[y]
case('kl_divergence from one-hot labels', [7], one_hot, {'type': 'kl_divergence'}, lambda z, y: F.kl_div(z.log_softmax(1), y.double(), reduction='batchmean'), act='Softmax', rows=5, dtype='float32', count_of=lambda z, y: len(y))

yb = rng.integers(0, 2, (4, 3))
xb = normal(4, 3); xb[0, 0] = 0; xb[1, 2] = 0; xb[2] *= 40
bce = lambda z, y: F.binary_cross_entropy_with_logits(z, y.double())
side = lambda z, y: ((z > 0) == (y > 0.5)).sum()
for act in [None, 'Sigmoid']:
    case(f'binary_cross_entropy of {act or "logits"}', [3], yb, {'type': 'binary_cross_entropy'}, bce, act=act, dtype='uint8', rows=4, x=xb, correct_of=side)
case('binary_cross_entropy of probabilities', [3], yb, {'type': 'binary_cross_entropy', 'from_logits': False},
     lambda z, y: F.binary_cross_entropy(z.sigmoid(), y.double()), act='Sigmoid', dtype='float32', rows=4, x=normal(4, 3), correct_of=side)
yr = normal(4, 3); yr[1, 1] = 0
xr = normal(4, 3); xr[1, 1] = 0
mean = lambda f: (lambda z, y: f(z, y.double()))
case('mse', [3], yr, {'type': 'mse'}, mean(F.mse_loss), dtype='float32', rows=4, x=xr)
case('l1', [3], yr, {'type': 'l1'}, mean(F.l1_loss), dtype='float32', rows=4, x=xr)
for delta in [1.0, 0.25, 4.0]:
    case(f'huber with delta {delta}', [3], yr, {'type': 'huber', 'delta': delta}, mean(lambda z, y, d=delta: F.huber_loss(z, y, delta=d)), dtype='float32', rows=4, x=xr)
case('mse of [N, 1] against labels [N]', [1], normal(4, 1), {'type': 'mse'}, mean(F.mse_loss), dtype='float32', label_shape=[], rows=4)
json.dump({'cases': cases}, open('losses.json', 'w'), separators=(',', ':'))
print(len(cases), 'cases')
