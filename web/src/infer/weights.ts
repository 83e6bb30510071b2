/**
 * The shipped networks: fetched, held against their SHA-256, opened by ONNX Runtime; mirrors `handscope.infer.weights`.
 *
 * A folder of models holds `models.json`, which `handscope web --static` writes: of every file its name, size and
 * SHA-256 (of what it holds unpacked), and what is read of the networks' cards.
 */
import * as ort from "onnxruntime-web/wasm";
import { HandscopeError } from "../errors";
import { unpacked } from "../hand/npz";

export const NAMES = ["estimator", "aligner", "detector", "presence"] as const;
export type NetworkName = (typeof NAMES)[number];

/** What is read of a network's card. */
export interface Card {
  version?: string;
  threshold?: number;
  calibration?: Record<string, number>;
  crop?: Record<string, number>;
}

export interface FileEntry {
  path: string;
  /** Bytes to fetch. */
  bytes: number;
  sha256: string;
}

export interface Manifest {
  version: string;
  files: Record<NetworkName | "hand" | "runtime", FileEntry>;
  cards: Record<NetworkName, Card>;
}

/** Told while files come: how many bytes of how many are there. */
export type OnProgress = (done: number, total: number) => void;

export type Outputs = Record<string, Float32Array>;

/** An ONNX Runtime session with the card of its file. */
export class Network {
  constructor(
    private readonly session: ort.InferenceSession,
    readonly card: Card,
  ) {}

  /** Side in px of the square pictures that the network takes. */
  get inputSize(): number {
    const told = this.session.inputMetadata[0];
    const side = told?.isTensor ? told.shape[1] : undefined;
    if (typeof side !== "number") throw new HandscopeError("the network does not say how large its pictures are");
    return side;
  }

  /** Every output by its name, for `count` pictures of RGB one after the other. */
  async run(pictures: Uint8Array, count: number, height: number, width: number): Promise<Outputs> {
    const tensor = new ort.Tensor("uint8", pictures, [count, height, width, 3]);
    const found = await this.session.run({ [this.session.inputNames[0]!]: tensor });
    return Object.fromEntries(Object.entries(found).map(([name, value]) => [name, value.data as Float32Array]));
  }
}

/** Prepare ONNX Runtime: one thread, its code from `wasm`, nothing fetched. */
export function useRuntime(wasm: Uint8Array): void {
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.proxy = false;
  ort.env.wasm.wasmBinary = wasm.slice().buffer;
  ort.env.logLevel = "error";
}

/** Open a network's file. */
export async function openNetwork(file: Uint8Array, card: Card): Promise<Network> {
  const session = await ort.InferenceSession.create(file, { executionProviders: ["wasm"], logSeverityLevel: 3 });
  return new Network(session, card);
}

/** Where a browser keeps the files between visits; undefined where it keeps none. */
const KEPT = "handscope-models";

/** The files of a manifest, unpacked and checked; each is fetched once and kept until another one takes its place. */
export async function fetchFiles(
  base: URL,
  manifest: Manifest,
  onProgress: OnProgress = () => undefined,
): Promise<Record<keyof Manifest["files"], Uint8Array>> {
  const entries = Object.entries(manifest.files) as [keyof Manifest["files"], FileEntry][];
  const total = entries.reduce((sum, [, entry]) => sum + entry.bytes, 0);
  let done = 0;
  const read = entries.map(async ([name, entry]) => {
    const tell = (bytes: number): void => {
      done += bytes;
      onProgress(Math.min(done, total), total);
    };
    return [name, await fetchKept(new URL(entry.path, base), entry, tell)] as const;
  });
  return Object.fromEntries(await Promise.all(read)) as Record<keyof Manifest["files"], Uint8Array>;
}

/** A file, from where the browser keeps it or from the host. */
async function fetchKept(url: URL, entry: FileEntry, tell: (bytes: number) => void): Promise<Uint8Array> {
  const store = await globalThis.caches?.open(KEPT).catch(() => undefined);
  const key = new URL(`${url.href}?${entry.sha256}`);
  const kept = await store?.match(key);
  if (kept) {
    const content = new Uint8Array(await kept.arrayBuffer());
    tell(entry.bytes);
    const file = await unzipped(content);
    if ((await sha256(file)) === entry.sha256) return file;
  }
  const content = await fetchBytes(url, tell);
  const file = await unzipped(content);
  const found = await sha256(file);
  if (found !== entry.sha256) {
    throw new HandscopeError(
      `${entry.path}: sha256 ${found.slice(0, 12)}, expected ${entry.sha256.slice(0, 12)}; the file is damaged: ` +
        `reload the page, or copy its files again`,
    );
  }
  if (store) await keep(store, key, content);
  return file;
}

/** Keep a file in the place of its older editions; a full disk is no reason to stop. */
async function keep(store: Cache, key: URL, content: Uint8Array): Promise<void> {
  try {
    for (const old of await store.keys()) if (new URL(old.url).pathname === key.pathname) await store.delete(old);
    await store.put(key, new Response(content as BodyInit));
  } catch {
    await store.delete(key);
  }
}

/** The manifest of a folder of models. */
export async function fetchManifest(base: URL): Promise<Manifest> {
  const file = await fetchBytes(new URL("models.json", base), () => undefined);
  return JSON.parse(new TextDecoder().decode(file)) as Manifest;
}

async function fetchBytes(url: URL, told: (bytes: number) => void): Promise<Uint8Array> {
  let answer: Response;
  try {
    answer = await fetch(url);
  } catch {
    throw new HandscopeError(`${url.pathname} could not be fetched; is there a connection to ${url.host}?`);
  }
  if (!answer.ok || !answer.body) {
    throw new HandscopeError(`${url.pathname} is not there (status ${answer.status}); copy the page's files again`);
  }
  const parts: Uint8Array[] = [];
  const reader = answer.body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    told(part.value.length);
  }
  const content = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (content.set(part, at), at + part.length), 0);
  return content;
}

/** What a gzip file holds; some hosts unpack it themselves, and then it is left as it is. */
async function unzipped(content: Uint8Array): Promise<Uint8Array> {
  return content[0] === 0x1f && content[1] === 0x8b ? unpacked(content, "gzip") : content;
}

async function sha256(file: Uint8Array): Promise<string> {
  if (!globalThis.crypto?.subtle) {
    throw new HandscopeError("this page must be opened by https, or from localhost: its files cannot be checked here");
  }
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", file as BufferSource));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
