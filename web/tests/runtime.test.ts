/** Which device is chosen, which files it asks for, and what happens when WebGPU fails: with doubles of all of them. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Runtime, type WantedDevice } from "../src/infer/runtime";
import type { Files, Shelf } from "../src/infer/weights";

/** ONNX Runtime's builds: each says on which device a session ran, and the one for WebGPU may fail. */
const broken = vi.hoisted(() => ({ opening: "", running: "", values: 1, never: false }));
function build(device: string): object {
  const run = async (): Promise<unknown> => {
    if (device === "webgpu" && broken.never) await new Promise(() => undefined);
    if (device === "webgpu" && broken.running) throw new Error(broken.running);
    return { where: { data: Float32Array.of(device === "webgpu" ? broken.values : -1) } };
  };
  const create = async (): Promise<unknown> => {
    if (device === "webgpu" && broken.opening) throw new Error(broken.opening);
    return { run, inputNames: ["image"], inputMetadata: [{ isTensor: true, shape: ["n", 8, 8, 3] }] };
  };
  return { env: { wasm: {} }, InferenceSession: { create }, Tensor: Array };
}
vi.mock("onnxruntime-web/wasm", () => build("wasm"));
vi.mock("onnxruntime-web/jspi", () => build("webgpu"));

const CARD = { info: { isFallbackAdapter: false } };
const SOFTWARE = { info: { isFallbackAdapter: true } };
const [WASM, WEBGPU] = ["runtime", "runtime_webgpu"];

/** Open on a browser with this adapter (undefined: it has no WebGPU), and say which builds were fetched. */
async function open(
  adapter: object | null | undefined,
  wanted: WantedDevice,
): Promise<{ runtime: Runtime; builds: string[] }> {
  vi.stubGlobal("navigator", adapter === undefined ? {} : { gpu: { requestAdapter: async () => adapter } });
  const builds: string[] = [];
  const read = async (names: readonly string[]): Promise<Files> => {
    builds.push(...names.filter((name) => name.startsWith("runtime")));
    return Object.fromEntries(names.map((name) => [name, new Uint8Array()])) as Files;
  };
  return { runtime: await Runtime.open({ read } as unknown as Shelf, wanted), builds };
}

const answer = async (runtime: Runtime): Promise<number> => {
  return (await runtime.run("presence", new Uint8Array(192), [1, 8, 8, 3]))["where"]![0]!;
};

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
  Object.assign(broken, { opening: "", running: "", values: 1, never: false });
});

beforeEach(() => {
  vi.stubGlobal("WebAssembly", { Suspending: Object });
});

test("a graphics card is used, and the plain build is not fetched", async () => {
  const { runtime, builds } = await open(CARD, "auto");
  expect([runtime.running, builds]).toEqual([{ device: "webgpu", note: "" }, [WEBGPU]]);
  expect(await answer(runtime)).toBe(1);
});

test.each([
  ["auto", undefined, ""],
  ["auto", null, ""],
  ["auto", SOFTWARE, ""],
  ["wasm", CARD, ""],
  ["webgpu", undefined, "this browser has no WebGPU: the networks run on WebAssembly"],
  ["webgpu", null, "this browser finds no graphics card for WebGPU: the networks run on WebAssembly"],
] as const)("%s with %j runs on WebAssembly and fetches nothing else", async (wanted, adapter, note) => {
  const { runtime, builds } = await open(adapter, wanted);
  expect([runtime.running, builds]).toEqual([{ device: "wasm", note }, [WASM]]);
  expect(await answer(runtime)).toBe(-1);
});

test("a browser without JSPI runs on WebAssembly", async () => {
  vi.stubGlobal("WebAssembly", {});
  const { runtime, builds } = await open(CARD, "webgpu");
  const note = "this browser lacks JSPI, which WebGPU needs here: the networks run on WebAssembly";
  expect([runtime.running, builds]).toEqual([{ device: "wasm", note }, [WASM]]);
});

test("a software adapter is used by who asks for WebGPU", async () => {
  expect((await open(SOFTWARE, "webgpu")).runtime.running).toEqual({ device: "webgpu", note: "" });
});

test.each([
  [{ opening: "no such operator\nat 0x1" }, "no such operator"],
  [{ running: "too many buffers" }, "too many buffers"],
  [{ values: Number.NaN }, "estimator: its where are no numbers"],
])("what fails at the beginning runs on WebAssembly: %j", async (failure, said) => {
  Object.assign(broken, failure);
  const { runtime, builds } = await open(CARD, "auto");
  const note = `WebGPU failed (${said}): the networks run on WebAssembly`;
  expect([runtime.running, builds]).toEqual([{ device: "wasm", note }, [WEBGPU, WASM]]);
  expect(await answer(runtime)).toBe(-1);
});

test("a card that never gets ready is not waited for", async () => {
  vi.useFakeTimers();
  broken.never = true;
  const opening = open(CARD, "auto");
  await vi.advanceTimersByTimeAsync(60_000);
  const { runtime, builds } = await opening;
  const note = "WebGPU failed (it was not ready in 60 s): the networks run on WebAssembly";
  expect([runtime.running, builds]).toEqual([{ device: "wasm", note }, [WEBGPU, WASM]]);
});

test("what fails later goes on with WebAssembly", async () => {
  const { runtime, builds } = await open(CARD, "auto");
  broken.running = "the device was lost";
  expect(await answer(runtime)).toBe(-1);
  expect(runtime.running).toEqual({
    device: "wasm",
    note: "WebGPU failed (the device was lost): the networks run on WebAssembly",
  });
  expect([await answer(runtime), builds]).toEqual([-1, [WEBGPU, WASM]]);
});
