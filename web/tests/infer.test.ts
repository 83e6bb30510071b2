import { expect, test } from "vitest";
import { Crop, cropAround, uprightFrame } from "../src/geometry/crops";
import type { Point2, Point3 } from "../src/geometry/linear";
import { namedAngles } from "../src/hand/angles";
import { poseHand } from "../src/hand/model";
import { Assembler } from "../src/infer/assembly";
import { calibrated } from "../src/infer/calibration";
import { surroundings } from "../src/infer/context";
import { CropEstimate } from "../src/infer/crop-estimates";
import { cropsOfBox, isSettled, nextCrop, otherSide, resized, toleranceOf } from "../src/infer/crop-policy";
import { merged, ownAnswers, palmAnswers } from "../src/infer/detector";
import { distinct, dropRepeated, sameHand } from "../src/infer/duplicates";
import { Estimate } from "../src/infer/estimator";
import { fit, type Fitted } from "../src/infer/fitting";
import { cropToFull, settle } from "../src/infer/full-camera";
import { askedCrop } from "../src/infer/presence";
import { refineSilhouette } from "../src/infer/silhouette-refinement";
import { keptApart, meeting } from "../src/infer/two-hands";
import type { HandRecord } from "../src/types";
import { defaultIntrinsics } from "../src/geometry/camera";
import { CroppedMask } from "../src/geometry/masks";
import { asset, bits, every100th, expectClose, golden } from "./goldens";
import { card } from "./shipped";

test("the detector's cells, and each hand once", () => {
  const { out, scale, own, palms, merged: both } = golden("detector");
  const outputs = Object.fromEntries(
    Object.entries(out).map(([name, value]) => [name, Float32Array.from((value as number[]).flat(2))]),
  );
  const found = [ownAnswers(outputs, 0.3, scale), palmAnswers(outputs, 0.3, scale)] as const;
  expectClose(found[0], own, 1e-5);
  expectClose(found[1], palms, 1e-5);
  expectClose(merged(...found), both, 1e-5);
});

test("which crop to take next", () => {
  const crops = golden("crops");
  const told = (crop: Crop): { matrix: number[][]; size: number } => ({ matrix: crop.matrix, size: crop.size });
  expectClose(uprightFrame(crops.joints), crops.frame);
  const start = cropAround([300, 200], 180, [0.4, -1], 224, true);
  expectClose(told(start), crops.start);
  expectClose(
    { centre: start.centre, extent: start.extent, up: start.up },
    {
      centre: crops.middle,
      extent: crops.extent,
      up: crops.up_of_start,
    },
  );
  const estimates = [0.9, 0.3].map((right) => new CropEstimate(start, crops.joints, right));
  expectClose(
    estimates.map((estimate) => told(nextCrop(estimate, 96))),
    crops.next,
  );
  expectClose(estimates[0]!.uprightness, crops.uprightness);
  expectClose(estimates[0]!.fitness, crops.fitness);
  expectClose(told(resized(start, 96, 1.35)), crops.resized);
  expectClose(told(otherSide(start)), crops.other_side);
  expectClose(told(askedCrop(start, 224)), crops.presence);
  expectClose(told(surroundings(crops.joints as Point2[], 224)), crops.context);
  expectClose(cropsOfBox([10, 20, 60, 90], 96).map(told), crops.of_box);
  const own = nextCrop(estimates[0]!, 224);
  const settled = new CropEstimate(own, own.apply(estimates[0]!.joints2d), 0.9);
  const tolerance = toleranceOf({});
  expect([...estimates, settled].map((estimate) => isSettled(estimate, tolerance))).toEqual(crops.settled);
});

const fittedFields = ({ beta, theta, hand }: Fitted): unknown => ({
  beta,
  theta,
  R: hand.R,
  T: hand.T,
  joints_3d: hand.joints3d,
  every_100th: every100th(hand.vertices),
});

