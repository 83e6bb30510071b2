/** Meshes as binary glTF with a skeleton inside; mirrors `to_glb` of `handscope.infer.formats.meshes`. */
import { vertexNormals } from "../geometry/meshes";
import { apply3, plus, transpose3, type Matrix3, type Point3 } from "../geometry/linear";
import { matrixToQuaternion } from "../geometry/rotations";
import type { HandAsset } from "../hand/assets";
import type { HandRecord } from "../types";
import { coloursByFinger } from "./colours";
import { GltfDocument, INDICES, VERTICES } from "./gltf";
import { NAMES, Rig, viewerPose, viewerVertices } from "./rig";

/** The meshes with their skeletons in one scene: metres, x right, y up, z back, the camera at the origin. */
export function toGlb(hands: readonly HandRecord[], asset: HandAsset): Uint8Array {
  const document = new GltfDocument();
  labels(hands).forEach((label, i) => {
    const hand = hands[i]!;
    const left = hand.handedness === "left";
    const rig = Rig.of(asset, hand.beta, left);
    const { turns, place } = viewerPose(hand);
    const flat = rig.unskinned(viewerVertices(hand), turns, place).map((point) => plus(point, place));
    const mesh = addMesh(document, flat, hand, rig, wrapping(asset, left), label);
    const node: Record<string, unknown> = { name: `${label} hand`, mesh };
    document.addRoot(node);
    node["skin"] = addSkeleton(document, rig, turns, place, label);
  });
  return document.pack();
}

/** "right", "left", "right 2": one name for each hand. */
export function labels(hands: readonly { handedness: string }[]): string[] {
  const seen: Record<string, number> = {};
  return hands.map(({ handedness }) => {
    const count = (seen[handedness] = (seen[handedness] ?? 0) + 1);
    return count === 1 ? handedness : `${handedness} ${count}`;
  });
}

/** A mesh cut open where its texture has seams: corners `of` vertices, faces of corners, places on the texture. */
interface Wrapping {
  of: number[];
  faces: Uint16Array;
  uv: Float32Array;
}

function wrapping(asset: HandAsset, left: boolean): Wrapping {
  const pairs: { vertex: number; place: number }[] = [];
  const corners: number[] = [];
  for (let f = 0; f < asset.faces.length; f += 3) {
    for (const k of left ? [2, 1, 0] : [0, 1, 2]) {
      corners.push(pairs.length);
      pairs.push({ vertex: asset.faces[f + k]!, place: asset.uvFaces[f + k]! });
    }
  }
  const order = [...pairs.keys()].sort(
    (i, j) => pairs[i]!.vertex - pairs[j]!.vertex || pairs[i]!.place - pairs[j]!.place,
  );
  const unique: number[] = [];
  const again: boolean[] = [];
  const numbers = new Int32Array(pairs.length);
  let last: { vertex: number; place: number } | undefined;
  for (const i of order) {
    const pair = pairs[i]!;
    if (last?.vertex !== pair.vertex || last.place !== pair.place) {
      unique.push(i);
      again.push(last?.vertex === pair.vertex);
    }
    numbers[i] = unique.length - 1;
    last = pair;
  }
  // the first corner of every vertex comes first, so that these keep the mesh's own order
  const sorted = [...unique.keys()].sort((i, j) => Number(again[i]) - Number(again[j]) || i - j);
  const rank = new Int32Array(sorted.length);
  sorted.forEach((number, position) => (rank[number] = position));
  const uv = new Float32Array(sorted.length * 2);
  sorted.forEach((number, position) => {
    const place = pairs[unique[number]!]!.place;
    uv.set([asset.uv[place * 2]!, 1 - asset.uv[place * 2 + 1]!], position * 2);
  });
  return {
    of: sorted.map((number) => pairs[unique[number]!]!.vertex),
    faces: Uint16Array.from(corners, (corner) => rank[numbers[corner]!]!),
    uv,
  };
}

