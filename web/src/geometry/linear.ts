/** Small vectors and matrices as nested lists: what numpy gives the Python side. */
import { HandscopeError } from "../errors";

export type Point2 = [number, number];
export type Point3 = [number, number, number];
export type Matrix2 = [Point2, Point2];
export type Matrix3 = [Point3, Point3, Point3];
/** Four corners x0, y0, x1, y1 in px. */
export type Box = [number, number, number, number];

export const IDENTITY3: Matrix3 = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
];

export function dot(a: readonly number[], b: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

export function length(a: readonly number[]): number {
  return Math.sqrt(dot(a, a));
}

export function cross(a: Point3, b: Point3): Point3 {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

export function plus(a: Point3, b: Point3): Point3 {
  return [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
}

export function minus(a: Point3, b: Point3): Point3 {
  return [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
}

export function times(a: Point3, factor: number): Point3 {
  return [a[0] * factor, a[1] * factor, a[2] * factor];
}

/** M v. */
export function apply3(m: Matrix3, v: Point3): Point3 {
  return [dot(m[0], v), dot(m[1], v), dot(m[2], v)];
}

/** M^T v. */
export function applyTransposed3(m: Matrix3, v: Point3): Point3 {
  return [0, 1, 2].map((i) => m[0][i]! * v[0] + m[1][i]! * v[1] + m[2][i]! * v[2]) as Point3;
}

export function product3(a: Matrix3, b: Matrix3): Matrix3 {
  return a.map((row) => [0, 1, 2].map((j) => row[0] * b[0][j]! + row[1] * b[1][j]! + row[2] * b[2][j]!)) as Matrix3;
}

export function transpose3(m: Matrix3): Matrix3 {
  return [0, 1, 2].map((i) => [m[0][i]!, m[1][i]!, m[2][i]!]) as Matrix3;
}

export function determinant2(m: Matrix2): number {
  return m[0][0] * m[1][1] - m[0][1] * m[1][0];
}

export function inverse2(m: Matrix2): Matrix2 {
  const d = determinant2(m);
  return [
    [m[1][1] / d, -m[0][1] / d],
    [-m[1][0] / d, m[0][0] / d],
  ];
}

export function apply2(m: Matrix2, v: Point2): Point2 {
  return [m[0][0] * v[0] + m[0][1] * v[1], m[1][0] * v[0] + m[1][1] * v[1]];
}

/** The orthogonal matrix nearest to `m` (2, 2): U V of its singular value decomposition. */
export function nearestOrthogonal2(m: Matrix2): Matrix2 {
  // a 2x2 matrix is a similarity plus a mirrored similarity; the larger of both has the nearest direction
  const plain: Point2 = [m[0][0] + m[1][1], m[1][0] - m[0][1]];
  const mirrored: Point2 = [m[0][0] - m[1][1], m[1][0] + m[0][1]];
  if (determinant2(m) >= 0) {
    const [c, s] = plain.map((value) => value / length(plain)) as Point2;
    return [
      [c, -s],
      [s, c],
    ];
  }
  const [c, s] = mirrored.map((value) => value / length(mirrored)) as Point2;
  return [
    [c, s],
    [s, -c],
  ];
}

/** x of A x = b by elimination with pivots; A (n, n) row by row. Both are overwritten. */
export function solve(a: Float64Array, b: Float64Array): Float64Array {
  const n = b.length;
  for (let column = 0; column < n; column++) {
    let pivot = column;
    for (let row = column + 1; row < n; row++) {
      if (Math.abs(a[row * n + column]!) > Math.abs(a[pivot * n + column]!)) pivot = row;
    }
    const largest = a[pivot * n + column]!;
    if (largest === 0) throw new HandscopeError("a matrix that has no inverse was to be solved");
    if (pivot !== column) {
      for (let k = column; k < n; k++) {
        const kept = a[column * n + k]!;
        a[column * n + k] = a[pivot * n + k]!;
        a[pivot * n + k] = kept;
      }
      const kept = b[column]!;
      b[column] = b[pivot]!;
      b[pivot] = kept;
    }
    for (let row = column + 1; row < n; row++) {
      const share = a[row * n + column]! / largest;
      if (share === 0) continue;
      for (let k = column; k < n; k++) a[row * n + k]! -= share * a[column * n + k]!;
      b[row]! -= share * b[column]!;
    }
  }
  for (let row = n - 1; row >= 0; row--) {
    let sum = b[row]!;
    for (let k = row + 1; k < n; k++) sum -= a[row * n + k]! * b[k]!;
    b[row] = sum / a[row * n + row]!;
  }
  return b;
}

/** x of M x = v for a 3 x 3 matrix. */
export function solve3(m: Matrix3, v: Point3): Point3 {
  return [...solve(Float64Array.from(m.flat()), Float64Array.from(v))] as Point3;
}
