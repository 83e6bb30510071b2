/**
 * What a pass of a network over a crop gives at least, and how crops go through a network; mirrors
 * `handscope.infer.crop_estimates`.
 */
import type { Crop } from "../geometry/crops";
import type { Point2 } from "../geometry/linear";
import type { Border, Picture } from "../geometry/pictures";
import { MIDDLE_MCP, WRIST } from "../skeleton";
import type { Network, Outputs } from "./runtime";

/** Crops that go through a network at once. */
export const BATCH = 8;

/** A picture and a crop of it. */
export interface View {
  picture: Picture;
  crop: Crop;
}

/**
 * `joints` (21) in crop px, the probability `right` that the crop, as shown, holds a right hand, and `presence` that it
 * holds one at all.
 */
export class CropEstimate {
  readonly joints2d: Point2[];

  constructor(
    readonly crop: Crop,
    readonly joints: Point2[],
    readonly right: number,
    readonly presence = 1,
  ) {
    this.joints2d = crop.invert(joints);
  }

  /** Cosine between wrist to middle knuckle and the crop's up. */
  get uprightness(): number {
    const wrist = this.joints[WRIST]!;
    const knuckle = this.joints[MIDDLE_MCP]!;
    const [x, y] = [knuckle[0] - wrist[0], knuckle[1] - wrist[1]];
    return -y / Math.max(Math.hypot(x, y), 1e-6);
  }

  /** In [0, 1]: how well the crop was chosen (right hand shown, upright). */
  get fitness(): number {
    return (this.right * (1 + this.uprightness)) / 2;
  }

  /** Whether the crop, as shown, rather holds a left hand. */
  get showsLeft(): boolean {
    return this.right < 0.5;
  }
}

/** Every view through a network, in batches; `read` makes an answer of the outputs of the crop at `index`. */
export async function throughNetwork<Answer>(
  network: Network,
  views: readonly View[],
  border: Border,
  read: (view: View, outputs: Outputs, index: number) => Answer,
): Promise<Answer[]> {
  const found: Answer[] = [];
  for (let start = 0; start < views.length; start += BATCH) {
    const part = views.slice(start, start + BATCH);
    const size = part[0]!.crop.size;
    const pictures = new Uint8Array(part.length * size * size * 3);
    part.forEach(({ picture, crop }, i) => pictures.set(crop.extract(picture, border).data, i * size * size * 3));
    const outputs = await network.run(pictures, part.length, size, size);
    part.forEach((view, i) => found.push(read(view, outputs, i)));
  }
  return found;
}

/** Rows of two of an output, of the crop at `index`. */
export function pointsAt(values: Float32Array, index: number, count: number): Point2[] {
  return Array.from({ length: count }, (_, j) => {
    const at = (index * count + j) * 2;
    return [values[at]!, values[at + 1]!];
  });
}

/** The one with the largest value; of equal ones the first. */
export function best<Item>(items: readonly Item[], value: (item: Item) => number): Item {
  return items.reduce((found, item) => (value(item) > value(found) ? item : found));
}
