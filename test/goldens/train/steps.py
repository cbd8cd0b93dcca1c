"""A few SGD steps of torch 2.13 in float64 -> steps.json, mlp.onnx, conv.onnx, teacher.onnx. usage: python steps.py

Running variances follow ONNX's definition (population variance), which torch's differ from.
"""
import json
import numpy as np, onnx, torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(5)
rng = np.random.default_rng(5)
f32 = lambda a: np.asarray(a, np.float32)

class Mlp(nn.Module):
    def __init__(self, hidden=12):
        super().__init__()
        self.first = nn.Linear(9, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, 4)

    def forward(self, x):
        return self.last(torch.relu(self.second(torch.relu(self.first(x)))))

class Conv(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 6, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(6)
        self.conv2 = nn.Conv2d(6, 8, 3, stride=2)
        self.norm2 = nn.BatchNorm2d(8)
        self.last = nn.Linear(8, 4)

    def forward(self, x):
        x = F.max_pool2d(torch.relu(self.norm1(self.conv1(x))), 2)
        x = torch.relu(self.norm2(self.conv2(x)))
        return self.last(F.adaptive_avg_pool2d(x, 1).flatten(1))

def export(model, row, name):
    model.eval()
    torch.onnx.export(model, torch.zeros(2, *row), name, dynamo=False, opset_version=17, do_constant_folding=False,
                      training=torch.onnx.TrainingMode.PRESERVE, input_names=['x'], output_names=['y'],
                      dynamic_axes={'x': {0: 'N'}, 'y': {0: 'N'}})
    onnx.checker.check_model(name)

def batches(row, rows, steps):
    return [(f32(rng.standard_normal((rows, *row))), rng.integers(0, 4, rows)) for _ in range(steps)]

def population_variance(model):
    """Replaces torch's update of running_var by that with the population variance."""
    def before(module, inputs):
        module.kept = module.running_var.clone()
    def after(module, inputs, _):
        if module.training:
            var = inputs[0].detach().var((0, 2, 3), unbiased=False)
            module.running_var = module.kept * 0.9 + var * 0.1
    for m in model.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.register_forward_pre_hook(before); m.register_forward_hook(after)

def train(model, data, lr, loss_of, parameters=None):
    model.double().train()
    optimizer = torch.optim.SGD(parameters or model.parameters(), lr=lr)
    losses = []
    for x, y in data:
        optimizer.zero_grad()
        loss = loss_of(torch.tensor(x, dtype=torch.float64), torch.tensor(y))
        loss.backward(); optimizer.step()
        losses.append(loss.item())
    return losses

flat = lambda t: [float(f'{v:.9g}') for v in np.asarray(t, np.float64).reshape(-1)]
def state(model):
    return {k: flat(v.detach()) for k, v in model.state_dict().items() if 'num_batches' not in k}
def pack(data):
    return [{'x': flat(x), 'y': y.tolist()} for x, y in data]

golden = {}
mlp = Mlp(); export(mlp, [9], 'mlp.onnx')
start = {k: v.clone() for k, v in mlp.state_dict().items()}
data = batches([9], 8, 5)
golden['mlp'] = {'row': [9], 'lr': 0.3, 'batches': pack(data), 'losses': train(mlp, data, 0.3, lambda x, y: F.cross_entropy(mlp(x), y)), 'state': state(mlp)}

conv = Conv(); export(conv, [2, 10, 10], 'conv.onnx'); population_variance(conv)
data = batches([2, 10, 10], 4, 3)
golden['conv'] = {'row': [2, 10, 10], 'lr': 0.2, 'batches': pack(data), 'losses': train(conv, data, 0.2, lambda x, y: F.cross_entropy(conv(x), y)), 'state': state(conv)}

def fresh():
    m = Mlp(); m.load_state_dict(start); return m

teacher = Mlp(20); export(teacher, [9], 'teacher.onnx'); teacher.double()
student = fresh()
def distilled(x, y, T=3.0, a=0.7):
    z = student(x)
    soft = F.kl_div((z / T).log_softmax(1), (teacher(x).detach() / T).softmax(1), reduction='batchmean') * T * T
    return (1 - a) * F.cross_entropy(z, y) + a * soft
data = batches([9], 8, 4)
golden['distilled'] = {'row': [9], 'lr': 0.3, 'batches': pack(data), 'losses': train(student, data, 0.3, distilled), 'state': state(student)}

class Lora(nn.Module):
    """Adapters of rank 3 on the first and the last layer."""
    def __init__(self):
        super().__init__()
        self.base = fresh()
        self.adapters = nn.ParameterDict()
        for name in ['first', 'last']:
            layer = getattr(self.base, name)
            self.adapters[name + '_a'] = nn.Parameter(torch.tensor(f32(rng.standard_normal((layer.in_features, 3)) * 0.3)))
            self.adapters[name + '_b'] = nn.Parameter(torch.tensor(f32(rng.standard_normal((3, layer.out_features)) * 0.3)))

    def layer(self, name, x):
        out = getattr(self.base, name)(x)
        return out + 2.0 * (x @ self.adapters[name + '_a']) @ self.adapters[name + '_b']

    def forward(self, x):
        return self.layer('last', torch.relu(self.base.second(torch.relu(self.layer('first', x)))))

lora = Lora()
adapters = {k: flat(v.detach()) for k, v in lora.adapters.items()}
data = batches([9], 8, 4)
losses = train(lora, data, 0.2, lambda x, y: F.cross_entropy(lora(x), y), list(lora.adapters.values()))
merged = {f'{n}.weight': flat((getattr(lora.base, n).weight + 2.0 * (lora.adapters[n + '_a'] @ lora.adapters[n + '_b']).T).detach()) for n in ['first', 'last']}
golden['lora'] = {'row': [9], 'lr': 0.2, 'batches': pack(data), 'start': adapters, 'losses': losses,
                  'state': {k: flat(v.detach()) for k, v in lora.adapters.items()}, 'merged': merged}

class Rounded(nn.Module):
    """Weights per channel, symmetric; activations per tensor with moving ranges; torch's fake_quantize ops."""
    def __init__(self, activations):
        super().__init__()
        self.base = fresh(); self.activations = activations; self.ranges = {}

    def activation(self, name, x):
        low, high = x.detach().min(), x.detach().max()
        if name in self.ranges:
            l, h = self.ranges[name]
            low, high = l + 0.1 * (low - l), h + 0.1 * (high - h)
        self.ranges[name] = (low, high)
        qmin, qmax = (0, 255) if self.activations == 'uint8' else (-128, 127)
        scale = ((high.clamp(min=0) - low.clamp(max=0)) / 255).item()
        zero = int(np.clip(qmin - np.rint(min(low.item(), 0) / scale), qmin, qmax))
        return torch.fake_quantize_per_tensor_affine(x, scale, zero, qmin, qmax)

    def layer(self, name, x):
        layer = getattr(self.base, name)
        w = layer.weight
        scale = (w.detach().abs().amax(1) / 127).float()
        w = torch.fake_quantize_per_channel_affine(w, scale, torch.zeros(len(scale), dtype=torch.int32), 0, -128, 127)
        return F.linear(self.activation(name, x), w, layer.bias)

    def forward(self, x):
        return self.layer('last', torch.relu(self.layer('second', torch.relu(self.layer('first', x)))))

for activations in ['uint8', 'int8']:
    m = Rounded(activations)
    data = [(x * (1 + i), y) for i, (x, y) in enumerate(batches([9], 8, 4))]
    losses = train(m, data, 0.1, lambda x, y: F.cross_entropy(m(x), y))
    golden[f'qat_{activations}'] = {'row': [9], 'lr': 0.1, 'batches': pack(data), 'losses': losses, 'state': state(m.base),
                                    'ranges': {k: [v[0].item(), v[1].item()] for k, v in m.ranges.items()}}

json.dump(golden, open('steps.json', 'w'), separators=(',', ':'))
print({k: v['losses'] for k, v in golden.items()})
for n in ['mlp', 'conv', 'teacher']:
    print(n, [(x.op_type, list(x.input), list(x.output)) for x in onnx.load(n + '.onnx').graph.node])
