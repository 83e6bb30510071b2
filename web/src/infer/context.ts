/** Whether what was taken for a hand is one, by what lies round it; mirrors `handscope.infer.context`. */
import { boxCentre, longerSide, tightBox } from "../geometry/boxes";
import { cropAround, type Crop } from "../geometry/crops";
import type { Point2 } from "../geometry/linear";
import type { Picture } from "../geometry/pictures";
import { throughNetwork } from "./crop-estimates";
import { onGrid } from "./crop-policy";
import type { Network } from "./runtime";

/** Larger sides of the joints' box that the crop covers. */
const HANDS = 3.3;

export class Context {
  constructor(private readonly network: Network) {}

  /** Probabilities that joints in picture px are a hand's. */
  async judge(picture: Picture, joints: readonly Point2[][]): Promise<number[]> {
    const size = this.network.inputSize;
    const views = joints.map((of) => ({ picture, crop: surroundings(of, size) }));
    return throughNetwork(this.network, views, "black", (_, out, i) => out["presence"]![i]!);
  }
}

/** The unturned crop, `size` px, of joints in px and what lies round them. */
export function surroundings(joints: readonly Point2[], size: number): Crop {
  const box = tightBox(joints);
  return onGrid(cropAround(boxCentre(box), HANDS * Math.max(longerSide(box), 1), [0, -1], size, false));
}
