/** Which hands to read in a picture; mirrors `handscope.infer.detection`. */
import { boxIou, tightBox } from "../geometry/boxes";
import type { Box } from "../geometry/linear";
import type { Picture } from "../geometry/pictures";
import { best, type CropEstimate, type View } from "./crop-estimates";
import { cropsOfBox, detectedCrop, nextCrop, otherSide } from "./crop-policy";
import type { Detection } from "./detector";
import { distinct, sameHand } from "./duplicates";
import type { Estimate } from "./estimator";
import type { Models } from "./models";

/** Share of the score without presence that a hand has at least. */
const SURE_WITHOUT = 0.9;
/** Share of the least score that a first estimate needs to be refined. */
const FIRST_SCORE = 0.48;
/** Geometric mean of the detector's score and of presence by the aligner under which nobody looks more closely. */
const UNLIKELY = 0.18;
/** Score from which nobody asks what lies round a hand. */
export const SURE_ALONE = 0.8;
/** Score of a first look from which weak detections that lie on it are not looked at. */
const TAKEN = 0.7;
/** Joints whose box overlaps less with the detection's are looked for again in the detector's own crop. */
const ASTRAY_IOU = 0.3;
/** Of a box's eight crops so many are looked at, from both sides. */
const CHOICES = 2;

/** The first estimate of what may be a hand; `detected` is the detector's score, undefined for a given `box`. */
export class Candidate {
  constructor(
    readonly first: Estimate,
    readonly detected?: number,
    readonly box?: Box,
  ) {}

  get firstScore(): number {
    return this.score(this.first, this.first.presence);
  }

