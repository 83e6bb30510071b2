/** The time of frames, checked once: seconds that grow; mirrors `handscope.infer.clock`. */
import { HandscopeError } from "../errors";

/** So many usual steps are a leap; so long a step may be before one is usual. */
const LEAP = 4;
const FIRST_STEP_S = 2.5;
/** What goes on by less than the latter stands still, and is taken to go on by the former. */
const STANDSTILL_S = 0.001;
const LEAST_STEP_S = 1e-6;
/** Frames that are further apart, so many times in a row, may have times in milliseconds. */
const SLOW_S = 2;
const SLOW_STEPS = 4;
/** A clock that repeats itself so often in a row stands still. */
const STILL_STEPS = 3;

/** A frame's time: `seconds` grow within a recording; `anew` if another one begins; `notes` say what is odd. */
export interface Tick {
  seconds: number;
  anew: boolean;
  notes: string[];
}

/** Give it the time of every frame, in order; a step back or a long leap begins another recording. */
export class Clock {
  private told: number | undefined;
  private seconds = 0;
  private usual: number | undefined;
  private still = 0;
  private slow = 0;

  constructor(private readonly patienceS = 0.5) {}

  tick(time: number): Tick {
    if (!Number.isFinite(time)) {
      throw new HandscopeError(`the time of a frame must be a number of seconds, got ${String(time)}`);
    }
    const before = this.told;
    if (before === undefined) return this.begin(time, false, []);
    const step = time - before;
    if (step < 0) {
      this.usual = undefined;
      this.still = this.slow = 0;
      return this.begin(time, true, [`the clock goes back from ${before} to ${time} s: hands are followed anew`]);
    }
    const notes = this.remark(step, time);
    const leap = step > Math.max(this.patienceS, LEAP * (this.usual ?? FIRST_STEP_S));
    if (leap) this.usual = undefined;
    else if (step > 0) this.usual = this.usual === undefined ? step : this.usual + 0.2 * (step - this.usual);
    this.told = time;
    this.seconds = time - this.seconds >= LEAST_STEP_S ? time : this.seconds + STANDSTILL_S;
    return { seconds: this.seconds, anew: leap, notes };
  }

  private begin(time: number, anew: boolean, notes: string[]): Tick {
    this.told = this.seconds = time;
    return { seconds: time, anew, notes };
  }

  private remark(step: number, time: number): string[] {
    this.still = step === 0 ? this.still + 1 : 0;
    this.slow = step >= SLOW_S ? this.slow + 1 : 0;
    if (this.still === STILL_STEPS) return [`the clock stands still at ${time} s: give each frame its own time`];
    if (this.slow === SLOW_STEPS) return [`frames are ${step} s apart: times are seconds; are these milliseconds?`];
    return [];
  }
}
