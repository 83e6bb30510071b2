import { describe, expect, test } from "vitest";
import { bestOfEach, boxIou } from "../src/geometry/boxes";
import { defaultIntrinsics } from "../src/geometry/camera";
import { cropAround } from "../src/geometry/crops";
import type { Point3 } from "../src/geometry/linear";
import { shrunk } from "../src/geometry/looks";
import { CroppedMask } from "../src/geometry/masks";
import { eroded, scaledPlane } from "../src/geometry/pictures";
import { axisAngleToMatrix, matrixToAxisAngle, rotationBetween } from "../src/geometry/rotations";
import { fillTriangle } from "../src/geometry/triangles";
import { withoutSpecks } from "../src/infer/assembly";
import { BONES, JOINT_NAMES, MODEL_TIP_OWNERS, MODEL_TO_CANONICAL } from "../src/skeleton";
import { bits, bytes, expectClose, golden, picture } from "./goldens";

const geometry = golden("geometry");
const pictures = golden("pictures");

describe("as Python has it", () => {
  test("the skeleton", () => {
    expectClose(JOINT_NAMES, geometry.joint_names);
    expectClose(BONES, geometry.bones);
    expectClose(MODEL_TIP_OWNERS, geometry.tip_owners);
    expectClose(MODEL_TO_CANONICAL, geometry.to_canonical);
  });

  test("rotations", () => {
    const vectors = geometry.vectors as Point3[];
    expectClose(vectors.map(axisAngleToMatrix), geometry.matrices, 1e-8);
    expectClose(
      vectors.map((vector) => matrixToAxisAngle(axisAngleToMatrix(vector))),
      geometry.axis_angles,
      1e-8,
    );
    expectClose(rotationBetween(vectors[0]!, vectors[1]!), geometry.between, 1e-8);
  });

  test("boxes", () => {
    const { boxes } = geometry;
    expectClose(
      boxes.map((one: never) => boxes.map((two: never) => boxIou(one, two))),
      geometry.iou,
      1e-8,
    );
    const same = (one: number, two: number): boolean => boxIou(boxes[one], boxes[two]) > 0.5;
    expectClose(bestOfEach(geometry.scores, same), geometry.kept);
    expectClose(defaultIntrinsics(640, 480), geometry.intrinsics);
  });
});

describe("as OpenCV does it, to the level", () => {
  test("looks, of those that enlarge all but a few levels", () => {
    for (const { of, picture: wanted } of pictures.looks) {
      const [width, height, size] = of as [number, number, number];
      const found = shrunk(picture(width, height), size).small.data;
      const off = bytes(wanted).map((level, i) => Math.abs(level - found[i]!));
      const enlarged = size > Math.max(width, height);
      expect(Math.max(...off), String(of)).toBeLessThanOrEqual(enlarged ? 1 : 0);
      expect(off.filter(Boolean).length / off.length).toBeLessThan(0.02);
    }
  });

  test("crops, beyond the border too", () => {
    for (const view of pictures.views) {
      const crop = cropAround(view.centre, view.extent, view.up, view.size, view.mirrored);
      expect([...crop.extract(picture(100, 70), view.border).data]).toEqual([...bytes(view.picture)]);
    }
  });

  test("filled triangles and what erosion leaves", () => {
    const all = new Uint8Array(64 * 64);
    pictures.triangles.forEach((corners: [number, number][], i: number) => {
      const grid = new Uint8Array(64 * 64);
      fillTriangle(grid, 64, corners);
      fillTriangle(all, 64, corners);
      expect([...grid], `triangle ${i}`).toEqual([...bits(pictures.filled[i], 64 * 64)]);
    });
    const rest = eroded(
      all.map((value) => 1 - value),
      64,
    );
    expect([...rest]).toEqual([...bits(pictures.eroded, 64 * 64)]);
  });

  test("maps scaled, pasted and without specks", () => {
    const plane = { data: Float32Array.from(pictures.plane.flat()), width: 8, height: 8 };
    expectClose(scaledPlane(plane, 28, 28).data, pictures.scaled.flat(), 1e-6);
    const mask = { data: new Float32Array(56 * 56), width: 56, height: 56 };
    const fill = (x0: number, x1: number, y0: number, y1: number, value: number): void => {
      for (let y = y0; y < y1; y++) mask.data.fill(value, y * 56 + x0, y * 56 + x1);
    };
    fill(12, 30, 10, 40, 0.9);
    fill(50, 52, 45, 47, 0.8);
    fill(2, 20, 50, 54, 0.7);
    const { matrix, area, pasted } = pictures.mask;
    const cropped = new CroppedMask({ values: mask, matrix, size: 224, width: 120, height: 100 });
    expect(cropped.area()).toBe(area);
    expect([...cropped.pasted().data]).toEqual([...bits(pasted, 120 * 100)]);
    const count = (data: Float32Array): number => data.reduce((sum, value) => sum + Number(value > 0.5), 0);
    expect([count(mask.data), count(withoutSpecks(mask).data)]).toEqual(Object.values(pictures.specks));
  });
});
