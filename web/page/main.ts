/** The page: pictures, videos and a webcam in; overlay, mesh, table and files out. */
import { HandscopeError, load, type Hands, type Model, type WantedDevice } from "handscope";
import { create, part } from "./elements";
import { cameraProblem, openCamera, openVideo, shots } from "./frames";
import { drawHands, type Layer } from "./overlay";
import { MeshView } from "./scene";
import { summary, tableOf } from "./table";

const canvas = part("picture", HTMLCanvasElement);
const drop = part("drop", HTMLDivElement);
const video = part("video", HTMLVideoElement);
const file = part("file", HTMLInputElement);
const camera = part("camera", HTMLButtonElement);
const stop = part("stop", HTMLButtonElement);
const status = part("status", HTMLParagraphElement);
const problem = part("problem", HTMLParagraphElement);
const progress = part("progress", HTMLProgressElement);
const tables = part("tables", HTMLDivElement);
const boxes = [...document.querySelectorAll<HTMLInputElement>("#layers input")];
const saves = [...document.querySelectorAll<HTMLButtonElement>("[data-format]")];

const meshView = MeshView.on(part("mesh", HTMLCanvasElement));
if (!meshView) {
  part("mesh", HTMLCanvasElement).hidden = true;
  part("mesh-title", HTMLHeadingElement).textContent = "Mesh: this browser has no WebGL; the GLB can be kept.";
}

/** Frames whose lines are kept for a file: the last ones. */
const MOST_LINES = 10_000;

/** What is shown: a picture, the hands in it, the lines of a video's frames. */
let shown: { picture: CanvasImageSource; hands: Hands; name: string } | undefined;
let lines: string[] = [];
let running: AbortController | undefined;
/** How often something was opened: answers to what was opened before are left out. */
let turn = 0;

const model: Promise<Model> = open();

async function open(): Promise<Model> {
  const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
  try {
    const opened = await load({
      device: wantedDevice(),
      onProgress: (done, total) => {
        progress.value = done / total;
        say(`Fetching its networks, once: ${megabytes(done)} of ${megabytes(total)} MB.`);
        if (done >= total) say("Opening its networks.");
      },
    });
    progress.hidden = true;
    tellDevice(opened);
    document.body.dataset["ready"] = "true";
    if (!shown) say("Ready: open a picture or a video, or start the webcam.");
    return opened;
  } catch (reason) {
    progress.hidden = true;
    say("");
    complain(reason);
    throw reason;
  }
}
model.catch(() => undefined); // it was told

/** As the page's address says (`?device=wasm`), or what suits the browser. */
function wantedDevice(): WantedDevice {
  const asked = new URL(location.href).searchParams.get("device");
  return asked === "wasm" || asked === "webgpu" ? asked : "auto";
}

/** In the footer: which Handscope it is, where its networks run, and why if that is a surprise. */
function tellDevice({ version, device, deviceNote }: Model): void {
  const place = device === "webgpu" ? "WebGPU" : "WebAssembly";
  const told = deviceNote ? ` ${sentence(deviceNote)}` : "";
  part("version", HTMLSpanElement).textContent = `Handscope ${version} on ${place}.${told}`;
}

function say(text: string): void {
  status.textContent = text;
}

function complain(reason: unknown): void {
  const known = reason instanceof HandscopeError || reason instanceof Error;
  problem.textContent = known ? sentence(reason.message) : "Something went wrong; reload the page.";
  problem.hidden = false;
}

