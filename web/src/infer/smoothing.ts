/** One-Euro filters for all that is said of a hand; mirrors `handscope.infer.smoothing`, where they are told. */
import { tightBox, longerSide } from "../geometry/boxes";
import { plus, product3, solve3, transpose3, type Matrix3, type Point2, type Point3 } from "../geometry/linear";
import { axisAngleToMatrix, matrixToAxisAngle } from "../geometry/rotations";
import type { HandAsset } from "../hand/assets";
import { poseHand } from "../hand/model";
import type { HandRecord } from "../types";
import { movedVertices } from "./full-camera";
import { middleOf } from "./duplicates";

/** Cutoff in Hz of a value at rest, by how much it grows per unit of speed, and the speed's own cutoff in Hz. */
export interface OneEuroConfig {
  cutoff: number;
  slope: number;
  speedCutoff: number;
}

/** How values of a kind differ, and move on: vectors as they are, rotations along the geodesic. */
export interface Space<Value> {
  difference: (now: Value, before: Value) => number[];
  move: (before: Value, step: number[]) => Value;
}

export const VECTORS: Space<number[]> = {
  difference: (now, before) => now.map((value, i) => value - before[i]!),
  move: (before, step) => before.map((value, i) => value + step[i]!),
};

export const ROTATIONS: Space<Matrix3> = {
  difference: (now, before) => matrixToAxisAngle(product3(transpose3(before), now)),
  move: (before, step) => product3(before, axisAngleToMatrix(step as Point3)),
};

/** By how much a first-order low-pass of `cutoff` Hz moves towards the new value after `seconds`. */
function shareOfNew(cutoff: number, seconds: number): number {
  return 1 / (1 + 1 / (2 * Math.PI * Math.max(cutoff * seconds, 1e-12)));
}

/** The filter of several values of one kind, each with a speed of its own. */
export class OneEuro<Value> {
  private value: Value[] | undefined;
  private raw: Value[] = [];
  private velocity: number[][] | undefined;
  private time = 0;

  constructor(
    private readonly config: OneEuroConfig,
    private readonly space: Space<Value>,
  ) {}

  /** `values` at `time` seconds, smoothed; speeds are counted in `unit`s a second. */
  filter(values: readonly Value[], time: number, unit = 1): Value[] {
    const seconds = time - this.time;
    if (!this.value) {
      this.value = this.raw = [...values];
      this.time = time;
      return this.value;
    }
    if (seconds <= 0) return this.value;
    const { cutoff, slope, speedCutoff } = this.config;
    const share = this.velocity ? shareOfNew(speedCutoff, seconds) : 1;
    const before = this.velocity;
    const velocity = values.map((value, i) =>
      this.space.difference(value, this.raw[i]!).map((part, k) => {
        const now = part / (seconds * unit);
        return before ? before[i]![k]! + share * (now - before[i]![k]!) : now;
      }),
    );
    this.value = values.map((value, i) => {
      const speed = Math.hypot(...velocity[i]!);
      const moved = shareOfNew(cutoff + slope * speed, seconds);
      const last = this.value![i]!;
      return this.space.move(
        last,
        this.space.difference(value, last).map((part) => part * moved),
      );
    });
    this.raw = [...values];
    this.velocity = velocity;
    this.time = time;
    return this.value;
  }
}

const JOINTS: OneEuroConfig = { cutoff: 2, slope: 2, speedCutoff: 2 };
const DEPTH: OneEuroConfig = { cutoff: 0.8, slope: 8, speedCutoff: 1 };
const TURNS: OneEuroConfig = { cutoff: 1.5, slope: 2, speedCutoff: 1 };
/** Seconds after which a shape is settled. */
const SHAPE_S = 3;

