/**
 * Pictures, and of OpenCV what the Python side uses: scaling, warping, filling. Levels are the same to one of 255;
 * OpenCV 5's warps interpolate in floating point, and so do these.
 */

/** RGB, three levels a pixel, row by row. */
export interface Picture {
  data: Uint8ClampedArray;
  width: number;
  height: number;
}

/** A map of numbers, row by row. */
export interface Plane {
  data: Float32Array;
  width: number;
  height: number;
}

/** Two rows of an affine map: x' = m[0] . (x, y, 1), y' = m[1] . (x, y, 1). */
export type Affine = [[number, number, number], [number, number, number]];

export type Border = "reflect" | "black";

const f32 = Math.fround;

/** RGB of a canvas's RGBA. */
export function pictureOfRgba(rgba: ArrayLike<number>, width: number, height: number): Picture {
  const data = new Uint8ClampedArray(width * height * 3);
  for (let i = 0, k = 0; k < data.length; i += 4, k += 3) {
    data[k] = rgba[i]!;
    data[k + 1] = rgba[i + 1]!;
    data[k + 2] = rgba[i + 2]!;
  }
  return { data, width, height };
}

/** The picture at half its size: means of 2 x 2 px, an odd last row or column left out. */
export function halved(picture: Picture): Picture {
  const width = picture.width >> 1;
  const height = picture.height >> 1;
  const data = new Uint8ClampedArray(width * height * 3);
  const { data: seen, width: stride } = picture;
  for (let y = 0, k = 0; y < height; y++) {
    let i = 2 * y * stride * 3;
    let j = i + stride * 3;
    for (let x = 0; x < width; x++, i += 3, j += 3) {
      for (let c = 0; c < 3; c++, i++, j++, k++) {
        data[k] = (seen[i]! + seen[i + 3]! + seen[j]! + seen[j + 3]! + 2) >> 2;
      }
    }
  }
  return { data, width, height };
}

/** The picture shrunk to a size by means over areas. */
export function shrunkTo(picture: Picture, width: number, height: number): Picture {
  const [across, down] = [picture.width / width, picture.height / height];
  if (across === 2 && down === 2) return halved(picture);
  if (Number.isInteger(across) && Number.isInteger(down)) return blockMeans(picture, width, height);
  return areaMeans(picture, width, height);
}

/** Means of blocks of whole px. */
function blockMeans(picture: Picture, width: number, height: number): Picture {
  const [across, down] = [picture.width / width, picture.height / height];
  const share = Math.fround(1 / (across * down));
  const data = new Uint8ClampedArray(width * height * 3);
  const sums = new Int32Array(width * 3);
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    for (let row = y * down; row < (y + 1) * down; row++) {
      let at = row * picture.width * 3;
      for (let x = 0; x < width; x++) {
        for (let i = 0; i < across; i++, at += 3) {
          for (let c = 0; c < 3; c++) sums[x * 3 + c]! += picture.data[at + c]!;
        }
      }
    }
    for (let k = 0; k < sums.length; k++) data[y * sums.length + k] = Math.fround(sums[k]! * share);
  }
  return { data, width, height };
}

function areaMeans(picture: Picture, width: number, height: number): Picture {
  const columns = areaWeights(picture.width, width);
  const rows = areaWeights(picture.height, height);
  const across = new Float32Array(picture.height * width * 3);
  for (let y = 0; y < picture.height; y++) {
    const from = y * picture.width * 3;
    const to = y * width * 3;
    for (const part of columns) {
      const seen = from + part.source * 3;
      const told = to + part.target * 3;
      across[told]! += f32(picture.data[seen]! * part.weight);
      across[told + 1]! += f32(picture.data[seen + 1]! * part.weight);
      across[told + 2]! += f32(picture.data[seen + 2]! * part.weight);
    }
  }
  const sums = new Float32Array(width * height * 3);
  for (const { target, source, weight } of rows) {
    const from = source * width * 3;
    const to = target * width * 3;
    for (let k = 0; k < width * 3; k++) sums[to + k]! += f32(across[from + k]! * weight);
  }
  return { data: Uint8ClampedArray.from(sums), width, height };
}