  /** What further passes made of the first estimate, unless they have left the given box. */
  kept(refined: Estimate): Estimate {
    const { box } = this;
    return box ? best([refined, this.first], (estimate) => fitToBox(estimate, box)) : refined;
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

/** The score of a hand that has `score` by itself, and the probability `context` by what lies round it. */
export function inContext(score: number, context: number): number {
  return (score ** 4 * context) ** (1 / 6);
}

/**
 * The scores of what `candidates` have turned out to be. Who could not be told, whatever is said, is not judged, and of
 * who is sure alone nobody asks what lies round it.
 */
export async function scoresOf(
  models: Models,
  picture: Picture,
  candidates: readonly Candidate[],
  estimates: readonly Estimate[],
): Promise<number[]> {
  const scores = candidates.map((candidate, k) => candidate.score(estimates[k]!, 1));
  const isLikely = (k: number): boolean => inContext(scores[k]!, 1) >= models.minScore;
  const likely = [...candidates.keys()].filter((k) => candidates[k]!.detected !== undefined && isLikely(k));
  const presences = await models.judged(
    picture,
    likely.map((k) => estimates[k]!),
  );
  likely.forEach((k, i) => (scores[k] = candidates[k]!.score(estimates[k]!, presences[i]!)));
  const doubted = likely.filter((k) => scores[k]! < SURE_ALONE && isLikely(k));
  const contexts = await models.context.judge(
    picture,
    doubted.map((k) => estimates[k]!.joints2d),
  );
  doubted.forEach((k, i) => (scores[k] = inContext(scores[k]!, contexts[i]!)));
  return scores;
}

/** The candidates in `picture` that the detector sees, best first. */
export async function search(models: Models, picture: Picture): Promise<Candidate[]> {
  const proposed = await models.detector.search(picture);
  const candidates: Candidate[] = [];
  for (const beside of [false, true]) {
    const places = proposed.filter((one) => one.beside === beside && !isTaken(one, candidates));
    for (const candidate of await lookedAt(models, picture, places)) {
      if (candidate.firstScore >= FIRST_SCORE * models.minScore) candidates.push(candidate);
    }
  }
  return distinct(
    candidates.map((candidate) => candidate.first.joints2d),
    candidates.map((candidate) => candidate.firstScore),
  ).map((k) => candidates[k]!);
}

/** Whether a weak detection lies on a hand that is `TAKEN`. */
function isTaken({ beside, centre: [x, y] }: Detection, candidates: readonly Candidate[]): boolean {
  return candidates.some((candidate) => {
    if (!beside || candidate.firstScore < TAKEN) return false;
    const [x0, y0, x1, y1] = tightBox(candidate.first.joints2d);
    return x0 <= x && x <= x1 && y0 <= y && y <= y1;
  });
}

/** What is seen of detections where a hand is not too unlikely. */
async function lookedAt(models: Models, picture: Picture, proposed: readonly Detection[]): Promise<Candidate[]> {
  const size = models.estimator.size;
  const viewOf = (detection: Detection): View => ({ picture, crop: detectedCrop(detection, size) });
  const glances = await models.aligner.align(proposed.map(viewOf), size);
  const isHopeful = (k: number): boolean => glances[k]!.presence * proposed[k]!.score >= UNLIKELY ** 2;
  const hopeful = [...glances.keys()].filter(isHopeful);
  const detections = hopeful.map((k) => proposed[k]!);
  const looked = await look(
    models,
    detections,
    hopeful.map((k) => ({ picture, crop: nextCrop(glances[k]!, size) })),
  );
  const astray = looked.flatMap((candidate, k) => (isAstray(candidate.first, detections[k]!) ? [k] : []));
  const again = await look(
    models,
    astray.map((k) => detections[k]!),
    astray.map((k) => viewOf(detections[k]!)),
  );
  astray.forEach((k, i) => (looked[k] = best([looked[k]!, again[i]!], (candidate) => candidate.firstScore)));
  return looked;
}

/** What is seen of each of `detections` in its view. */
async function look(models: Models, detections: readonly Detection[], views: readonly View[]): Promise<Candidate[]> {
  const firsts = await models.estimator.estimate(views);
  return firsts.map((first, k) => new Candidate(first, detections[k]!.score));
}

/** Whether the joints lie elsewhere than the detection's box: the aligner did not know what it saw. */
export function isAstray(first: CropEstimate, detection: Detection): boolean {
  return filled(first, detection.box) < ASTRAY_IOU;
}

/** A candidate for each of `boxes` px, tight round a hand: the best look that does not show a surer box's hand. */
export async function fromBoxes(models: Models, picture: Picture, boxes: readonly Box[]): Promise<Candidate[]> {
  const looks: Look[][] = [];
  for (const box of boxes) looks.push(await looksAtBox(models, picture, box));
  const chosen = new Map<number, Estimate>();
  const order = [...looks.keys()].sort((one, two) => looks[two]![0]!.fit - looks[one]![0]!.fit);
  for (const i of order) {
    const taken = [...chosen.values()];
    const free = looks[i]!.find(({ seen }) => !taken.some((other) => sameHand(seen.joints2d, other.joints2d)));
    chosen.set(i, (free ?? looks[i]![0]!).seen);
  }
  return boxes.map((box, i) => new Candidate(chosen.get(i)!, undefined, box));
}

/** An estimate of what is in a box, and its `fitToBox`. */
interface Look {
  seen: Estimate;
  fit: number;
}

/** Plausibility times how well the joints fill a box. */
function fitToBox(estimate: Estimate, box: Box): number {
  return estimate.plausibility * filled(estimate, box);
}

function filled(estimate: CropEstimate, box: Box): number {
  return boxIou(box, tightBox(estimate.joints2d));
}

/** Best first: those `CHOICES` of a box's eight crops that the aligner's joints fill best, from both sides. */
async function looksAtBox(models: Models, picture: Picture, box: Box): Promise<Look[]> {
  const size = models.estimator.size;
  const glances = await models.aligner.estimate(cropsOfBox(box, size).map((crop) => ({ picture, crop })));
  const fit = new Map(glances.map((glance) => [glance, glance.fitness * filled(glance, box)]));
  const crops = [...glances]
    .sort((one, two) => fit.get(two)! - fit.get(one)!)
    .slice(0, CHOICES)
    .map((glance) => nextCrop(glance, size));
  const views = [...crops, ...crops.map(otherSide)].map((crop) => ({ picture, crop }));
  const estimates = await models.estimator.estimate(views);
  return estimates.map((seen) => ({ seen, fit: fitToBox(seen, box) })).sort((one, two) => two.fit - one.fit);
}
