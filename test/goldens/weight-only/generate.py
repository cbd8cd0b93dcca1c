"""What onnxruntime 1.30's quantizers make of small models.

    python generate.py     (onnxruntime, onnx, onnx_ir, torch for HQQ) writes the models and cases.json beside this file
"""

import json
import logging
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantFormat
from onnxruntime.quantization.matmul_bnb4_quantizer import MatMulBnb4Quantizer
from onnxruntime.quantization.matmul_nbits_quantizer import HQQWeightOnlyQuantConfig, MatMulNBitsQuantizer

FOLDER = Path(__file__).parent
RNG = np.random.default_rng(11)
logging.disable(logging.CRITICAL)


def weight(rows, cols):
    values = (RNG.standard_normal((rows, cols)) * 0.1).astype(np.float32)
    values.flat[RNG.integers(0, values.size, values.size // 50)] *= 9
    values[:16, 1] = 0  # a block of zeros
    values[:, 2] = np.abs(values[:, 2])
    return values


def info(name, dims, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, dims)


def save(name, nodes, inputs, outputs, weights):
    initializers = [numpy_helper.from_array(array, key) for key, array in weights.items()]
    graph = helper.make_graph(nodes, name, inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    model.producer_name = ""
    onnx.save(model, FOLDER / f"{name}.onnx")


def products():
    """K of whole blocks, odd K, and K mod 64 = 1: the spare codes of the last byte differ."""
    shapes = {"even": (64, 8), "odd": (99, 7), "one": (65, 18)}
    nodes = [helper.make_node("MatMul", [f"x_{k}", f"w_{k}"], [f"y_{k}"], name=k) for k in shapes]
    save(
        "products",
        nodes,
        [info(f"x_{k}", ["M", rows]) for k, (rows, _) in shapes.items()],
        [info(f"y_{k}", ["M", cols]) for k, (_, cols) in shapes.items()],
        {f"w_{k}": weight(rows, cols) for k, (rows, cols) in shapes.items()},
    )


def embeddings():
    """Whole blocks, and ragged ones in an odd number of rows."""
    shapes = {"whole": (22, 32), "ragged": (21, 25)}
    save(
        "embeddings",
        [helper.make_node("Gather", [f"w_{k}", "ids"], [f"y_{k}"], name=k) for k in shapes],
        [info("ids", ["S"], TensorProto.INT64)],
        [info(f"y_{k}", ["S", cols]) for k, (_, cols) in shapes.items()],
        {f"w_{k}": weight(rows, cols) for k, (rows, cols) in shapes.items()},
    )


def nbits(source, bits, block_size, is_symmetric, quant_format="QOperator", accuracy_level=None):
    quantizer = MatMulNBitsQuantizer(
        onnx.load(FOLDER / f"{source}.onnx"),
        bits=bits,
        block_size=block_size,
        is_symmetric=is_symmetric,
        accuracy_level=accuracy_level,
        quant_format=QuantFormat[quant_format],
        op_types_to_quantize=("MatMul", "Gather") if source == "embeddings" else ("MatMul",),
    )
    quantizer.process()
    options = {"bits": bits, "block_size": block_size, "is_symmetric": is_symmetric, "quant_format": quant_format}
    if accuracy_level is not None:
        options["accuracy_level"] = accuracy_level
    return quantizer.model.model, options


def hqq(source, bits, block_size):
    config = HQQWeightOnlyQuantConfig(block_size=block_size, bits=bits)
    quantizer = MatMulNBitsQuantizer(onnx.load(FOLDER / f"{source}.onnx"), algo_config=config)
    quantizer.process()
    return quantizer.model.model, {"algorithm": "hqq", "bits": bits, "block_size": block_size}


def bnb4(source, quant_type, block_size):
    kind = {"fp4": MatMulBnb4Quantizer.FP4, "nf4": MatMulBnb4Quantizer.NF4}[quant_type]
    quantizer = MatMulBnb4Quantizer(onnx.load(FOLDER / f"{source}.onnx"), kind, block_size)
    quantizer.process()
    return quantizer.model.model, {"algorithm": "bnb4", "quant_type": quant_type, "block_size": block_size}


def main():
    products()
    embeddings()
    results = [("products", *nbits("products", bits, size, symmetric))
               for bits, size, symmetric in [(4, 32, False), (4, 16, True), (4, 128, False), (8, 32, False),
                                             (8, 16, True), (2, 32, False), (2, 16, True)]]
    results += [("products", *nbits("products", 4, 32, True, accuracy_level=4))]
    results += [("products", *nbits("products", 4, size, symmetric, "QDQ")) for size, symmetric in [(32, False), (16, True)]]
    results += [("embeddings", *nbits("embeddings", 4, 16, symmetric)) for symmetric in (False, True)]
    results += [("products", *bnb4("products", kind, size)) for kind, size in [("nf4", 64), ("fp4", 16)]]
    results += [("products", *hqq("products", 4, 32)), ("products", *hqq("products", 2, 16))]
    cases = []
    for number, (source, model, options) in enumerate(results):
        target = f"{source}.{number}.onnx"
        onnx.save(model, FOLDER / target)
        cases.append({"source": f"{source}.onnx", "target": target, "options": options})
    (FOLDER / "cases.json").write_text(json.dumps(cases, indent=1) + "\n")


main()
