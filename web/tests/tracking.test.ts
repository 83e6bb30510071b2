import { expect, test } from "vitest";
import { poseHand } from "../src/hand/model";
import { Clock } from "../src/infer/clock";
import { HandSmoother, OneEuro, VECTORS } from "../src/infer/smoothing";
import { blocks, Side, TRACKING } from "../src/infer/tracking";
import { asset, every100th, expectClose, golden, picture } from "./goldens";

const tracking = golden("tracking");

test("the clock", () => {
  const clock = new Clock();
  const ticks = (tracking.times as number[]).map((time) => clock.tick(time));
  expectClose(
    ticks.map(({ seconds, anew, notes }) => ({ seconds, anew, notes: notes.length })),
    tracking.ticks,
  );
  expect(() => clock.tick(Number.NaN)).toThrow("must be a number of seconds");
});

test("the side by evidence", () => {
  const side = new Side(TRACKING);
  const told = (tracking.heard as number[]).map((logOdds) => {
    side.hear(logOdds);
    return { evidence: side.evidence, right: side.right, sure: side.sure };
  });
  expectClose(told, tracking.sides);
});

test("the filter", () => {
  const filter = new OneEuro({ cutoff: 2, slope: 2, speedCutoff: 2 }, VECTORS);
  expectClose(
    (tracking.values as number[][][]).map((value, i) => filter.filter(value, i / 30, 3)),
    tracking.filtered,
  );
});

test("hands smoothed, and anew on the other side", async () => {
  const model = await asset();
  const smoother = new HandSmoother(model);
  tracking.frames.forEach(({ hand, smooth }: { hand: never; smooth: Record<string, never> }, i: number) => {
    const { vertices } = poseHand(model, hand["beta"], hand["theta"], hand["R"], hand["T"]);
    const mask = { values: { data: new Float32Array(1), width: 1, height: 1 }, matrix: [], size: 1 };
    const given = { ...(hand as object), vertices, cropped_mask: { ...mask, width: 640, height: 480 } };
    const found = smoother.smooth(given as never, i / 30);
    const { every_100th, faces: _, mask_area: __, right: ___, ...fields } = smooth;
    expectClose(found, fields as never, 1e-4);
    expectClose(every100th(found.vertices), every_100th as never, 1e-5);
  });
});

test("the blocks that tell another scene", () => {
  expectClose(blocks(picture(100, 70)), tracking.blocks.flat());
});
