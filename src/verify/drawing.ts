/**
 * @file A made-up picture: lines of seven-segment digits, dark on a light ground.
 *
 * Nets for pictures answer noise and waves with noise: what they say there changes with the last bit of a weight,
 * so it tells nothing about a result. Digits are something that nets for text read and others see edges in. On
 * PP-OCR's recognizer, results that read printed lines like the original (0.97 of 0.975) come out at 19 to 66 dB
 * on these drawings, and those that do not (0.0 and 0.52) below 9.
 */
import type { Noise } from "./noise.ts";

/** Lines are as high as a small picture, and no higher than this, in pixels. */
const MAX_LINE = 48;
/** Of the line's height; the rest is margin. */
const DIGIT_HEIGHT = 0.6;

/** The lit segments of 0 to 9, lettered as on a display: a on top, then clockwise, g across the middle. */
const DIGITS = "abcdef bc abdeg abcdg bcfg acdfg acdefg abc abcdefg abcdfg".split(" ");

/** Row-major pixels of [height, width], from -1 (ink) to 1, with a little noise. */
export function drawing(noise: Noise, height: number, width: number): Float32Array {
  const pixels = new Float32Array(height * width).fill(1);
  const line = Math.min(height, MAX_LINE);
  const digit = Math.max(5, Math.floor(DIGIT_HEIGHT * line));
  const wide = Math.max(3, digit >> 1);
  const gap = Math.max(1, Math.floor(wide / 3));
  for (let top = (line - digit) >> 1; top + digit <= height; top += line) {
    for (let left = gap; left + wide <= width; left += wide + gap) {
      addDigit(pixels, width, { left, top, wide, tall: digit }, noise.below(DIGITS.length));
    }
  }
  return pixels.map((pixel) => pixel + 0.05 * noise.normal());
}

interface Box {
  left: number;
  top: number;
  wide: number;
  tall: number;
}

function addDigit(pixels: Float32Array, width: number, box: Box, digit: number): void {
  const { left, top, wide, tall } = box;
  const thick = Math.max(1, Math.floor(tall / 9));
  const middle = tall >> 1;
  const [right, bottom] = [wide - thick, tall - thick];
  const bars: Record<string, readonly [x: number, y: number, w: number, h: number]> = {
    a: [0, 0, wide, thick],
    b: [right, 0, thick, middle],
    c: [right, middle, thick, tall - middle],
    d: [0, bottom, wide, thick],
    e: [0, middle, thick, tall - middle],
    f: [0, 0, thick, middle],
    g: [0, middle - (thick >> 1), wide, thick],
  };
  for (const segment of DIGITS[digit] ?? "") {
    const [x, y, w, h] = bars[segment] ?? [0, 0, 0, 0];
    for (let row = top + y; row < top + y + h; row++) {
      pixels.fill(-1, row * width + left + x, row * width + left + x + w);
    }
  }
}
