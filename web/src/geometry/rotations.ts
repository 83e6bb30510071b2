/** Rotations: axis-angle and matrices; mirrors `handscope.geometry.rotations`. */
import { cross, dot, length, times, type Matrix3, type Point3 } from "./linear";

/** Rodrigues' formula: axis-angle in radians to a matrix, exact at zero. */
export function axisAngleToMatrix(rotvec: Point3): Matrix3 {
  const [x, y, z] = rotvec;
  const square = x * x + y * y + z * z;
  const small = square < 1e-8;
  const angle = Math.sqrt(square);
  const a = small ? 1 - square / 6 : Math.sin(angle) / angle;
  const b = small ? 0.5 - square / 24 : (1 - Math.cos(angle)) / square;
  return [
    [1 - b * (y * y + z * z), b * x * y - a * z, b * x * z + a * y],
    [b * x * y + a * z, 1 - b * (x * x + z * z), b * y * z - a * x],
    [b * x * z - a * y, b * y * z + a * x, 1 - b * (x * x + y * y)],
  ];
}

/** A matrix to a unit quaternion w, x, y, z with w >= 0; stable near half turns. */
export function matrixToQuaternion(m: Matrix3): [number, number, number, number] {
  const trace = m[0][0] + m[1][1] + m[2][2];
  const diagonal = [trace, m[0][0], m[1][1], m[2][2]];
  const largest = diagonal.indexOf(Math.max(...diagonal));
  const skew = [m[2][1] - m[1][2], m[0][2] - m[2][0], m[1][0] - m[0][1]];
  let q: number[];
  if (largest === 0) q = [1 + trace, ...skew];
  else {
    const i = largest - 1;
    const j = (i + 1) % 3;
    const k = (i + 2) % 3;
    q = [skew[i]!, 0, 0, 0];
    q[1 + i] = 1 + 2 * m[i]![i]! - trace;
    q[1 + j] = m[i]![j]! + m[j]![i]!;
    q[1 + k] = m[i]![k]! + m[k]![i]!;
  }
  const scale = (q[0]! < 0 ? -1 : 1) / length(q);
  return q.map((value) => value * scale) as [number, number, number, number];
}

/** A matrix to axis-angle, the angle in [0, pi]. */
export function matrixToAxisAngle(m: Matrix3): Point3 {
  const [w, ...axis] = matrixToQuaternion(m);
  const sine = length(axis);
  const factor = sine < 1e-9 ? 2 : (2 * Math.atan2(sine, w)) / sine;
  return times(axis, factor);
}

/** The smallest rotation that takes direction `a` to direction `b`; undefined for opposite ones. */
export function rotationBetween(a: Point3, b: Point3): Matrix3 {
  const from = times(a, 1 / length(a));
  const to = times(b, 1 / length(b));
  const axis = cross(from, to);
  const sine = length(axis);
  return axisAngleToMatrix(sine > 1e-12 ? times(axis, Math.atan2(sine, dot(from, to)) / sine) : [0, 0, 0]);
}
