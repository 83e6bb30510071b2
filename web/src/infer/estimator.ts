/** The estimator network: everything about one hand from one upright crop; mirrors `handscope.infer.estimator`. */
import type { Crop } from "../geometry/crops";
import type { Matrix3, Point2, Point3 } from "../geometry/linear";
import type { Plane } from "../geometry/pictures";
import { pointAt } from "../hand/model";
import { CropEstimate, pointsAt, throughNetwork, type View } from "./crop-estimates";
import type { PosedHand } from "./full-camera";
import type { Network, Outputs } from "./runtime";

/** What the network says of one crop beside joints and side. */
export interface Reading {
  jointScores: number[];
  boneDepths: number[];
  /** Probability over the crop. */
  mask: Plane;
  theta: Point3[];
  beta: number[];
  /** In the crop's camera, whose focal length is `focal` crop px. */
  hand: PosedHand;
  focal: number;
}

export class Estimate extends CropEstimate {
  constructor(
    crop: Crop,
    joints: Point2[],
    right: number,
    presence: number,
    readonly reading: Reading,
  ) {
    super(crop, joints, right, presence);
  }

  /** Mean joint score, in [0, 1]. */
  get confidence(): number {
    return this.reading.jointScores.reduce((sum, score) => sum + score, 0) / this.reading.jointScores.length;
  }

  /** Whether the mask reaches the crop's upper edge or one of its sides, but for a cell. */
  get isTruncated(): boolean {
    const { data, width, height } = this.reading.mask;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        if ((y < 2 || x < 2 || x >= width - 2) && data[y * width + x]! > 0.5) return true;
      }
    }
    return false;
  }

  /** In [0, 1]: fitness, and joints found. */
  get plausibility(): number {
    return this.confidence * this.fitness;
  }

  /** The same estimate with another probability of a right hand. */
  withRight(right: number): Estimate {
    return new Estimate(this.crop, this.joints, right, this.presence, this.reading);
  }
}

export class Estimator {
  constructor(readonly network: Network) {}

  /** Side of the crops in px. */
  get size(): number {
    return this.network.inputSize;
  }

  /** One estimate for each crop of its own picture. */
  async estimate(views: readonly View[]): Promise<Estimate[]> {
    return throughNetwork(this.network, views, "reflect", ({ crop }, out, i) => readEstimate(crop, out, i));
  }
}

/** The network's outputs for the crop at `index` of a batch. */
export function readEstimate(crop: Crop, out: Outputs, index: number): Estimate {
  const part = (name: string, count: number): Float32Array => out[name]!.slice(index * count, (index + 1) * count);
  const triples = (values: Float32Array): Point3[] =>
    Array.from({ length: values.length / 3 }, (_, i) => pointAt(values, i));
  const cells = out["mask"]!.length / out["right"]!.length;
  const vertices = out["vertices"]!.length / out["right"]!.length;
  const side = Math.sqrt(cells);
  const presence = out["presence"]?.[index] ?? 1;
  return new Estimate(crop, pointsAt(out["joints"]!, index, 21), out["right"]![index]!, presence, {
    jointScores: [...part("joint_scores", 21)],
    boneDepths: [...part("bone_depths", 20)],
    mask: { data: part("mask", cells), width: side, height: side },
    theta: triples(part("theta", 45)),
    beta: [...part("beta", 10)],
    hand: {
      R: triples(part("R", 9)) as Matrix3,
      T: pointAt(part("T", 3), 0),
      joints3d: triples(part("joints_3d", 63)),
      vertices: Float64Array.from(part("vertices", vertices)),
    },
    focal: out["f"]![index]!,
  });
}
