/** What a model answers: the fields and names of Python's `handscope.types.Hand`. */
import type { Box, Matrix3, Point2, Point3 } from "./geometry/linear";
import { CroppedMask, type Mask, type MaskRecord } from "./geometry/masks";

export type Handedness = "left" | "right";

/** A hand as a worker can send it; the fields are told at `Hand`. */
export interface HandRecord {
  handedness: Handedness;
  score: number;
  box: Box;
  joints_2d: Point2[];
  joint_scores: number[];
  cropped_mask: MaskRecord;
  joints_3d: Point3[];
  vertices: Float64Array;
  faces: Uint32Array;
  theta: Point3[];
  beta: number[];
  R: Matrix3;
  T: Point3;
  K: Matrix3;
  extras: Record<string, number>;
  track?: number;
}

/**
 * Everything Handscope says about one hand: pixels x right, y down, the centre of the first one at (0, 0); metres in
 * the camera frame x right, y down, z forward; radians. For a left hand theta, R and T are those of the mirrored
 * picture.
 */
export class Hand implements HandRecord {
  readonly handedness!: Handedness;
  /** In [0, 1]. */
  readonly score!: number;
  /** x0, y0, x1, y1 px around joints and visible hand. */
  readonly box!: Box;
  /** 21 places in px, in the order of `JOINT_NAMES`. */
  readonly joints_2d!: Point2[];
  /** 21 probabilities that a joint is right. */
  readonly joint_scores!: number[];
  readonly cropped_mask!: MaskRecord;
  /** 21 places in metres. */
  readonly joints_3d!: Point3[];
  /** x, y, z of every vertex, metres. */
  readonly vertices!: Float64Array;
  /** Three vertices a triangle, counter-clockwise seen from outside. */
  readonly faces!: Uint32Array;
  /** Axis-angles of the 15 joints that turn. */
  readonly theta!: Point3[];
  /** Ten numbers of shape. */
  readonly beta!: number[];
  readonly R!: Matrix3;
  /** The wrist's place, metres. */
  readonly T!: Point3;
  /** The intrinsics used. */
  readonly K!: Matrix3;
  readonly extras!: Record<string, number>;
  /** Which hand of a video this is. */
  readonly track?: number;

  constructor(record: HandRecord) {
    Object.assign(this, record);
  }

  /** Where the hand is seen, made anew at every call. */
  get mask(): Mask {
    return new CroppedMask(this.cropped_mask).pasted();
  }
}

/** The hands of one picture, best first, with the picture's size in px. */
export class Hands extends Array<Hand> {
  width = 0;
  height = 0;
  source: string | null = null;
  notes: string[] = [];
  /** Milliseconds that finding them took. */
  took = 0;

  // slices and the like are plain lists
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  static of_picture(
    records: readonly HandRecord[],
    width: number,
    height: number,
    source: string | null = null,
  ): Hands {
    const hands = new Hands();
    hands.push(...records.map((record) => new Hand(record)));
    return Object.assign(hands, { width, height, source });
  }
}
