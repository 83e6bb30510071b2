/** The skeleton behind a mesh, with frames along the fingers' bones; mirrors `handscope.infer.formats.rig`. */
import {
  apply3,
  applyTransposed3,
  cross,
  IDENTITY3,
  minus,
  plus,
  product3,
  solve3,
  transpose3,
  type Matrix3,
  type Point3,
} from "../geometry/linear";
import { axisAngleToMatrix } from "../geometry/rotations";
import { handAxes } from "../hand/angles";
import { SHAPES, type HandAsset } from "../hand/assets";
import { carried, chain } from "../hand/kinematics";
import { pointAt, restJoints } from "../hand/model";
import { JOINT_NAMES, MODEL_PARENTS, MODEL_TIP_OWNERS, MODEL_TO_CANONICAL } from "../skeleton";
import type { HandRecord } from "../types";

/** Of the 16 model joints and the tips of thumb, index, middle, ring and little finger. */
export const NAMES: readonly string[] = Array.from(
  { length: 21 },
  (_, i) => JOINT_NAMES[(MODEL_TO_CANONICAL as readonly number[]).indexOf(i)]!,
);
const PARENTS: readonly number[] = [...MODEL_PARENTS, ...MODEL_TIP_OWNERS];
/** Joints a vertex may follow in glTF's first set of weights. */
const INFLUENCES = 4;

/** Camera frame to y up, z back: a half turn about x. */
export const toViewer = ([x, y, z]: Point3): Point3 => [x, -y, -z];
const mirrored = ([x, y, z]: Point3): Point3 => [-x, y, z];

export class Rig {
  readonly parents = PARENTS;
  /** Joints that each vertex follows, four each, and by which weights. */
  readonly owners: Uint8Array;
  readonly weights: Float32Array;

  private constructor(
    asset: HandAsset,
    /** 21 places in metres with the wrist at the origin. */
    readonly rest: readonly Point3[],
    /** 21 frames of the joints there, axes as columns. */
    readonly frames: readonly Matrix3[],
  ) {
    this.owners = new Uint8Array(asset.count * INFLUENCES);
    this.weights = new Float32Array(asset.count * INFLUENCES);
    for (let v = 0; v < asset.count; v++) {
      const shares = asset.weights.subarray(v * 16, v * 16 + 16);
      const kept = [...shares.keys()].sort((i, j) => shares[j]! - shares[i]! || i - j).slice(0, INFLUENCES);
      const sum = kept.reduce((total, joint) => total + shares[joint]!, 0);
      kept.forEach((joint, k) => {
        const share = shares[joint]! / sum;
        this.owners[v * INFLUENCES + k] = share > 0 ? joint : 0;
        this.weights[v * INFLUENCES + k] = share;
      });
    }
  }

  /** The skeleton of a hand of shape `beta`. */
  static of(asset: HandAsset, beta: readonly number[], left: boolean): Rig {
    const joints = restJoints(asset, beta);
    const tips = [...asset.tips].map((tip) =>
      [0, 1, 2].map((c) => {
        const at = tip * 3 + c;
        let value = asset.template[at]!;
        for (let k = 0; k < SHAPES; k++) value += asset.shapedirs[at * SHAPES + k]! * beta[k]!;
        return value;
      }),
    ) as Point3[];
    const rest = [...joints, ...tips].map((place) => minus(place, joints[0]!));
    const frames = boneFrames(asset);
    if (!left) return new Rig(asset, rest, frames);
    // a mirrored axis of turning turns the other way: x -> -M x keeps "a turn about +x bends", and det = 1
    const turned = frames.map(([x, y, z]) => [
      [x[0], -x[1], -x[2]],
      [-y[0], y[1], y[2]],
      [-z[0], z[1], z[2]],
    ]) as Matrix3[];
    return new Rig(asset, rest.map(mirrored), turned);
  }

  private above(joint: number): Matrix3 {
    return PARENTS[joint]! < 0 ? IDENTITY3 : this.frames[PARENTS[joint]!]!;
  }