/** Which source pixels a target pixel is the mean of, and by which weights. */
function areaWeights(from: number, to: number): { target: number; source: number; weight: number }[] {
  const scale = from / to;
  const parts: { target: number; source: number; weight: number }[] = [];
  const add = (target: number, source: number, weight: number): void => {
    parts.push({ target, source, weight: Math.fround(weight) });
  };
  for (let target = 0; target < to; target++) {
    const begin = target * scale;
    const end = begin + scale;
    const covered = Math.min(scale, from - begin);
    const last = Math.min(Math.floor(end), from - 1);
    const first = Math.min(Math.ceil(begin), last);
    if (first - begin > 1e-3) add(target, first - 1, (first - begin) / covered);
    for (let source = first; source < last; source++) add(target, source, 1 / covered);
    if (end - last > 1e-3) add(target, last, Math.min(end - last, 1, covered) / covered);
  }
  return parts;
}

/** The picture enlarged to a size by linear interpolation, in whole numbers; a level off OpenCV's now and then. */
export function enlargedTo(picture: Picture, width: number, height: number): Picture {
  const one = 2048;
  const columns = linearPlaces(picture.width, width);
  const rows = linearPlaces(picture.height, height);
  const data = new Uint8ClampedArray(width * height * 3);
  const across = (row: number, column: { first: number; second: number; share: number }, c: number): number => {
    const at = row * picture.width;
    const second = Math.round(column.share * one);
    const first = Math.round((1 - column.share) * one);
    return picture.data[(at + column.first) * 3 + c]! * first + picture.data[(at + column.second) * 3 + c]! * second;
  };
  rows.forEach((row, y) => {
    const upper = Math.round((1 - row.share) * one);
    const lower = Math.round(row.share * one);
    columns.forEach((column, x) => {
      for (let c = 0; c < 3; c++) {
        const above = ((across(row.first, column, c) >> 4) * upper) >> 16;
        const below = ((across(row.second, column, c) >> 4) * lower) >> 16;
        data[(y * width + x) * 3 + c] = (above + below + 2) >> 2;
      }
    });
  });
  return { data, width, height };
}

/** A map scaled to a size by linear interpolation. */
export function scaledPlane(plane: Plane, width: number, height: number): Plane {
  const columns = linearPlaces(plane.width, width);
  const rows = linearPlaces(plane.height, height);
  const data = new Float32Array(width * height);
  rows.forEach((row, y) => {
    const upper = row.first * plane.width;
    const lower = row.second * plane.width;
    columns.forEach((column, x) => {
      const { first, second, share } = column;
      const above = plane.data[upper + first]! * (1 - share) + plane.data[upper + second]! * share;
      const below = plane.data[lower + first]! * (1 - share) + plane.data[lower + second]! * share;
      data[y * width + x] = above * (1 - row.share) + below * row.share;
    });
  });
  return { data, width, height };
}

/** For each of `to` pixels the two of `from` that it lies between, and the second one's share. */
function linearPlaces(from: number, to: number): { first: number; second: number; share: number }[] {
  return Array.from({ length: to }, (_, i) => {
    const place = Math.fround(((i + 0.5) * from) / to - 0.5);
    const first = Math.floor(place);
    if (first < 0) return { first: 0, second: 0, share: 0 };
    if (first >= from - 1) return { first: from - 1, second: from - 1, share: 0 };
    return { first, second: first + 1, share: Math.fround(place - first) };
  });
}

export function inverseAffine(m: Affine): Affine {
  const [[a, b, c], [d, e, f]] = m;
  const scale = 1 / (a * e - b * d);
  const [p, q, r, s] = [e * scale, -b * scale, -d * scale, a * scale];
  return [
    [p, q, -p * c - q * f],
    [r, s, -r * c - s * f],
  ];
}

/**
 * Where each px of a square lies under an affine map, in the steps of 32 bits that OpenCV takes: of equal pictures come
 * equal crops, to the level.
 */
function placeAcross(row: [number, number, number], x: number, y: number): number {
  return f32(f32(row[0]) * x + f32(f32(f32(row[1]) * y) + f32(row[2])));
}

function between(one: number, two: number, share: number): number {
  return f32(one + f32(share * f32(two - one)));
}

