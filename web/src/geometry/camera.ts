/**
 * The pinhole camera, x right, y down, z forward; mirrors `handscope.geometry.camera` for lenses that do not distort.
 */
import { HandscopeError } from "../errors";
import type { Matrix3, Point2, Point3 } from "./linear";

/** What is estimated nearer than this, in metres, counts as this far away. */
export const NEAR_M = 0.02;
const LEAST_FOCAL = 1e-2;
const MOST_PX = 1e7;

/** Camera-frame metres to px under intrinsics `K`. */
export function project(point: Point3, K: Matrix3): Point2 {
  const x = point[0] / point[2];
  const y = point[1] / point[2];
  return [K[0][0] * x + K[0][1] * y + K[0][2], K[1][0] * x + K[1][1] * y + K[1][2]];
}

/** Camera-frame metres to px of a square picture of `size` px around the optical axis, as a crop's camera sees it. */
export function projectCentred(point: Point3, focal: number, size: number): Point2 {
  const depth = Math.max(point[2], NEAR_M);
  return [(point[0] / depth) * focal + (size - 1) / 2, (point[1] / depth) * focal + (size - 1) / 2];
}

/** Intrinsics of a camera with square pixels that looks at the picture's middle; `focal` in px. */
export function intrinsicsOfFocal(focal: number, width: number, height: number): Matrix3 {
  return [
    [focal, 0, (width - 1) / 2],
    [0, focal, (height - 1) / 2],
    [0, 0, 1],
  ];
}

/** Intrinsics assumed of an unknown camera: principal point at the centre, focal length 1.2 long sides. */
export function defaultIntrinsics(width: number, height: number): Matrix3 {
  return intrinsicsOfFocal(1.2 * Math.max(width, height), width, height);
}

/** `K` as a matrix: given as one, as a focal length in px, or not at all. */
export function intrinsicsOf(K: Matrix3 | number | undefined, width: number, height: number): Matrix3 {
  if (K === undefined) return defaultIntrinsics(width, height);
  const matrix = typeof K === "number" ? intrinsicsOfFocal(K, width, height) : K;
  const numbers = Array.isArray(matrix) && matrix.length === 3 ? matrix.flat() : [];
  const fine = numbers.length === 9 && numbers.every((value) => Number.isFinite(value) && Math.abs(value) <= MOST_PX);
  if (!fine || Math.min(matrix[0][0], matrix[1][1]) < LEAST_FOCAL || String(matrix[2]) !== "0,0,1") {
    throw new HandscopeError(
      `K must be [[fx, skew, cx], [0, fy, cy], [0, 0, 1]] in pixels with positive fx and fy, or a focal length in ` +
        `pixels; got ${JSON.stringify(K)}`,
    );
  }
  if (Math.abs(matrix[1][1] / matrix[0][0] - 1) >= 0.02) {
    throw new HandscopeError(
      `K has pixels that are not square (fx ${matrix[0][0]}, fy ${matrix[1][1]}): in the browser stretch the picture ` +
        `first, or use the Python package, which does it`,
    );
  }
  return matrix;
}
