/**
 * Hands as JSON by `hands.schema.json`, letter for letter as Python writes them; mirrors
 * `handscope.infer.formats.numbers`.
 */
import { CroppedMask } from "../geometry/masks";
import type { HandAsset } from "../hand/assets";
import { namedAngles } from "../hand/angles";
import type { Matrix3, Point3 } from "../geometry/linear";
import { JOINT_NAMES } from "../skeleton";
import type { HandRecord } from "../types";
import { asciiJson, floatsJson, pythonFloat, roundedAll, told, type Floats } from "./text";

export const SCHEMA_VERSION = 1;

export const UNITS = {
  "box, joints_2d": "pixels, x right, y down, centre of the top-left pixel at (0, 0)",
  "joints_3d, T": "metres, camera frame: x right, y down, z forward",
  theta: "radians, axis-angle of 15 joints: index, middle, little, ring, thumb, each from base to tip",
  joint_angles: "degrees: flexion, abduction, twist of every joint; the wrist's roll, pitch, yaw to the camera",
  "R, T": "x_camera = R (x - wrist) + T of the right-hand model; of the mirrored picture for a left hand",
};

/** What a file says of the picture. */
export interface About {
  width: number;
  height: number;
  source?: string | null;
  notes?: readonly string[];
}

/** The hands of one picture as text: one line per field of a hand. */
export function toJson(hands: readonly HandRecord[], about: About, asset: HandAsset): string {
  const { width, height, source = null, notes = [] } = about;
  const content = {
    format: "handscope",
    schema_version: SCHEMA_VERSION,
    version: SCHEMA_VERSION,
    image: { source, width, height, notes },
    units: UNITS,
    joint_names: JOINT_NAMES,
  };
  const head = asciiJson(content, 1).slice(0, -2);
  const each = hands.map((hand) => {
    const lines = handFields(hand, asset).map(([key, value]) => `   "${key}": ${value}`);
    return `  {\n${lines.join(",\n")}\n  }`;
  });
  const listed = each.length ? `\n${each.join(",\n")}\n ` : "";
  return `${head},\n "hands": [${listed}]\n}\n`;
}

/** One hand on a line, as the lines of a video's `hands.jsonl` hold them. */
export function handJson(hand: HandRecord, asset: HandAsset): string {
  return `{${handFields(hand, asset)
    .map(([key, value]) => `"${key}": ${value}`)
    .join(", ")}}`;
}

/** Its angles in degrees by their names, as text tells them. */
export function jointAngles(hand: HandRecord, asset: HandAsset): Record<string, number> {
  const theta = hand.theta.map((turn) => turn.map(told) as Point3);
  const R = hand.R.map((row) => row.map(told)) as Matrix3;
  return namedAngles(theta, R, asset, hand.handedness);
}

function handFields(hand: HandRecord, asset: HandAsset): [string, string][] {
  const floats = (value: Floats, digits: number): string => floatsJson(roundedAll(value, digits));
  const named = (values: Record<string, number>, text: (value: number) => string): string =>
    `{${Object.entries(values)
      .map(([name, value]) => `"${name}": ${text(value)}`)
      .join(", ")}}`;
  const angles = jointAngles(hand, asset);
  return [
    ...(hand.track === undefined ? [] : [["track", String(hand.track)] as [string, string]]),
    ["handedness", `"${hand.handedness}"`],
    ["score", floats(hand.score, 4)],
    ["box", floats(hand.box, 2)],
    ["joints_2d", floats(hand.joints_2d, 2)],
    ["joint_scores", floats(hand.joint_scores, 4)],
    ["joints_3d", floats(hand.joints_3d, 5)],
    ["theta", floats(hand.theta, 5)],
    ["beta", floats(hand.beta, 4)],
    ["R", floats(hand.R, 6)],
    ["T", floats(hand.T, 5)],
    ["K", floats(hand.K, 3)],
    ["joint_convention", `"anatomical"`],
    ["mask_area_px", String(new CroppedMask(hand.cropped_mask).area())],
    ["extras", named(hand.extras, (value) => floats(value, 4))],
    ["joint_angles", named(angles, (value) => pythonFloat(Number(value.toFixed(2))))],
  ];
}
