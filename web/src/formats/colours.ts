/** The colours of fingers and sides; mirrors those of `handscope.viz`. */
import { pointAt } from "../hand/model";
import { FINGERS, fingerOf } from "../skeleton";
import type { HandRecord } from "../types";

export type Rgb = readonly [number, number, number];

const WRIST_COLOUR: Rgb = [245, 245, 245];
export const FINGER_COLOURS: Record<(typeof FINGERS)[number], Rgb> = {
  thumb: [235, 64, 52],
  index: [255, 176, 0],
  middle: [64, 192, 87],
  ring: [34, 139, 255],
  little: [190, 75, 219],
};
export const SIDE_COLOURS: Record<"left" | "right", Rgb> = { right: [255, 132, 40], left: [60, 170, 255] };
const SKIN: Rgb = [228, 196, 178];
const TINT = 0.35;

export function jointColour(joint: number): Rgb {
  const finger = fingerOf(joint);
  return finger === undefined ? WRIST_COLOUR : FINGER_COLOURS[finger];
}

/** RGB of every vertex: skin, tinted with the colour of the finger whose joint is nearest. */
export function coloursByFinger(hand: HandRecord): Uint8ClampedArray {
  const count = hand.vertices.length / 3;
  const colours = new Uint8ClampedArray(count * 3); // it rounds as numpy does
  for (let v = 0; v < count; v++) {
    const [x, y, z] = pointAt(hand.vertices, v);
    let nearest = 0;
    let least = Infinity;
    hand.joints_3d.forEach(([u, w, t], joint) => {
      const apart = (x - u) ** 2 + (y - w) ** 2 + (z - t) ** 2;
      if (apart < least) [least, nearest] = [apart, joint];
    });
    const colour = jointColour(nearest);
    for (let c = 0; c < 3; c++) colours[v * 3 + c] = (1 - TINT) * SKIN[c]! + TINT * colour[c]!;
  }
  return colours;
}