test("the hand model, its angles, the fit and the outline's step", async () => {
  const { beta, theta, R, T, aim, ...wanted } = golden("hand");
  const model = await asset();
  const { vertices, joints } = poseHand(model, beta, theta, R, T);
  expectClose(joints, wanted.joints_3d, 1e-6);
  expectClose(every100th(vertices), wanted.every_100th, 1e-6);
  expectClose(model.thickening, wanted.thickening, 2e-2); // of a hundred and more; float32 in Python
  for (const side of ["right", "left"] as const) {
    expectClose(namedAngles(theta, R, model, side), wanted.angles[side], 1e-4);
  }
  const hand = { R, T, joints3d: joints, vertices };
  const { focal, scores, bone_depths: boneDepths } = aim;
  const fitted = fit(model, { beta, theta, hand, focal, joints: aim.joints, scores, boneDepths, size: 224 });
  expectClose(fittedFields(fitted), wanted.fitted, 1e-5);
  const mask = { data: Float32Array.from(bits(wanted.mask, 56 * 56)), width: 56, height: 56 };
  const thicker = refineSilhouette(model, fitted, aim.joints, mask, focal, 224);
  expect(thicker).not.toBe(fitted);
  const { beta: thickness, ...rest } = wanted.thicker;
  expectClose(thicker.beta, thickness, 5e-3); // a px of the outline is as much
  expectClose(fittedFields(thicker), rest, 1e-5);
});

test("from an estimate to a hand of the picture", async () => {
  const { estimate: given, hands, ...rest } = golden("assembly");
  const model = await asset();
  const assembler = new Assembler(model, card("estimator"));
  const K = defaultIntrinsics(640, 480);
  for (const { crop, full, settled, hand } of hands) {
    const { vertices, joints } = poseHand(model, given.beta, given.theta, given.R, given.T);
    const estimate = new Estimate(new Crop(crop.matrix, crop.size), given.joints, given.right, 1, {
      jointScores: given.joint_scores,
      boneDepths: given.bone_depths,
      mask: { data: Float32Array.from(bits(given.mask, 56 * 56)), width: 56, height: 56 },
      theta: given.theta,
      beta: given.beta,
      hand: { R: given.R, T: given.T, joints3d: joints, vertices },
      focal: given.focal,
    });
    const placed = cropToFull(estimate.reading.hand, given.focal, estimate.crop, K, 640);
    expectClose({ R: placed.R, T: placed.T, joints_3d: placed.joints3d }, full, 1e-6);
    const moved = settle(placed, estimate.joints2d, given.joint_scores, K, estimate.crop.mirrored);
    expectClose({ T: moved.T, joints_3d: moved.joints3d }, settled, 1e-6);
    const { every_100th, mask_area, right, faces, ...fields } = hand;
    const found = assembler.assemble(estimate, 0.875, K, 640, 480);
    expectClose(found, fields, 1e-3);
    expectClose(found.joints_3d, fields.joints_3d, 1e-5);
    expectClose(every100th(found.vertices), every_100th, 1e-5);
    expect(Math.abs(new CroppedMask(found.cropped_mask).area() - mask_area)).toBeLessThanOrEqual(2);
    expectClose(found.extras["right"], right);
    expect([...found.faces.slice(0, 12)]).toEqual(faces.flat());
  }
  expectClose(calibrated(rest.calibrated.raw, card("estimator")), rest.calibrated.told);
});

test("which answers show the same hand", () => {
  const { distinct: kept, same, dropped, hands } = golden("assembly");
  const joints: Point2[] = golden("crops").joints;
  const near = [
    joints,
    joints.map(([x, y]) => [x + 3, y + 3] as Point2),
    joints.map(([x, y]) => [x + 40, y + 40] as Point2),
    joints.map(([x, y]) => [x * 0.5 + 30, y * 0.5 + 30] as Point2),
  ];
  expect(distinct(near, [0.5, 0.6, 0.4, 0.3])).toEqual(kept);
  expect(near.map((other) => sameHand(joints, other))).toEqual(same);
  expect(dropRepeated([hands[0].hand, { ...hands[0].hand, score: 0.5 }])).toHaveLength(dropped);
});

test("two hands that meet are kept apart", () => {
  const { meeting: met, apart, hands } = golden("assembly");
  expect(meeting(met.boxes)).toEqual(met.pairs);
  const [one, two] = hands.map(({ hand }: { hand: HandRecord }) => ({ ...hand, vertices: new Float64Array(3) }));
  for (const { behind, told } of apart) {
    const joints_3d = two.joints_3d.map(([x, y, z]: Point3) => [x, y, z + behind]);
    const away = { ...two, joints_3d, T: [two.T[0], two.T[1], two.T[2] + behind] };
    keptApart([one, away]).forEach((hand, k) => {
      expectClose(hand.joints_3d, told[k].joints_3d, 1e-7);
      expectClose(hand.T, told[k].T, 1e-7);
    });
  }
});
