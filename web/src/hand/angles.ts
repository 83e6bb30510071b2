/** Joint angles in degrees; mirrors `handscope.hand.angles`. */
import { cross, dot, length, minus, product3, times, transpose3, type Matrix3, type Point3 } from "../geometry/linear";
import { axisAngleToMatrix } from "../geometry/rotations";
import { MODEL_FINGERS } from "../skeleton";
import type { HandAsset } from "./assets";
import { pointAt } from "./model";

/** The 15 joints that turn, in the order of theta. */
export const MODEL_JOINT_NAMES = MODEL_FINGERS.flatMap((finger) =>
  (finger === "thumb" ? ["cmc", "mcp", "ip"] : ["mcp", "pip", "dip"]).map((part) => `${finger}_${part}`),
);
export const MOTIONS = ["flexion", "abduction", "twist"] as const;
const CAMERA_ANGLES = ["roll", "pitch", "yaw"] as const;
const MIDDLE_MCP = 4;

const degrees = (radians: number): number => (radians * 180) / Math.PI;
const arcsine = (value: number): number => Math.asin(Math.min(Math.max(value, -1), 1));

/** Flexion, abduction and twist in degrees of a joint's rotation about its axes at rest. */
function jointAngles(theta: Point3, axes: Matrix3): Point3 {
  const turn = product3(product3(axes, axisAngleToMatrix(theta)), transpose3(axes));
  return [
    degrees(Math.atan2(-turn[1][2], turn[2][2])),
    degrees(arcsine(turn[0][2])),
    degrees(Math.atan2(-turn[0][1], turn[0][0])),
  ];
}

/** Roll, pitch and yaw in degrees of a hand turned by `R`: for a left hand that of the mirrored picture. */
function cameraAngles(R: Matrix3, asset: HandAsset, handedness: "left" | "right"): Point3 {
  const axes = product3(R, transpose3(handAxes(asset)));
  const [side, , fingers] = transpose3(axes);
  const pitch = arcsine(-fingers[2]);
  const roll = Math.atan2(fingers[0], -fingers[1]);
  const across: Point3 = [Math.cos(roll), Math.sin(roll), 0];
  const yaw = Math.atan2(dot(side, cross(across, fingers)), dot(side, across));
  return [degrees(handedness === "right" ? roll : -roll), degrees(pitch), degrees(yaw)];
}

/** The whole hand's axes at rest, as rows: to the thumb's side, out of the back, along the fingers. */
export function handAxes(asset: HandAsset): Matrix3 {
  const along = minus(pointAt(asset.joints, MIDDLE_MCP), pointAt(asset.joints, 0));
  const fingers = times(along, 1 / length(along));
  const across = cross([0, 1, 0], fingers);
  const side = times(across, 1 / length(across));
  return [side, cross(fingers, side), fingers];
}

/** One hand's 48 angles in degrees by their names, in Python's order. */
export function namedAngles(
  theta: readonly Point3[],
  R: Matrix3,
  asset: HandAsset,
  handedness: "left" | "right",
): Record<string, number> {
  const angles: Record<string, number> = {};
  cameraAngles(R, asset, handedness).forEach((value, i) => (angles[`wrist_${CAMERA_ANGLES[i]!}`] = value));
  theta.forEach((turn, joint) => {
    jointAngles(turn, asset.axes[joint]!).forEach((value, i) => {
      angles[`${MODEL_JOINT_NAMES[joint]!}_${MOTIONS[i]!}`] = value;
    });
  });
  return angles;
}
