/** Hands as a table of text: a row for each hand and joint; mirrors `to_csv` of `handscope.infer.formats.tables`. */
import type { HandAsset } from "../hand/assets";
import { MOTIONS } from "../hand/angles";
import { JOINT_NAMES } from "../skeleton";
import type { HandRecord } from "../types";
import { jointAngles } from "./numbers";
import { fixed, told } from "./text";

export const CSV_COLUMNS = [
  "source",
  "hand",
  "handedness",
  "hand_score",
  "joint",
  "name",
  "x_px",
  "y_px",
  "joint_score",
  "x_m",
  "y_m",
  "z_m",
  "flexion_deg",
  "abduction_deg",
  "twist_deg",
] as const;

/** What of the wrist stands where joints have flexion, abduction and twist. */
const WRIST_MOTIONS = ["pitch", "roll", "yaw"] as const;

export function toCsv(hands: readonly HandRecord[], source: string | null, asset: HandAsset): string {
  const rows = hands.flatMap((hand, number) => {
    const angles = jointAngles(hand, asset);
    return JOINT_NAMES.map((name, joint) => {
      const motions = (name === "wrist" ? WRIST_MOTIONS : MOTIONS).map((motion) => angles[`${name}_${motion}`]);
      return [
        source === null ? "" : asCell(source),
        String(number),
        hand.handedness,
        fixed(told(hand.score), 4),
        String(joint),
        name,
        ...hand.joints_2d[joint]!.map((value) => fixed(told(value), 2)),
        fixed(told(hand.joint_scores[joint]!), 4),
        ...hand.joints_3d[joint]!.map((value) => fixed(told(value), 5)),
        ...motions.map((value) => (value === undefined ? "" : fixed(value, 2))),
      ];
    });
  });
  return [CSV_COLUMNS, ...rows].map((row) => `${row.map(quoted).join(",")}\n`).join("");
}

/** A name as a cell that no spreadsheet takes for a formula and no terminal for a command. */
function asCell(text: string): string {
  // eslint-disable-next-line no-control-regex -- these are what is looked for
  const plain = text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (letter) => {
    return `\\x${letter.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
  return /^[=+@-]/.test(plain) ? `'${plain}` : plain;
}

function quoted(cell: string): string {
  return /[",\n\r]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
