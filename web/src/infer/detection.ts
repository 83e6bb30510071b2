/** Which hands to read in a picture; mirrors `handscope.infer.detection`. */
import { boxIou, tightBox } from "../geometry/boxes";
import type { Box } from "../geometry/linear";
import type { Picture } from "../geometry/pictures";
import { best, type CropEstimate, type View } from "./crop-estimates";
import { cropsOfBox, detectedCrop, nextCrop } from "./crop-policy";
import type { Detection } from "./detector";
import { distinct } from "./duplicates";
import type { Estimate } from "./estimator";
import type { Models } from "./models";

/** Share of the score without presence that a hand has at least. */
const SURE_WITHOUT = 0.9;
/** Share of the least score that a first estimate needs to be refined. */
const FIRST_SCORE = 0.6;
/** Presence, by the aligner, of what nobody looks at more closely. */
const HOPELESS = 0.03;
/** Joints whose box overlaps less with the detection's are looked for again in the detector's own crop. */
const ASTRAY_IOU = 0.3;

/** The first estimate of what may be a hand; `detected` is the detector's score, undefined for a given box. */
export class Candidate {
  constructor(
    readonly first: Estimate,
    readonly detected?: number,
  ) {}

  get firstScore(): number {
    return this.score(this.first, this.first.presence);
  }

  /** The score of the hand that this candidate turns out to be. */
  score(estimate: Estimate, presence: number): number {
    return this.detected === undefined ? estimate.confidence : jointScore(this.detected, estimate, presence);
  }
}

/** Presence and what detector and estimator say, in one score; presence does not overrule who is sure. */
export function jointScore(detected: number, estimate: Estimate, presence: number): number {
  const score = Math.sqrt(detected * estimate.confidence);
  return Math.max(Math.sqrt(score * presence), SURE_WITHOUT * score);
}

/** The candidates in `picture` that the detector sees, best first. */
export async function search(models: Models, picture: Picture): Promise<Candidate[]> {
  const proposed = await models.detector.search(picture);
  const size = models.estimator.size;
  const viewOf = (detection: Detection): View => ({ picture, crop: detectedCrop(detection, size) });
  const glances = await models.aligner.align(proposed.map(viewOf), size);
  const hopeful = glances.flatMap(({ presence }, k) => (presence >= HOPELESS ? [k] : []));
  const detections = hopeful.map((k) => proposed[k]!);
  const rough = detections.map(viewOf);
  const looked = await look(
    models,
    detections,
    hopeful.map((k) => ({ picture, crop: nextCrop(glances[k]!, size) })),
  );
  const astray = looked.flatMap((candidate, k) => (isAstray(candidate.first, detections[k]!) ? [k] : []));
  const again = await look(
    models,
    astray.map((k) => detections[k]!),
    astray.map((k) => rough[k]!),
  );
  astray.forEach((k, i) => (looked[k] = best([looked[k]!, again[i]!], (candidate) => candidate.firstScore)));
  const candidates = looked.filter((candidate) => candidate.firstScore >= FIRST_SCORE * models.minScore);
  return distinct(
    candidates.map((candidate) => candidate.first.joints2d),
    candidates.map((candidate) => candidate.firstScore),
  ).map((k) => candidates[k]!);
}

/** What is seen of each of `detections` in its view. */
async function look(models: Models, detections: readonly Detection[], views: readonly View[]): Promise<Candidate[]> {
  const firsts = await models.estimator.estimate(views);
  return firsts.map((first, k) => new Candidate(first, detections[k]!.score));
}

/** Whether the joints lie elsewhere than the detection's box: the aligner did not know what it saw. */
export function isAstray(first: CropEstimate, detection: Detection): boolean {
  return boxIou(tightBox(first.joints2d), detection.box) < ASTRAY_IOU;
}

/** A candidate for each of `boxes` px, tight round a hand: the best of eight crops. */
export async function fromBoxes(models: Models, picture: Picture, boxes: readonly Box[]): Promise<Candidate[]> {
  const found: Candidate[] = [];
  for (const box of boxes) {
    const crops = cropsOfBox(box, models.estimator.size);
    const rough = await models.aligner.estimate(crops.map((crop) => ({ picture, crop })));
    const fittest = best(rough, (estimate) => estimate.fitness);
    const size = models.estimator.size;
    const [glance] = await models.aligner.follow([{ picture, crop: fittest.crop }], [fittest], size);
    const [first] = await models.estimator.estimate([{ picture, crop: nextCrop(glance!, size) }]);
    found.push(new Candidate(first!));
  }
  return found;
}
