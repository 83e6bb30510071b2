/** The numbers that Python wrote (scripts/web_goldens.py), and how ours are held against them. */
import { expect } from "vitest";
import type { Picture } from "../src/geometry/pictures";
import { loadAsset, type HandAsset } from "../src/hand/assets";
import { handFile, readJson } from "./shipped";

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- what it holds is checked by what is compared with it
export const golden = (name: string): any => readJson(`./goldens/${name}.json`);

/** The picture that Python makes by the same formula. */
export function picture(width: number, height: number): Picture {
  const data = new Uint8ClampedArray(width * height * 3);
  let k = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) data[k++] = (x * 37 + y * 91 + c * 53 + ((x * y) % 101)) % 256;
    }
  }
  return { data, width, height };
}

export const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64"));

/** 0 and 1 of numpy's `packbits`. */
export function bits(text: string, count: number): Uint8Array {
  const packed = bytes(text);
  return Uint8Array.from({ length: count }, (_, i) => (packed[i >> 3]! >> (7 - (i % 8))) & 1);
}

type Nested = number | boolean | string | null | readonly Nested[] | { readonly [key: string]: Nested | undefined };

/** Every number within `tolerance` of Python's, all else the same; of objects only what Python told is compared. */
export function expectClose(found: unknown, wanted: Nested, tolerance = 1e-6, path = "value"): void {
  if (typeof wanted === "number" && typeof found === "number") {
    expect(Math.abs(found - wanted), `${path}: ${found}, Python has ${wanted}`).toBeLessThanOrEqual(tolerance);
  } else if (Array.isArray(wanted)) {
    const list = ArrayBuffer.isView(found) ? [...(found as unknown as Iterable<number>)] : found;
    expect(Array.isArray(list) && list.length, path).toBe(wanted.length);
    wanted.forEach((value: Nested, i) => expectClose((list as unknown[])[i], value, tolerance, `${path}[${i}]`));
  } else if (wanted !== null && typeof wanted === "object") {
    for (const [key, value] of Object.entries(wanted)) {
      expectClose((found as Record<string, unknown>)[key], value as Nested, tolerance, `${path}.${key}`);
    }
  } else {
    expect(found, path).toBe(wanted);
  }
}

/** Triples of x, y, z of every 100th vertex. */
export function every100th(vertices: ArrayLike<number>): number[][] {
  const count = Math.ceil(vertices.length / 300);
  return Array.from({ length: count }, (_, i) => [0, 1, 2].map((c) => vertices[i * 300 + c]!));
}

let known: Promise<HandAsset> | undefined;
export const asset = (): Promise<HandAsset> => (known ??= loadAsset(handFile()));
