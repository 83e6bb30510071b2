/**
 * Upright square crops: similarity maps between the picture and what a network sees; mirrors
 * `handscope.geometry.crops`.
 */
import { MIDDLE_MCP, WRIST } from "../skeleton";
import { boxCentre, longerSide, tightBox } from "./boxes";
import { apply2, determinant2, inverse2, type Matrix2, type Point2 } from "./linear";
import { halved, sampledPlane, warped, type Affine, type Border, type Picture, type Plane } from "./pictures";

/** Share of the crop's extent that the longer side of the joints' box takes. */
export const FILL = 0.65;

const smaller = new WeakMap<Picture, Picture>();

/** The picture at half its size, made once. */
function half(picture: Picture): Picture {
  let found = smaller.get(picture);
  if (!found) {
    found = halved(picture);
    smaller.set(picture, found);
  }
  return found;
}

/** A square view of a picture; `matrix` takes picture px to crop px and is a similarity, mirrored or not. */
export class Crop {
  constructor(
    readonly matrix: Affine,
    readonly size: number,
  ) {}

  get linear(): Matrix2 {
    const [[a, b], [c, d]] = this.matrix;
    return [
      [a, b],
      [c, d],
    ];
  }

  get shift(): Point2 {
    return [this.matrix[0][2], this.matrix[1][2]];
  }

  /** Crop px per picture px. */
  get scale(): number {
    return Math.sqrt(Math.abs(determinant2(this.linear)));
  }

  /** Whether the crop shows the picture mirrored: a left hand as a right one. */
  get mirrored(): boolean {
    return determinant2(this.linear) < 0;
  }

  /** The crop's centre in picture px. */
  get centre(): Point2 {
    const middle = (this.size - 1) / 2;
    return this.invert([[middle, middle]])[0]!;
  }

  /** How many picture px the crop covers, each way. */
  get extent(): number {
    return this.size / this.scale;
  }

  /** The picture direction that is up in the crop. */
  get up(): Point2 {
    const scale = this.scale;
    return [-this.matrix[1][0] / scale, -this.matrix[1][1] / scale];
  }

  /** Picture px to crop px. */
  apply(points: readonly Point2[]): Point2[] {
    const [[a, b, c], [d, e, f]] = this.matrix;
    return points.map(([x, y]) => [a * x + b * y + c, d * x + e * y + f]);
  }

  /** Crop px to picture px. */
  invert(points: readonly Point2[]): Point2[] {
    const back = inverse2(this.linear);
    const [x0, y0] = this.shift;
    return points.map(([x, y]) => apply2(back, [x - x0, y - y0]));
  }

  /** The crop of `picture`; shrinking averages first, so that fine texture does not alias. */
  extract(picture: Picture, border: Border = "reflect"): Picture {
    let seen = picture;
    let { matrix, scale } = this;
    while (scale < 0.5 && Math.min(seen.width, seen.height) >= 4) {
      seen = half(seen);
      const [[a, b, c], [d, e, f]] = matrix;
      matrix = [
        [2 * a, 2 * b, c + 0.5 * (a + b)],
        [2 * d, 2 * e, f + 0.5 * (d + e)],
      ];
      scale *= 2;
    }
    return warped(seen, matrix, this.size, border);
  }

  /** A square map over the crop seen in a window of the picture that begins at (x0, y0); zero outside the crop. */
  paste(values: Plane, x0: number, y0: number, width: number, height: number): Plane {
    const toMap = values.height / this.size;
    const [[a, b, c], [d, e, f]] = this.matrix;
    const across = a * x0 + b * y0 + c;
    const down = d * x0 + e * y0 + f;
    const matrix: Affine = [
      [a * toMap, b * toMap, (across + 0.5) * toMap - 0.5],
      [d * toMap, e * toMap, (down + 0.5) * toMap - 0.5],
    ];
    return sampledPlane(values, matrix, width, height);
  }
}

/** A crop from its linear part, whose centre shows a place of the picture. */
export function centredCrop(linear: Matrix2, centre: Point2, size: number): Crop {
  const [[a, b], [c, d]] = linear;
  const middle = (size - 1) / 2;
  const [x, y] = apply2(linear, centre);
  return new Crop(
    [
      [a, b, middle - x],
      [c, d, middle - y],
    ],
    size,
  );
}

/** The square of `extent` picture px around `centre` in which the picture direction `up` points up. */
export function cropAround(centre: Point2, extent: number, up: Point2, size: number, mirrored = false): Crop {
  if (!(extent > 0)) throw new RangeError(`extent must be positive, got ${extent}`);
  const length = Math.hypot(up[0], up[1]);
  const [x, y] = length > 1e-9 ? [up[0] / length, up[1] / length] : [0, -1];
  const scale = size / extent;
  const side = mirrored ? -scale : scale;
  // rows: the picture directions that become crop right and crop down
  const linear: Matrix2 = [
    [-y * side, x * side],
    [-x * scale, -y * scale],
  ];
  return centredCrop(linear, centre, size);
}

export interface Frame {
  centre: Point2;
  extent: number;
  up: Point2;
}

/** Centre, extent in px and up direction of the upright crop of 21 joints. */
export function uprightFrame(joints: readonly Point2[], fill = FILL): Frame {
  const wrist = joints[WRIST]!;
  const knuckle = joints[MIDDLE_MCP]!;
  const up: Point2 = [knuckle[0] - wrist[0], knuckle[1] - wrist[1]];
  const level = cropAround([0, 0], 1, up, 1).linear;
  const box = tightBox(joints.map((joint) => apply2(level, joint)));
  const [x, y] = boxCentre(box);
  const centre: Point2 = [x * level[0][0] + y * level[1][0], x * level[0][1] + y * level[1][1]];
  return { centre, extent: Math.max(longerSide(box), 1e-3) / fill, up };
}

/** The crop in which wrist to middle knuckle points up and the joints' box takes `FILL` of the extent. */
export function uprightCrop(joints: readonly Point2[], size: number, mirrored: boolean): Crop {
  const { centre, extent, up } = uprightFrame(joints);
  return cropAround(centre, extent, up, size, mirrored);
}
