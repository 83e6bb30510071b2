/** The shipped files, read from the Python package beside this folder, as a page would have fetched them. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openModels, type Models } from "../src/infer/models";
import { NAMES, type Card, type Manifest } from "../src/infer/weights";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const PACKAGE = "../../src/handscope";

export const read = (path: string): Uint8Array => new Uint8Array(readFileSync(at(path)));
export const readJson = <Content>(path: string): Content => JSON.parse(readFileSync(at(path), "utf8")) as Content;
export const handFile = (): Uint8Array => read(`${PACKAGE}/hand/data/hand_right.npz`);
export const card = (name: string): Card => readJson(`${PACKAGE}/infer/weights/${name}.json`);

export async function shippedModels(): Promise<Models> {
  const files = Object.fromEntries(NAMES.map((name) => [name, read(`${PACKAGE}/infer/weights/${name}.onnx`)]));
  const cards = Object.fromEntries(NAMES.map((name) => [name, card(name)]));
  const runtime = read("../node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm");
  return openModels({ cards } as unknown as Manifest, { ...files, hand: handFile(), runtime } as never);
}
