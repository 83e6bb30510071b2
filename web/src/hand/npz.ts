/** Reads numpy's archives: the shipped hand model is the very file that the Python package reads. */
import { HandscopeError } from "../errors";

export interface NumpyArray {
  shape: number[];
  data: Float32Array | Float64Array | Int32Array;
}

const KINDS: Record<string, (bytes: ArrayBuffer) => NumpyArray["data"]> = {
  "<f4": (bytes) => new Float32Array(bytes),
  "<f8": (bytes) => new Float64Array(bytes),
  "<i4": (bytes) => new Int32Array(bytes),
};

/** What a stream of bytes is when unpacked. */
export async function unpacked(bytes: Uint8Array, format: CompressionFormat | "deflate-raw"): Promise<Uint8Array> {
  const stream = new Blob([bytes as BlobPart])
    .stream()
    .pipeThrough(new DecompressionStream(format as CompressionFormat));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** The arrays of an .npz file by their names. */
export async function readNpz(file: Uint8Array): Promise<Map<string, NumpyArray>> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const arrays = new Map<string, NumpyArray>();
  let end = file.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end--;
  if (end < 0) throw new HandscopeError("the hand model is not a .npz file; reload the page, or copy its files again");
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left--) {
    const method = view.getUint16(at + 10, true);
    const size = view.getUint32(at + 20, true);
    const [name, extra, comment] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true)) as [
      number,
      number,
      number,
    ];
    const local = view.getUint32(at + 42, true);
    const label = new TextDecoder().decode(file.subarray(at + 46, at + 46 + name));
    const begin = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const stored = file.subarray(begin, begin + size);
    const content = method === 0 ? stored : await unpacked(stored, "deflate-raw");
    arrays.set(label.replace(/\.npy$/, ""), readNpy(content, label));
    at += 46 + name + extra + comment;
  }
  return arrays;
}

function readNpy(content: Uint8Array, name: string): NumpyArray {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const wide = content[6]! > 1;
  const start = wide ? 12 : 10;
  const size = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  const header = new TextDecoder().decode(content.subarray(start, start + size));
  const kind = /'descr': '([^']+)'/.exec(header)?.[1] ?? "";
  const shape = (/'shape': \(([^)]*)\)/.exec(header)?.[1] ?? "")
    .split(",")
    .filter((part) => part.trim())
    .map(Number);
  const read = KINDS[kind];
  if (!read || header.includes("'fortran_order': True")) {
    throw new HandscopeError(`the hand model's ${name} holds ${kind}; expected little-endian numbers, row by row`);
  }
  return { shape, data: read(content.slice(start + size).buffer) };
}
