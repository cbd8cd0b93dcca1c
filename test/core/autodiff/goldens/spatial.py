"""Makes spatial.json: gradients of convolutions, pools and resizing.

Run: python test/core/autodiff/goldens/spatial.py   (onnx 1.23.1, torch 2.13, numpy)
"""
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from cases import Cases, node, randn, spread

cases = Cases(pathlib.Path(__file__).parent / "spatial.json")
CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def conv(name, x, w, strides, pads, dilations, group=1, auto=None, bias=True, opset=20):
    """pads: as in ONNX, all axes' begins and then their ends."""
    rank = len(x) - 2
    torch_pads = [p for axis in reversed(range(rank)) for p in (pads[axis], pads[axis + rank])]
    attributes = {"strides": strides, "dilations": dilations, "group": group}
    attributes.update({"auto_pad": auto} if auto else {"pads": pads})
    names = ["x", "w"] + (["b"] if bias else [])
    parameters = {"w": randn(*w), **({"b": randn(w[0])} if bias else {})}
    cases.add(f"Conv {name}", [node("Conv", names, ["y"], **attributes)], {"x": randn(*x)}, lambda x, w, b=None: CONV[rank](F.pad(x, torch_pads), w, b, strides, 0, dilations, group), parameters=parameters, batch=["x"])


