/** Normals of triangle meshes; mirrors `handscope.geometry.meshes`. Points are x, y, z one after the other. */

/** Unit outward normals of `vertices`: the triangles' own, weighted by their areas. */
export function vertexNormals(vertices: Float64Array, faces: Uint32Array): Float64Array {
  const normals = new Float64Array(vertices.length);
  for (let f = 0; f < faces.length; f += 3) {
    const [a, b, c] = [faces[f]! * 3, faces[f + 1]! * 3, faces[f + 2]! * 3];
    const u = [0, 1, 2].map((i) => vertices[b + i]! - vertices[a + i]!);
    const v = [0, 1, 2].map((i) => vertices[c + i]! - vertices[a + i]!);
    const flat = [u[1]! * v[2]! - u[2]! * v[1]!, u[2]! * v[0]! - u[0]! * v[2]!, u[0]! * v[1]! - u[1]! * v[0]!];
    for (const at of [a, b, c]) for (let i = 0; i < 3; i++) normals[at + i]! += flat[i]!;
  }
  for (let k = 0; k < normals.length; k += 3) {
    const size = Math.hypot(normals[k]!, normals[k + 1]!, normals[k + 2]!) + 1e-12;
    for (let i = 0; i < 3; i++) normals[k + i]! /= size;
  }
  return normals;
}
