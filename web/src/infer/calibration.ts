/** What a joint's score means; mirrors `handscope.infer.calibration`. */
import type { Card } from "./weights";

/** Raw scores are clipped to [1 - SUREST, SUREST]. */
const SUREST = 0.99;

/** Raw joint scores as probabilities, by the two numbers of the estimator's card. */
export function calibrated(scores: readonly number[], card: Card): number[] {
  const { offset = 0, slope = 1 } = card.calibration ?? {};
  return scores.map((score) => {
    const clipped = Math.min(Math.max(score, 1 - SUREST), SUREST);
    return 1 / (1 + Math.exp(-(offset + slope * Math.log(clipped / (1 - clipped)))));
  });
}
