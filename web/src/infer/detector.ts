/**
 * Where hands may be: one network over the picture at two sizes, each hand once; mirrors `handscope.infer.detector`.
 */
import { bestOfEach, boxCentre, longerSide, samePlace } from "../geometry/boxes";
import { FILL } from "../geometry/crops";
import type { Box, Point2 } from "../geometry/linear";
import { shrunk, toPicture, worthwhile } from "../geometry/looks";
import type { Picture } from "../geometry/pictures";
import type { Network, Outputs } from "./runtime";

/** Longer sides of the picture, px, at which the network sees it. */
export const SIZES = [192, 384] as const;
/** So many places of a picture are looked at at most, the best ones. */
const MAX_PROPOSALS = 40;
/** Score from which an answer is a place of its own: weaker ones lie beside every sure hand. */
const ALONE = 0.3;
/** Of the palm network's seven points. */
const WRIST = 0;
const MIDDLE = 2;
/** Sides of a palm's square that the crop of its hand has. */
const HAND_PALMS = 2.6;
/** How far the crop's centre lies from the palm's towards the middle knuckle, in the palm's sides. */
const ADVANCE = 0.5;

/** One hand in picture px: tight box of the joints, upright crop, probability of a right hand, score. */
export interface Detection {
  box: Box;
  up: Point2;
  centre: Point2;
  extent: number;
  right: number;
  score: number;
  /** It is likely to be another answer's hand. */
  beside: boolean;
}

export class Detector {
  constructor(
    private readonly network: Network,
    readonly threshold: number,
    private readonly sizes: readonly number[] = SIZES,
  ) {}

  /** Hands in `picture`, each once, best first; of those above the threshold the ones of the `least` score and more. */
  async search(picture: Picture, least = 0): Promise<Detection[]> {
    const threshold = Math.max(least, this.threshold);
    const own: Detection[] = [];
    const palms: Detection[] = [];
    for (const size of worthwhile(picture, this.sizes)) {
      const { small, scale } = shrunk(picture, size);
      const out = await this.network.run(new Uint8Array(small.data), 1, small.height, small.width);
      own.push(...ownAnswers(out, threshold, scale));
      palms.push(...palmAnswers(out, threshold, scale));
    }
    return merged(own, palms).slice(0, MAX_PROPOSALS);
  }
}

function boxAt(boxes: Float32Array, cell: number, scale: Point2): Box {
  const at = cell * 4;
  return [...toPicture(boxes[at]!, boxes[at + 1]!, scale), ...toPicture(boxes[at + 2]!, boxes[at + 3]!, scale)];
}

/** What the cells of one look say above the threshold, in picture px. */
export function ownAnswers(out: Outputs, threshold: number, scale: Point2): Detection[] {
  const { scores, boxes, up, crops, right } = out as Required<Outputs> & Record<string, Float32Array>;
  const found: Detection[] = [];
  scores!.forEach((score, cell) => {
    if (!(score >= threshold && crops![cell * 3 + 2]! > 1)) return;
    found.push({
      box: boxAt(boxes!, cell, scale),
      up: [up![cell * 2]!, up![cell * 2 + 1]!],
      centre: toPicture(crops![cell * 3]!, crops![cell * 3 + 1]!, scale),
      extent: crops![cell * 3 + 2]! / ((scale[0] + scale[1]) / 2),
      right: right![cell]!,
      score,
      beside: false,
    });
  });
  return found;
}

/** What the palm network says of one look above the threshold, as hands in picture px. */
export function palmAnswers(out: Outputs, threshold: number, scale: Point2): Detection[] {
  const scores = out["palm_scores"]!;
  const points = out["palm_points"]!;
  const found: Detection[] = [];
  scores.forEach((score, cell) => {
    if (!(score >= threshold)) return;
    const palm = boxAt(out["palm_boxes"]!, cell, scale);
    const point = (k: number): Point2 => toPicture(points[(cell * 7 + k) * 2]!, points[(cell * 7 + k) * 2 + 1]!, scale);
    const [wrist, middle] = [point(WRIST), point(MIDDLE)];
    const along: Point2 = [middle[0] - wrist[0], middle[1] - wrist[1]];
    const length = Math.hypot(...along);
    const extent = HAND_PALMS * longerSide(palm);
    if (!(length > 1e-6 && extent > 1)) return;
    const up: Point2 = [along[0] / Math.max(length, 1e-9), along[1] / Math.max(length, 1e-9)];
    const [x, y] = boxCentre(palm);
    const ahead = (ADVANCE / HAND_PALMS) * extent;
    const centre: Point2 = [x + ahead * up[0], y + ahead * up[1]];
    const half = (extent * FILL) / 2;
    const box: Box = [centre[0] - half, centre[1] - half, centre[0] + half, centre[1] + half];
    found.push({ box, up, centre, extent, right: 0.5, score, beside: false });
  });
  return found;
}

/**
 * Each hand once, best first; the score of one that both kinds of answers show is that of either, as if independent.
 */
export function merged(own: readonly Detection[], palms: readonly Detection[]): Detection[] {
  const found = [...own, ...palms];
  const same = found.map((one) => found.map((two) => samePlace(one, two)));
  const kept = bestOfEach(
    found.map((one) => one.score),
    (one, two) => same[one]![two]!,
  );
  const wrong = (one: number, from: number, to: number): number => {
    let least = 1;
    for (let two = from; two < to; two++) if (same[one]![two]) least = Math.min(least, 1 - found[two]!.score);
    return least;
  };
  const beside = (k: number): boolean =>
    found[k]!.score < ALONE && found.some((two, i) => same[k]![i] && two.score > found[k]!.score);
  return kept
    .map((k) => {
      const score = 1 - wrong(k, 0, own.length) * wrong(k, own.length, found.length);
      return { ...found[k]!, score, beside: beside(k) };
    })
    .sort((one, two) => two.score - one.score);
}
