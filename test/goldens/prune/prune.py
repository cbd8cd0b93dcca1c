"""Masks of torch.nn.utils.prune 2.13 for seeded weights -> prune.json. usage: python prune.py

Each weight is base64 float32; each mask is base64 bits (1 = kept), element 0 in the lowest bit.
"""
import base64, json, os
import numpy as np, torch
from torch.nn.utils import prune

rng = np.random.default_rng(7)
b64 = lambda a: base64.b64encode(np.ascontiguousarray(a).tobytes()).decode()
bits = lambda m: b64(np.packbits(np.asarray(m).reshape(-1).astype(np.uint8), bitorder='little'))

def distinct(*shape):
    """Normal weights, all magnitudes different."""
    while True:
        a = (rng.standard_normal(shape) * 0.1).astype(np.float32)
        if len(np.unique(np.abs(a))) == a.size:
            return a

some_zero = distinct(6, 10); some_zero.reshape(-1)[rng.permutation(60)[:20]] = 0; some_zero[2, 3] = -0.0; some_zero[4, 4] = -0.0
subnormal = (distinct(4, 8) * np.float32(1e-39)).astype(np.float32)
weights = {
    'conv': ('Conv', distinct(8, 4, 3, 3)),
    'conv1d': ('Conv', distinct(5, 7, 3)),
    'linear': ('Gemm', distinct(15, 23)),
    'wide': ('MatMul', distinct(33, 40)),
    'zeros': ('Gemm', some_zero),
    'subnormal': ('Gemm', subnormal),
    'ties': ('Gemm', rng.integers(-3, 4, (12, 11)).astype(np.float32)),
    'constant': ('Gemm', np.full((6, 7), -0.25, np.float32)),
    'all_zero': ('Gemm', np.zeros((4, 5), np.float32)),
    'signed_zero': ('Gemm', np.where(rng.random((4, 6)) < 0.5, np.float32(-0.0), np.float32(0.0)).astype(np.float32)),
}
def mask_of(method, a, **kw):
    m = torch.nn.Module(); m.w = torch.nn.Parameter(torch.from_numpy(a.copy()))
    getattr(prune, method)(m, 'w', **kw)
    return m.w_mask.numpy()

def amount(v):
    """As in the API: an int is a count."""
    return {'count': v} if isinstance(v, int) else v

cases = []
for name, (_, a) in weights.items():
    for v in [0.0, 0.1, 0.3, 0.5, 0.75, 1.0, 1, 7, a.size]:
        cases.append({'weight': name, 'method': 'l1_unstructured', 'amount': amount(v), 'mask': bits(mask_of('l1_unstructured', a, amount=v))})
for name in ['conv', 'conv1d', 'linear', 'wide', 'zeros']:
    a = weights[name][1]
    for dim in range(-1, a.ndim):
        for n in [1, 2, float('inf'), float('-inf'), 0, 3, 0.5, -1]:
            for v in ([0.5, 1] if n in (1, 2) else [0.4]):
                norms = prune._compute_norm(torch.from_numpy(a), n, dim)
                if len(norms.unique()) < len(norms): continue  # torch's choice among equal norms is its C++ library's
                m = mask_of('ln_structured', a, amount=v, n=n, dim=dim)
                cases.append({'weight': name, 'method': 'ln_structured', 'amount': amount(v), 'dim': dim,
                              'n': {float('inf'): 'inf', float('-inf'): '-inf'}.get(n, n), 'mask': bits(m)})

globals_ = []
for names in [['conv', 'linear', 'wide'], ['zeros', 'conv1d'], ['subnormal', 'linear'], ['ties', 'constant']]:
    for v in [0.2, 0.5, 0.9, 50]:
        ms = []
        for n in names:
            m = torch.nn.Module(); m.w = torch.nn.Parameter(torch.from_numpy(weights[n][1].copy())); ms.append(m)
        prune.global_unstructured([(m, 'w') for m in ms], pruning_method=prune.L1Unstructured, amount=v)
        globals_.append({'weights': names, 'amount': amount(v), 'masks': [bits(m.w_mask.numpy()) for m in ms]})

rounding = [[f, n, prune._compute_nparams_toprune(f, n)] for f, n in
            [(0.5, 1), (0.5, 3), (0.5, 5), (0.5, 7), (0.25, 2), (0.25, 6), (0.1, 5), (0.1, 15), (0.1, 25), (0.3, 5), (0.7, 5),
             (0.35, 10), (0.45, 10), (1/3, 3), (0.999999, 10), (1.0, 9), (0.0, 9), (0.15, 109482240)]]
out = {'torch': torch.__version__,
       'weights': {k: {'op': op, 'dims': list(a.shape), 'data': b64(a)} for k, (op, a) in weights.items()},
       'cases': cases, 'global': globals_, 'rounding': rounding}
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'prune.json')
with open(path, 'w') as f: json.dump(out, f, separators=(',', ':'))
print(len(cases), 'cases', os.path.getsize(path), 'bytes')
