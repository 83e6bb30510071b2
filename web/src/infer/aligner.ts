/**
 * The aligner network: where the joints lie in a rough crop and which side it shows; mirrors
 * `handscope.infer.aligner`.
 */
import { CropEstimate, pointsAt, throughNetwork, type View } from "./crop-estimates";
import { nextCrop, resized } from "./crop-policy";
import type { Network } from "./runtime";

/** What is turned or sized this much otherwise than the crop was (degrees, log of the extent) gets a second pass. */
const FAR_TURN_DEG = 40;
const FAR_ZOOM = 0.35;

export class Aligner {
  constructor(private readonly network: Network) {}

  /** One estimate for each crop of its own picture, whatever their sizes in px. */
  async estimate(views: readonly View[]): Promise<CropEstimate[]> {
    const size = this.network.inputSize;
    const rough = views.map(({ picture, crop }) => ({ picture, crop: resized(crop, size) }));
    return throughNetwork(
      this.network,
      rough,
      "reflect",
      ({ crop }, out, i) =>
        new CropEstimate(crop, pointsAt(out["joints"]!, i, 21), out["right"]![i]!, out["presence"]?.[i]),
    );
  }

  /**
   * One estimate for each crop, from a second pass where the first saw the hand turned or sized otherwise: the
   * `nextCrop` of each, `size` px, shows a right hand upright.
   */
  async align(views: readonly View[], size: number): Promise<CropEstimate[]> {
    return this.follow(views, await this.estimate(views), size);
  }

  /** `align` after the first pass over each of `views`. */
  async follow(views: readonly View[], estimates: readonly CropEstimate[], size: number): Promise<CropEstimate[]> {
    const found = [...estimates];
    const far = found.flatMap((estimate, i) => (isFar(estimate) ? [i] : []));
    const again = await this.estimate(
      far.map((i) => ({ picture: views[i]!.picture, crop: nextCrop(found[i]!, size) })),
    );
    far.forEach((i, k) => (found[i] = again[k]!));
    return found;
  }
}

function isFar(estimate: CropEstimate): boolean {
  const crop = nextCrop(estimate, estimate.crop.size);
  const zoom = Math.abs(Math.log(Math.max(crop.extent / estimate.crop.extent, 1e-6)));
  return estimate.uprightness < Math.cos((FAR_TURN_DEG * Math.PI) / 180) || zoom > FAR_ZOOM;
}
