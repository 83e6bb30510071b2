/** From the crop's virtual camera to the picture's; mirrors `handscope.infer.full_camera`, where the steps are told. */
import { fullToCropAxes, metricMap, viewingRay } from "../geometry/crop-camera";
import { centredCrop, Crop } from "../geometry/crops";
import {
  apply2,
  apply3,
  determinant2,
  inverse2,
  minus,
  plus,
  product3,
  solve3,
  times,
  transpose3,
  type Matrix2,
  type Matrix3,
  type Point2,
  type Point3,
} from "../geometry/linear";
import { pointAt } from "../hand/model";

/** A hand before a camera; metres. `vertices` are x, y, z one after the other. */
export interface PosedHand {
  R: Matrix3;
  T: Point3;
  joints3d: Point3[];
  vertices: Float64Array;
}

/** Every vertex moved. */
export function movedVertices(vertices: Float64Array, move: (point: Point3) => Point3): Float64Array {
  const moved = new Float64Array(vertices.length);
  for (let v = 0; v < vertices.length / 3; v++) moved.set(move(pointAt(vertices, v)), v * 3);
  return moved;
}

/** `hand` in the crop's camera, moved into the camera `K` of a picture `width` px wide. */
export function cropToFull(hand: PosedHand, focalCropPx: number, crop: Crop, K: Matrix3, width: number): PosedHand {
  let camera = K;
  let { linear, centre } = crop;
  if (crop.mirrored) {
    // x the other way round before and after
    camera = [[K[0][0], -K[0][1], width - 1 - K[0][2]], [-K[1][0], K[1][1], K[1][2]], K[2]];
    linear = linear.map(([a, b]) => [-a, b]) as Matrix2;
    centre = [width - 1 - centre[0], centre[1]];
  }
  const plain = centredCrop(linear, centre, crop.size);
  const turn = transpose3(fullToCropAxes(plain, camera));
  const focal = Math.sqrt(determinant2(metricMap(plain, camera))) / viewingRay(centre, camera)[2] ** 1.5;
  const wrist = wristInFull(hand.T, { turn, centre, linear, K: camera, focalCropPx, stretch: focal / focalCropPx });
  const flip = crop.mirrored ? -1 : 1;
  const move = (point: Point3): Point3 => {
    const [x, y, z] = plus(apply3(turn, minus(point, hand.T)), wrist);
    return [flip * x, y, z];
  };
  return {
    R: product3(turn, hand.R),
    T: wrist,
    joints3d: hand.joints3d.map(move),
    vertices: movedVertices(hand.vertices, move),
  };
}

interface CropView {
  turn: Matrix3;
  centre: Point2;
  linear: Matrix2;
  K: Matrix3;
  focalCropPx: number;
  stretch: number;
}

function wristInFull(wrist: Point3, view: CropView): Point3 {
  const depth = apply3(view.turn, [wrist[0], wrist[1], wrist[2] * view.stretch])[2];
  const seen: Point2 = [(view.focalCropPx * wrist[0]) / wrist[2], (view.focalCropPx * wrist[1]) / wrist[2]];
  const [x, y] = apply2(inverse2(view.linear), seen);
  const ray = viewingRay([view.centre[0] + x, view.centre[1] + y], view.K);
  return times(ray, depth / ray[2]);
}

/** Shift a hand in the full camera so that its joints project as near as can be to `joints2d` px. */
export function settle(
  hand: PosedHand,
  joints2d: readonly Point2[],
  confidence: readonly number[],
  K: Matrix3,
  mirrored: boolean,
): PosedHand {
  if (Math.min(...hand.joints3d.map((joint) => joint[2])) <= 0) return hand;
  // the normal equations of X + d_x = a (Z + d_z) and Y + d_y = b (Z + d_z), each joint as its error looks
  const normal: Matrix3 = [
    [0, 0, 0],
    [0, 0, 0],
    [0, 0, 0],
  ];
  const wanted: Point3 = [0, 0, 0];
  hand.joints3d.forEach(([x, y, z], j) => {
    const [a, b] = solve3(K, [...joints2d[j]!, 1]);
    const weight = (confidence[j]! / z) ** 2;
    for (const [row, gap] of [
      [[1, 0, -a], a * z - x],
      [[0, 1, -b], b * z - y],
    ] as const) {
      for (let i = 0; i < 3; i++) {
        wanted[i]! += weight * row[i]! * gap;
        for (let k = 0; k < 3; k++) normal[i]![k]! += weight * row[i]! * row[k]!;
      }
    }
  });
  const shift = solve3(normal, wanted);
  const share = (hand.T[2] + shift[2]) / hand.T[2];
  if (!(share > 0.5 && share < 2)) return hand;
  return {
    R: hand.R,
    T: plus(hand.T, [mirrored ? -shift[0] : shift[0], shift[1], shift[2]]),
    joints3d: hand.joints3d.map((joint) => plus(joint, shift)),
    vertices: movedVertices(hand.vertices, (point) => plus(point, shift)),
  };
}
