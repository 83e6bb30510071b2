/**
 * Builds the page and the library: `node scripts/build.mjs FOLDER`, by default where the Python package ships them.
 *
 * What comes out depends on the sources and the lock file alone; `build.json` says from which sources it is, so that
 * tests without node can tell a stale build.
 */
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";

const root = resolve(import.meta.dirname, "..");
const out = resolve(process.argv[2] ?? join(root, "../src/handscope/apps/page"));
const modules = join(root, "node_modules");
/** ONNX Runtime's builds: plain, and of those with WebGPU the smallest, which needs JSPI (src/infer/runtime.ts). */
const RUNTIMES = {
  "runtime.wasm.gz": "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",
  "runtime-webgpu.wasm.gz": "onnxruntime-web/dist/ort-wasm-simd-threaded.jspi.wasm",
};

/** The library stays a file of its own, which other pages may import too. */
const library = {
  name: "library",
  setup(builder) {
    builder.onResolve({ filter: /^handscope$/ }, () => ({ path: "./handscope.js", external: true }));
  },
};

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
await build({
  absWorkingDir: root,
  entryPoints: {
    handscope: "src/index.ts",
    worker: "src/worker.ts",
    page: "page/main.ts",
    "service-worker": "page/service-worker.ts",
  },
  outdir: out,
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "none",
  plugins: [library],
  logLevel: "warning",
});
for (const name of ["index.html", "page.css", "icon.svg", "manifest.webmanifest"]) {
  copyFileSync(join(root, "page", name), join(out, name));
}
for (const [name, built] of Object.entries(RUNTIMES)) {
  writeFileSync(join(out, name), gzipSync(readFileSync(join(modules, built)), { level: 9 }));
}
writeFileSync(join(out, "licences.txt"), licences());
writeFileSync(join(out, "build.json"), `${JSON.stringify({ sources: sourcesHash() }, null, 1)}\n`);

/** The licences of what is built in; ONNX Runtime's, of all its builds, is in no file of its package. */
function licences() {
  const told = { "onnxruntime-web": join(root, "scripts/onnxruntime.licence"), three: join(modules, "three/LICENSE") };
  return Object.entries(told)
    .map(([name, file]) => {
      const { version } = JSON.parse(readFileSync(join(modules, name, "package.json"), "utf8"));
      return `${name} ${version}\n\n${readFileSync(file, "utf8").trim()}\n`;
    })
    .join(`\n${"-".repeat(72)}\n\n`);
}

/** SHA-256 over the sources' names and contents, in order. */
function sourcesHash() {
  const files = ["src", "page", "scripts"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1)),
  );
  const hash = createHash("sha256");
  for (const file of [...files, "package-lock.json"].sort()) {
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update("\0");
  }
  return hash.digest("hex");
}
