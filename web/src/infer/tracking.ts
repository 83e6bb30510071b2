/** Hands over time: one pass a hand and frame, and each hand keeps its name; mirrors `handscope.infer.tracking`. */
import { bestOfEach, boxArea, boxCentre, boxIou, longerSide, sharedArea, tightBox } from "../geometry/boxes";
import { intrinsicsOf } from "../geometry/camera";
import { cropAround, uprightFrame, type Crop, type Frame } from "../geometry/crops";
import type { Matrix3, Point2 } from "../geometry/linear";
import type { Picture } from "../geometry/pictures";
import type { HandRecord } from "../types";
import { Clock } from "./clock";
import { best, type CropEstimate } from "./crop-estimates";
import { bounded, detectedCrop, onGrid } from "./crop-policy";
import { inContext, isAstray, jointScore, SURE_ALONE } from "./detection";
import type { Detection } from "./detector";
import { dropRepeated, meanDistance, middleOf, sameHand } from "./duplicates";
import type { Estimate } from "./estimator";
import type { Models } from "./models";
import { SMALLEST_PX } from "./pipeline";
import { HandSmoother } from "./smoothing";

/** Share of the box of a hand's joints that the picture must hold. */
const LEAST_INSIDE = 0.3;
/** Shares of the least score that a hand needs to begin a track or to be found again, and its track to be told. */
const BEGIN = 0.7;
const TOLD = 0.9;
/** The least score of a detection. */
const PROPOSED = 0.3;
/** By how much a frame's score counts in its track's. */
const SCORE_SHARE = 0.3;
/** Share of the least presence that a first pass needs to be followed by the estimator's. */
const FIRST_PRESENCE = 0.2;

/** When to search, when a hand is lost, when its side is sure; the fields are told in Python's `TrackingConfig`. */
export interface TrackingConfig {
  searchEveryS: number;
  longestGapS: number;
  minPresence: number;
  minConfidence: number;
  mostHands: number;
  sure: number;
  turnover: number;
  leak: number;
  velocityShare: number;
  sceneChange: number;
  smoothing: boolean;
}

export const TRACKING: TrackingConfig = {
  searchEveryS: 0.5,
  longestGapS: 0.5,
  minPresence: 0.5,
  minConfidence: 0.2,
  mostHands: 8,
  sure: 4,
  turnover: 1.5,
  leak: 0.1,
  velocityShare: 0.5,
  sceneChange: 0.1,
  smoothing: true,
};

const clip = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

/** Left or right, by evidence: log odds of a right hand, summed and leaking, with hysteresis. */
export class Side {
  evidence = 0;
  right = true;
  heard = 0;

  constructor(private readonly config: TrackingConfig) {}

  /** Whether one side alone need be tried. */
  get sure(): boolean {
    return (this.right ? this.evidence : -this.evidence) >= this.config.sure;
  }

  /** One more pass's log odds of a right hand. */
  hear(logOdds: number): void {
    const most = 2 * this.config.sure; // so that a sure track can be brought round in a few frames
    this.evidence = clip((1 - this.config.leak) * this.evidence + clip(logOdds, -2.5, 2.5), -most, most);
    const against = this.right ? -this.evidence : this.evidence;
    if (this.heard === 0 || against > this.config.turnover) this.right = this.evidence >= 0;
    this.heard++;
  }
}

/** One hand over time: its last estimate, the velocity of the joints' middle in px/s, scores over time. */
interface Track {
  number: number;
  side: Side;
  smoother: HandSmoother | undefined;
  detected: number;
  score: number;
  /** What was said of its surroundings when it began or was found again, if anybody was asked. */
  context: number | undefined;
  estimate: Estimate;
  seen: number;
  velocity: Point2;
}

/** Joints in px expected at `time`; a hand out of sight for long is expected to stand still. */
function jointsAt(track: Track, time: number): Point2[] {
  const seconds = Math.min(time - track.seen, 0.15);
  const [x, y] = [track.velocity[0] * seconds, track.velocity[1] * seconds];
  return track.estimate.joints2d.map((joint) => [joint[0] + x, joint[1] + y]);
}

interface Place {
  detection: Detection;
  track: Track | undefined;
}

/** Give it the frames of a video, in order, for the hands of each. */
export class Tracker {
  private readonly config: TrackingConfig;
  private readonly clock: Clock;
  private numbers = 0;
  private tracks: Track[] = [];
  private searched = -Infinity;
  private lastBlocks: number[] | undefined;
  /** What is odd about the last frame's time. */
  notes: string[] = [];

