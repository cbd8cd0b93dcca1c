"""Printed lines as PP-OCR's recognizer reads them: reading_peer.py KEYS MODEL...; prints the share of lines read exactly.

Needs pillow, onnxruntime and the DejaVu fonts. Lines, fonts, sizes, inks and noise are seeded.
"""

import json
import random
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageDraw, ImageFont

LINES = 200
HEIGHT = 48
FONTS = sorted(Path("/usr/share/fonts/truetype/dejavu").glob("DejaVuS*.ttf"))
WORDS = "weight tensor price total invoice number street edge train layer order ship city phone water paper".split()
CAPITALS = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"

keys_file, *models = sys.argv[1:]
keys = Path(keys_file).read_text(encoding="utf8").split("\n")
rng = random.Random(7)


def text():
    kind = rng.random()
    if kind < 0.4:
        return "".join(rng.choice("0123456789") for _ in range(rng.randint(4, 12)))
    if kind < 0.8:
        return " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 3)))
    return "".join(rng.choice(CAPITALS) for _ in range(rng.randint(5, 10)))


def picture(line, seed):
    """float32 [1, 3, 48, width], -1 to 1, dark ink on light paper."""
    font = ImageFont.truetype(str(rng.choice(FONTS)), rng.randint(24, 34))
    paper, ink = rng.randint(190, 255), rng.randint(0, 80)
    image = Image.new("L", (2000, HEIGHT), paper)
    draw = ImageDraw.Draw(image)
    left, top, right, bottom = draw.textbbox((0, 0), line, font=font)
    draw.text((8 - left, HEIGHT // 2 - (top + bottom) // 2), line, fill=ink, font=font)
    pixels = np.asarray(image.crop((0, 0, right - left + 16, HEIGHT)), dtype=np.float32)
    pixels = pixels + np.random.default_rng(seed).normal(0, 6, pixels.shape)
    grey = (np.clip(pixels, 0, 255) / 127.5 - 1).astype(np.float32)
    return np.repeat(grey[None, None], 3, axis=1)


def read(scores):
    """Greedy CTC: the best class of each step, repeats merged, class 0 (blank) dropped."""
    best = scores.argmax(-1)
    kept = [c for c, before in zip(best, [0, *best[:-1]]) if c not in (0, before)]
    return "".join(keys[c - 1] if c <= len(keys) else " " for c in kept).replace(" ", "")


lines = [text() for _ in range(LINES)]
pictures = [picture(line, seed) for seed, line in enumerate(lines)]
options = onnxruntime.SessionOptions()
options.log_severity_level = 3
for model in models:
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    right = [
        read(session.run(None, {name: pixels})[0][0]) == line.replace(" ", "")
        for line, pixels in zip(lines, pictures)
    ]
    print(json.dumps(float(np.mean(right))))
