/**
 * Filled triangles on a square grid, px for px those of OpenCV's `fillConvexPoly` with lines of eight neighbours: the
 * outline's own pixels count as filled. Places are whole numbers of 1/16 px.
 */

const SHIFT = 4;
const ONE = 65536;
const UP = ONE >> SHIFT;

/** Fill the triangle of three points (x, y in 1/16 px) with 1 in `grid` (size, size). */
export function fillTriangle(grid: Uint8Array, size: number, corners: readonly (readonly [number, number])[]): void {
  const points = corners.map(([x, y]) => [x * UP, y * UP] as [number, number]);
  points.forEach((point, i) => {
    drawLine(grid, size, points[(i + 2) % 3]!, point);
  });
  fillInside(grid, size, corners, points);
}

function fillInside(
  grid: Uint8Array,
  size: number,
  corners: readonly (readonly [number, number])[],
  points: readonly (readonly [number, number])[],
): void {
  const rows = corners.map(([, y]) => (y + 8) >> SHIFT);
  const columns = corners.map(([x]) => (x + 8) >> SHIFT);
  const top = Math.min(...rows);
  if (Math.max(...columns) < 0 || Math.max(...rows) < 0 || Math.min(...columns) >= size || top >= size) return;
  const last = Math.min(Math.max(...rows), size - 1);
  let start = 0;
  for (let i = 1; i < 3; i++) if (corners[i]![1] < corners[start]![1]) start = i;
  const edges = [1, 2].map((step) => ({ step, at: start, until: top, x: -ONE, slope: 0 }));
  let left = 3;
  for (let y = top; y <= last; y++) {
    for (const edge of edges) {
      if (y < edge.until) continue;
      let from = edge.at;
      let to = (from + edge.step) % 3;
      while (left-- > 0) {
        if (rows[to]! > y) {
          const tall = rows[to]! - y;
          const wide = points[to]![0] - points[from]![0];
          edge.until = rows[to]!;
          edge.slope = Math.trunc((wide * 2 + tall) / (2 * tall));
          edge.x = points[from]![0];
          edge.at = to;
          break;
        }
        from = to;
        to = (to + edge.step) % 3;
      }
    }
    if (y >= 0) {
      const first = Math.floor((Math.min(edges[0]!.x, edges[1]!.x) + ONE / 2) / ONE);
      const end = Math.floor((Math.max(edges[0]!.x, edges[1]!.x) + ONE / 2) / ONE);
      for (let x = Math.max(first, 0); x <= Math.min(end, size - 1); x++) grid[y * size + x] = 1;
    }
    for (const edge of edges) edge.x += edge.slope;
  }
}

/** A line between two places in 1/65536 px. */
function drawLine(
  grid: Uint8Array,
  size: number,
  one: readonly [number, number],
  two: readonly [number, number],
): void {
  const ends = clipped(size * ONE - 1, one, two);
  if (!ends) return;
  let [[x0, y0], [x1, y1]] = ends;
  const flat = Math.abs(x1 - x0) > Math.abs(y1 - y0);
  if (flat ? x1 < x0 : y1 < y0) [x0, y0, x1, y1] = [x1, y1, x0, y0];
  const put = (x: number, y: number): void => {
    if (x >= 0 && y >= 0 && x < size && y < size) grid[y * size + x] = 1;
  };
  const half = ONE / 2;
  put(Math.floor((x1 + half) / ONE), Math.floor((y1 + half) / ONE));
  if (flat) {
    const slope = Math.trunc(((y1 - y0) * ONE) / ((x1 - x0) | 1));
    const steps = Math.floor((x1 - x0) / ONE);
    const first = Math.floor((x0 + half) / ONE);
    for (let i = 0; i <= steps; i++) put(first + i, Math.floor((y0 + half + i * slope) / ONE));
  } else {
    const slope = Math.trunc(((x1 - x0) * ONE) / ((y1 - y0) | 1));
    const steps = Math.floor((y1 - y0) / ONE);
    const first = Math.floor((y0 + half) / ONE);
    for (let i = 0; i <= steps; i++) put(Math.floor((x0 + half + i * slope) / ONE), first + i);
  }
}

type Ends = [[number, number], [number, number]];

/** The part of a line inside the square from 0 to `most`, both ways; undefined if there is none. */
function clipped(most: number, one: readonly [number, number], two: readonly [number, number]): Ends | undefined {
  let [x1, y1] = one;
  let [x2, y2] = two;
  const aside = (x: number): number => (x < 0 ? 1 : x > most ? 2 : 0);
  const code = (x: number, y: number): number => aside(x) + 4 * aside(y);
  let c1 = code(x1, y1);
  let c2 = code(x2, y2);
  if ((c1 & c2) === 0 && (c1 | c2) !== 0) {
    if (c1 & 12) {
      const edge = c1 < 8 ? 0 : most;
      x1 += Math.trunc(((edge - y1) * (x2 - x1)) / (y2 - y1));
      y1 = edge;
      c1 = aside(x1);
    }
    if (c2 & 12) {
      const edge = c2 < 8 ? 0 : most;
      x2 += Math.trunc(((edge - y2) * (x2 - x1)) / (y2 - y1));
      y2 = edge;
      c2 = aside(x2);
    }
    if ((c1 & c2) === 0 && (c1 | c2) !== 0) {
      if (c1) {
        const edge = c1 === 1 ? 0 : most;
        y1 += Math.trunc(((edge - x1) * (y2 - y1)) / (x2 - x1));
        x1 = edge;
        c1 = 0;
      }
      if (c2) {
        const edge = c2 === 1 ? 0 : most;
        y2 += Math.trunc(((edge - x2) * (y2 - y1)) / (x2 - x1));
        x2 = edge;
        c2 = 0;
      }
    }
  }
  return (c1 | c2) === 0
    ? [
        [x1, y1],
        [x2, y2],
      ]
    : undefined;
}