  constructor(
    private readonly models: Models,
    config: Partial<TrackingConfig> = {},
  ) {
    this.config = { ...TRACKING, ...config };
    this.clock = new Clock(this.config.longestGapS);
  }

  /** Hands in `picture`, taken at `time` seconds, by track. */
  async follow(picture: Picture, time: number, K?: Matrix3 | number): Promise<HandRecord[]> {
    const camera = intrinsicsOf(K, picture.width, picture.height);
    const tick = this.clock.tick(time);
    this.notes = tick.notes;
    if (tick.anew) {
      this.tracks = [];
      this.searched = -Infinity;
      this.lastBlocks = undefined;
    }
    return Math.min(picture.width, picture.height) < SMALLEST_PX ? [] : this.hands(picture, tick.seconds, camera);
  }

  private async hands(picture: Picture, time: number, K: Matrix3): Promise<HandRecord[]> {
    const newScene = this.isNewScene(picture);
    const seen = await this.followTracks(picture, time);
    const lost = this.tracks.filter((track) => !seen.has(track.number));
    const due = time - this.searched >= this.config.searchEveryS;
    if (newScene || lost.length || !this.tracks.length || due) {
      for (const [number, found] of await this.search(picture, time, lost)) seen.set(number, found);
    }
    const longest = newScene ? 0 : this.config.longestGapS; // who is not in the new scene has left
    this.tracks = this.tracks.filter((track) => seen.has(track.number) || time - track.seen <= longest);
    const told = this.tracks.filter((track) => seen.has(track.number));
    const hands = told.map((track) => this.hand(track, time, K, picture));
    const kept = new Set(dropRepeated(hands).map((hand) => hand.track));
    return hands.filter((hand) => kept.has(hand.track!) && hand.score >= TOLD * this.models.minScore);
  }

  /** Whether this frame shows another scene than the last one: blocks of the picture changed much on average. */
  private isNewScene(picture: Picture): boolean {
    const shown = blocks(picture);
    const last = this.lastBlocks;
    this.lastBlocks = shown;
    if (!last) return false;
    const change = shown.reduce((sum, value, i) => sum + Math.abs(value - last[i]!), 0) / shown.length;
    return change > this.config.sceneChange;
  }

  /** Passes over where the tracks should be; hands found, by track number. */
  private async followTracks(picture: Picture, time: number): Promise<Map<number, Estimate>> {
    const plans = this.tracks.map((track) => ({ track, joints: jointsAt(track, time) }));
    const crops = plans.map(({ track, joints }) => this.crops(track.side, uprightFrame(joints), track.estimate.crop));
    const passes = await this.estimate(picture, crops);
    const judged = plans.map(({ track }, i) => judge(track.side, passes[i]!));
    const present = this.present(picture, judged);
    const found = new Map<number, Estimate>();
    plans.forEach(({ track }, i) => {
      const seen = present[i];
      if (seen) found.set(track.number, seen);
    });
    const expected = new Map(plans.map(({ track, joints }) => [track.number, joints]));
    for (const number of duplicates(found, expected)) found.delete(number);
    for (const { track } of plans) {
      const seen = found.get(track.number);
      if (seen) this.update(track, seen, time, true);
    }
    return found;
  }

  /** Runs the detector: finds lost tracks again and begins new ones; hands found, by track number. */
  private async search(picture: Picture, time: number, lost: readonly Track[]): Promise<Map<number, Estimate>> {
    this.searched = time;
    const detections = await this.models.detector.search(picture, PROPOSED);
    const owners = assign(detections, this.tracks, time);
    const places: Place[] = [];
    detections.forEach((detection, i) => {
      const track = owners[i];
      if (track) track.detected += 0.5 * (detection.score - track.detected);
      if (!track || lost.includes(track)) places.push({ detection, track });
    });
    const found = new Map<number, Estimate>();
    for (const { detection, track, first } of await this.promising(picture, places)) {
      if (!track && this.tracks.length >= this.config.mostHands) continue;
      const side = track?.side ?? new Side(this.config);
      const crops = this.crops(side, uprightFrame(first.joints2d), first.crop);
      const [passes] = await this.estimate(picture, [crops]);
      const [seen] = this.present(picture, [judge(side, passes!)]);
      if (!seen || this.isKnown(seen, found, time, track)) continue;
      const alone = jointScore(detection.score, seen, seen.presence);
      const context = await this.context(picture, alone, seen);
      const score = weighed(alone, context);
      if (score < BEGIN * this.models.minScore) continue;
      if (track) {
        track.context = context;
        this.update(track, seen, time, false);
      }
      found.set(track ? track.number : this.begin(side, detection, score, seen, context, time).number, seen);
    }
    return found;
  }