conv("3x3", (2, 3, 5, 6), (4, 3, 3, 3), [1, 1], [1] * 4, [1, 1])
conv("3x3 stride 2, even size", (2, 2, 6, 8), (3, 2, 3, 3), [2, 2], [1] * 4, [1, 1])
conv("3x3 stride 2, odd size", (2, 2, 7, 5), (3, 2, 3, 3), [2, 2], [1] * 4, [1, 1])
conv("strides that differ", (2, 2, 7, 6), (3, 2, 3, 2), [1, 3], [1, 0, 0, 1], [1, 1])
conv("5x5 stride 3", (2, 1, 11, 9), (2, 1, 5, 5), [3, 3], [2] * 4, [1, 1])
conv("dilated", (2, 2, 8, 7), (3, 2, 3, 3), [1, 1], [2] * 4, [2, 2])
conv("dilated and strided, no padding", (2, 2, 9, 8), (3, 2, 3, 3), [2, 2], [0] * 4, [2, 2])
conv("dilations that differ", (1, 2, 8, 8), (2, 2, 2, 3), [2, 1], [0, 2, 1, 0], [3, 2])
conv("two groups", (2, 4, 5, 5), (6, 2, 3, 3), [1, 1], [1] * 4, [1, 1], 2)
conv("two groups, strided and dilated", (2, 4, 9, 8), (4, 2, 3, 3), [2, 2], [2] * 4, [2, 2], 2)
conv("depthwise", (2, 4, 5, 6), (4, 1, 3, 3), [1, 1], [1] * 4, [1, 1], 4)
conv("depthwise stride 2", (2, 3, 8, 7), (3, 1, 5, 5), [2, 2], [2] * 4, [1, 1], 3)
conv("depthwise dilated", (2, 3, 7, 7), (3, 1, 3, 3), [1, 1], [2] * 4, [2, 2], 3)
conv("depthwise with a multiplier", (2, 3, 5, 5), (6, 1, 3, 3), [1, 1], [1] * 4, [1, 1], 3)
conv("1x1", (2, 3, 4, 5), (4, 3, 1, 1), [1, 1], [0] * 4, [1, 1])
conv("1x1 stride 2", (2, 3, 6, 5), (4, 3, 1, 1), [2, 2], [0] * 4, [1, 1])
conv("1x1 in two groups", (2, 4, 3, 3), (4, 2, 1, 1), [1, 1], [0] * 4, [1, 1], 2)
conv("kernel smaller than the stride", (1, 2, 10, 9), (3, 2, 2, 2), [3, 4], [0] * 4, [1, 1])
conv("padding wider than the kernel", (1, 1, 4, 4), (2, 1, 2, 2), [1, 1], [2, 3, 2, 2], [1, 1])
conv("depthwise, padding wider than the kernel", (1, 2, 4, 4), (2, 1, 2, 2), [1, 1], [2, 3, 2, 2], [1, 1], 2)
conv("1x1 with padding", (1, 2, 3, 3), (2, 2, 1, 1), [1, 1], [1, 0, 2, 1], [1, 1])
conv("kernel as large as the input", (2, 2, 4, 3), (3, 2, 4, 3), [1, 1], [0] * 4, [1, 1])
conv("of many channels, stride 2", (1, 17, 5, 4), (2, 17, 3, 3), [2, 2], [1] * 4, [1, 1])
conv("of many channels, 1x1 stride 2", (1, 16, 4, 5), (2, 16, 1, 1), [2, 2], [0] * 4, [1, 1])
conv("without a bias", (2, 2, 4, 4), (3, 2, 3, 3), [1, 1], [1] * 4, [1, 1], bias=False)
conv("SAME_UPPER", (2, 2, 5, 6), (3, 2, 4, 3), [1, 1], [1, 1, 2, 1], [1, 1], auto="SAME_UPPER")
conv("SAME_UPPER stride 2", (2, 2, 8, 7), (3, 2, 3, 3), [2, 2], [0, 1, 1, 1], [1, 1], auto="SAME_UPPER")
conv("SAME_LOWER stride 2", (2, 2, 8, 7), (3, 2, 3, 3), [2, 2], [1, 1, 0, 1], [1, 1], auto="SAME_LOWER")
conv("VALID", (2, 2, 5, 6), (3, 2, 3, 3), [1, 1], [0] * 4, [1, 1], auto="VALID")
conv("1-D", (2, 3, 9), (4, 3, 3), [1], [1, 1], [1])
conv("1-D, strided and dilated", (2, 3, 12), (4, 3, 3), [2], [2, 1], [2])
conv("1-D of many channels, strided", (1, 16, 7), (2, 16, 3), [2], [1, 0], [1])
conv("1-D depthwise", (2, 4, 9), (4, 1, 5), [1], [4, 0], [1], 4)
conv("1-D in two groups", (2, 4, 9), (4, 2, 3), [2], [1, 1], [1], 2)
conv("3-D", (2, 2, 4, 3, 5), (3, 2, 3, 2, 3), [1, 1, 1], [1, 0, 1, 1, 1, 1], [1, 1, 1])
conv("3-D stride 2", (1, 2, 5, 4, 6), (2, 2, 3, 3, 3), [2, 2, 2], [1] * 6, [1, 1, 1])
conv("3-D, padding wider than the kernel", (1, 2, 3, 3, 3), (2, 2, 2, 1, 2), [1, 2, 1], [2, 1, 0, 1, 0, 2], [1, 1, 1])
conv("3-D of many channels, strided", (1, 16, 3, 2, 4), (2, 16, 2, 2, 2), [1, 1, 2], [0] * 6, [1, 1, 1])
conv("3-D in two groups", (2, 4, 3, 4, 3), (4, 2, 2, 2, 2), [1, 1, 1], [0] * 6, [1, 1, 1], 2)
conv("3-D depthwise", (2, 3, 4, 3, 3), (3, 1, 3, 3, 3), [1, 1, 1], [1] * 6, [1, 1, 1], 3)


def transposed(name, x, w, strides, pads, dilations, extra, group=1, auto=None, shape=None, outputs=None):
    """pads: the same before and after, one an axis, as torch has them; cut: what the output loses at its ends besides."""
    rank = len(x) - 2
    attributes = {"strides": strides, "dilations": dilations, "group": group}
    begin, end = pads
    if auto:
        attributes["auto_pad"] = auto
    if shape:
        attributes["output_shape"] = shape
    if not auto and not shape:
        attributes["pads"] = [*begin, *end]
    if any(extra):
        attributes["output_padding"] = extra

    def function(x, w, b):
        full = TRANSPOSED[rank](x, w, b, strides, 0, 0, group, dilations)
        full = F.pad(full, [e for axis in reversed(range(rank)) for e in (0, extra[axis])])
        for axis in range(rank):
            full = full.narrow(axis + 2, begin[axis], full.shape[axis + 2] - begin[axis] - end[axis])
        return full

    def with_bias(x, w, b):
        # The positions that output_padding adds get the bias, too.
        return function(x, w, None) + b.reshape(1, -1, *[1] * rank)

    channels = w[1] * group
    cases.add(f"ConvTranspose {name}", [node("ConvTranspose", ["x", "w", "b"], ["y"], **attributes)], {"x": randn(*x)}, with_bias, parameters={"w": randn(*w), "b": randn(channels)}, batch=["x"])


