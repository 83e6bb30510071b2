/** Two hands that meet in the picture are told in one space; mirrors `handscope.infer.two_hands`. */
import { boxArea, sharedArea } from "../geometry/boxes";
import { NEAR_M } from "../geometry/camera";
import { plus, times, type Box, type Point3 } from "../geometry/linear";
import { deepest, handSize } from "../hand/capsules";
import type { HandRecord } from "../types";

const DOUBT = 0.08;
const PRESS_M = 0.002;
const PULL = 1;
const REACH_M = 0.03;
const NEAR_MISS_M = 0.005;
const FARTHEST = 3;
const GRID = 24;
const STEPS = Array.from({ length: 2 * GRID + 1 }, (_, i) => i / GRID - 1);

/** The hands of one picture, in their order, with those that meet in it moved apart, or together. */
export function keptApart(hands: readonly HandRecord[]): HandRecord[] {
  const told = [...hands];
  for (const [i, j] of meeting(hands.map((hand) => hand.box))) [told[i], told[j]] = apart(told[i]!, told[j]!);
  return told;
}

/** Pairs of boxes that overlap, those first whose smaller one is covered most; each box once at most. */
export function meeting(boxes: readonly Box[]): [number, number][] {
  const covered = boxes.flatMap((one, i) =>
    boxes.slice(i + 1).map((two, k) => {
      const smaller = Math.max(Math.min(boxArea(one), boxArea(two)), 1e-9);
      return { pair: [i, i + 1 + k] as [number, number], share: sharedArea(one, two) / smaller };
    }),
  );
  const used = new Set<number>();
  return covered
    .filter(({ share }) => share > 0)
    .sort((one, two) => two.share - one.share)
    .flatMap(({ pair }) => {
      if (pair.some((k) => used.has(k))) return [];
      pair.forEach((k) => used.add(k));
      return [pair];
    });
}

function apart(one: HandRecord, two: HandRecord): [HandRecord, HandRecord] {
  const unsure = [one, two].map((hand) => 1 - Math.min(Math.max(mean(hand.joint_scores), 0), 0.98));
  const both = unsure[0]! + unsure[1]!;
  const ways: [Point3, Point3] = [
    times(lineOfSight(one), -unsure[0]! / both),
    times(lineOfSight(two), unsure[1]! / both),
  ];
  const sizes: [number, number] = [handSize(one.joints_3d), handSize(two.joints_3d)];
  const doubt = (DOUBT * (depth(one) + depth(two))) / 2;

  const gap = (shift: number): number => {
    const moved = [one, two].map((hand, k) => hand.joints_3d.map((joint) => plus(joint, times(ways[k]!, shift))));
    return -deepest(moved[0]!, moved[1]!, sizes);
  };
  const coarse = STEPS.map((step) => FARTHEST * doubt * step);
  const gaps = coarse.map(gap);
  const pull = Math.min(...gaps) < NEAR_MISS_M ? PULL : 0;
  const best = (shifts: number[], far: number[]): number => {
    const cost = shifts.map((shift, k) => {
      const pressed = (Math.min(far[k]!, 0) / PRESS_M) ** 2;
      return (shift / doubt) ** 2 + pressed + pull * Math.log1p((Math.max(far[k]!, 0) / REACH_M) ** 2);
    });
    return shifts[cost.indexOf(Math.min(...cost))]!;
  };
  const around = best(coarse, gaps);
  const fine = STEPS.map((step) => around + ((FARTHEST * doubt) / GRID) * step);
  const shift = best(fine, fine.map(gap));
  return [moved(one, times(ways[0], shift)), moved(two, times(ways[1], shift))];
}

function lineOfSight(hand: HandRecord): Point3 {
  const middle = times(hand.joints_3d.reduce(plus), 1 / hand.joints_3d.length);
  return times(middle, 1 / Math.max(middle[2], NEAR_M));
}

function depth(hand: HandRecord): number {
  return mean(hand.joints_3d.map((joint) => joint[2]));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function moved(hand: HandRecord, way: Point3): HandRecord {
  const side = hand.handedness === "left" ? -1 : 1;
  return {
    ...hand,
    joints_3d: hand.joints_3d.map((joint) => plus(joint, way)),
    vertices: hand.vertices.map((value, i) => value + way[i % 3]!),
    T: plus(hand.T, [side * way[0], way[1], way[2]]),
  };
}
