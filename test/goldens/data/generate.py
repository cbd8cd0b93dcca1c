"""Writes the files of this folder with NumPy, safetensors and pyarrow, and expected.json: what is in them.

    python test/goldens/data/generate.py

expected.json has, by file, the rows and each field's type, shape per row, and SHA-256 of its little-endian,
row-major bytes.
"""

import hashlib
import json
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
ROWS = 130
random = np.random.default_rng(20261124)
expected = {}


def describe(file, fields):
    described = []
    for name, array in fields.items():
        data = np.ascontiguousarray(array)
        dtype = str(data.dtype)
        if dtype == "void16":
            dtype = "bfloat16"
        described.append(
            {
                "name": name,
                "dtype": dtype,
                "shape": list(data.shape[1:]),
                "sha256": hashlib.sha256(data.tobytes()).hexdigest(),
            }
        )
    expected[file] = {"rows": len(next(iter(fields.values()))), "fields": described}


def integers(dtype, rows, shape=()):
    info = np.iinfo(dtype)
    values = random.integers(info.min, info.max, (rows, *shape), dtype=dtype, endpoint=True)
    values.flat[0], values.flat[-1] = info.min, info.max
    return values


def floats(dtype, rows, shape=()):
    values = random.standard_normal((rows, *shape)).astype(dtype)
    values.flat[1], values.flat[2], values.flat[3] = np.nan, np.inf, -0.0
    return values


INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]

# NumPy
arrays = {name: integers(name, 20, (3,)) for name in INTEGERS}
arrays |= {name: floats(name, 20, (2, 2)) for name in ["float16", "float32", "float64"]}
arrays["bool"] = random.integers(0, 2, 20).astype(bool)
np.savez(HERE / "arrays.npz", **arrays)
describe("arrays.npz", arrays)
np.savez_compressed(HERE / "compressed.npz", **arrays)
describe("compressed.npz", arrays)
zeros = {"x": np.zeros((5000, 40), "float32"), "y": np.arange(5000) % 7}
np.savez_compressed(HERE / "zeros.npz", **zeros)
describe("zeros.npz", zeros)
fortran = {"x": np.asfortranarray(integers("int16", 7, (4, 3))), "y": np.asfortranarray(floats("float32", 7))}
np.savez(HERE / "fortran.npz", **fortran)
describe("fortran.npz", fortran)
with open(HERE / "version-2.npy", "wb") as file:
    np.lib.format.write_array(file, arrays["float32"], version=(2, 0))
describe("version-2.npy", {"data": arrays["float32"]})
for name, array in {
    "objects": np.array([{"a": 1}, None], dtype=object),
    "text": np.array(["cat", "dog"]),
    "big-endian": np.arange(4, dtype=">i4"),
    "records": np.zeros(3, dtype=[("a", "<f4"), ("b", "<i4")]),
    "scalar": np.float32(1),
    "complex": np.zeros(3, "complex64"),
}.items():
    np.save(HERE / f"refused-{name}.npy", array, allow_pickle=True)

# safetensors
tensors = {name: torch.from_numpy(arrays[name]) for name in ["int8", "uint8", "int64", "float32", "bool"]}
half = torch.from_numpy(arrays["float32"]).to(torch.bfloat16)
save_file(tensors | {"half": half}, HERE / "tensors.safetensors", metadata={"made_by": "generate.py"})
bits = half.view(torch.int16).numpy().view("V2")
describe("tensors.safetensors", {name: arrays[name] for name in tensors})
expected["tensors.safetensors"]["fields"].append(
    {"name": "half", "dtype": "bfloat16", "shape": [2, 2], "sha256": hashlib.sha256(bits.tobytes()).hexdigest()}
)

# CSV: NumPy's own text of numbers
table = np.concatenate([floats("float64", ROWS, (3,)), integers("int16", ROWS, (1,))], axis=1)
np.savetxt(HERE / "table.csv", table, delimiter=",", header="a,b,c,label", comments="", fmt=["%.17g"] * 3 + ["%d"])
with np.errstate(over="ignore"):
    describe(
        "table.csv",
        {"a": table[:, 0].astype("float32"), "bc": table[:, 1:3], "label": table[:, 3].astype("int16")},
    )

# Parquet
columns = {name: integers(name, ROWS) for name in INTEGERS}
columns |= {name: floats(name, ROWS) for name in ["float16", "float32", "float64"]}
columns["bool"] = random.integers(0, 2, ROWS).astype(bool)
columns["class"] = random.integers(0, 5, ROWS)  # few values: a dictionary, runs
columns["sorted"] = np.arange(ROWS, dtype="int32") * 3 - 100  # deltas of no bits
columns["large"] = np.cumsum(random.integers(-(2**60), 2**60, ROWS))  # deltas that wrap
schema = pa.schema(
    [pa.field(name, pa.from_numpy_dtype(a.dtype), nullable=i % 2 == 0) for i, (name, a) in enumerate(columns.items())]
)
everything = pa.table([pa.array(a) for a in columns.values()], schema=schema)
variants = {
    "snappy": {"compression": "snappy"},
    "plain-pages": {"compression": "none", "use_dictionary": False, "data_page_size": 256},
    "version-2": {"compression": "zstd", "data_page_version": "2.0", "row_group_size": 60},
    "groups": {"compression": "gzip", "row_group_size": 50},
    "brotli": {"compression": "brotli", "data_page_version": "2.0"},
    "lz4": {"compression": "lz4"},
    "encodings": {
        "compression": "none",
        "use_dictionary": False,
        "column_encoding": {name: "DELTA_BINARY_PACKED" for name in ["int32", "int64", "sorted", "large", "uint8"]}
        | {name: "BYTE_STREAM_SPLIT" for name in ["float32", "float64", "float16"]}
        | {"bool": "RLE"},
    },
}
for variant, options in variants.items():
    pq.write_table(everything, HERE / f"{variant}.parquet", store_schema=False, **options)
    describe(f"{variant}.parquet", columns)

pixels = {f"pixel_{i}": integers("uint8", 50) for i in range(12)}
pixels["label"] = random.integers(0, 10, 50)
pq.write_table(pa.table(pixels), HERE / "pixels.parquet", row_group_size=20, store_schema=False)
image = np.stack([pixels[f"pixel_{i}"] for i in range(12)], axis=1).reshape(50, 3, 4)
describe("pixels.parquet", {"image": image, "label": pixels["label"].astype("float32")})

refused = {
    "nulls": pa.table({"a": pa.array([1, 2, None, 4])}),
    "text": pa.table({"a": [1, 2], "species": ["setosa", "virginica"]}),
    "list": pa.table({"image": [[1, 2], [3, 4]]}),
    "struct": pa.table({"point": [{"x": 1, "y": 2}]}),
    "date": pa.table({"day": pa.array([1, 2], pa.date32())}),
    "decimal": pa.table({"price": pa.array([1, 2], pa.decimal128(9, 2))}),
}
for name, value in refused.items():
    pq.write_table(value, HERE / f"refused-{name}.parquet", store_schema=False)

(HERE / "expected.json").write_text(json.dumps(expected) + "\n")
