/** Where the networks run: beside the page, which stays responsive. Answers questions one after the other. */
import { toGlb } from "./formats/meshes";
import { toJson, handJson, type About } from "./formats/numbers";
import { toCsv } from "./formats/tables";
import { pythonFloat } from "./formats/text";
import type { Matrix3 } from "./geometry/linear";
import { pictureOfRgba, type Picture } from "./geometry/pictures";
import { openModels, type Models } from "./infer/models";
import { findHands, type DetectOptions } from "./infer/pipeline";
import { Tracker, type TrackingConfig } from "./infer/tracking";
import type { Running, WantedDevice } from "./infer/runtime";
import { fetchManifest, Shelf } from "./infer/weights";
import type { HandRecord } from "./types";

export type Pixels = ImageBitmap | ImageData;

/** What a page may ask; `id` comes back with the answer. */
export type Question = { id: number } & (
  | { ask: "load"; base: string; minScore: number | undefined; device: WantedDevice | undefined }
  | { ask: "detect"; pixels: Pixels; options: DetectOptions }
  | {
      ask: "track";
      tracker: number;
      pixels: Pixels;
      time: number;
      K?: Matrix3 | number;
      config: Partial<TrackingConfig>;
    }
  | { ask: "release"; tracker: number }
  | { ask: "write"; format: "json" | "csv" | "glb"; hands: HandRecord[]; about: About }
  | { ask: "line"; hands: HandRecord[]; frame: number; time: number }
);

/** What was loaded: the package's version, and where its networks run. */
export interface Loaded {
  version: string;
  running: Running;
}

/** Hands of a picture with its size, and what is odd about a frame's time. */
export interface Found {
  hands: HandRecord[];
  width: number;
  height: number;
  notes: string[];
  /** Milliseconds that it took. */
  took: number;
  running: Running;
}

export type Answer =
  | { id: number; progress: [number, number] }
  | { id: number; result: unknown }
  | { id: number; problem: string; expected: boolean };

let models: Models | undefined;
const trackers = new Map<number, Tracker>();

function opened(): Models {
  if (!models) throw new Error("the networks are not loaded yet");
  return models;
}

async function answer(question: Question): Promise<unknown> {
  switch (question.ask) {
    case "load": {
      const base = new URL(question.base);
      const manifest = await fetchManifest(base);
      const shelf = new Shelf(base, manifest, (done, total) => {
        postMessage({ id: question.id, progress: [done, total] } satisfies Answer);
      });
      models = await openModels(manifest, shelf, question);
      return { version: manifest.version, running: models.running } satisfies Loaded;
    }
    case "detect": {
      const picture = pictureOf(question.pixels);
      return timed(picture, () => findHands(opened(), picture, question.options));
    }
    case "track": {
      const picture = pictureOf(question.pixels);
      const tracker = trackers.get(question.tracker) ?? new Tracker(opened(), question.config);
      trackers.set(question.tracker, tracker);
      const found = await timed(picture, () => tracker.follow(picture, question.time, question.K));
      return { ...found, notes: tracker.notes };
    }
    case "release":
      return trackers.delete(question.tracker);
    case "write":
      return write(question.format, question.hands, question.about);
    case "line": {
      const hands = question.hands.map((hand) => handJson(hand, opened().asset)).join(", ");
      return `{"frame": ${question.frame}, "time": ${pythonFloat(Number(question.time.toFixed(6)))}, "hands": [${hands}]}\n`;
    }
  }
}

function write(format: "json" | "csv" | "glb", hands: HandRecord[], about: About): string | Uint8Array {
  const { asset } = opened();
  if (format === "json") return toJson(hands, about, asset);
  return format === "csv" ? toCsv(hands, about.source ?? null, asset) : toGlb(hands, asset);
}

async function timed({ width, height }: Picture, find: () => Promise<HandRecord[]>): Promise<Found> {
  const begin = performance.now();
  const hands = await find();
  return { hands, width, height, notes: [], took: performance.now() - begin, running: opened().running };
}

/** The px of a picture, transparent parts on white. */
function pictureOf(pixels: Pixels): Picture {
  const { width, height } = pixels;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  if (pixels instanceof ImageData) {
    const stored = new OffscreenCanvas(width, height);
    stored.getContext("2d")!.putImageData(pixels, 0, 0);
    context.drawImage(stored, 0, 0);
  } else {
    context.drawImage(pixels, 0, 0);
    pixels.close();
  }
  return pictureOfRgba(context.getImageData(0, 0, width, height).data, width, height);
}

let last: Promise<void> = Promise.resolve();

addEventListener("message", ({ data }: MessageEvent<Question>) => {
  last = last.then(async () => {
    try {
      postMessage({ id: data.id, result: await answer(data) } satisfies Answer);
    } catch (problem) {
      const expected = problem instanceof Error && problem.name === "HandscopeError";
      const said = problem instanceof Error ? problem.message : String(problem);
      postMessage({ id: data.id, problem: said, expected } satisfies Answer);
    }
  });
});
