/** From what the network says of a crop to a hand of the picture; mirrors `handscope.infer.assembly`. */
import { tightBox } from "../geometry/boxes";
import { projectCentred } from "../geometry/camera";
import type { Crop } from "../geometry/crops";
import type { Box, Matrix3, Point2 } from "../geometry/linear";
import { pieces, type Plane } from "../geometry/pictures";
import type { HandAsset } from "../hand/assets";
import { TIPS } from "../skeleton";
import type { HandRecord } from "../types";
import { calibrated } from "./calibration";
import type { Estimate } from "./estimator";
import { fit } from "./fitting";
import { cropToFull, settle, type PosedHand } from "./full-camera";
import { refineSilhouette } from "./silhouette-refinement";
import type { Card } from "./weights";

/** How much further a box reaches than what is seen of a hand, in its larger sides. */
const BOX_MARGIN = 0.015;
/** Pieces of a mask below this share of the largest one are no part of the hand. */
const SPECK = 0.04;

export class Assembler {
  constructor(
    readonly asset: HandAsset,
    private readonly card: Card,
  ) {}

  /** What the network says of a crop, in the camera `K` of its picture. */
  assemble(estimate: Estimate, score: number, K: Matrix3, width: number, height: number): HandRecord {
    const { crop, joints, reading } = estimate;
    const { focal, jointScores: scores } = reading;
    const seen = withoutSpecks(reading.mask);
    const { beta, theta, hand, boneDepths } = reading;
    const first = fit(this.asset, { beta, theta, hand, focal, joints, scores, boneDepths, size: crop.size });
    const fitted = refineSilhouette(this.asset, first, joints, seen, focal, crop.size);
    const joints2d = crop.invert(blended(estimate, fitted.hand));
    const moved = cropToFull(fitted.hand, focal, crop, K, width);
    const placed = settle(moved, joints2d, scores, K, crop.mirrored);
    const [x0, y0, x1, y1] = boxOf(joints2d, seen, crop);
    const clip = (value: number, most: number): number => Math.min(Math.max(value, 0), most);
    const handedness = crop.mirrored ? "left" : "right";
    return {
      handedness,
      score,
      box: [clip(x0, width - 1), clip(y0, height - 1), clip(x1, width - 1), clip(y1, height - 1)],
      joints_2d: joints2d,
      joint_scores: calibrated(scores, this.card),
      cropped_mask: { values: seen, matrix: crop.matrix, size: crop.size, width, height },
      joints_3d: placed.joints3d,
      vertices: placed.vertices,
      faces: this.asset.facesOf(handedness),
      theta: fitted.theta,
      beta: fitted.beta,
      R: placed.R,
      T: placed.T,
      K,
      extras: { right: crop.mirrored ? 1 - estimate.right : estimate.right },
    };
  }
}

/** Joints in crop px: those of the heat-maps where they are sure, and at fingertips, else those of the fitted mesh. */
export function blended(estimate: Estimate, fitted: PosedHand): Point2[] {
  return estimate.joints.map(([x, y], j) => {
    const [u, v] = projectCentred(fitted.joints3d[j]!, estimate.reading.focal, estimate.crop.size);
    const sure = Math.min(Math.max(estimate.reading.jointScores[j]!, 0), 1) ** 2;
    const share = (TIPS as readonly number[]).includes(j) ? 1 : sure;
    return [share * x + (1 - share) * u, share * y + (1 - share) * v];
  });
}

/** The mask without pieces smaller than `SPECK` of the largest. */
export function withoutSpecks(mask: Plane): Plane {
  const filled = Uint8Array.from(mask.data, (value) => (value > 0.5 ? 1 : 0));
  const { numbers, areas } = pieces(filled, mask.width);
  if (areas.length <= 1) return mask;
  const least = SPECK * Math.max(...areas);
  const data = mask.data.map((value, i) => (numbers[i]! > 0 && areas[numbers[i]! - 1]! < least ? 0 : value));
  return { ...mask, data };
}

/** Box in px around what is seen of a hand, its joints and the crop's mask, and `BOX_MARGIN`. */
export function boxOf(joints: readonly Point2[], mask: Plane, crop: Crop): Box {
  const points: Point2[] = [...joints];
  const cell = crop.size / mask.height;
  const half = cell / 2 / crop.scale;
  const cells: Point2[] = [];
  mask.data.forEach((value, i) => {
    if (!(value > 0.5)) return;
    const x = i % mask.width;
    cells.push([(x + 0.5) * cell - 0.5, ((i - x) / mask.width + 0.5) * cell - 0.5]);
  });
  for (const [x, y] of crop.invert(cells)) points.push([x - half, y - half], [x + half, y + half]);
  return tightBox(points, BOX_MARGIN);
}
