/**
 * The mesh follows the heat-maps: a few Gauss-Newton steps; mirrors `handscope.infer.fitting`, where the terms are
 * told.
 */
import { NEAR_M } from "../geometry/camera";
import {
  apply3,
  applyTransposed3,
  cross,
  length,
  minus,
  plus,
  product3,
  solve,
  times,
  type Matrix3,
  type Point2,
  type Point3,
} from "../geometry/linear";
import { axisAngleToMatrix, matrixToAxisAngle } from "../geometry/rotations";
import type { HandAsset } from "../hand/assets";
import { carried, chain, type Chain } from "../hand/kinematics";
import { poseHand, restJoints } from "../hand/model";
import { BONES, MODEL_PARENTS, MODEL_TIP_OWNERS, MODEL_TO_CANONICAL, TIPS } from "../skeleton";
import type { PosedHand } from "./full-camera";

/** Standard deviation of a sure joint's place, px of a 128 px crop. */
const PIXEL = 1;
/** Standard deviation of a bone's z as the POF has it. */
const BONE_DEPTH = 0.25;
/** Standard deviations in radians about the axes of flexion, abduction and twist at a finger's first joint. */
const [BEND, SPREAD, TWIST] = [0.35, 0.2, 0.05];
/** The same for abduction and twist at the other joints, which hinge. */
const STIFF = 0.03;
/** Standard deviations of the orientation (radians) and of T across and along the view (metres). */
const [TURN, SHIFT, DEPTH] = [0.2, 0.05, 0.04];
const STEPS = 3;
const UNKNOWNS = 51;

/** Shape, joint rotations as axis-angles, and the hand they pose in the crop's camera. */
export interface Fitted {
  beta: number[];
  theta: Point3[];
  hand: PosedHand;
}

/** What the fit aims at: the network's answer for one crop of `size` px. */
export interface Aim {
  beta: number[];
  theta: Point3[];
  hand: PosedHand;
  focal: number;
  joints: readonly Point2[];
  scores: readonly number[];
  boneDepths: readonly number[];
  size: number;
}

/** Move theta, R and T so that the joints project to the heat-maps' and the bones point as the POF says. */
export function fit(asset: HandAsset, aim: Aim): Fitted {
  const moving = new MovingHand(asset, aim);
  const precision = deviations().map((sigma) => 1 / sigma ** 2);
  let moved = new Float64Array(UNKNOWNS);
  for (let step = 0; step < STEPS; step++) {
    const { joints, slopes } = moving.joints(moved);
    const normal = new Float64Array(UNKNOWNS * UNKNOWNS);
    const gradient = new Float64Array(UNKNOWNS);
    const add = (row: Float64Array, gap: number): void => {
      for (let i = 0; i < UNKNOWNS; i++) {
        const value = row[i]!;
        if (value === 0) continue;
        gradient[i]! += value * gap;
        for (let k = 0; k < UNKNOWNS; k++) normal[i * UNKNOWNS + k]! += value * row[k]!;
      }
    };
    addJoints(aim, joints, slopes, add);
    addBones(aim, joints, slopes, add);
    for (let i = 0; i < UNKNOWNS; i++) {
      normal[i * UNKNOWNS + i]! += precision[i]!;
      gradient[i]! -= moved[i]! * precision[i]!;
    }
    const change = solve(normal, gradient);
    moved = moved.map((value, i) => value + change[i]!);
  }
  const { local, R, T } = moving.parts(moved);
  return posed(asset, aim.beta, local.map(matrixToAxisAngle), R, T);
}

type Add = (row: Float64Array, gap: number) => void;

function addJoints(aim: Aim, joints: readonly Point3[], slopes: readonly Float64Array[], add: Add): void {
  const middle = (aim.size - 1) / 2;
  joints.forEach((joint, j) => {
    const depth = Math.max(joint[2], NEAR_M);
    const weight = Math.sqrt(clip(aim.scores[j]!, 0, 1)) / ((PIXEL * aim.size) / 128);
    for (let c = 0; c < 2; c++) {
      const seen = (joint[c]! / depth) * aim.focal;
      const gap = (aim.joints[j]![c]! - middle - seen) * weight;
      // robust: a joint far off counts as much as its distance, not its square
      const far = Math.sqrt(Math.min(3 / Math.max(Math.abs(gap), 1e-9), 1));
      const [across, along] = [(aim.focal / depth) * weight * far, (-seen / depth) * weight * far];
      const row = new Float64Array(UNKNOWNS);
      for (let k = 0; k < UNKNOWNS; k++) {
        row[k] = across * slopes[j]![c * UNKNOWNS + k]! + along * slopes[j]![2 * UNKNOWNS + k]!;
      }
      add(row, gap * far);
    }
  });
}