transposed("2x2 stride 2", (2, 3, 3, 4), (3, 2, 2, 2), [2, 2], ([0, 0], [0, 0]), [1, 1], [0, 0])
transposed("4x4 stride 2", (2, 3, 3, 4), (3, 2, 4, 4), [2, 2], ([1, 1], [1, 1]), [1, 1], [0, 0])
transposed("3x3 stride 2 with output_padding", (2, 3, 3, 4), (3, 2, 3, 3), [2, 2], ([1, 1], [1, 1]), [1, 1], [1, 1])
transposed("3x3", (2, 3, 4, 4), (3, 2, 3, 3), [1, 1], ([1, 0], [1, 2]), [1, 1], [0, 0])
transposed("dilated", (2, 2, 4, 3), (2, 3, 3, 2), [1, 1], ([0, 1], [1, 0]), [2, 2], [0, 0])
transposed("dilated and strided, with output_padding", (1, 2, 3, 3), (2, 3, 2, 2), [2, 2], ([0, 1], [1, 0]), [3, 2], [1, 1])
transposed("in two groups", (2, 4, 3, 3), (4, 3, 3, 3), [2, 2], ([1, 1], [1, 1]), [1, 1], [0, 0], 2)
transposed("depthwise", (2, 3, 3, 3), (3, 1, 4, 4), [2, 2], ([1, 1], [1, 1]), [1, 1], [0, 0], 3)
transposed("kernel smaller than the stride", (1, 2, 3, 3), (2, 2, 2, 2), [3, 3], ([0, 0], [0, 0]), [1, 1], [0, 0])
transposed("SAME_UPPER", (2, 2, 3, 3), (2, 2, 3, 3), [2, 2], ([0, 0], [1, 1]), [1, 1], [0, 0], auto="SAME_UPPER")
transposed("SAME_LOWER", (2, 2, 3, 3), (2, 2, 3, 3), [2, 2], ([1, 1], [0, 0]), [1, 1], [0, 0], auto="SAME_LOWER")
transposed("of a given output_shape", (2, 2, 3, 3), (2, 2, 3, 3), [2, 2], ([1, 1], [0, 0]), [1, 1], [0, 0], shape=[6, 6])
transposed("1-D", (2, 3, 5), (3, 2, 4), [2], ([1], [1]), [1], [0])
transposed("3-D", (1, 2, 2, 3, 2), (2, 2, 3, 2, 3), [2, 1, 2], ([1, 0, 1], [1, 0, 1]), [1, 1, 1], [1, 0, 0])


def unfolded(x, kernel, strides, pads, dilations, fill, output):
    """Every window's elements: [N, C, …output, taps]."""
    rank = len(kernel)
    before, after = pads[:rank], pads[rank:]
    for axis in range(rank):
        reach = (output[axis] - 1) * strides[axis] + dilations[axis] * (kernel[axis] - 1) + 1
        after = [*after[:axis], max(after[axis], reach - x.shape[axis + 2] - before[axis]), *after[axis + 1 :]]
    x = F.pad(x, [p for axis in reversed(range(rank)) for p in (before[axis], after[axis])], value=fill)
    taps = []
    for tap in np.ndindex(*kernel):
        index = [slice(None), slice(None)]
        for axis in range(rank):
            start = tap[axis] * dilations[axis]
            index.append(slice(start, start + (output[axis] - 1) * strides[axis] + 1, strides[axis]))
        taps.append(x[tuple(index)])
    return torch.stack(taps, -1)


def pooled_size(size, kernel, stride, before, after, dilation, ceil):
    room = size + before + after - dilation * (kernel - 1) - 1
    if not ceil:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - 1 if (count - 1) * stride >= size + before else count


