/**
 * Hands in pictures, found in the visitor's browser; nothing leaves the machine.
 *
 *     import { load } from "handscope";
 *     const model = await load();
 *     const hands = await model.detect(imageOrVideoOrCanvas);
 */
import { HandscopeError } from "./errors";
import type { Matrix3 } from "./geometry/linear";
import type { About } from "./formats/numbers";
import type { DetectOptions } from "./infer/pipeline";
import type { TrackingConfig } from "./infer/tracking";
import type { Device, Running, WantedDevice } from "./infer/runtime";
import type { OnProgress } from "./infer/weights";
import { Hands, type Hand } from "./types";
import type { Answer, Found, Loaded, Pixels, Question } from "./worker";

export { HandscopeError } from "./errors";
export type { Box, Matrix3, Point2, Point3 } from "./geometry/linear";
export type { Mask } from "./geometry/masks";
export type { About } from "./formats/numbers";
export { FINGER_COLOURS, SIDE_COLOURS, coloursByFinger, jointColour } from "./formats/colours";
export { labels } from "./formats/meshes";
export type { DetectOptions } from "./infer/pipeline";
export type { Device, WantedDevice } from "./infer/runtime";
export type { TrackingConfig } from "./infer/tracking";
export { BONES, FINGERS, JOINT_NAMES } from "./skeleton";
export { Hand, Hands, type Handedness } from "./types";

/** What `detect` and `track` take: anything that a canvas draws, or a picture's file. */
export type Source = ImageBitmapSource;

export interface LoadOptions {
  /** The folder of `worker.js` and `models/`; by default that of this script. */
  base?: string | URL;
  /** Hands of a lower score are left out (0.6). */
  minScore?: number;
  /** Where networks run; "auto", the default, is WebGPU where there is a graphics card for it, else WebAssembly. */
  device?: WantedDevice;
  onProgress?: OnProgress;
}

interface Waiting {
  resolve: (result: never) => void;
  reject: (problem: Error) => void;
  onProgress?: OnProgress | undefined;
}

type Asked = Question extends infer Each ? (Each extends Question ? Omit<Each, "id"> : never) : never;

/** The networks, opened in a worker of their own. */
export class Model {
  private readonly waiting = new Map<number, Waiting>();
  private asked = 0;
  private trackers = 0;
  /** Of the package that the networks are of. */
  version = "";
  /** Where the networks run. */
  device: Device = "wasm";
  /** Why they do not run on WebGPU although it was asked for, or there; empty as a rule. */
  deviceNote = "";

  constructor(private readonly worker: Worker) {
    worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => this.receive(data));
    worker.addEventListener("error", (event) => this.fail(`the worker stopped: ${event.message || "unknown reason"}`));
  }

  /** The hands of a picture, best first. */
  async detect(source: Source, options: DetectOptions & { name?: string } = {}): Promise<Hands> {
    const { name = null, ...rest } = options;
    const pixels = await pixelsOf(source);
    const found = await this.ask<Found>({ ask: "detect", pixels, options: rest }, transferable(pixels));
    return this.handsOf(found, name);
  }

  /** A follower of hands through the frames of one video or camera. */
  tracker(config: Partial<TrackingConfig> = {}): VideoTracker {
    return new VideoTracker(this, this.trackers++, config);
  }

  /** A file's content: JSON by `hands.schema.json`, a table, or meshes with skeletons; Python writes the same. */
  async write(hands: readonly Hand[], format: "json" | "csv", about: About): Promise<string>;
  async write(hands: readonly Hand[], format: "glb", about: About): Promise<Uint8Array>;
  async write(hands: readonly Hand[], format: "json" | "csv" | "glb", about: About): Promise<string | Uint8Array> {
    return this.ask({ ask: "write", format, hands: [...hands], about });
  }

  /** A frame's line of `hands.jsonl`. */
  async line(hands: readonly Hand[], frame: number, time: number): Promise<string> {
    return this.ask({ ask: "line", hands: [...hands], frame, time });
  }

  /** End the worker; what it had not answered yet fails. */
  close(): void {
    this.worker.terminate();
    this.fail("the model was closed");
  }

  /** @internal */
  handsOf({ hands, width, height, notes, took, running }: Found, name: string | null = null): Hands {
    this.runsOn(running);
    return Object.assign(Hands.of_picture(hands, width, height, name), { notes, took });
  }

  /** @internal */
  runsOn({ device, note }: Running): void {
    this.device = device;
    this.deviceNote = note;
  }

  /** @internal */
  async ask<Result>(question: Asked, transfer: Transferable[] = [], onProgress?: OnProgress): Promise<Result> {
    const id = this.asked++;
    return new Promise<Result>((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, onProgress });
      this.worker.postMessage({ ...question, id }, transfer);
    });
  }

  private receive(told: Answer): void {
    const waiting = this.waiting.get(told.id);
    if (!waiting) return;
    if ("progress" in told) {
      waiting.onProgress?.(...told.progress);
      return;
    }
    this.waiting.delete(told.id);
    if ("problem" in told) waiting.reject(told.expected ? new HandscopeError(told.problem) : new Error(told.problem));
    else waiting.resolve(told.result as never);
  }

  private fail(reason: string): void {
    for (const { reject } of this.waiting.values()) reject(new HandscopeError(reason));
    this.waiting.clear();
  }
}

/** Hands over time: give it frames in order, each with its time in seconds. */
export class VideoTracker {
  /** @internal */
  constructor(
    private readonly model: Model,
    private readonly number: number,
    private readonly config: Partial<TrackingConfig>,
  ) {}

  /** The hands of a frame, smoothed, each with its `track`. */
  async track(source: Source, time: number, K?: Matrix3 | number): Promise<Hands> {
    const pixels = await pixelsOf(source);
    const camera = K === undefined ? {} : { K };
    const { number: tracker, config } = this;
    const question = { ask: "track", tracker, pixels, time, config, ...camera } as const;
    return this.model.handsOf(await this.model.ask<Found>(question, transferable(pixels)));
  }

  async release(): Promise<void> {
    await this.model.ask({ ask: "release", tracker: this.number });
  }
}

/** Fetch the networks, once for this browser, and open them. */
export async function load(options: LoadOptions = {}): Promise<Model> {
  if (typeof WebAssembly === "undefined") {
    throw new HandscopeError("this browser has no WebAssembly, or it is switched off: Handscope cannot run in it");
  }
  const base = new URL(options.base ?? ".", import.meta.url);
  const model = new Model(new Worker(new URL("worker.js", base), { type: "module" }));
  const { minScore, device, onProgress } = options;
  const { version, running } = await model.ask<Loaded>(
    { ask: "load", base: new URL("models/", base).href, minScore, device },
    [],
    onProgress,
  );
  model.version = version;
  model.runsOn(running);
  return model;
}

/** The px of a picture, upright, in the colours that its file has. */
async function pixelsOf(source: Source): Promise<Pixels> {
  if (source instanceof ImageData) return source;
  try {
    return await createImageBitmap(source, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch {
    const name = source instanceof File ? source.name : "this";
    throw new HandscopeError(`${name} is no picture that this browser can read; try a JPEG, PNG or WebP`);
  }
}

function transferable(pixels: Pixels): Transferable[] {
  return pixels instanceof ImageData ? [] : [pixels];
}