function addMesh(
  document: GltfDocument,
  vertices: readonly Point3[],
  hand: HandRecord,
  rig: Rig,
  wrapped: Wrapping,
  label: string,
): number {
  const gathered = <Kind extends Float32Array | Uint8Array>(
    kind: new (size: number) => Kind,
    width: number,
    from: ArrayLike<number>,
  ): Kind => {
    const values = new kind(wrapped.of.length * width);
    wrapped.of.forEach((vertex, row) => {
      for (let c = 0; c < width; c++) values[row * width + c] = from[vertex * width + c]!;
    });
    return values;
  };
  const places = Float64Array.from(vertices.flat());
  const colours = coloursByFinger(hand);
  const opaque = new Uint8Array(vertices.length * 4).fill(255);
  for (let v = 0; v < vertices.length; v++) {
    for (let c = 0; c < 3; c++) opaque[v * 4 + c] = linear(colours[v * 3 + c]!);
  }
  const target = VERTICES;
  const attributes = {
    POSITION: document.addArray(gathered(Float32Array, 3, places), 3, { target, bounds: true }),
    NORMAL: document.addArray(gathered(Float32Array, 3, vertexNormals(places, hand.faces)), 3, { target }),
    TEXCOORD_0: document.addArray(wrapped.uv, 2, { target }),
    COLOR_0: document.addArray(gathered(Uint8Array, 4, opaque), 4, { target, normalized: true }),
    JOINTS_0: document.addArray(gathered(Uint8Array, 4, rig.owners), 4, { target }),
    WEIGHTS_0: document.addArray(gathered(Float32Array, 4, rig.weights), 4, { target }),
  };
  const indices = document.addArray(wrapped.faces, 1, { target: INDICES });
  const primitive = { attributes, indices, material: addMaterial(document) };
  return document.add("meshes", { name: `${label} hand`, primitives: [primitive] });
}

/** Matt, both sides shown; one for all hands alike. */
function addMaterial(document: GltfDocument): number {
  if (document.listed("materials").length) return 0;
  const surface = { baseColorFactor: [1, 1, 1, 1], metallicFactor: 0, roughnessFactor: 0.7 };
  return document.add("materials", { name: "colours by finger", pbrMetallicRoughness: surface, doubleSided: true });
}

/** An sRGB level as a level of light, which glTF's vertex colours are. */
function linear(level: number): number {
  const share = level / 255;
  const light = share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  return Math.floor(light * 255 + 0.5);
}

/** Nodes for the 21 joints and the skin, bound at rest with the wrist at its place; returns the skin. */
function addSkeleton(
  document: GltfDocument,
  rig: Rig,
  turns: readonly Matrix3[],
  place: Point3,
  label: string,
): number {
  const offsets = rig.offsets;
  offsets[0] = place;
  const local = rig.local(turns);
  const first = document.nodes.length;
  // a root of its own: importers make one armature of all bones whose parent is the scene
  const skeleton = document.addRoot({ name: `${label} rig`, children: [first + 1] });
  const joints = NAMES.map((name, joint) => {
    const node: Record<string, unknown> = {
      name: `${label} ${name}`.replaceAll(" ", "_"),
      translation: offsets[joint],
    };
    if (joint < 16) {
      const [w, x, y, z] = matrixToQuaternion(local[joint]!);
      node["rotation"] = [x, y, z, w];
    }
    const children = rig.parents.flatMap((parent, child) => (parent === joint ? [first + 1 + child] : []));
    if (children.length) node["children"] = children;
    return document.add("nodes", node);
  });
  const matrices = new Float32Array(rig.frames.length * 16);
  rig.frames.forEach((frame, joint) => {
    const back = transpose3(frame);
    const shift = apply3(back, plus(rig.rest[joint]!, place));
    for (let column = 0; column < 3; column++) {
      for (let row = 0; row < 3; row++) matrices[joint * 16 + column * 4 + row] = back[row]![column]!;
      matrices[joint * 16 + 12 + column] = -shift[column]!;
    }
    matrices[joint * 16 + 15] = 1;
  });
  const inverseBindMatrices = document.addArray(matrices, 16);
  return document.add("skins", { name: `${label} hand`, inverseBindMatrices, joints, skeleton });
}