def pool(op, name, x, kernel, strides, pads, dilations=None, ceil=0, auto=None, values=None, attributes=None, reduce=None):
    rank = len(kernel)
    dilated = dilations or [1] * rank
    settings = {"kernel_shape": kernel, "strides": strides, **(attributes or {})}
    settings.update({"auto_pad": auto} if auto else {"pads": pads})
    if dilations:
        settings["dilations"] = dilations
    if ceil:
        settings["ceil_mode"] = 1
    output = [pooled_size(x[i + 2], kernel[i], strides[i], pads[i], pads[i + rank], dilated[i], ceil) for i in range(rank)]
    cases.add(f"{op} {name}", [node(op, ["x"], ["y"], **settings)], {"x": values if values is not None else randn(*x)}, lambda x: reduce(x, kernel, strides, pads, dilated, output), batch=["x"])


class FirstMaximum(torch.autograd.Function):
    """The maximum over the last axis; its gradient goes to the first of equal ones."""

    @staticmethod
    def forward(ctx, x):
        first = torch.tensor(np.argmax(x.detach().numpy(), -1))[..., None]
        ctx.save_for_backward(first, torch.tensor(x.shape))
        return x.gather(-1, first)[..., 0]

    @staticmethod
    def backward(ctx, g):
        first, shape = ctx.saved_tensors
        return torch.zeros(*shape.tolist(), dtype=g.dtype).scatter(-1, first, g[..., None])


def largest(x, kernel, strides, pads, dilations, output):
    y = FirstMaximum.apply(unfolded(x, kernel, strides, pads, dilations, -torch.inf, output))
    rank = len(kernel)
    if rank == 2 and pads[:2] == pads[2:]:
        ceil = [pooled_size(x.shape[i + 2], kernel[i], strides[i], pads[i], pads[i + 2], dilations[i], 0) for i in (0, 1)] != output
        theirs = F.max_pool2d(x, kernel, strides, pads[:2], dilations, ceil)
        assert torch.equal(theirs, y), "torch agrees"
        cotangent = torch.randn_like(y)
        ours, = torch.autograd.grad(y, x, cotangent, retain_graph=True)
        assert torch.allclose(torch.autograd.grad(theirs, x, cotangent)[0], ours), "torch's gradient agrees"
    return y


ties = lambda *shape: np.round(randn(*shape))
pool("MaxPool", "2x2", (2, 2, 6, 4), [2, 2], [2, 2], [0] * 4, reduce=largest)
pool("MaxPool", "2x2 of an odd size", (2, 2, 7, 5), [2, 2], [2, 2], [0] * 4, reduce=largest)
pool("MaxPool", "2x2 with ceil_mode", (2, 2, 7, 5), [2, 2], [2, 2], [0] * 4, ceil=1, reduce=largest)
pool("MaxPool", "3x3 stride 2", (2, 2, 7, 8), [3, 3], [2, 2], [1] * 4, reduce=largest)
pool("MaxPool", "3x3 stride 2 with ceil_mode", (2, 2, 6, 8), [3, 3], [2, 2], [1] * 4, ceil=1, reduce=largest)
pool("MaxPool", "3x3 stride 1", (2, 2, 5, 5), [3, 3], [1, 1], [1] * 4, reduce=largest)
pool("MaxPool", "with ties", (2, 2, 6, 6), [2, 2], [2, 2], [0] * 4, values=ties(2, 2, 6, 6), reduce=largest)
pool("MaxPool", "3x3 with ties", (2, 2, 7, 7), [3, 3], [2, 2], [1] * 4, values=ties(2, 2, 7, 7), reduce=largest)
pool("MaxPool", "of zeros", (1, 1, 4, 4), [2, 2], [2, 2], [0] * 4, values=np.zeros((1, 1, 4, 4), np.float32), reduce=largest)
pool("MaxPool", "dilated", (2, 2, 7, 7), [2, 3], [1, 2], [0] * 4, [2, 2], reduce=largest)
pool("MaxPool", "with uneven padding", (2, 2, 6, 6), [3, 3], [2, 2], [1, 0, 0, 2], reduce=largest)
pool("MaxPool", "SAME_UPPER", (2, 2, 6, 5), [3, 2], [2, 2], [0, 0, 1, 1], auto="SAME_UPPER", reduce=largest)
pool("MaxPool", "SAME_LOWER", (2, 2, 6, 5), [3, 2], [2, 2], [1, 1, 0, 0], auto="SAME_LOWER", reduce=largest)
pool("MaxPool", "1-D", (2, 2, 9), [3], [2], [1, 0], reduce=largest)
pool("MaxPool", "3-D", (1, 2, 4, 5, 4), [2, 3, 2], [2, 2, 2], [0, 1, 0, 0, 1, 0], reduce=largest)
pool("MaxPool", "by columns", (2, 2, 6, 4), [2, 2], [2, 2], [0] * 4, attributes={"storage_order": 1}, reduce=largest)


