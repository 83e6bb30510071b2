/** The shipped files, read from the Python package beside this folder, as a page would have fetched them. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Card } from "../src/infer/weights";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const PACKAGE = "../../src/handscope";

export const read = (path: string): Uint8Array => new Uint8Array(readFileSync(at(path)));
export const readJson = <Content>(path: string): Content => JSON.parse(readFileSync(at(path), "utf8")) as Content;
export const handFile = (): Uint8Array => read(`${PACKAGE}/hand/data/hand_right.npz`);
export const card = (name: string): Card => readJson(`${PACKAGE}/infer/weights/${name}.json`);
