/**
 * Boxes x0, y0, x1, y1 px: tight ones, how far they overlap, findings that repeat; mirrors `handscope.geometry.boxes`.
 */
import type { Box, Point2 } from "./linear";

/** When two detections are one hand (`samePlace`). */
const SAME_IOU = 0.5;
const SAME_CENTRE = 0.2;

/** The box around points, each edge moved outwards by `margin` times the longer side. */
export function tightBox(points: readonly Point2[], margin = 0): Box {
  const box: Box = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of points) {
    box[0] = Math.min(box[0], x);
    box[1] = Math.min(box[1], y);
    box[2] = Math.max(box[2], x);
    box[3] = Math.max(box[3], y);
  }
  const reach = margin * longerSide(box);
  return margin ? [box[0] - reach, box[1] - reach, box[2] + reach, box[3] + reach] : box;
}

export function boxCentre(box: Box): Point2 {
  return [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
}

export function longerSide(box: Box): number {
  return Math.max(box[2] - box[0], box[3] - box[1]);
}

export function boxArea(box: Box): number {
  return (box[2] - box[0]) * (box[3] - box[1]);
}

/** The area that two boxes have in common; 0 if they only touch. */
export function sharedArea(one: Box, two: Box): number {
  const width = Math.min(one[2], two[2]) - Math.max(one[0], two[0]);
  const height = Math.min(one[3], two[3]) - Math.max(one[1], two[1]);
  return Math.max(width, 0) * Math.max(height, 0);
}

/** Intersection over union; 0 where both are empty. */
export function boxIou(one: Box, two: Box): number {
  const shared = sharedArea(one, two);
  const union = boxArea(one) + boxArea(two) - shared;
  return union > 0 ? shared / union : 0;
}

/** Which of n findings to keep, best first: each yields to a kept one of a better score that shows the same. */
export function bestOfEach(scores: readonly number[], same: (one: number, two: number) => boolean): number[] {
  const order = scores.map((_, i) => i).sort((i, j) => scores[j]! - scores[i]! || i - j);
  const kept: number[] = [];
  for (const one of order) if (!kept.some((two) => same(one, two))) kept.push(one);
  return kept;
}

/** What `samePlace` compares. */
export interface Place {
  box: Box;
  centre: Point2;
  extent: number;
}

/** Whether two detections show one hand: by their boxes' overlap, or by how near the centres of their crops are. */
export function samePlace(one: Place, two: Place): boolean {
  const apart = Math.hypot(one.centre[0] - two.centre[0], one.centre[1] - two.centre[1]);
  return boxIou(one.box, two.box) > SAME_IOU || apart < SAME_CENTRE * Math.min(one.extent, two.extent);
}

/** The pixels x0 <= x < x1, y0 <= y < y1 of a picture that hold points; empty if all of them lie outside. */
export function pixelWindow(points: readonly Point2[], width: number, height: number): Box {
  const [x0, y0, x1, y1] = tightBox(points);
  const clip = (value: number, most: number): number => Math.min(Math.max(value, 0), most);
  return [
    clip(Math.floor(x0), width),
    clip(Math.floor(y0), height),
    clip(Math.ceil(x1) + 1, width),
    clip(Math.ceil(y1) + 1, height),
  ];
}