/** With a capital, unless a file's name begins it, and a full stop. */
function sentence(text: string): string {
  const named = /^\S*\.\S/.test(text);
  return (named ? text.charAt(0) : text.charAt(0).toUpperCase()) + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

function layers(): Set<Layer> {
  return new Set(boxes.filter((box) => box.checked).map((box) => box.value as Layer));
}

function paint(): void {
  if (!shown) return;
  const { picture, hands } = shown;
  canvas.width = hands.width;
  canvas.height = hands.height;
  const context = canvas.getContext("2d")!;
  context.drawImage(picture, 0, 0);
  drawHands(context, hands, layers());
  canvas.hidden = false;
  part("empty", HTMLDivElement).hidden = true;
  drop.classList.add("shown");
}

/** Show hands; of a running video the table follows only now and then. */
function show(
  picture: CanvasImageSource,
  hands: Hands,
  name: string,
  options: { anew: boolean; table: boolean },
): void {
  shown = { picture, hands, name };
  paint();
  meshView?.show(hands, options.anew);
  if (options.table) tables.replaceChildren(tableOf(hands));
  for (const button of saves) {
    if (button.dataset["format"] === "jsonl") button.hidden = button.disabled = !lines.length;
    else button.disabled = false;
  }
}

async function openFile(picked: File): Promise<void> {
  const own = begin();
  if (picked.type.startsWith("video/")) {
    await follow(own, picked.name, () => openVideo(video, picked), false);
    return;
  }
  try {
    const opened = await model;
    say(`Looking for hands in ${picked.name}.`);
    const hands = await opened.detect(picked, { name: picked.name });
    const bitmap = await createImageBitmap(picked, { colorSpaceConversion: "none" });
    tellDevice(opened);
    if (own !== turn) return;
    show(bitmap, hands, picked.name, { anew: true, table: true });
    say(`${sentence(summary(hands))} ${(hands.took / 1000).toFixed(2)} s.`);
  } catch (reason) {
    if (own !== turn) return;
    say("");
    complain(reason);
  }
}

/** End what runs; what comes next is told by its number. */
function begin(): number {
  running?.abort();
  problem.hidden = true;
  lines = [];
  return ++turn;
}

async function follow(own: number, name: string, source: () => Promise<() => void>, live: boolean): Promise<void> {
  const control = new AbortController();
  running = control;
  stop.hidden = false;
  let close: (() => void) | undefined;
  try {
    const opened = await model;
    if (control.signal.aborted) return;
    close = await source();
    await trackFrames(opened, name, live, control.signal);
  } catch (reason) {
    if (own === turn) {
      say("");
      complain(live && !(reason instanceof HandscopeError) ? new Error(cameraProblem(reason)) : reason);
    }
  } finally {
    close?.();
    if (own === turn) {
      stop.hidden = true;
      if (shown && !live) tables.replaceChildren(tableOf(shown.hands));
    }
  }
}

async function trackFrames(opened: Model, name: string, live: boolean, signal: AbortSignal): Promise<void> {
  const tracker = opened.tracker();
  const begun = performance.now();
  let [frames, told] = [0, 0];
  for await (const { canvas: shot, time } of shots(video, live, signal)) {
    const hands = await tracker.track(await createImageBitmap(shot), time);
    if (signal.aborted) break;
    lines.push(await opened.line(hands, frames, time));
    if (lines.length > MOST_LINES) lines.shift();
    frames++;
    const now = performance.now();
    const table = now - told > 500;
    if (table) {
      told = now;
      tellDevice(opened);
    }
    show(shot, hands, name, { anew: frames === 1, table });
    const rate = (frames * 1000) / (now - begun);
    if (table)
      say(
        `${frames} frames, ${rate.toFixed(1)} a second. ${sentence(hands.length ? summary(hands) : "no hand in sight")}`,
      );
    document.body.dataset["frames"] = String(frames);
  }
  await tracker.release();
  if (!signal.aborted) say(`${frames} frames of ${name} were read; the files hold what was found.`);
}

async function save(format: string): Promise<void> {
  if (!shown) return;
  const { hands, name } = shown;
  const opened = await model;
  const about = { width: hands.width, height: hands.height, source: hands.source, notes: hands.notes };
  const stem = name.replace(/\.[^.]*$/, "");
  if (format === "jsonl") keep(`${stem}-hands.jsonl`, lines.join(""), "application/x-ndjson");
  else if (format === "glb") keep(`${stem}-hands.glb`, await opened.write(hands, "glb", about), "model/gltf-binary");
  else if (format === "csv") keep(`${stem}-hands.csv`, await opened.write(hands, "csv", about), "text/csv");
  else keep(`${stem}-result.json`, await opened.write(hands, "json", about), "application/json");
}

function keep(name: string, content: string | Uint8Array, type: string): void {
  const url = URL.createObjectURL(new Blob([content as BlobPart], { type }));
  const link = Object.assign(create("a", ""), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

file.addEventListener("change", () => {
  const picked = file.files?.[0];
  if (picked) void openFile(picked);
  file.value = "";
});
camera.addEventListener("click", () => {
  void follow(begin(), "webcam", () => openCamera(video), true);
});
stop.addEventListener("click", () => {
  running?.abort();
  camera.focus();
});
for (const box of boxes) box.addEventListener("change", paint);
for (const button of saves) {
  button.addEventListener("click", () => {
    save(button.dataset["format"]!).catch(complain);
  });
}
for (const button of document.querySelectorAll<HTMLButtonElement>("[data-example]")) {
  button.addEventListener("click", () => {
    const name = button.dataset["example"]!;
    fetch(`examples/${name}`)
      .then((answer) => answer.blob())
      .then((content) => openFile(new File([content], name, { type: "image/jpeg" })))
      .catch(complain);
  });
}
for (const kind of ["dragover", "dragleave", "drop"] as const) {
  addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", kind === "dragover");
    const dropped = kind === "drop" ? event.dataTransfer?.files[0] : undefined;
    if (dropped) void openFile(dropped);
  });
}
addEventListener("paste", (event) => {
  const pasted = event.clipboardData?.files[0];
  if (pasted) void openFile(pasted);
});

if ("serviceWorker" in navigator) {
  navigator.serviceWorker.register("service-worker.js").catch(() => undefined); // it works online
}
