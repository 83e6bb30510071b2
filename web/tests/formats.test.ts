import { expect, test } from "vitest";
import { toGlb } from "../src/formats/meshes";
import { toJson } from "../src/formats/numbers";
import { toCsv } from "../src/formats/tables";
import { fixed, pythonFloat, rounded } from "../src/formats/text";
import type { Affine } from "../src/geometry/pictures";
import { poseHand } from "../src/hand/model";
import type { HandRecord } from "../src/types";
import { asset, bits, expectClose, golden } from "./goldens";

const formats = golden("formats");

/** The hands that Python wrote, with the mesh that their parameters pose. */
async function hands(): Promise<HandRecord[]> {
  const model = await asset();
  type Told = Omit<HandRecord, "mask"> & { right: number; mask: { values: string; matrix: Affine; size: number } };
  return formats.hands.map(({ mask, right, ...hand }: Told, i: number) => {
    const { vertices } = poseHand(model, hand.beta, hand.theta, hand.R, hand.T);
    if (hand.handedness === "left") for (let k = 0; k < vertices.length; k += 3) vertices[k]! *= -1;
    const values = { data: Float32Array.from(bits(mask.values, 56 * 56)), width: 56, height: 56 };
    return {
      ...hand,
      vertices,
      faces: model.facesOf(hand.handedness),
      cropped_mask: { values, matrix: mask.matrix, size: mask.size, width: 640, height: 480 },
      extras: { right },
      ...(i === 0 ? { track: 3 } : {}),
    };
  });
}

const ABOUT = { width: 640, height: 480, source: 'pic "ü",1.jpg', notes: ["a note"] };

test("JSON is Python's, letter for letter", async () => {
  expect(toJson(await hands(), ABOUT, await asset())).toBe(formats.json);
  expect(toJson([], { width: 3, height: 2 }, await asset())).toBe(formats.empty);
});

test("CSV is Python's, letter for letter", async () => {
  expect(toCsv(await hands(), ABOUT.source, await asset())).toBe(formats.csv);
});

test("a picture's name is no formula in a spreadsheet", async () => {
  expect(toCsv(await hands(), "=1+1\u0007.jpg", await asset()).split("\n")[1]).toMatch(/^'=1\+1\\x07\.jpg,0,/);
});

test("a GLB has Python's tree and numbers", async () => {
  const file = toGlb(await hands(), await asset());
  const view = new DataView(file.buffer);
  const length = view.getUint32(12, true);
  expect([view.getUint32(0, true), view.getUint32(8, true)]).toEqual([0x46546c67, file.length]);
  const tree = JSON.parse(new TextDecoder().decode(file.subarray(20, 20 + length)));
  expectClose(tree, formats.tree, 1e-4);
  expect(Object.keys(tree).sort()).toEqual(Object.keys(formats.tree).sort());
  const kinds = { 5121: Uint8Array, 5123: Uint16Array, 5126: Float32Array } as const;
  tree.accessors.forEach((accessor: { bufferView: number; componentType: keyof typeof kinds }, i: number) => {
    const { byteOffset, byteLength } = tree.bufferViews[accessor.bufferView];
    const start = 28 + length + byteOffset;
    const values = new kinds[accessor.componentType](file.slice(start, start + byteLength).buffer);
    const step = Math.max(1, Math.floor(values.length / 60));
    const tolerance = accessor.componentType === 5126 ? 1e-3 : 1;
    expectClose(
      [...values].filter((_, k) => k % step === 0),
      formats.sampled[i],
      tolerance,
      `accessor ${i}`,
    );
  });
});

test("numbers are written as Python writes them", () => {
  expect([1, 0.1, 1e-5, 1.5e-7, 1e16, -0, 0, -2.5, 1234567].map(pythonFloat)).toEqual([
    "1.0", "0.1", "1e-05", "1.5e-07", "1e+16", "-0.0", "0.0", "-2.5", "1234567.0",
  ]); // prettier-ignore
  expect([rounded(0.125, 2), rounded(0.375, 2), rounded(-0.001, 2)]).toEqual([0.12, 0.38, -0]);
  expect([fixed(-0, 2), fixed(-0.001, 2), fixed(2, 1)]).toEqual(["-0.00", "-0.00", "2.0"]);
});
