/** Hands painted over their picture: mesh, mask, joints, box. */
import { BONES, jointColour, SIDE_COLOURS, type Hand, type Point2, type Point3 } from "handscope";

export type Layer = "skeleton" | "mesh" | "mask" | "box";
type Context = CanvasRenderingContext2D;

const SKIN = [228, 196, 178] as const;
/** Towards the light, camera frame: from the upper left, before the hand. */
const LIGHT: Point3 = [-0.35, -0.55, -0.76];

/** Paint `hands` over what `context` shows, far ones first. */
export function drawHands(context: Context, hands: readonly Hand[], layers: ReadonlySet<Layer>): void {
  for (const hand of [...hands].sort((one, two) => two.T[2] - one.T[2])) {
    const side = Math.max(hand.box[2] - hand.box[0], hand.box[3] - hand.box[1]);
    const longer = Math.max(context.canvas.width, context.canvas.height);
    const width = Math.max(1, Math.min(0.003 * longer + 0.5, 0.012 * side));
    if (layers.has("mesh")) drawMesh(context, hand);
    if (layers.has("mask")) drawMask(context, hand);
    if (layers.has("skeleton")) drawSkeleton(context, hand, width);
    if (layers.has("box")) drawBox(context, hand, width);
  }
}

const rgb = ([r, g, b]: readonly number[], opacity = 1): string => `rgb(${r} ${g} ${b} / ${opacity})`;

/** A place of px with centres at whole numbers, as canvases count. */
const place = ([x, y]: Point2): Point2 => [x + 0.5, y + 0.5];

function drawMesh(context: Context, hand: Hand): void {
  const { vertices, faces, K } = hand;
  const at = (v: number): Point3 => [vertices[v * 3]!, vertices[v * 3 + 1]!, vertices[v * 3 + 2]!];
  const triangles: { depth: number; corners: Point2[]; light: number }[] = [];
  for (let f = 0; f < faces.length; f += 3) {
    const [a, b, c] = [at(faces[f]!), at(faces[f + 1]!), at(faces[f + 2]!)];
    if (Math.min(a[2], b[2], c[2]) <= 1e-3) return; // behind the camera: nothing sensible to show
    const u = [b[0] - a[0], b[1] - a[1], b[2] - a[2]] as const;
    const v = [c[0] - a[0], c[1] - a[1], c[2] - a[2]] as const;
    const n = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]] as const;
    if (n[0] * a[0] + n[1] * a[1] + n[2] * a[2] >= 0) continue; // seen from inside
    const size = Math.hypot(...n) || 1;
    const light = Math.max(0, (n[0] * LIGHT[0] + n[1] * LIGHT[1] + n[2] * LIGHT[2]) / size);
    const corners = [a, b, c].map(([x, y, z]): Point2 => [
      (K[0][0] * x + K[0][1] * y) / z + K[0][2] + 0.5,
      (K[1][1] * y) / z + K[1][2] + 0.5,
    ]);
    triangles.push({ depth: a[2] + b[2] + c[2], corners, light });
  }
  const layer = new OffscreenCanvas(context.canvas.width, context.canvas.height);
  const brush = layer.getContext("2d")!;
  for (const { corners, light } of triangles.sort((one, two) => two.depth - one.depth)) {
    const colour = rgb(SKIN.map((level) => Math.round(level * (0.45 + 0.55 * light))));
    brush.fillStyle = brush.strokeStyle = colour;
    brush.lineWidth = 0.7;
    brush.beginPath();
    corners.forEach(([x, y]) => brush.lineTo(x, y));
    brush.closePath();
    brush.fill();
    brush.stroke();
  }
  context.save();
  context.globalAlpha = 0.7;
  context.drawImage(layer, 0, 0);
  context.restore();
}

function drawMask(context: Context, hand: Hand): void {
  const { values, matrix, size } = hand.cropped_mask;
  const cells = new ImageData(values.width, values.height);
  const colour = SIDE_COLOURS[hand.handedness];
  values.data.forEach((value, i) => {
    cells.data.set([...colour, value > 0.5 ? 150 : 0], i * 4);
  });
  const layer = new OffscreenCanvas(values.width, values.height);
  layer.getContext("2d")!.putImageData(cells, 0, 0);
  const [[a, b, c], [d, e, f]] = matrix;
  const scale = 1 / (a * e - b * d);
  const cell = size / values.width;
  context.save();
  // from the crop's px, whose centres are whole numbers, to the picture's, and by cells of the mask
  context.translate(0.5, 0.5);
  context.transform(e * scale, -d * scale, -b * scale, a * scale, (b * f - e * c) * scale, (d * c - a * f) * scale);
  context.translate(-0.5, -0.5);
  context.scale(cell, cell);
  context.drawImage(layer, 0, 0);
  context.restore();
}

function drawSkeleton(context: Context, hand: Hand, width: number): void {
  const joints = hand.joints_2d.map(place);
  context.save();
  context.lineCap = "round";
  for (const [lines, grow] of [
    [true, 2],
    [false, 0],
  ] as const) {
    for (const [parent, child] of BONES) {
      context.beginPath();
      context.moveTo(...joints[parent]!);
      context.lineTo(...joints[child]!);
      context.lineWidth = width * 2 + grow;
      context.strokeStyle = lines ? "rgb(25 25 28 / 0.7)" : rgb(jointColour(child));
      context.stroke();
    }
  }
  joints.forEach(([x, y], joint) => {
    context.beginPath();
    context.arc(x, y, width * 1.7, 0, 2 * Math.PI);
    context.fillStyle = rgb(jointColour(joint), 0.35 + 0.65 * hand.joint_scores[joint]!);
    context.fill();
    context.lineWidth = Math.max(1, width / 2);
    context.strokeStyle = "rgb(25 25 28 / 0.8)";
    context.stroke();
  });
  context.restore();
}

function drawBox(context: Context, hand: Hand, width: number): void {
  const colour = SIDE_COLOURS[hand.handedness];
  const [x0, y0, x1, y1] = hand.box;
  context.save();
  context.lineWidth = width;
  context.strokeStyle = rgb(colour);
  context.strokeRect(x0 + 0.5, y0 + 0.5, x1 - x0, y1 - y0);
  const size = Math.max(11, Math.round(0.022 * Math.max(context.canvas.width, context.canvas.height)));
  context.font = `600 ${size}px system-ui, sans-serif`;
  const name = `${hand.track === undefined ? "" : `${hand.track} `}${hand.handedness} ${hand.score.toFixed(2)}`;
  const wide = context.measureText(name).width + size * 0.6;
  const top = Math.max(0, y0 - size * 1.35);
  const left = Math.max(0, Math.min(x0, context.canvas.width - wide));
  context.fillStyle = rgb(colour, 0.9);
  context.fillRect(left, top, wide, size * 1.35);
  context.fillStyle = "rgb(25 25 28)";
  context.fillText(name, left + size * 0.3, top + size);
  context.restore();
}