def mean(is_padding_counted, same=False):
    def reduce(x, kernel, strides, pads, dilations, output):
        values = unfolded(x, kernel, strides, pads, dilations, 0.0, output)
        rank = len(kernel)
        # What ceil_mode adds beyond the padding does not count.
        ones = torch.ones_like(x)
        if is_padding_counted:
            ones = F.pad(ones, [p for axis in reversed(range(rank)) for p in (pads[axis], pads[axis + rank])], value=1.0)
            counts = unfolded(ones, kernel, strides, [0] * 2 * rank, dilations, 0.0, output)
        else:
            counts = unfolded(ones, kernel, strides, pads, dilations, 0.0, output)
        y = values.sum(-1) / counts.sum(-1)
        if rank == 2 and pads[:2] == pads[2:] and dilations == [1, 1]:
            ceil = [pooled_size(x.shape[i + 2], kernel[i], strides[i], pads[i], pads[i + 2], dilations[i], 0) for i in (0, 1)] != output
            theirs = F.avg_pool2d(x, kernel, strides, pads[:2], ceil, is_padding_counted)
            assert torch.allclose(theirs, y), "torch agrees"
        return y

    return reduce


included = {"count_include_pad": 1}
pool("AveragePool", "2x2", (2, 2, 6, 4), [2, 2], [2, 2], [0] * 4, reduce=mean(False))
pool("AveragePool", "2x3 of an odd size", (2, 2, 7, 8), [2, 3], [2, 3], [0] * 4, reduce=mean(False))
pool("AveragePool", "3x3 stride 2", (2, 2, 6, 7), [3, 3], [2, 2], [1] * 4, reduce=mean(False))
pool("AveragePool", "3x3 stride 2, the padding counted", (2, 2, 6, 7), [3, 3], [2, 2], [1] * 4, attributes=included, reduce=mean(True))
pool("AveragePool", "3x3 stride 1", (2, 2, 5, 5), [3, 3], [1, 1], [1] * 4, reduce=mean(False))
pool("AveragePool", "with ceil_mode", (2, 2, 6, 7), [3, 3], [2, 2], [0] * 4, ceil=1, reduce=mean(False))
pool("AveragePool", "with ceil_mode, the padding counted", (2, 2, 6, 8), [3, 3], [2, 2], [1] * 4, ceil=1, attributes=included, reduce=mean(True))
pool("AveragePool", "dilated", (2, 2, 7, 7), [2, 3], [1, 2], [1] * 4, [2, 2], reduce=mean(False))
pool("AveragePool", "with uneven padding", (2, 2, 6, 6), [3, 3], [2, 2], [1, 0, 0, 2], attributes=included, reduce=mean(True))
pool("AveragePool", "SAME_UPPER", (2, 2, 6, 5), [3, 2], [2, 2], [0, 0, 1, 1], auto="SAME_UPPER", reduce=mean(False))
pool("AveragePool", "1-D", (2, 2, 9), [3], [2], [1, 0], reduce=mean(False))
pool("AveragePool", "3-D", (1, 2, 4, 5, 4), [2, 3, 2], [2, 2, 2], [0, 1, 0, 0, 1, 0], reduce=mean(False))


def norm(p):
    return lambda x, *windows: (unfolded(x, *windows[:4], 0.0, windows[4]).abs() ** p).sum(-1) ** (1 / p)


pool("LpPool", "2", (2, 2, 6, 7), [3, 3], [2, 2], [1] * 4, attributes={"p": 2}, reduce=norm(2))
pool("LpPool", "1", (2, 2, 6, 4), [2, 2], [2, 2], [0] * 4, attributes={"p": 1}, reduce=norm(1))
pool("LpPool", "3", (2, 2, 5, 5), [3, 3], [1, 1], [0] * 4, attributes={"p": 3}, reduce=norm(3))
for shape in ((2, 3, 4, 5), (2, 3, 7), (2, 2, 3, 2, 4)):
    axes = tuple(range(2, len(shape)))
    cases.add(f"GlobalAveragePool {list(shape)}", [node("GlobalAveragePool", ["x"], ["y"])], {"x": randn(*shape)}, lambda x, a=axes: x.mean(a, True), batch=["x"])
    cases.add(f"GlobalMaxPool {list(shape)}", [node("GlobalMaxPool", ["x"], ["y"])], {"x": spread(*shape)}, lambda x, a=axes: x.amax(a, True), batch=["x"])
