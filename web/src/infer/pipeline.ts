/** A picture in, hands out; mirrors `handscope.infer.pipeline`. */
import { HandscopeError } from "../errors";
import { intrinsicsOf } from "../geometry/camera";
import type { Box, Matrix3 } from "../geometry/linear";
import type { Picture } from "../geometry/pictures";
import type { HandRecord } from "../types";
import { fromBoxes, scoresOf, search } from "./detection";
import { dropRepeated } from "./duplicates";
import type { Models } from "./models";
import { refine } from "./refinement";
import { keptApart } from "./two-hands";

/** Pictures with a shorter side than this show no hand that could be read. */
export const SMALLEST_PX = 16;

export interface DetectOptions {
  /** The camera if known: intrinsics in px, or a focal length in px. */
  K?: Matrix3 | number;
  /** x0, y0, x1, y1 px, tight around a hand each; they replace the detector. */
  boxes?: Box[];
}

/** The hands of a picture, best first; those that the detector found need the least score. */
export async function findHands(models: Models, picture: Picture, options: DetectOptions = {}): Promise<HandRecord[]> {
  const { width, height } = picture;
  const K = intrinsicsOf(options.K, width, height);
  if (Math.min(width, height) < SMALLEST_PX) return [];
  const boxes = options.boxes?.map((box) => checkBox(box, width, height));
  const candidates = boxes ? await fromBoxes(models, picture, boxes) : await search(models, picture);
  const firsts = candidates.map((candidate) => candidate.first);
  const passes = await refine(models.estimator, picture, firsts);
  const refined = candidates.map((candidate, k) => candidate.kept(passes[k]!));
  const scores = await scoresOf(models, picture, candidates, refined);
  const hands = candidates.flatMap((candidate, k) => {
    const score = scores[k]!;
    const told = candidate.detected === undefined || score >= models.minScore;
    return told ? [models.assembler.assemble(refined[k]!, score, K, width, height)] : [];
  });
  return keptApart(dropRepeated(hands));
}

function checkBox(box: Box, width: number, height: number): Box {
  const text = `box ${String(box)}`;
  if (!Array.isArray(box) || box.length !== 4 || !box.every((value) => Number.isFinite(value))) {
    throw new HandscopeError(`${text}: must be four finite numbers x0, y0, x1, y1`);
  }
  const [x0, y0, x1, y1] = box;
  if (x1 - x0 < 4 || y1 - y0 < 4) {
    throw new HandscopeError(`${text}: must be x0,y0,x1,y1 with x1 > x0 and y1 > y0, 4 px at least`);
  }
  if (x0 >= width || y0 >= height || x1 <= 0 || y1 <= 0) {
    throw new HandscopeError(`${text}: lies outside the picture of ${width} x ${height} px`);
  }
  const farthest = 4 * Math.max(width, height);
  if (Math.max(-x0, -y0, x1 - width, y1 - height) > farthest) {
    throw new HandscopeError(`${text}: reaches too far outside the picture of ${width} x ${height} px to be a hand's`);
  }
  return box;
}
