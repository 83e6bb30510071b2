/** glTF 2.0 in its binary form: one JSON tree, one block of bytes; mirrors `handscope.infer.formats.gltf`. */
import { asciiJson } from "./text";

/** What a buffer view is for. */
export const VERTICES = 34962;
export const INDICES = 34963;

type Numbers = Uint8Array | Uint16Array | Float32Array;

const SHAPES: Record<number, string> = { 1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4" };

function componentType(values: Numbers): number {
  if (values instanceof Uint8Array) return 5121;
  return values instanceof Uint16Array ? 5123 : 5126;
}

export interface ArrayOptions {
  target?: number;
  bounds?: boolean;
  normalized?: boolean;
}

export type Tree = Record<string, unknown>;

/** Collects the parts of one file; each `add` returns the index by which others refer to the part. */
export class GltfDocument {
  readonly nodes: Tree[] = [];
  private readonly roots: number[] = [];
  private readonly sections: Record<string, Tree[]> = {};
  private readonly parts: Uint8Array[] = [];
  private size = 0;

  add(section: string, part: Tree): number {
    const listed = section === "nodes" ? this.nodes : (this.sections[section] ??= []);
    listed.push(part);
    return listed.length - 1;
  }

  listed(section: string): Tree[] {
    return this.sections[section] ?? [];
  }

  /** A node that stands in the scene itself. */
  addRoot(node: Tree): number {
    const index = this.add("nodes", node);
    this.roots.push(index);
    return index;
  }

  /** An accessor for rows of `width` numbers each; matrices are stored by columns. */
  addArray(values: Numbers, width: number, options: ArrayOptions = {}): number {
    const view: Tree = { buffer: 0, byteOffset: this.size, byteLength: values.byteLength };
    if (options.target !== undefined) view["target"] = options.target;
    const padded = new Uint8Array(Math.ceil(values.byteLength / 4) * 4);
    padded.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    this.parts.push(padded);
    this.size += padded.length;
    const count = values.length / width;
    const accessor: Tree = {
      bufferView: this.add("bufferViews", view),
      componentType: componentType(values),
      count,
      type: SHAPES[width],
    };
    if (options.normalized) accessor["normalized"] = true;
    if (options.bounds) {
      const column = (i: number): number[] => Array.from({ length: count }, (_, row) => values[row * width + i]!);
      const columns = Array.from({ length: width }, (_, i) => column(i));
      accessor["min"] = columns.map((each) => each.reduce((low, value) => Math.min(low, value), Infinity));
      accessor["max"] = columns.map((each) => each.reduce((high, value) => Math.max(high, value), -Infinity));
    }
    return this.add("accessors", accessor);
  }

  /** What the file says, without its bytes. */
  get tree(): Tree {
    const tree: Tree = {
      asset: { version: "2.0", generator: "handscope" },
      scene: 0,
      scenes: [this.roots.length ? { nodes: this.roots } : {}],
    };
    if (this.nodes.length) tree["nodes"] = this.nodes;
    Object.assign(tree, this.sections);
    if (this.size) tree["buffers"] = [{ byteLength: this.size }];
    return tree;
  }

  /** The file. */
  pack(): Uint8Array {
    const text = new TextEncoder().encode(asciiJson(this.tree));
    const json = new Uint8Array(Math.ceil(text.length / 4) * 4).fill(0x20);
    json.set(text);
    const chunks: [number, Uint8Array[]][] = [[0x4e4f534a, [json]]];
    if (this.size) chunks.push([0x004e4942, this.parts]);
    const total = 12 + 8 * chunks.length + json.length + this.size;
    const file = new Uint8Array(total);
    const view = new DataView(file.buffer);
    [0x46546c67, 2, total].forEach((word, i) => view.setUint32(4 * i, word, true));
    let at = 12;
    for (const [kind, content] of chunks) {
      view.setUint32(
        at,
        content.reduce((sum, part) => sum + part.length, 0),
        true,
      );
      view.setUint32(at + 4, kind, true);
      at += 8;
      for (const part of content) {
        file.set(part, at);
        at += part.length;
      }
    }
    return file;
  }
}
