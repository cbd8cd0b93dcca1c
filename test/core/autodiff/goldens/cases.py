"""What a golden case of a gradient rule is, and how it is made with torch.

A case is a small model and the gradients of sum(y * cotangent), computed by torch in float64 from the
same float32 numbers. `error` is torch's own float32 error against that: per gradient the largest
difference, divided by the largest magnitude.
"""
import base64
import json
import pathlib

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

torch.manual_seed(0)
torch.set_num_threads(1)
rng = np.random.default_rng(7)
node = helper.make_node


def randn(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def positive(*shape):
    """From 0.2 to about 3: away from the poles of log, division and powers."""
    return (np.abs(rng.standard_normal(shape)) + 0.2).astype(np.float32)


def spread(*shape):
    """Distinct values, at least 0.05 apart and away from 0: no ties, no kinks."""
    count = int(np.prod(shape))
    values = (np.arange(count) - count / 2 + 0.5) * 0.11
    return rng.permutation(values).reshape(shape).astype(np.float32)


def packed(array):
    array = np.asarray(array)
    return {"type": helper.np_dtype_to_tensor_dtype(array.dtype), "dims": list(array.shape), "data": base64.b64encode(array.tobytes()).decode()}


class Cases:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.cases = []

    def add(self, name, nodes, inputs, function, constants=None, wrt=None, batch=(), opset=20, output="y", parameters=None, domains=()):
        """
        inputs: float and integer arrays by name, fed at run time; constants become initializers.
        function: torch's form, of the inputs by name. wrt: inputs that get a gradient (default: the floats).
        batch: inputs whose first axis is also tried with a size that is not known.
        parameters: float initializers that get a gradient (they are arguments of the function, too).
        domains: imported besides ai.onnx, in version 1.
        """
        parameters = parameters or {}
        wrt = list(wrt if wrt is not None else [k for k, v in inputs.items() if v.dtype == np.float32]) + list(parameters)
        fed = {**inputs, **parameters}

        def run(dtype):
            tensors = {k: torch.tensor(v.astype(dtype) if v.dtype == np.float32 else v) for k, v in fed.items()}
            for k in wrt:
                tensors[k].requires_grad_(True)
            default = torch.get_default_dtype()
            torch.set_default_dtype(torch.float64 if dtype == np.float64 else torch.float32)
            y = function(**tensors)
            torch.set_default_dtype(default)
            return tensors, y

        tensors, y = run(np.float64)
        cotangent = randn(*y.shape)
        # Where y does not depend on an input the gradient is zero.
        gradients = torch.autograd.grad(y, [tensors[k] for k in wrt], torch.tensor(cotangent.astype(np.float64)), materialize_grads=True)
        tensors32, y32 = run(np.float32)
        gradients32 = torch.autograd.grad(y32, [tensors32[k] for k in wrt], torch.tensor(cotangent), materialize_grads=True)
        errors = [float((a.double() - b).abs().max() / b.abs().max().clamp_min(1e-30)) for a, b in zip(gradients32, gradients)]
        info = lambda k, v: helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), list(v.shape))
        graph = helper.make_graph(
            nodes,
            "g",
            [info(k, v) for k, v in inputs.items()],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, list(y.shape))],
            [numpy_helper.from_array(np.asarray(v), k) for k, v in {**(constants or {}), **parameters}.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), *[helper.make_opsetid(domain, 1) for domain in domains]], ir_version=9)
        onnx.checker.check_model(model)
        self.cases.append(
            {
                "name": name,
                "model": base64.b64encode(model.SerializeToString()).decode(),
                "inputs": {k: packed(v) for k, v in fed.items()},
                "output": output,
                "value": packed(y.detach().numpy().astype(np.float32)),
                "cotangent": packed(cotangent),
                "gradients": {k: {**packed(g.numpy().astype(np.float32)), "error": e} for k, g, e in zip(wrt, gradients, errors)},
                "batch": list(batch),
            }
        )

    def write(self):
        lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in self.cases)
        self.path.write_text(f"[\n{lines}\n]\n")
        print(len(self.cases), "cases,", self.path.stat().st_size, "bytes")