function addBones(aim: Aim, joints: readonly Point3[], slopes: readonly Float64Array[], add: Add): void {
  BONES.forEach(([parent, child], b) => {
    const bone = minus(joints[child]!, joints[parent]!);
    const size = length(bone); // of stiff bones: it does not change
    const weight = clip(aim.scores[parent]! * aim.scores[child]!, 0, 1) ** 0.25 / BONE_DEPTH;
    const row = new Float64Array(UNKNOWNS);
    for (let k = 0; k < UNKNOWNS; k++) {
      row[k] = ((slopes[child]![2 * UNKNOWNS + k]! - slopes[parent]![2 * UNKNOWNS + k]!) / size) * weight;
    }
    add(row, (aim.boneDepths[b]! - bone[2] / size) * weight);
  });
}

function clip(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

/** The hand of these parameters. */
export function posed(asset: HandAsset, beta: number[], theta: Point3[], R: Matrix3, T: Point3): Fitted {
  const { vertices, joints } = poseHand(asset, beta, theta, R, T);
  return { beta, theta, hand: { R, T, joints3d: joints, vertices } };
}

/** Standard deviations of the unknowns: 15 x (flexion, abduction, twist), orientation, T. */
function deviations(): number[] {
  const angles = Array.from({ length: 15 }, (_, j) =>
    j === 12 ? [BEND, BEND, SPREAD] : j % 3 === 0 ? [BEND, SPREAD, TWIST] : [BEND, STIFF, STIFF],
  ); // 12 is the thumb's saddle joint
  return [...angles.flat(), TURN, TURN, TURN, SHIFT, SHIFT, DEPTH];
}

/** Forward kinematics about the network's answer: joints and how they move with the 51 unknowns. */
class MovingHand {
  private readonly rest: Point3[];
  private readonly local: Matrix3[];
  private readonly tips: Point3[];
  /** For each joint that turns, which of [16 joints, 5 tips] move with it. */
  private readonly below: boolean[][];

  constructor(
    private readonly asset: HandAsset,
    private readonly aim: Aim,
  ) {
    const rest = restJoints(asset, aim.beta);
    this.rest = rest.map((joint) => minus(joint, rest[0]!));
    this.local = aim.theta.map(axisAngleToMatrix);
    const { rotations, positions } = this.pose(this.local, aim.hand.R, aim.hand.T);
    this.tips = MODEL_TIP_OWNERS.map((owner, t) =>
      applyTransposed3(rotations[owner]!, minus(aim.hand.joints3d[TIPS[t]!]!, positions[owner]!)),
    );
    this.below = Array.from({ length: 15 }, (_, j) =>
      [...Array.from({ length: 16 }, (_, i) => i), ...MODEL_TIP_OWNERS].map((i) => isAbove(j + 1, i)),
    );
  }

  private pose(local: readonly Matrix3[], R: Matrix3, T: Point3): Chain {
    const { rotations, positions } = chain(this.rest, local);
    return {
      rotations: rotations.map((turn) => product3(R, turn)),
      positions: positions.map((place) => plus(apply3(R, place), T)),
    };
  }

  /** Joint rotations, R and T after the unknowns have moved. */
  parts(moved: Float64Array): { local: Matrix3[]; R: Matrix3; T: Point3 } {
    const three = (at: number): Point3 => [moved[at]!, moved[at + 1]!, moved[at + 2]!];
    const local = this.local.map((turn, j) =>
      product3(turn, axisAngleToMatrix(applyTransposed3(this.asset.axes[j]!, three(3 * j)))),
    );
    const R = product3(axisAngleToMatrix(three(45)), this.aim.hand.R);
    return { local, R, T: plus(this.aim.hand.T, three(48)) };
  }

  /** Canonical joints in the camera and their derivatives, 3 x 51 each, exact where an angle has not moved. */
  joints(moved: Float64Array): { joints: Point3[]; slopes: Float64Array[] } {
    const { local, R, T } = this.parts(moved);
    const pose = this.pose(local, R, T);
    const points = [...pose.positions, ...carried(this.tips, MODEL_TIP_OWNERS, pose)];
    const spins = this.asset.axes.map((axes, j) => axes.map((axis) => apply3(pose.rotations[j + 1]!, axis)));
    const slopes = points.map((point, i) => {
      const slope = new Float64Array(3 * UNKNOWNS);
      const put = (column: number, value: Point3): void =>
        value.forEach((part, c) => (slope[c * UNKNOWNS + column] = part));
      for (let j = 0; j < 15; j++) {
        if (!this.below[j]![i]) continue;
        const arm = minus(point, pose.positions[j + 1]!);
        spins[j]!.forEach((spin, k) => put(3 * j + k, cross(spin, arm)));
      }
      const arm = minus(point, T);
      for (let k = 0; k < 3; k++) {
        const unit: Point3 = [0, 0, 0];
        unit[k] = 1;
        put(45 + k, cross(unit, arm));
        put(48 + k, times(unit, 1));
      }
      return slope;
    });
    return {
      joints: MODEL_TO_CANONICAL.map((i) => points[i]!),
      slopes: MODEL_TO_CANONICAL.map((i) => slopes[i]!),
    };
  }
}

/** Whether the model joint `upper` turns `lower`: it is that joint itself, or above it. */
function isAbove(upper: number, lower: number): boolean {
  for (let j = lower; j > 0; j = MODEL_PARENTS[j]!) if (j === upper) return true;
  return false;
}
