/**
 * Where the networks run: on ONNX Runtime's plain WebAssembly, or on WebGPU where the browser has it, which takes a
 * build of its own. What WebGPU cannot do, at the beginning or later, WebAssembly does.
 */
import type { InferenceSession } from "onnxruntime-web/wasm";
import { HandscopeError } from "../errors";
import { NAMES, type Card, type Files, type NetworkName, type Shelf } from "./weights";

export type Device = "wasm" | "webgpu";

/** "auto" is WebGPU where there is a graphics card for it, else WebAssembly. */
export type WantedDevice = "auto" | Device;

/** Each device's build of ONNX Runtime, by its name in the manifest. */
const BUILDS = { wasm: "runtime", webgpu: "runtime_webgpu" } as const;

/** Where networks run, and why not on WebGPU although it was asked for or there. */
export interface Running {
  device: Device;
  note: string;
}

export type Outputs = Record<string, Float32Array>;

interface Opened {
  ort: typeof import("onnxruntime-web/wasm");
  sessions: Record<NetworkName, InferenceSession>;
}

/** Side in px of the picture by which a network is tried that takes any. */
const TRIAL_PX = 64;
/** A graphics card that takes longer to be ready is not waited for, unless WebGPU was asked for. */
const PATIENCE_S = 60;

/** The networks, opened on a device. */
export class Runtime {
  private constructor(
    private readonly shelf: Shelf,
    private opened: Opened,
    readonly running: Running,
  ) {}

  /** Open the networks on the wanted device, or on WebAssembly where that cannot be. */
  static async open(shelf: Shelf, wanted: WantedDevice = "auto"): Promise<Runtime> {
    const reason = wanted === "wasm" ? "" : await whyNoWebGpu(wanted === "webgpu");
    let note = wanted === "webgpu" ? reason : "";
    if (wanted !== "wasm" && !reason) {
      try {
        const files = await shelf.read([...NAMES, BUILDS.webgpu]);
        const opened = await patient(openAll(files, "webgpu"), wanted === "auto" ? PATIENCE_S : Infinity);
        return new Runtime(shelf, opened, { device: "webgpu", note });
      } catch (problem) {
        note = failed(problem);
      }
    }
    return new Runtime(shelf, await openOnWasm(shelf), { device: "wasm", note });
  }

  /** Side in px of the square pictures that a network takes. */
  inputSize(name: NetworkName): number {
    const side = sideOf(this.opened.sessions[name]);
    if (side === undefined) throw new HandscopeError("the network does not say how large its pictures are");
    return side;
  }

  /** A network's outputs by their names, for RGB levels of `shape` (pictures, height, width, 3). */
  async run(name: NetworkName, levels: Uint8Array, shape: readonly number[]): Promise<Outputs> {
    try {
      return await runOnce(this.opened, name, levels, shape);
    } catch (problem) {
      if (this.running.device === "wasm") throw problem;
      this.opened = await openOnWasm(this.shelf);
      Object.assign(this.running, { device: "wasm", note: failed(problem) } satisfies Running);
      return runOnce(this.opened, name, levels, shape);
    }
  }
}

/** A network of a runtime, with the card of its file. */
export class Network {
  constructor(
    private readonly runtime: Runtime,
    private readonly name: NetworkName,
    readonly card: Card,
  ) {}

  /** Side in px of the square pictures that the network takes. */
  get inputSize(): number {
    return this.runtime.inputSize(this.name);
  }

  /** Every output by its name, for `count` pictures of RGB one after the other. */
  async run(pictures: Uint8Array, count: number, height: number, width: number): Promise<Outputs> {
    return this.runtime.run(this.name, pictures, [count, height, width, 3]);
  }
}

/** Why the networks cannot run on WebGPU, empty if they can; an adapter of `software` counts where it is asked for. */
async function whyNoWebGpu(software: boolean): Promise<string> {
  if (!globalThis.navigator?.gpu) return "this browser has no WebGPU: the networks run on WebAssembly";
  if (!("Suspending" in WebAssembly)) {
    return "this browser lacks JSPI, which WebGPU needs here: the networks run on WebAssembly";
  }
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  if (adapter && (software || !adapter.info.isFallbackAdapter)) return "";
  return "this browser finds no graphics card for WebGPU: the networks run on WebAssembly";
}

async function openOnWasm(shelf: Shelf): Promise<Opened> {
  return openAll(await shelf.read([...NAMES, BUILDS.wasm]), "wasm");
}

/** What comes of `promise`, or an error after so many seconds. */
async function patient<Result>(promise: Promise<Result>, seconds: number): Promise<Result> {
  if (seconds === Infinity) return promise;
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it was not ready in ${seconds} s`)), seconds * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function failed(problem: unknown): string {
  const said = problem instanceof Error ? problem.message : String(problem);
  return `WebGPU failed (${said.split("\n")[0]!.slice(0, 200)}): the networks run on WebAssembly`;
}

/** The networks on one device; on WebGPU each is tried once, which also prepares its programs. */
async function openAll(files: Files, device: Device): Promise<Opened> {
  const ort = device === "webgpu" ? await import("onnxruntime-web/jspi") : await import("onnxruntime-web/wasm");
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.proxy = false;
  ort.env.wasm.wasmBinary = files[BUILDS[device]].slice().buffer;
  ort.env.logLevel = "error";
  const sessions = {} as Opened["sessions"];
  for (const name of NAMES) {
    sessions[name] = await ort.InferenceSession.create(files[name], {
      executionProviders: [device],
      logSeverityLevel: 3,
    });
  }
  const opened = { ort, sessions };
  if (device === "webgpu") for (const name of NAMES) await tryOut(opened, name);
  return opened;
}

async function tryOut(opened: Opened, name: NetworkName): Promise<void> {
  const side = sideOf(opened.sessions[name]) ?? TRIAL_PX;
  const out = await runOnce(opened, name, new Uint8Array(side * side * 3), [1, side, side, 3]);
  const odd = Object.entries(out).find(([, values]) => !values.every(Number.isFinite));
  if (odd) throw new Error(`${name}: its ${odd[0]} are no numbers`);
}

function sideOf(session: InferenceSession): number | undefined {
  const told = session.inputMetadata[0];
  const side = told?.isTensor ? told.shape[1] : undefined;
  return typeof side === "number" ? side : undefined;
}

async function runOnce(
  { ort, sessions }: Opened,
  name: NetworkName,
  levels: Uint8Array,
  shape: readonly number[],
): Promise<Outputs> {
  const session = sessions[name];
  const found = await session.run({ [session.inputNames[0]!]: new ort.Tensor("uint8", levels, shape) });
  return Object.fromEntries(Object.entries(found).map(([output, value]) => [output, value.data as Float32Array]));
}
