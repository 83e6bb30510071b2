/** A picture as a fully convolutional network sees it, at several sizes; mirrors `handscope.geometry.looks`. */
import type { Point2 } from "./linear";
import { enlargedTo, shrunkTo, type Picture } from "./pictures";

/** The network's pictures have sides that this divides. */
export const MULTIPLE = 32;
/** How much larger than it is a picture may be seen, if the smallest size does not ask for more. */
const MAX_ENLARGED = 1.3;

/** Of the longer sides those worth looking at: the smallest, and those that hardly enlarge the picture. */
export function worthwhile(picture: Picture, sizes: readonly number[]): number[] {
  const smallest = Math.min(...sizes);
  const most = MAX_ENLARGED * Math.max(picture.width, picture.height);
  return sizes.filter((size) => size === smallest || size <= most);
}

/** Round half to even, as Python does. */
export function roundHalfEven(value: number): number {
  const low = Math.floor(value);
  const rest = value - low;
  return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1;
}

/** The picture with a longer side of `size` px, black to the right and below up to multiples of `MULTIPLE`. */
export function shrunk(picture: Picture, size: number): { small: Picture; scale: Point2 } {
  const ratio = size / Math.max(picture.width, picture.height);
  const columns = Math.max(1, roundHalfEven(picture.width * ratio));
  const rows = Math.max(1, roundHalfEven(picture.height * ratio));
  const same = columns === picture.width && rows === picture.height;
  const scaled = same ? picture : (ratio < 1 ? shrunkTo : enlargedTo)(picture, columns, rows);
  const width = Math.ceil(columns / MULTIPLE) * MULTIPLE;
  const height = Math.ceil(rows / MULTIPLE) * MULTIPLE;
  const data = new Uint8ClampedArray(width * height * 3);
  for (let y = 0; y < rows; y++) {
    data.set(scaled.data.subarray(y * columns * 3, (y + 1) * columns * 3), y * width * 3);
  }
  return { small: { data, width, height }, scale: [columns / picture.width, rows / picture.height] };
}

/** A place in px of what `shrunk` gave, as px of the picture. */
export function toPicture(x: number, y: number, scale: Point2): Point2 {
  return [(x + 0.5) / scale[0] - 0.5, (y + 0.5) / scale[1] - 0.5];
}