/** The filters of one hand of a video; give it the hand of every frame, in order. */
export class HandSmoother {
  private readonly joints = new OneEuro(JOINTS, VECTORS);
  private side: string | undefined;
  private depth = new OneEuro(DEPTH, VECTORS);
  private orientation = new OneEuro(TURNS, ROTATIONS);
  private pose = new OneEuro(TURNS, ROTATIONS);
  private shape: number[] | undefined;
  private seenS = 0;
  private time: number | undefined;

  constructor(private readonly asset: HandAsset) {}

  /** `hand` at `time` seconds, smoothed; its mask and joint scores stay those of the frame. */
  smooth(hand: HandRecord, time: number): HandRecord {
    if (hand.handedness !== this.side) this.startModel(hand.handedness);
    const size = Math.max(longerSide(tightBox(hand.joints_2d)), 1);
    const joints2d = this.joints.filter(hand.joints_2d, time, size) as Point2[];
    const depth = Math.exp(this.depth.filter([[Math.log(hand.T[2])]], time)[0]![0]!);
    const R = this.orientation.filter([hand.R], time)[0]!;
    const theta = this.pose.filter(hand.theta.map(axisAngleToMatrix), time).map(matrixToAxisAngle);
    const beta = this.averageShape(hand.beta, time);
    const flip = hand.handedness === "left" ? -1 : 1;
    const mirror = ([x, y, z]: Point3): Point3 => [flip * x, y, z];
    const posed = poseHand(this.asset, beta, theta, R, [0, 0, 0]);
    const joints = posed.joints.map(mirror);
    const wrist = placeAtDepth(joints, depth, joints2d, hand.joint_scores, hand.K);
    const [x, y] = middleOf(joints2d);
    const [u, v] = middleOf(hand.joints_2d);
    const { width, height } = hand.cropped_mask;
    const clip = (value: number, most: number): number => Math.min(Math.max(value, 0), most);
    const [x0, y0, x1, y1] = hand.box;
    return {
      ...hand,
      joints_2d: joints2d,
      box: [
        clip(x0 + x - u, width - 1),
        clip(y0 + y - v, height - 1),
        clip(x1 + x - u, width - 1),
        clip(y1 + y - v, height - 1),
      ],
      joints_3d: joints.map((joint) => plus(joint, wrist)),
      vertices: movedVertices(posed.vertices, (point) => plus(mirror(point), wrist)),
      theta,
      beta,
      R,
      T: mirror(wrist),
    };
  }

  /** Forget what is said in the frame of one side: its mirror image would be another hand. */
  private startModel(side: string): void {
    this.side = side;
    this.depth = new OneEuro(DEPTH, VECTORS);
    this.orientation = new OneEuro(TURNS, ROTATIONS);
    this.pose = new OneEuro(TURNS, ROTATIONS);
    this.shape = this.time = undefined;
    this.seenS = 0;
  }

  /** The mean over the track at first, then a slow low-pass. */
  private averageShape(beta: readonly number[], time: number): number[] {
    if (!this.shape || this.time === undefined) this.shape = [...beta];
    else {
      const seconds = Math.max(time - this.time, 0);
      this.seenS += seconds;
      const share = seconds / Math.max(Math.min(this.seenS + seconds, SHAPE_S), seconds, 1e-9);
      this.shape = this.shape.map((value, k) => value + share * (beta[k]! - value));
    }
    this.time = time;
    return this.shape;
  }
}

/** Wrist position at `depth` for joints relative to it to project nearest to `joints2d` px. */
function placeAtDepth(
  joints: readonly Point3[],
  depth: number,
  joints2d: readonly Point2[],
  confidence: readonly number[],
  K: Matrix3,
): Point3 {
  let [total, across, down] = [0, 0, 0];
  joints.forEach(([x, y, z], j) => {
    const [a, b] = solve3(K, [...joints2d[j]!, 1]);
    const far = z + depth;
    const weight = Math.max(confidence[j]!, 1e-3) / Math.max(far, 1e-3) ** 2;
    total += weight;
    across += weight * (a * far - x);
    down += weight * (b * far - y);
  });
  return [across / total, down / total, depth];
}
