/** The hand model: shape and pose to mesh and joints (paper, Eqs. 3 and 4); mirrors `handscope.hand.model`. */
import { apply3, minus, plus, type Matrix3, type Point3 } from "../geometry/linear";
import { axisAngleToMatrix } from "../geometry/rotations";
import { MODEL_TO_CANONICAL } from "../skeleton";
import { SHAPES, type HandAsset } from "./assets";
import { chain } from "./kinematics";

export interface Posed {
  /** x, y, z of every vertex, metres. */
  vertices: Float64Array;
  /** The 21 canonical joints, metres. */
  joints: Point3[];
}

/** Joints (16) in metres of the open hand of shape `beta`, in the model's own frame. */
export function restJoints(asset: HandAsset, beta: readonly number[]): Point3[] {
  return Array.from({ length: 16 }, (_, j) =>
    [0, 1, 2].map((c) => {
      const at = j * 3 + c;
      let value = asset.joints[at]!;
      for (let k = 0; k < SHAPES; k++) value += asset.jointDirs[at * SHAPES + k]! * beta[k]!;
      return value;
    }),
  ) as Point3[];
}

/**
 * A right hand of shape `beta` and pose `theta` (15 axis-angles), turned by `R` and moved by `T`, the wrist's place.
 */
export function poseHand(
  asset: HandAsset,
  beta: readonly number[],
  theta: readonly Point3[],
  R: Matrix3,
  T: Point3,
): Posed {
  const rest = restJoints(asset, beta);
  const local = theta.map(axisAngleToMatrix);
  const { rotations, positions } = chain(rest, local);
  const feature = local.flatMap((m) => m.flatMap((row, i) => row.map((value, j) => value - (i === j ? 1 : 0))));
  const shift = positions.map((place, j) => minus(place, apply3(rotations[j]!, rest[j]!)));
  const transforms = rotations.map((turn, j) => [...turn.flat(), ...shift[j]!]);
  const wrist = rest[0]!;
  const placed = (point: Point3): Point3 => plus(apply3(R, minus(point, wrist)), T);

  const vertices = new Float64Array(asset.count * 3);
  const blended = new Float64Array(12);
  for (let v = 0; v < asset.count; v++) {
    const point = shaped(asset, v, beta, feature);
    blended.fill(0);
    for (let j = 0; j < 16; j++) {
      const share = asset.weights[v * 16 + j]!;
      if (share !== 0) for (let k = 0; k < 12; k++) blended[k]! += share * transforms[j]![k]!;
    }
    const moved = [0, 1, 2].map(
      (i) =>
        blended[3 * i]! * point[0] + blended[3 * i + 1]! * point[1] + blended[3 * i + 2]! * point[2] + blended[9 + i]!,
    ) as Point3;
    vertices.set(placed(moved), v * 3);
  }
  const all = [...positions.map(placed), ...[...asset.tips].map((tip) => pointAt(vertices, tip))];
  return { vertices, joints: MODEL_TO_CANONICAL.map((i) => all[i]!) };
}

/** A vertex of the open hand with its shape's and its pose's own changes. */
function shaped(asset: HandAsset, vertex: number, beta: readonly number[], feature: readonly number[]): Point3 {
  return [0, 1, 2].map((c) => {
    const at = vertex * 3 + c;
    let value = asset.template[at]!;
    for (let k = 0; k < SHAPES; k++) value += asset.shapedirs[at * SHAPES + k]! * beta[k]!;
    const first = at * feature.length;
    for (let k = 0; k < feature.length; k++) value += asset.posedirs[first + k]! * feature[k]!;
    return value;
  }) as Point3;
}

export function pointAt(points: ArrayLike<number>, index: number): Point3 {
  return [points[index * 3]!, points[index * 3 + 1]!, points[index * 3 + 2]!];
}
