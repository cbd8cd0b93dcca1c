/** @file A row's field as an image, where it has the form of one: [height, width], [1 or 3, height, width]. */
import { useLayoutEffect, useRef } from "preact/hooks";

export interface Image {
  width: number;
  height: number;
  channels: number[][];
}

const MIN_SIDE = 8;
const MAX_SIDE = 256;

export function imageOf(value: unknown, dims: readonly number[]): Image | undefined {
  const [planes, height, width] = dims.length === 2 ? [1, ...dims] : dims;
  if (dims.length > 3 || (planes !== 1 && planes !== 3) || !isSide(height) || !isSide(width)) {
    return undefined;
  }
  const flat = [value].flat(4).map(Number);
  const size = width * height;
  if (flat.length !== planes * size) return undefined;
  const channels = Array.from({ length: planes }, (_, plane) =>
    flat.slice(plane * size, (plane + 1) * size),
  );
  return { width, height, channels };
}

const isSide = (side: number | undefined): side is number =>
  side !== undefined && side >= MIN_SIDE && side <= MAX_SIDE;

/** From the smallest value to the largest: black to white. */
export function Picture({ image: { width, height, channels } }: { image: Image }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    const all = channels.flat();
    const low = Math.min(...all);
    const range = Math.max(...all) - low || 1;
    const pixels = context.createImageData(width, height);
    for (let i = 0; i < width * height; i++) {
      for (let channel = 0; channel < 3; channel++) {
        const value = (channels[channel] ?? channels[0])?.[i] ?? 0;
        pixels.data[4 * i + channel] = (255 * (value - low)) / range;
      }
      pixels.data[4 * i + 3] = 255;
    }
    context.putImageData(pixels, 0, 0);
  });
  return (
    <canvas
      ref={canvas}
      class="picture"
      width={width}
      height={height}
      role="img"
      aria-label={`${width} × ${height} values as an image`}
    />
  );
}
