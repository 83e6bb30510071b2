/** How far the hands of a picture are from Python's. */
import type { Point2, Point3 } from "../src/geometry/linear";

export interface Told {
  handedness: string;
  score: number;
  joints_2d: Point2[];
  joints_3d: Point3[];
}

export interface Apart {
  /** Of each hand the mean over its joints. */
  px: number[];
  mm: number[];
  /** The joint that is farthest. */
  worstPx: number;
  worstMm: number;
}

/** Hand by hand, each beside the one of Python's whose joints are nearest; undefined if others were found. */
export function apart(found: readonly Told[], wanted: readonly Told[]): Apart | undefined {
  if (found.length !== wanted.length) return undefined;
  const all: Apart = { px: [], mm: [], worstPx: 0, worstMm: 0 };
  const left = [...found];
  for (const hand of wanted) {
    const px = left.map((other) => distances(other.joints_2d, hand.joints_2d));
    const nearest = px.reduce((best, each, i) => (mean(each) < mean(px[best]!) ? i : best), 0);
    const other = left.splice(nearest, 1)[0]!;
    if (other.handedness !== hand.handedness) return undefined;
    const mm = distances(other.joints_3d, hand.joints_3d).map((metres) => metres * 1000);
    all.px.push(mean(px[nearest]!));
    all.mm.push(mean(mm));
    all.worstPx = Math.max(all.worstPx, ...px[nearest]!);
    all.worstMm = Math.max(all.worstMm, ...mm);
  }
  return all;
}

function distances(one: readonly number[][], two: readonly number[][]): number[] {
  return one.map((place, j) => Math.hypot(...place.map((value, i) => value - two[j]![i]!)));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
