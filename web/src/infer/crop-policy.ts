/** Which crop to take next; mirrors `handscope.infer.crop_policy`. */
import { boxCentre, longerSide } from "../geometry/boxes";
import { Crop, cropAround, FILL, uprightCrop, uprightFrame } from "../geometry/crops";
import type { Box, Point2 } from "../geometry/linear";
import { roundHalfEven } from "../geometry/looks";
import type { CropEstimate } from "./crop-estimates";
import type { Detection } from "./detector";
import type { Card } from "./weights";

/** A crop is good enough if it is off by no more than this many times the noise of the estimator's training crops. */
const NOISES = 1.5;
/** How fine the grid is that crops lie on. */
const [EXTENTS, PLACES, TURNS] = [256, 8, 4096];
/** How many times larger or smaller than the last one a crop may become at once. */
const MAX_ZOOM = 2.5;

/** How far a crop may be off without another pass: in crop sides, as the logarithm of the extent, in degrees. */
export interface Tolerance {
  translation: number;
  scale: number;
  rotationDeg: number;
}

export function toleranceOf(card: Card): Tolerance {
  const { translation = 0.05, scale = 0.14, rotation_deg = 16 } = card.crop ?? {};
  return { translation: NOISES * translation, scale: NOISES * scale, rotationDeg: NOISES * rotation_deg };
}

/** Whether a right hand is shown in the crop its own joints ask for, within `tolerance`. */
export function isSettled(estimate: CropEstimate, tolerance: Tolerance): boolean {
  const { centre, extent } = uprightFrame(estimate.joints2d);
  const crop = estimate.crop;
  const [x, y] = crop.centre;
  const shift = Math.hypot(centre[0] - x, centre[1] - y) / crop.extent;
  const zoom = Math.abs(Math.log(Math.max(extent / crop.extent, 1e-6)));
  const upright = estimate.uprightness > Math.cos((tolerance.rotationDeg * Math.PI) / 180);
  return shift < tolerance.translation && zoom < tolerance.scale && upright && !estimate.showsLeft;
}

/** The upright crop of the joints just found, mirrored the other way if a left hand was shown. */
export function nextCrop(estimate: CropEstimate, size: number): Crop {
  const { centre, extent, up } = uprightFrame(estimate.joints2d);
  const mirrored = estimate.crop.mirrored !== estimate.showsLeft;
  return onGrid(cropAround(centre, bounded(extent, estimate.crop.extent), up, size, mirrored));
}

/** The upright crop, of the same size in px and mirrored as it was, of the joints just found. */
export function asked(estimate: CropEstimate): Crop {
  return onGrid(uprightCrop(estimate.joints2d, estimate.crop.size, estimate.crop.mirrored));
}

/** The nearest crop of a grid so fine that networks see the same: equal ones whatever the last bits of sums are. */
export function onGrid(crop: Crop): Crop {
  const extent = 2 ** (roundHalfEven(Math.log2(crop.extent) * EXTENTS) / EXTENTS);
  const step = extent / crop.size / PLACES;
  const [x, y] = crop.up;
  const angle = (roundHalfEven((Math.atan2(y, x) / (2 * Math.PI)) * TURNS) / TURNS) * 2 * Math.PI;
  const centre = crop.centre.map((value) => roundHalfEven(value / step) * step) as Point2;
  return cropAround(centre, extent, [Math.cos(angle), Math.sin(angle)], crop.size, crop.mirrored);
}

/** The extent of a crop, at most `MAX_ZOOM` times larger or smaller than the last one's. */
export function bounded(extent: number, last: number): number {
  return Math.min(Math.max(extent, last / MAX_ZOOM), last * MAX_ZOOM);
}

/** What `crop` shows, in `size` px, or `wider` times as much. */
export function resized(crop: Crop, size: number, wider = 1): Crop {
  return cropAround(crop.centre, crop.extent * wider, crop.up, size, crop.mirrored);
}

/** The same place, size and direction, mirrored. */
export function otherSide(crop: Crop): Crop {
  return cropAround(crop.centre, crop.extent, crop.up, crop.size, !crop.mirrored);
}

/** The rough crop that a detection gives; mirrored as its side says unless told. */
export function detectedCrop(detection: Detection, size: number, mirrored = detection.right < 0.5): Crop {
  return onGrid(cropAround(detection.centre, detection.extent, detection.up, size, mirrored));
}

/** Eight crops of a box: wrist to knuckle up, right, down, left; as it is and mirrored. */
export function cropsOfBox(box: Box, size: number): Crop[] {
  const ups: Point2[] = [
    [0, -1],
    [1, 0],
    [0, 1],
    [-1, 0],
  ];
  const extent = longerSide(box) / FILL;
  return ups.flatMap((up) => [false, true].map((mirrored) => cropAround(boxCentre(box), extent, up, size, mirrored)));
}
