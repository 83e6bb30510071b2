/** Masks kept as small as the network gave them, pasted when somebody asks; mirrors `handscope.geometry.masks`. */
import { pixelWindow } from "./boxes";
import { Crop } from "./crops";
import type { Box } from "./linear";
import type { Affine, Plane } from "./pictures";

/** A mask in its picture: 1 where the hand is seen, row by row. */
export interface Mask {
  data: Uint8Array;
  width: number;
  height: number;
}

/** What a `CroppedMask` is made of, as a worker can send it. */
export interface MaskRecord {
  values: Plane;
  matrix: Affine;
  size: number;
  width: number;
  height: number;
}

/** Values in [0, 1] over a crop; the picture's px belong to the mask where they are above one half. */
export class CroppedMask {
  readonly crop: Crop;
  readonly values: Plane;
  readonly width: number;
  readonly height: number;

  constructor(record: MaskRecord) {
    this.crop = new Crop(record.matrix, record.size);
    this.values = record.values;
    this.width = record.width;
    this.height = record.height;
  }

  get record(): MaskRecord {
    const { values, crop, width, height } = this;
    return { values, matrix: crop.matrix, size: crop.size, width, height };
  }

  /** The mask in its picture. */
  pasted(): Mask {
    const data = new Uint8Array(this.width * this.height);
    const [x0, y0, x1, y1] = this.window();
    const seen = this.inWindow();
    for (let y = y0, k = 0; y < y1; y++) {
      for (let x = x0; x < x1; x++, k++) data[y * this.width + x] = seen.data[k]! > 0.5 ? 1 : 0;
    }
    return { data, width: this.width, height: this.height };
  }

  /** How many of the picture's px belong to the mask. */
  area(): number {
    return this.inWindow().data.reduce((sum, value) => sum + (value > 0.5 ? 1 : 0), 0);
  }

  /** x0, y0, x1, y1 of the part of the picture that the crop covers. */
  window(): Box {
    const { size } = this.crop;
    const corners = this.crop.invert([
      [-1, -1],
      [size, -1],
      [-1, size],
      [size, size],
    ]);
    return pixelWindow(corners, this.width, this.height);
  }

  private inWindow(): Plane {
    const [x0, y0, x1, y1] = this.window();
    return this.crop.paste(this.values, x0, y0, Math.max(x1 - x0, 0), Math.max(y1 - y0, 0));
  }
}
