/** A hand as capsules round its bones: how deep hands are in each other; mirrors `handscope.hand.capsules`. */
import { dot, length, minus, plus, times, type Point3 } from "../geometry/linear";
import { BONES, FINGERS } from "../skeleton";

const WIDTHS = { thumb: 1.0, index: 1.0, middle: 1.02, ring: 0.95, little: 0.86 };
const PALM_RADIUS = 0.0095;
/** Metres, of the 20 bones of the mean hand. */
const BONE_RADII = FINGERS.flatMap((finger) => [
  PALM_RADIUS,
  ...(finger === "thumb" ? [0.0105, 0.0088, 0.0075] : [0.008, 0.007, 0.0062]).map((radius) => radius * WIDTHS[finger]),
]);
/** Metres of bone in the mean hand. */
const MEAN_BONES = 0.82847923;

/** How large a hand is, by its bones: 1 is the mean hand. */
export function handSize(joints: readonly Point3[]): number {
  return BONES.reduce((sum, [parent, child]) => sum + length(minus(joints[child]!, joints[parent]!)), 0) / MEAN_BONES;
}

/** How deep the capsules of one hand are in those of another at most, metres; negative: how far apart. */
export function deepest(one: readonly Point3[], two: readonly Point3[], sizes: readonly [number, number]): number {
  let worst = -Infinity;
  BONES.forEach(([p, q], i) => {
    BONES.forEach(([r, s], k) => {
      const gap = segmentDistance(one[p]!, one[q]!, two[r]!, two[s]!);
      worst = Math.max(worst, sizes[0] * BONE_RADII[i]! + sizes[1] * BONE_RADII[k]! - gap);
    });
  });
  return worst;
}

/** Distance between the segments p-q and r-s (Ericson, Real-Time Collision Detection, 5.1). */
export function segmentDistance(p: Point3, q: Point3, r: Point3, s: Point3): number {
  const [d1, d2, w] = [minus(q, p), minus(s, r), minus(p, r)];
  const [a, e] = [dot(d1, d1) + 1e-12, dot(d2, d2) + 1e-12];
  const [b, c, f] = [dot(d1, d2), dot(d1, w), dot(d2, w)];
  const denominator = a * e - b * b;
  const first = denominator > 1e-12 ? clamped((b * f - c * e) / denominator) : 0;
  const v = clamped((b * first + f) / e);
  const u = clamped((b * v - c) / a);
  return length(minus(plus(w, times(d1, u)), times(d2, v)));
}

function clamped(value: number): number {
  return Math.min(Math.max(value, 0), 1);
}
