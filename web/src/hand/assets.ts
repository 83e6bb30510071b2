/** The shipped open hand; mirrors `handscope.hand.assets` for the file that the Python package ships. */
import { HandscopeError } from "../errors";
import { solve, type Matrix3, type Point3 } from "../geometry/linear";
import { vertexNormals } from "../geometry/meshes";
import { readNpz, type NumpyArray } from "./npz";

/** A unit of shape weighs as much as joints that move by this (root of the sum of squares, metres). */
const UNIT_SHAPE_M = 0.0005;
export const SHAPES = 10;

/** A right hand of MANO's structure: V vertices, F triangles, 16 joints, 10 shape components; metres. */
export class HandAsset {
  readonly count: number;
  /** Rest joints (16 x 3) of the mean hand. */
  readonly joints: Float64Array;
  /** How the rest joints move with the shape (16 x 3 x 10). */
  readonly jointDirs: Float64Array;
  readonly mirroredFaces: Uint32Array;
  private thick: number[] | undefined;

  constructor(
    readonly template: Float32Array,
    readonly shapedirs: Float32Array,
    readonly posedirs: Float32Array,
    regressor: Float32Array,
    readonly weights: Float32Array,
    readonly faces: Uint32Array,
    readonly silhouetteFaces: Uint32Array,
    readonly tips: Int32Array,
    /** Flexion, abduction and twist axis of each of the 15 joints at rest, as rows. */
    readonly axes: readonly Matrix3[],
    readonly uv: Float32Array,
    readonly uvFaces: Uint32Array,
  ) {
    this.count = template.length / 3;
    this.joints = new Float64Array(48);
    this.jointDirs = new Float64Array(480);
    for (let j = 0; j < 16; j++) {
      for (let v = 0; v < this.count; v++) {
        const share = regressor[j * this.count + v]!;
        if (share === 0) continue;
        for (let c = 0; c < 3; c++) {
          this.joints[j * 3 + c]! += share * template[v * 3 + c]!;
          for (let k = 0; k < SHAPES; k++) {
            this.jointDirs[(j * 3 + c) * SHAPES + k]! += share * shapedirs[(v * 3 + c) * SHAPES + k]!;
          }
        }
      }
    }
    this.mirroredFaces = new Uint32Array(faces.length);
    for (let f = 0; f < faces.length; f += 3) {
      this.mirroredFaces.set([faces[f + 2]!, faces[f + 1]!, faces[f]!], f);
    }
  }

  /** Triangles of a right hand's mesh, or of a left one's, which is mirrored. */
  facesOf(handedness: "left" | "right"): Uint32Array {
    return handedness === "right" ? this.faces : this.mirroredFaces;
  }

  /** The change of shape that moves the skin outwards by a metre in the mean without moving the joints. */
  get thickening(): number[] {
    if (this.thick) return this.thick;
    const normals = vertexNormals(Float64Array.from(this.template), this.faces);
    const outwards = new Float64Array(SHAPES);
    for (let i = 0; i < normals.length; i++) {
      for (let k = 0; k < SHAPES; k++) outwards[k]! += (normals[i]! * this.shapedirs[i * SHAPES + k]!) / this.count;
    }
    const moved = this.jointDirs.map((value, i) => value - this.jointDirs[i % 30]!); // against the wrist's
    const normal = new Float64Array(SHAPES * SHAPES);
    for (let k = 0; k < SHAPES; k++) {
      for (let l = 0; l < SHAPES; l++) {
        for (let i = 0; i < 48; i++) normal[k * SHAPES + l]! += moved[i * SHAPES + k]! * moved[i * SHAPES + l]!;
      }
      normal[k * SHAPES + k]! += UNIT_SHAPE_M ** 2;
    }
    const direction = solve(normal, outwards.slice());
    const grown = direction.reduce((sum, value, k) => sum + value * outwards[k]!, 0);
    this.thick = [...direction].map((value) => value / grown);
    return this.thick;
  }
}

/** The hand model of a .npz file. */
export async function loadAsset(file: Uint8Array): Promise<HandAsset> {
  const arrays = await readNpz(file);
  const get = (name: string): NumpyArray => {
    const found = arrays.get(name);
    if (!found) throw new HandscopeError(`the hand model lacks ${name}; copy the page's files again`);
    return found;
  };
  const floats = (name: string): Float32Array => Float32Array.from(get(name).data);
  const indices = (name: string): Uint32Array => Uint32Array.from(get(name).data);
  const axes = get("axes").data;
  return new HandAsset(
    floats("template"),
    floats("shapedirs"),
    floats("posedirs"),
    floats("joint_regressor"),
    floats("weights"),
    indices("faces"),
    indices("silhouette_faces"),
    Int32Array.from(get("tips").data),
    Array.from({ length: 15 }, (_, j) =>
      [0, 1, 2].map((i) => [...axes.slice(j * 9 + i * 3, j * 9 + i * 3 + 3)] as Point3),
    ) as Matrix3[],
    floats("uv"),
    indices("uv_faces"),
  );
}
