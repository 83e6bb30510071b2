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

  const vertices = shaped(asset, beta, feature);
  const blended = new Float64Array(12);
  for (let v = 0; v < asset.count; v++) {
    const [x, y, z] = pointAt(vertices, v);
    blended.fill(0);
    for (let j = 0; j < 16; j++) {
      const share = asset.weights[v * 16 + j]!;
      if (share === 0) continue;
      const transform = transforms[j]!;
      for (let k = 0; k < 12; k++) blended[k]! += share * transform[k]!;
    }
    const moved: Point3 = [0, 0, 0];
    for (let i = 0; i < 3; i++) {
      moved[i] = blended[3 * i]! * x + blended[3 * i + 1]! * y + blended[3 * i + 2]! * z + blended[9 + i]!;
    }
    vertices.set(placed(moved), v * 3);
  }
  const all = [...positions.map(placed), ...[...asset.tips].map((tip) => pointAt(vertices, tip))];
  return { vertices, joints: MODEL_TO_CANONICAL.map((i) => all[i]!) };
}

/** The vertices of the open hand with its shape's and its pose's own changes. */
function shaped(asset: HandAsset, beta: readonly number[], feature: readonly number[]): Float64Array {
  const { template, shapedirs, posedirs } = asset;
  const shape = Float64Array.from(beta);
  const pose = Float64Array.from(feature);
  const vertices = new Float64Array(template.length);
  for (let at = 0, s = 0, p = 0; at < template.length; at++) {
    let value = template[at]!;
    for (let k = 0; k < shape.length; k++, s++) value += shapedirs[s]! * shape[k]!;
    for (let k = 0; k < pose.length; k++, p++) value += posedirs[p]! * pose[k]!;
    vertices[at] = value;
  }
  return vertices;
}

export function pointAt(points: ArrayLike<number>, index: number): Point3 {
  return [points[index * 3]!, points[index * 3 + 1]!, points[index * 3 + 2]!];
}
