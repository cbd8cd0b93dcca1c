"""Ranges that onnxruntime's histogram calibrators find for small sets of values.

    python ranges.py     (onnxruntime 1.30, numpy 2) writes ranges.json beside this file
"""

import base64
import contextlib
import io
import json
from pathlib import Path

import numpy as np
from onnxruntime.quantization.calibrate import HistogramCollector

RNG = np.random.default_rng(5)
RUNS, COUNT = 3, 150


def distributions():
    normal = RNG.standard_normal((RUNS, COUNT))
    yield "normal", normal
    yield "relu", np.maximum(normal, 0)
    yield "negative", -np.abs(normal) - 0.2
    yield "far from zero", normal * 0.01 + 3
    yield "heavy tails", normal**5
    yield "zeros", np.zeros((RUNS, COUNT))
    yield "constant", np.full((RUNS, COUNT), 0.7)
    yield "one outlier", np.where(np.arange(RUNS * COUNT).reshape(RUNS, COUNT) == 11, 50, normal)
    yield "bins' edges", RNG.integers(-64, 65, (RUNS, COUNT)) / 64
    yield "denormal", normal * 1e-41
    yield "large", normal * 1e37


def settings():
    for bins in (2048, 100):
        for percentile in (99.999, 99.0, 50.0, 100.0):
            yield {"calibrate_method": "percentile", "calibration_bins": bins, "percentile": percentile}
            yield {
                "calibrate_method": "percentile",
                "calibration_bins": bins,
                "percentile": percentile,
                "calibration_range_symmetric": False,
            }
    for bins in (128, 129, 256, 300, 1024):
        yield {"calibrate_method": "entropy", "calibration_bins": bins}


def main():
    sets = []
    for name, values in distributions():
        values = values.astype(np.float32)
        cases = []
        for chosen in settings():
            method = chosen["calibrate_method"]
            symmetric = chosen.get("calibration_range_symmetric", method == "percentile")
            collector = HistogramCollector(
                method, symmetric, chosen["calibration_bins"], 128, chosen.get("percentile", 99.999), "same"
            )
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    collector.collect({"x": [*values]})
                    low, high = collector.compute_collection_result()["x"][:2]
            except (ValueError, AssertionError):
                continue
            cases.append({"options": chosen, "range": [float(low), float(high)]})
        data = base64.b64encode(values.tobytes()).decode()
        sets.append({"name": name, "runs": RUNS, "data": data, "cases": cases})
    Path(__file__).with_name("ranges.json").write_text(json.dumps(sets, separators=(",", ":")) + "\n")


main()
