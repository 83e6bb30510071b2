/**
 * The shipped networks: fetched and held against their SHA-256; mirrors `handscope.infer.weights`.
 *
 * A folder of models holds `models.json`, which `handscope web --static` writes: of every file its name, size and
 * SHA-256 (of what it holds unpacked), and what is read of the networks' cards.
 */
import { HandscopeError } from "../errors";
import { unpacked } from "../hand/npz";

export const NAMES = ["estimator", "aligner", "detector", "presence", "context"] as const;
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

/** Of networks, hand model, and ONNX Runtime's builds for WebAssembly and for WebGPU. */
export type FileName = NetworkName | "hand" | "runtime" | "runtime_webgpu";
export type Files = Record<FileName, Uint8Array>;

export interface Manifest {
  version: string;
  files: Record<FileName, FileEntry>;
  cards: Record<NetworkName, Card>;
}

/** Told while files come: how many bytes of how many are there. */
export type OnProgress = (done: number, total: number) => void;

/** Where a browser keeps the files between visits; undefined where it keeps none. */
const KEPT = "handscope-models";

/** The files of a manifest: each is fetched once and kept until another one takes its place. */
export class Shelf {
  private done = 0;
  private total = 0;

  constructor(
    private readonly base: URL,
    private readonly manifest: Manifest,
    private readonly onProgress: OnProgress = () => undefined,
  ) {}

  /** Those that are named, unpacked and checked. */
  async read(names: readonly FileName[]): Promise<Files> {
    const entries = names.map((name) => [name, this.manifest.files[name]] as const);
    this.total += entries.reduce((sum, [, entry]) => sum + entry.bytes, 0);
    const tell = (bytes: number): void => {
      this.done += bytes;
      this.onProgress(Math.min(this.done, this.total), this.total);
    };
    const read = entries.map(async ([name, entry]) => {
      return [name, await fetchKept(new URL(entry.path, this.base), entry, tell)] as const;
    });
    return Object.fromEntries(await Promise.all(read)) as Files;
  }
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
