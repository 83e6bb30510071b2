/** Which of several answers show the same hand, by where their joints lie; mirrors `handscope.infer.duplicates`. */
import { bestOfEach, boxArea, boxIou, longerSide, sharedArea, tightBox } from "../geometry/boxes";
import type { Box, Point2 } from "../geometry/linear";

/** Share of the smaller of two hands' boxes in common from which the worse is a part of the better. */
const NESTED = 0.8;
const IOU = 0.6;
const CLOSENESS = 0.15;

interface Told {
  joints_2d: Point2[];
  score: number;
  box: Box;
}

/** Best first, without those that are not `distinct` and without those nested in a better one, or round it. */
export function dropRepeated<Hand extends Told>(hands: readonly Hand[]): Hand[] {
  const joints = hands.map((hand) => hand.joints_2d);
  const scores = hands.map((hand) => hand.score);
  const kept = distinct(joints, scores).map((i) => hands[i]!);
  const nested = (one: number, two: number): boolean => {
    const boxes: [Box, Box] = [kept[one]!.box, kept[two]!.box];
    return sharedArea(...boxes) > NESTED * Math.min(boxArea(boxes[0]), boxArea(boxes[1]));
  };
  return bestOfEach(
    kept.map((hand) => hand.score),
    nested,
  ).map((i) => kept[i]!);
}

/** Which of several hands' joints show hands of their own, best first. */
export function distinct(joints: readonly Point2[][], scores: readonly number[]): number[] {
  const boxes = joints.map((points) => tightBox(points));
  const middles = joints.map(middleOf);
  const same = (one: number, two: number): boolean => {
    const limit = CLOSENESS * Math.max(longerSide(boxes[one]!), longerSide(boxes[two]!));
    if (meanDistance(joints[one]!, joints[two]!) < limit) return true;
    const apart = Math.hypot(middles[one]![0] - middles[two]![0], middles[one]![1] - middles[two]![1]);
    return apart < limit && boxIou(boxes[one]!, boxes[two]!) > IOU;
  };
  return bestOfEach(scores, same);
}

/** Whether two sets of joints lie on each other: nearer in the mean than 0.15 of the larger box. */
export function sameHand(one: readonly Point2[], two: readonly Point2[]): boolean {
  const size = Math.max(longerSide(tightBox(one)), longerSide(tightBox(two)));
  return meanDistance(one, two) < 0.15 * size;
}

export function meanDistance(one: readonly Point2[], two: readonly Point2[]): number {
  return one.reduce((sum, [x, y], j) => sum + Math.hypot(x - two[j]![0], y - two[j]![1]), 0) / one.length;
}

export function middleOf(points: readonly Point2[]): Point2 {
  const sum = points.reduce<Point2>(([x, y], point) => [x + point[0], y + point[1]], [0, 0]);
  return [sum[0] / points.length, sum[1] / points.length];
}