  /** Every joint as seen from its parent's frame; the wrist's is zero. */
  get offsets(): Point3[] {
    return this.rest.map((place, joint) => {
      const parent = PARENTS[joint]!;
      return applyTransposed3(this.above(joint), parent < 0 ? place : minus(place, this.rest[parent]!));
    });
  }

  /** Rotations of nodes that hang in their parents, for turns in the model's axes. */
  local(turns: readonly Matrix3[]): Matrix3[] {
    return turns.map((turn, joint) => product3(product3(transpose3(this.above(joint)), turn), this.frames[joint]!));
  }

  /** Frames and places in the world of the first 16 joints, of `turns` and the wrist's `place`. */
  private posed(turns: readonly Matrix3[], place: Point3): { frames: Matrix3[]; places: Point3[] } {
    const pose = chain(this.rest.slice(0, 16), turns.slice(1, 16));
    const tips = MODEL_TIP_OWNERS.map((owner, t) => minus(this.rest[16 + t]!, this.rest[owner]!));
    const points = [...pose.positions, ...carried(tips, MODEL_TIP_OWNERS, pose)];
    const every = [...pose.rotations, ...MODEL_TIP_OWNERS.map((owner) => pose.rotations[owner]!)];
    return {
      frames: every.map((turn, joint) => product3(product3(turns[0]!, turn), this.frames[joint]!)),
      places: points.map((point) => plus(apply3(turns[0]!, point), place)),
    };
  }

  /** Where vertices of the pose lie in the flat hand: skinning takes them back to where they are. */
  unskinned(vertices: readonly Point3[], turns: readonly Matrix3[], place: Point3): Point3[] {
    const { frames, places } = this.posed(turns, place);
    const moves = frames.map((frame, joint) => {
      const turn = product3(frame, transpose3(this.frames[joint]!));
      return { turn, shift: minus(places[joint]!, apply3(turn, this.rest[joint]!)) };
    });
    return vertices.map((vertex, v) => {
      const blended = [0, 1, 2].map(() => [0, 0, 0]) as Matrix3;
      const gap: Point3 = [...vertex];
      for (let k = 0; k < INFLUENCES; k++) {
        const share = this.weights[v * INFLUENCES + k]!;
        const { turn, shift } = moves[this.owners[v * INFLUENCES + k]!]!;
        for (let i = 0; i < 3; i++) {
          gap[i]! -= share * shift[i]!;
          for (let j = 0; j < 3; j++) blended[i]![j]! += share * turn[i]![j]!;
        }
      }
      return solve3(blended, gap);
    });
  }
}

/** Frames of a right hand's joints and tips at rest, axes as columns: flexion, along the bone, towards the palm. */
function boneFrames(asset: HandAsset): Matrix3[] {
  const [side, , along] = handAxes(asset);
  const frames = [[side, along], ...asset.axes.map(([flexion, , twist]) => [flexion, twist])].map((axes) => {
    const [x, y] = axes as [Point3, Point3];
    return transpose3([x, y, cross(x, y)]);
  });
  return [...frames, ...MODEL_TIP_OWNERS.map((owner) => frames[owner]!)];
}

/** Turns of the 21 joints in the model's axes and the wrist's place in the viewer's world. */
export function viewerPose(hand: HandRecord): { turns: Matrix3[]; place: Point3 } {
  let turns = [hand.R, ...hand.theta.map(axisAngleToMatrix)];
  let place = hand.T;
  if (hand.handedness === "left") {
    turns = turns.map(([x, y, z]) => [
      [x[0], -x[1], -x[2]],
      [-y[0], y[1], y[2]],
      [-z[0], z[1], z[2]],
    ]);
    place = mirrored(place);
  }
  const [x, y, z] = turns[0]!;
  turns[0] = [x, y.map((value) => -value) as Point3, z.map((value) => -value) as Point3];
  return { turns: [...turns, ...MODEL_TIP_OWNERS.map(() => IDENTITY3)], place: toViewer(place) };
}

export function viewerVertices(hand: HandRecord): Point3[] {
  return Array.from({ length: hand.vertices.length / 3 }, (_, v) => toViewer(pointAt(hand.vertices, v)));
}
