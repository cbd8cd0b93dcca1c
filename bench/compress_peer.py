"""The Python side of the compress benchmark: compress_peer.py TASK INPUT OUTPUT; prints the process's figures."""

import json
import os
import resource
import sys
import time

START = time.perf_counter()
task, source, target = sys.argv[1:4]
LARGE = os.path.exists(source + ".data")

import numpy as np  # noqa: E402
import onnx  # noqa: E402



def save(model):
    if LARGE:
        location = os.path.basename(target) + ".data"
        onnx.save(model, target, save_as_external_data=True, location=location)
    else:
        onnx.save(model, target)


if task == "dynamic":
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(source, target, weight_type=QuantType.QInt8, use_external_data_format=LARGE)
elif task == "channels":
    # what onnxruntime's quantizer does for a per-channel weight, and nothing else
    from onnxruntime.quantization.quant_utils import quantize_data

    model = onnx.load(source)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = []
    for node in list(model.graph.node):
        if node.op_type in ("Conv", "Gemm") and node.input[1] in stored:
            tensor = stored[node.input[1]]
            weight = onnx.numpy_helper.to_array(tensor)
            codes = np.empty(weight.shape, np.int8)
            scales = np.empty(weight.shape[0], np.float32)
            for channel, values in enumerate(weight):
                quantized = quantize_data(values.flatten(), onnx.TensorProto.INT8, symmetric=True)
                # (zero point, scale, codes) last, whatever comes before
                zero_point, scale, q = quantized[-3:]
                scales[channel] = np.asarray(scale).item()
                codes[channel] = q.reshape(values.shape)
            name = tensor.name
            model.graph.initializer.remove(tensor)
            model.graph.initializer.extend(
                [
                    onnx.numpy_helper.from_array(codes, name + "_quantized"),
                    onnx.numpy_helper.from_array(scales, name + "_scale"),
                ]
            )
            nodes.append(
                onnx.helper.make_node(
                    "DequantizeLinear", [name + "_quantized", name + "_scale"], [name], axis=0
                )
            )
        nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    save(model)
elif task == "nbits":
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    quantizer = MatMulNBitsQuantizer(onnx.load(source), block_size=32, is_symmetric=False)
    quantizer.process()
    quantizer.model.save_model_to_file(target, LARGE)
elif task == "float16":
    from onnxruntime.transformers.float16 import convert_float_to_float16

    # shapes cannot be inferred in memory for a model past protobuf's 2 GiB
    save(
        convert_float_to_float16(
            onnx.load(source), keep_io_types=True, disable_shape_infer=LARGE
        )
    )
elif task == "prune":
    model = onnx.load(source)
    weights = [
        (tensor, onnx.numpy_helper.to_array(tensor))
        for tensor in model.graph.initializer
        if tensor.data_type == 1 and len(tensor.dims) >= 2
    ]
    magnitudes = np.concatenate([np.abs(values).ravel() for _, values in weights])
    threshold = np.partition(magnitudes, magnitudes.size // 2)[magnitudes.size // 2]
    del magnitudes
    for tensor, values in weights:
        tensor.raw_data = np.where(np.abs(values) < threshold, np.float32(0), values).tobytes()
    save(model)
else:
    sys.exit(f"no task {task}")

usage = resource.getrusage(resource.RUSAGE_SELF)
print(
    json.dumps(
        {
            "cpu_s": usage.ru_utime + usage.ru_stime,
            "peak_mb": usage.ru_maxrss / 1024,
            "wall_s": time.perf_counter() - START,
        }
    )
)