  /**
   * Which of the places are worth the estimator's passes, and a first pass over each that says where the joints are.
   */
  private async promising(picture: Picture, places: readonly Place[]): Promise<(Place & { first: CropEstimate })[]> {
    const { estimator, aligner } = this.models;
    const rough = places.map(({ detection, track }) => {
      const mirrored = track?.side.heard ? !track.side.right : undefined;
      return { picture, crop: detectedCrop(detection, estimator.size, mirrored) };
    });
    const firsts: CropEstimate[] = await aligner.estimate(rough);
    const astray = places.flatMap(({ detection }, k) => (isAstray(firsts[k]!, detection) ? [k] : []));
    const again = await estimator.estimate(astray.map((k) => rough[k]!));
    astray.forEach((k, i) => (firsts[k] = best([firsts[k]!, again[i]!], (estimate) => estimate.presence)));
    return places
      .map((place, k) => ({ ...place, first: firsts[k]! }))
      .filter(({ first }) => first.presence >= FIRST_PRESENCE * this.config.minPresence);
  }

  /** What is said of what lies round a hand of that score by itself, unless that is sure alone. */
  private async context(picture: Picture, score: number, seen: Estimate): Promise<number | undefined> {
    return score >= SURE_ALONE ? undefined : (await this.models.context.judge(picture, [seen.joints2d]))[0];
  }

  private begin(
    side: Side,
    detection: Detection,
    score: number,
    seen: Estimate,
    context: number | undefined,
    time: number,
  ): Track {
    const smoother = this.config.smoothing ? new HandSmoother(this.models.asset) : undefined;
    const track: Track = {
      number: this.numbers++,
      side,
      smoother,
      detected: detection.score,
      score,
      context,
      estimate: seen,
      seen: time,
      velocity: [0, 0],
    };
    this.tracks.push(track);
    return track;
  }

  /** The track has been seen; unless `moved`, where it was before says nothing of its velocity. */
  private update(track: Track, seen: Estimate, time: number, moved: boolean): void {
    const seconds = time - track.seen;
    if (moved && seconds > 0) {
      const now = middleOf(seen.joints2d);
      const before = middleOf(track.estimate.joints2d);
      track.velocity = track.velocity.map((part, i) => {
        return part + this.config.velocityShare * ((now[i]! - before[i]!) / seconds - part);
      }) as Point2;
    } else if (seconds > 0) track.velocity = [0, 0];
    track.estimate = seen;
    track.seen = time;
    track.score +=
      SCORE_SHARE * (weighed(jointScore(track.detected, seen, seen.presence), track.context) - track.score);
  }

  /** The upright crop of the side, not much larger or smaller than the last; both sides while unsure. */
  private crops(side: Side, { centre, extent, up }: Frame, last: Crop): Crop[] {
    const length = bounded(extent, last.extent);
    const size = this.models.estimator.size;
    return (side.sure ? [!side.right] : [false, true]).map((mirrored) =>
      onGrid(cropAround(centre, length, up, size, mirrored)),
    );
  }

  /** Estimates in the groups of the crops, by one batch. */
  private async estimate(picture: Picture, crops: readonly (readonly Crop[])[]): Promise<Estimate[][]> {
    const flat = await this.models.estimator.estimate(crops.flat().map((crop) => ({ picture, crop })));
    let at = 0;
    return crops.map((group) => flat.slice(at, (at += group.length)));
  }

  /** Which of the estimates are hands, enough of whose joints' box is inside the picture. */
  private present(picture: Picture, estimates: readonly Estimate[]): (Estimate | undefined)[] {
    const { width, height } = picture;
    return estimates.map((estimate) => {
      const box = tightBox(estimate.joints2d);
      const inside = sharedArea(box, [0, 0, width, height]) >= LEAST_INSIDE * Math.max(boxArea(box), 1);
      const sure = estimate.confidence >= this.config.minConfidence && estimate.presence >= this.config.minPresence;
      return sure && inside ? estimate : undefined;
    });
  }