cases.add("GlobalMaxPool with ties", [node("GlobalMaxPool", ["x"], ["y"])], {"x": ties(2, 3, 4, 4)}, lambda x: F.adaptive_max_pool2d(x, 1))


def resize(name, x, scales=None, sizes=None, function=None, opset=20, **attributes):
    inputs, constants = ["x", "", "scales"], {}
    if scales is not None:
        constants["scales"] = np.array(scales, np.float32)
    else:
        inputs, constants = ["x", "", "", "sizes"], {"sizes": np.array(sizes, np.int64)}
    cases.add(f"Resize {name}", [node("Resize", inputs, ["y"], **attributes)], {"x": randn(*x)}, function, constants, batch=["x"] if scales is not None else [], opset=opset)


scaled = lambda factor, mode, **options: lambda x: F.interpolate(x, scale_factor=factor, mode=mode, **options)
sized = lambda size, mode, **options: lambda x: F.interpolate(x, size=size, mode=mode, **options)
asymmetric = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
resize("nearest x2", (2, 3, 3, 4), [1, 1, 2, 2], function=scaled(2, "nearest"), **asymmetric)
resize("nearest x2, half_pixel", (2, 3, 3, 4), [1, 1, 2, 2], function=scaled(2, "nearest"))
resize("nearest x3 and x2", (1, 2, 2, 3), [1, 1, 3, 2], function=scaled((3, 2), "nearest"), **asymmetric)
resize("nearest to a size", (1, 2, 3, 4), sizes=[1, 2, 5, 7], function=sized((5, 7), "nearest"), **asymmetric)
resize("nearest-exact to a size", (1, 2, 3, 4), sizes=[1, 2, 5, 7], function=sized((5, 7), "nearest-exact"), nearest_mode="round_prefer_ceil")
resize("nearest down", (1, 2, 6, 8), sizes=[1, 2, 3, 4], function=sized((3, 4), "nearest"), **asymmetric)
resize("linear x2", (2, 2, 3, 4), [1, 1, 2, 2], function=scaled(2, "bilinear"), mode="linear", coordinate_transformation_mode="pytorch_half_pixel")
resize("linear x2, half_pixel", (2, 2, 3, 4), [1, 1, 2, 2], function=scaled(2, "bilinear"), mode="linear")
resize("linear to a size", (1, 2, 3, 4), sizes=[1, 2, 5, 7], function=sized((5, 7), "bilinear"), mode="linear")
resize("linear down", (1, 2, 7, 8), sizes=[1, 2, 3, 5], function=sized((3, 5), "bilinear"), mode="linear")
resize("linear, corners aligned", (1, 2, 3, 4), sizes=[1, 2, 5, 7], function=sized((5, 7), "bilinear", align_corners=True), mode="linear", coordinate_transformation_mode="align_corners")
resize("linear 1-D", (2, 2, 5), [1, 1, 2], function=scaled(2, "linear"), mode="linear")
resize("linear 3-D", (1, 2, 2, 3, 2), [1, 1, 2, 2, 2], function=scaled(2, "trilinear"), mode="linear")
resize("cubic x2", (1, 2, 4, 5), [1, 1, 2, 2], function=scaled(2, "bicubic"), mode="cubic", cubic_coeff_a=-0.75)
cases.add("Upsample", [node("Upsample", ["x", "s"], ["y"], mode="nearest")], {"x": randn(2, 2, 2, 3)}, scaled((2, 3), "nearest"), {"s": np.array([1, 1, 2, 3], np.float32)}, batch=["x"], opset=9)
resize("along listed axes", (2, 2, 3, 4), [2.0, 2.0], function=scaled(2, "nearest"), axes=[2, 3], **asymmetric)
cases.write()
