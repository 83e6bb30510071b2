/** The mesh gets as thick as the mask is wide; mirrors `handscope.infer.silhouette_refinement`. */
import { projectCentred } from "../geometry/camera";
import type { Point2 } from "../geometry/linear";
import { roundHalfEven } from "../geometry/looks";
import { eroded, scaledPlane, type Plane } from "../geometry/pictures";
import { fillTriangle } from "../geometry/triangles";
import type { HandAsset } from "../hand/assets";
import { pointAt } from "../hand/model";
import { MIDDLE_MCP, WRIST } from "../skeleton";
import { posed, type Fitted } from "./fitting";

/** How far the skin may move, metres. */
const THINNER_M = -0.0005;
const THICKER_M = 0.002;
/** Side of the grid that areas are counted on, over the whole crop. */
const GRID = 224;

/** `fitted` with the thickness that `mask`, probability over the crop, asks for; an empty mask changes nothing. */
export function refineSilhouette(
  asset: HandAsset,
  fitted: Fitted,
  joints: readonly Point2[],
  mask: Plane,
  focal: number,
  size: number,
): Fitted {
  const scale = GRID / size;
  const before = beforeWrist(joints.map(([x, y]) => [(x + 0.5) * scale - 0.5, (y + 0.5) * scale - 0.5]));
  const seen = scaledPlane(mask, GRID, GRID).data;
  const mesh = outline(asset, fitted, focal * scale);
  const inner = eroded(mesh, GRID);
  let [rim, wanted, shown] = [0, 0, 0];
  before.forEach((counts, i) => {
    if (!counts) return;
    if (mesh[i] && !inner[i]) rim++;
    if (seen[i]! > 0.5) wanted++;
    if (mesh[i]) shown++;
  });
  if (rim === 0 || wanted === 0) return fitted;
  const { vertices, R, T } = fitted.hand;
  let depth = 0;
  for (let k = 2; k < vertices.length; k += 3) depth += vertices[k]! / (vertices.length / 3);
  const grown = ((wanted - shown) / rim / (focal * scale)) * depth;
  const thicker = Math.min(Math.max(grown, THINNER_M), THICKER_M);
  const beta = fitted.beta.map((value, k) => value + thicker * asset.thickening[k]!);
  return posed(asset, beta, fitted.theta, R, T);
}

/** Px of the grid on the knuckles' side of the line through the wrist: 1, else 0. */
function beforeWrist(joints: readonly Point2[]): Uint8Array {
  const [x0, y0] = joints[WRIST]!;
  const [dx, dy] = [joints[MIDDLE_MCP]![0] - x0, joints[MIDDLE_MCP]![1] - y0];
  const before = new Uint8Array(GRID * GRID);
  for (let y = 0, i = 0; y < GRID; y++) {
    for (let x = 0; x < GRID; x++, i++) before[i] = (x - x0) * dx + (y - y0) * dy >= 0 ? 1 : 0;
  }
  return before;
}

/** The projected mesh, filled, on the grid; `focal` in the grid's px. */
function outline(asset: HandAsset, fitted: Fitted, focal: number): Uint8Array {
  const { vertices } = fitted.hand;
  const points: Point2[] = [];
  const grid = new Uint8Array(GRID * GRID);
  for (let v = 0; v < asset.count; v++) {
    const [x, y] = projectCentred(pointAt(vertices, v), focal, GRID);
    points.push([roundHalfEven(x * 16), roundHalfEven(y * 16)]);
  }
  const faces = asset.silhouetteFaces;
  for (let f = 0; f < faces.length; f += 3) {
    fillTriangle(grid, GRID, [points[faces[f]!]!, points[faces[f + 1]!]!, points[faces[f + 2]!]!]);
  }
  return grid;
}