/** The square of `size` px that `matrix` takes the picture to. */
export function warped(picture: Picture, matrix: Affine, size: number, border: Border): Picture {
  const [across, down] = inverseAffine(matrix);
  const { data: seen, width, height } = picture;
  const data = new Uint8ClampedArray(size * size * 3);
  const inside = (x: number, y: number): boolean => x >= 0 && y >= 0 && x < width && y < height;
  const offset = (x: number, y: number): number => {
    if (border === "reflect") return (reflected(y, height) * width + reflected(x, width)) * 3;
    return inside(x, y) ? (y * width + x) * 3 : -1;
  };
  const level = (at: number): number => (at < 0 ? 0 : seen[at]!);
  for (let y = 0, k = 0; y < size; y++) {
    for (let x = 0; x < size; x++, k += 3) {
      const px = placeAcross(across, x, y);
      const py = placeAcross(down, x, y);
      const [x0, y0] = [Math.floor(px), Math.floor(py)];
      const [tx, ty] = [f32(px - x0), f32(py - y0)];
      const plain = x0 >= 0 && y0 >= 0 && x0 + 1 < width && y0 + 1 < height;
      const p = plain ? (y0 * width + x0) * 3 : offset(x0, y0);
      const q = plain ? p + 3 : offset(x0 + 1, y0);
      const r = plain ? p + width * 3 : offset(x0, y0 + 1);
      const s = plain ? r + 3 : offset(x0 + 1, y0 + 1);
      for (let c = 0; c < 3; c++) {
        const above = between(level(p < 0 ? p : p + c), level(q < 0 ? q : q + c), tx);
        const below = between(level(r < 0 ? r : r + c), level(s < 0 ? s : s + c), tx);
        data[k + c] = between(above, below, ty);
      }
    }
  }
  return { data, width: size, height: size };
}

/** The index that a mirrored border shows, its edge once (OpenCV's BORDER_REFLECT_101). */
export function reflected(index: number, count: number): number {
  if (count === 1) return 0;
  const period = 2 * (count - 1);
  const within = Math.abs(index) % period;
  return within >= count ? period - within : within;
}

/** `plane` sampled at `matrix` (x, y, 1) for every px of a window; zero outside of it. */
export function sampledPlane(plane: Plane, matrix: Affine, width: number, height: number): Plane {
  const [across, down] = matrix;
  const data = new Float32Array(width * height);
  const at = (x: number, y: number): number =>
    x >= 0 && y >= 0 && x < plane.width && y < plane.height ? plane.data[y * plane.width + x]! : 0;
  for (let y = 0, k = 0; y < height; y++) {
    for (let x = 0; x < width; x++, k++) {
      const px = placeAcross(across, x, y);
      const py = placeAcross(down, x, y);
      const [x0, y0] = [Math.floor(px), Math.floor(py)];
      if (x0 < -1 || y0 < -1 || x0 >= plane.width || y0 >= plane.height) continue;
      const tx = f32(px - x0);
      const above = between(at(x0, y0), at(x0 + 1, y0), tx);
      const below = between(at(x0, y0 + 1), at(x0 + 1, y0 + 1), tx);
      data[k] = between(above, below, f32(py - y0));
    }
  }
  return { data, width, height };
}

/** Of a square of 0 and 1 what stays if every px with a 0 among its eight neighbours goes; beyond the edge all is 1. */
export function eroded(filled: Uint8Array, size: number): Uint8Array {
  const kept = new Uint8Array(filled);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      if (filled[y * size + x]) continue;
      for (let v = Math.max(y - 1, 0); v <= Math.min(y + 1, size - 1); v++) {
        for (let u = Math.max(x - 1, 0); u <= Math.min(x + 1, size - 1); u++) kept[v * size + u] = 0;
      }
    }
  }
  return kept;
}

/** The pieces of a square of 0 and 1, neighbours by sides or corners: a number from 1 for each px that is 1. */
export function pieces(filled: Uint8Array, size: number): { numbers: Int32Array; areas: number[] } {
  const numbers = new Int32Array(filled.length);
  const areas: number[] = [];
  for (let start = 0; start < filled.length; start++) {
    if (!filled[start] || numbers[start]) continue;
    areas.push(0);
    numbers[start] = areas.length;
    const waiting = [start];
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      areas[areas.length - 1]!++;
      const x = at % size;
      const y = (at - x) / size;
      for (let v = Math.max(y - 1, 0); v <= Math.min(y + 1, size - 1); v++) {
        for (let u = Math.max(x - 1, 0); u <= Math.min(x + 1, size - 1); u++) {
          const next = v * size + u;
          if (filled[next] && !numbers[next]) {
            numbers[next] = areas.length;
            waiting.push(next);
          }
        }
      }
    }
  }
  return { numbers, areas };
}
