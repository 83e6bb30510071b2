/** Whether a hand is there at all; mirrors `handscope.infer.presence`. */
import { Crop, cropAround, FILL } from "../geometry/crops";
import { throughNetwork, type View } from "./crop-estimates";
import type { Network } from "./runtime";

/** Larger sides of the joints' upright box that MediaPipe's crop covers. */
const HANDS = 2.0;
/** How far its centre lies beyond the box's towards the fingers, in the same sides. */
const ADVANCE = 0.1;

export class Presence {
  constructor(private readonly network: Network) {}

  /** Probabilities that there are hands in these views: pictures and the upright crops that the joints ask for. */
  async judge(views: readonly View[]): Promise<number[]> {
    const size = this.network.inputSize;
    const shown = views.map(({ picture, crop }) => ({ picture, crop: askedCrop(crop, size) }));
    return throughNetwork(this.network, shown, "black", (_, out, i) => out["presence"]![i]!);
  }
}

/** The crop, `size` px, that MediaPipe would take where handscope takes the upright `crop`. */
export function askedCrop(crop: Crop, size: number): Crop {
  const [ux, uy] = crop.up;
  const [x, y] = crop.centre;
  const ahead = ADVANCE * FILL * crop.extent;
  return cropAround([x + ahead * ux, y + ahead * uy], HANDS * FILL * crop.extent, crop.up, size, crop.mirrored);
}