  /** Whether another track that is seen in this frame is this very hand. */
  private isKnown(estimate: Estimate, found: Map<number, Estimate>, time: number, own: Track | undefined): boolean {
    return this.tracks.some(
      (track) =>
        track !== own &&
        (track.seen === time || found.has(track.number)) &&
        sameHand(estimate.joints2d, track.estimate.joints2d),
    );
  }

  private hand(track: Track, time: number, K: Matrix3, { width, height }: Picture): HandRecord {
    const found = this.models.assembler.assemble(track.estimate, track.score, K, width, height);
    const hand = track.smoother ? track.smoother.smooth(found, time) : found;
    return { ...hand, track: track.number, extras: { ...hand.extras, unseen_s: 0 } };
  }
}

/** The score of a hand that has `score` by itself, with what was said of its surroundings, if anybody was asked. */
function weighed(score: number, context: number | undefined): number {
  return context === undefined ? score : inContext(score, context);
}

/** Weighs the passes over one side or both as evidence and returns that of the side decided on. */
function judge(side: Side, passes: readonly Estimate[]): Estimate {
  const tiny = 1e-6;
  const [plain, mirrored] = passes as [Estimate, Estimate | undefined];
  if (mirrored) {
    side.hear(Math.log((plain.plausibility + tiny) / (mirrored.plausibility + tiny)));
    return side.right ? plain : mirrored;
  }
  const odds = Math.log((plain.right + tiny) / (1 - plain.right + tiny)) * plain.confidence;
  side.hear(plain.crop.mirrored ? -odds : odds);
  return plain;
}

/** Mean green in [0, 1] of equal blocks of the picture, row by row; of fewer where it is smaller. */
export function blocks(picture: Picture, count = 12): number[] {
  const [rows, columns] = [Math.min(count, picture.height), Math.min(count, picture.width)];
  const [height, width] = [Math.floor(picture.height / rows), Math.floor(picture.width / columns)];
  const step = Math.max(1, Math.floor(Math.min(height, width) / 8));
  const means = new Array<number>(count * count).fill(0);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let [sum, seen] = [0, 0];
      for (let y = 0; y < height; y += step) {
        for (let x = 0; x < width; x += step) {
          sum += picture.data[((row * height + y) * picture.width + column * width + x) * 3 + 1]!;
          seen++;
        }
      }
      means[row * count + column] = sum / seen / 255;
    }
  }
  return means;
}

/** Of tracks that found the same hand, all but the one that expected it nearest to there. */
function duplicates(found: Map<number, Estimate>, expected: Map<number, Point2[]>): number[] {
  const numbers = [...found.keys()];
  const joints = numbers.map((number) => found.get(number)!.joints2d);
  const strayed = numbers.map((number, i) => meanDistance(joints[i]!, expected.get(number)!));
  const kept = bestOfEach(
    strayed.map((distance) => -distance),
    (one, two) => sameHand(joints[one]!, joints[two]!),
  );
  return numbers.filter((_, i) => !kept.includes(i));
}

/** The track each detection belongs to, or undefined: greedily by least cost. */
function assign(detections: readonly Detection[], tracks: readonly Track[], time: number): (Track | undefined)[] {
  const costs: { cost: number; i: number; track: Track }[] = [];
  detections.forEach((detection, i) => {
    for (const track of tracks) {
      const box = tightBox(jointsAt(track, time));
      const sides = [longerSide(box), longerSide(detection.box)];
      const [x, y] = boxCentre(box);
      const [u, v] = boxCentre(detection.box);
      const apart = Math.hypot(x - u, y - v) / Math.max(...sides, 1);
      if (apart > 0.6 || Math.min(...sides) < 0.4 * Math.max(...sides)) continue;
      const otherSide = track.side.sure ? Math.abs(detection.right - Number(track.side.right)) : 0;
      costs.push({ cost: apart - 0.5 * boxIou(box, detection.box) + otherSide / 3, i, track });
    }
  });
  const owners: (Track | undefined)[] = detections.map(() => undefined);
  for (const { i, track } of costs.sort((one, two) => one.cost - two.cost || one.i - two.i)) {
    if (!owners[i] && !owners.includes(track)) owners[i] = track;
  }
  return owners;
}
