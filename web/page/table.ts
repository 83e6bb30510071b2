/** The table of joints: pixels, and millimetres in the camera frame, as `handscope web` has it. */
import { JOINT_NAMES, labels, type Hand } from "handscope";
import { create } from "./elements";

const COLUMNS = ["hand", "joint", "x px", "y px", "score", "X mm", "Y mm", "Z mm"];

export function tableOf(hands: readonly Hand[]): HTMLElement {
  if (!hands.length) return create("p", "");
  const names = labels(hands);
  const rows = hands.flatMap((hand, number) =>
    JOINT_NAMES.map((joint, j) =>
      [
        names[number]!,
        joint,
        ...hand.joints_2d[j]!.map((value) => value.toFixed(1)),
        hand.joint_scores[j]!.toFixed(2),
        ...hand.joints_3d[j]!.map((value) => (value * 1000).toFixed(1)),
      ].map((cell) => create("td", cell)),
    ),
  );
  const heads = COLUMNS.map((column) => Object.assign(create("th", column), { scope: "col" }));
  const head = create("thead", "", create("tr", "", ...heads));
  return create("table", "", head, create("tbody", "", ...rows.map((cells) => create("tr", "", ...cells))));
}

/** One line on what was found. */
export function summary(hands: readonly Hand[]): string {
  if (!hands.length) {
    return "No hand found. Hands of a twelfth of the picture or less, in gloves or drawn are often missed.";
  }
  const names = labels(hands);
  return hands
    .map((hand, i) => `${names[i]!} hand, score ${hand.score.toFixed(2)}, ${hand.T[2].toFixed(2)} m away`)
    .join("; ");
}
