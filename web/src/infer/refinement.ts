/** Further passes over a hand until its crop is as it should be; mirrors `handscope.infer.refinement`. */
import type { Crop } from "../geometry/crops";
import type { Picture } from "../geometry/pictures";
import { best } from "./crop-estimates";
import { isSettled, nextCrop, otherSide, resized, toleranceOf } from "./crop-policy";
import type { Estimate, Estimator } from "./estimator";

/** Over one hand from one first crop. */
const MAX_PASSES = 4;
/** Confidence below which the other side is tried. */
const DOUBTFUL = 0.5;
/** Probability of a right hand shown below which the other side is tried. */
const SURE = 0.9;
/** How much larger the next crop is if the mask reaches an edge. */
const WIDER = 1.35;

/** The settled estimate of each hand of `picture`, from its first one. */
export async function refine(estimator: Estimator, picture: Picture, firsts: readonly Estimate[]): Promise<Estimate[]> {
  const found = await untilSettled(estimator, picture, firsts);
  const go = async (chosen: number[], crop: (i: number) => Crop): Promise<void> => {
    const others = await estimator.estimate(chosen.map((i) => ({ picture, crop: crop(i) })));
    const settled = await untilSettled(estimator, picture, others);
    chosen.forEach((i, k) => {
      found[i] = best([found[i]!, settled[k]!], (estimate) => estimate.confidence * estimate.right);
    });
  };
  await go(
    which(found, (estimate) => estimate.isTruncated),
    (i) => resized(found[i]!.crop, estimator.size, WIDER),
  );
  const doubtful = which(found, (estimate) => estimate.confidence < DOUBTFUL || estimate.right < SURE);
  await go(doubtful, (i) => otherSide(firsts[i]!.crop));
  return found;
}

function which(estimates: readonly Estimate[], test: (estimate: Estimate) => boolean): number[] {
  return estimates.flatMap((estimate, i) => (test(estimate) ? [i] : []));
}

/** Passes until every crop is settled, `MAX_PASSES` times with the first. */
async function untilSettled(estimator: Estimator, picture: Picture, firsts: readonly Estimate[]): Promise<Estimate[]> {
  const tolerance = toleranceOf(estimator.network.card);
  const found = [...firsts];
  let waiting = which(found, (estimate) => !isSettled(estimate, tolerance));
  for (let pass = 1; pass < MAX_PASSES && waiting.length; pass++) {
    const views = waiting.map((i) => ({ picture, crop: nextCrop(found[i]!, estimator.size) }));
    const passes = await estimator.estimate(views);
    waiting = waiting.filter((i, k) => {
      const estimate = passes[k]!;
      const undecided = found[i]!.showsLeft && estimate.showsLeft;
      found[i] = undecided ? morePlausible(found[i]!, estimate) : estimate;
      return !undecided && !isSettled(estimate, tolerance);
    });
  }
  return found;
}

/** Of two sides that both look left the more plausible one; its `right` is its share of both. */
function morePlausible(one: Estimate, two: Estimate): Estimate {
  const better = best([one, two], (estimate) => estimate.plausibility);
  return better.withRight(better.plausibility / Math.max(one.plausibility + two.plausibility, 1e-12));
}
