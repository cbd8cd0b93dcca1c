"""The Python side of the compress benchmark: compress_peer.py TASK INPUT OUTPUT; prints the process's figures."""

import json
import resource
import sys
import time

START = time.perf_counter()
task, source, target = sys.argv[1:4]

import numpy as np  # noqa: E402
import onnx  # noqa: E402

if task == "dynamic":
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(source, target, weight_type=QuantType.QInt8)
elif task == "nbits":
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    quantizer = MatMulNBitsQuantizer(onnx.load(source), block_size=32, is_symmetric=False)
    quantizer.process()
    quantizer.model.save_model_to_file(target, False)
elif task == "float16":
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(source), keep_io_types=True), target)
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
    onnx.save(model, target)
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
