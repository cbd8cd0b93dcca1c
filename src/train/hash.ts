/** @file A fast hash of a vector's bits, to compare ranks; no proof against malice. */

/** Two lanes of MurmurHash3's 32-bit mixing (Appleby), with different seeds. */
export function hashWords(words: Uint32Array): string {
  let low = 0x9747b28c;
  let high = 0x3c6ef372;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? 0;
    const mixed = Math.imul(word, 0xcc9e2d51);
    const k = Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
    low = (Math.imul(((low ^ k) << 13) | ((low ^ k) >>> 19), 5) + 0xe6546b64) | 0;
    high = (Math.imul(((high ^ word) << 11) | ((high ^ word) >>> 21), 0x85ebca6b) + k) | 0;
  }
  return [low, high].map((lane) => finalMix(lane ^ words.length)).join("");
}

function finalMix(value: number): string {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0).toString(16).padStart(8, "0");
}
