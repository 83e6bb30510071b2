/** The page in Chromium: what it finds, writes, keeps and says, and that it asks nobody else. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Box } from "../src/index";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { golden } from "./goldens";
import { apart, type Told } from "./parity";
import { hasChromium, openBrowser, openSite, ready, visit, type Site, type Visit } from "./site";

const SAMPLES = fileURLToPath(new URL("../../samples/", import.meta.url));
const PARITY = ["typing.jpg", "thinking.jpg", "rendered/pinch.jpg", "rendered/two-hands.jpg"];

/** Open a file and wait for what the page says of it. */
async function look(page: Page, file: string): Promise<string> {
  await page.setInputFiles("#file", file);
  return said(page, /(away|missed)\. [\d.]+ s\./);
}

async function said(page: Page, words: RegExp): Promise<string> {
  const match = (source: string): boolean => new RegExp(source).test(document.querySelector("#status")!.textContent!);
  await page.waitForFunction(match, words.source, { timeout: 120_000 });
  return (await page.textContent("#status"))!;
}

async function kept(page: Page, format: string): Promise<Buffer> {
  const [download] = await Promise.all([page.waitForEvent("download"), page.click(`[data-format=${format}]`)]);
  return readFileSync(await download.path());
}

describe.skipIf(!hasChromium)("the page", () => {
  let site: Site;
  let browser: Browser;
  let first: Visit;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "handscope-page-test-"));
    // a webcam that shows one picture: Chromium plays JPEGs one after the other
    const picture = readFileSync(join(SAMPLES, "rendered/open-hand.jpg"));
    const film = join(folder, "camera.mjpeg");
    writeFileSync(film, Buffer.concat(Array.from({ length: 8 }, () => picture)));
    site = await openSite();
    browser = await openBrowser(film);
    first = await visit(browser, site.url);
    await ready(first.page);
  });

  afterAll(async () => {
    await browser?.close();
    site?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("fetches networks of 25 MB at most, all from its own host, and no WebGPU that is not there", async () => {
    const { files } = JSON.parse(readFileSync(join(site.folder, "models/models.json"), "utf8"));
    const networks = ["estimator", "aligner", "detector", "presence", "context"].map(
      (name) => files[name].bytes as number,
    );
    expect(networks.reduce((sum, bytes) => sum + bytes)).toBeLessThanOrEqual(25e6);
    expect(site.served()).toBeLessThan(30e6);
    expect(site.asked()).toContain("/models/runtime.wasm.gz");
    expect(site.asked()).not.toContain("/models/runtime-webgpu.wasm.gz");
    expect(await first.page.textContent("#version")).toMatch(/ on WebAssembly\.$/);
    expect(first.elsewhere).toEqual([]);
  });

  test.each(PARITY)("finds in %s what Python finds, each joint within 0.1 px and 0.1 mm", async (name) => {
    await look(first.page, join(SAMPLES, name));
    const { hands } = JSON.parse((await kept(first.page, "json")).toString()) as { hands: Told[] };
    const found = apart(hands, golden("samples")[name]);
    expect(found, "other hands than Python's").toBeDefined();
    expect(found!.worstPx).toBeLessThan(0.1);
    expect(found!.worstMm).toBeLessThan(0.1);
  });

  test("writes JSON, CSV and GLB of what it shows", async () => {
    const json = JSON.parse((await kept(first.page, "json")).toString());
    expect([json.format, json.schema_version, json.image.source]).toEqual(["handscope", 1, "two-hands.jpg"]);
    const rows = (await kept(first.page, "csv")).toString().trim().split("\n");
    expect(rows).toHaveLength(1 + 21 * json.hands.length);
    const glb = await kept(first.page, "glb");
    expect([glb.readUInt32LE(0), glb.readUInt32LE(8)]).toEqual([0x46546c67, glb.length]);
    expect(await first.page.locator("#tables tbody tr").count()).toBe(21 * json.hands.length);
  });

  test("is a library too: Python's fields, of whatever a canvas draws, boxes and cameras as given", async () => {
    const { picture, K, boxes, hands } = golden("given");
    const content = readFileSync(join(SAMPLES, picture)).toString("base64");
    // in words, since vitest would take the import for its own
    const library = await first.page.evaluateHandle<typeof import("../src/index")>("import('./handscope.js')");
    const found = await first.page.evaluate(
      async ({ library: { load }, data, focal, given }) => {
        const model = await load();
        const image = new Image();
        image.src = `data:image/jpeg;base64,${data}`;
        await image.decode();
        const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
        const context = canvas.getContext("2d")!;
        context.drawImage(image, 0, 0);
        const sources = [image, canvas, context.getImageData(0, 0, canvas.width, canvas.height)];
        const each = [];
        for (const source of sources) each.push(await model.detect(source, { K: focal, boxes: given }));
        const [hand] = each[0]!;
        const problem = await model
          .detect(canvas, { K: -1 })
          .catch((reason: Error) => `${reason.name}: ${reason.message}`);
        model.close();
        return {
          fields: Object.keys(hand!),
          area: hand!.mask.data.reduce((sum, value) => sum + value, 0),
          size: [hand!.mask.width, hand!.mask.height],
          vertices: hand!.vertices.length,
          K: hand!.K,
          all: each.map((found) => [...found].map(({ mask: _, ...told }) => told)),
          problem,
        };
      },
      { library, data: content, focal: K as number, given: boxes as Box[] },
    );
    const names = "handedness score box joints_2d joint_scores joints_3d vertices faces theta beta R T K".split(" ");
    expect(found.fields).toEqual(expect.arrayContaining(names));
    expect(found.K[0][0]).toBe(K);
    expect(found.size).toEqual([780, 520]);
    expect(found.area).toBeGreaterThan(1000);
    expect(found.vertices).toBe(3 * 1609);
    for (const each of found.all) {
      const off = apart(each, hands);
      expect([off?.worstPx, off?.worstMm].every((most) => most !== undefined && most < 0.1)).toBe(true);
    }
    expect(found.problem).toMatch(/^HandscopeError: K must be .+ got -1$/);
  });

  test("follows a webcam's hand, each frame a line", async () => {
    await first.page.click("#camera");
    await first.page.waitForFunction(() => Number(document.body.dataset["frames"]) >= 5, null, { timeout: 120_000 });
    expect(await said(first.page, /frames, [\d.]+ a second\. \w+ hand/)).toMatch(/(Left|Right) hand/);
    await first.page.click("#stop");
    await first.page.waitForSelector("#stop", { state: "hidden" });
    const lines = (await kept(first.page, "jsonl")).toString().trim().split("\n");
    const frames = lines.map((line) => JSON.parse(line) as { frame: number; time: number; hands: { track: number }[] });
    expect(frames.map((frame) => frame.frame)).toEqual(frames.map((_, i) => i));
    expect(new Set(frames.flatMap((frame) => frame.hands.map((hand) => hand.track)))).toEqual(new Set([0]));
  });

  test("follows the hands of a video's file to its end", async () => {
    await first.page.setInputFiles("#file", join(SAMPLES, "clips/thanks.mkv"));
    expect(await said(first.page, /frames of thanks\.mkv were read/)).toMatch(/^\d+ frames/);
    const lines = (await kept(first.page, "jsonl")).toString().trim().split("\n");
    expect(lines.some((line) => line.includes('"handedness"'))).toBe(true);
  });

  test("says in one sentence what it cannot read", async () => {
    const { page } = first;
    const text = join(folder, "letter.jpg");
    writeFileSync(text, "no picture");
    await page.setInputFiles("#file", text);
    await page.waitForSelector("#problem:not([hidden])");
    expect(await page.textContent("#problem")).toMatch(/^letter\.jpg is no picture that this browser can read; .+\.$/);
    const film = join(folder, "film.mp4");
    writeFileSync(film, "no film");
    await page.setInputFiles("#file", film);
    await page.waitForFunction(() => document.querySelector("#problem")!.textContent!.startsWith("film.mp4"));
    expect(await page.textContent("#problem")).toMatch(/is no video that this browser can play; .+\.$/);
  });

  test("is worked by keyboard", async () => {
    const { page } = first;
    await page.focus("body");
    await page.keyboard.press("Tab");
    const reached: string[] = [];
    for (let i = 0; i < 20; i++) {
      reached.push(
        await page.evaluate(() => document.activeElement!.id || document.activeElement!.textContent!.trim()),
      );
      await page.keyboard.press("Tab");
    }
    expect(reached).toEqual(expect.arrayContaining(["file", "camera", "JSON", "CSV", "GLB", "mesh", "tables"]));
    await page.focus("#mesh");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("+");
  });

  test("works without a connection after the first visit", async () => {
    const { page } = first;
    await page.evaluate(() => navigator.serviceWorker.ready);
    const before = site.served();
    site.answers(false);
    await page.reload();
    await ready(page);
    expect(await look(page, join(SAMPLES, "thinking.jpg"))).toMatch(/hand, score/);
    expect(site.served()).toBe(before);
    site.answers(true);
  });

  test("asked nobody else for anything, and the console is quiet", () => {
    expect(first.elsewhere).toEqual([]);
    const policy = first.complaints.filter((complaint) => /Content.Security.Policy/i.test(complaint));
    expect(policy).toEqual([]);
  });

  test("may ask nobody else, even if a script wanted to", async () => {
    const refused = await first.page.evaluate(async () => {
      const violations: string[] = [];
      document.addEventListener("securitypolicyviolation", (event) => violations.push(event.effectiveDirective));
      await fetch("http://127.0.0.1:9/elsewhere").catch(() => undefined);
      document.body.append(Object.assign(new Image(), { src: "http://127.0.0.1:9/elsewhere.png" }));
      await new Promise((resolve) => setTimeout(resolve, 300));
      return violations.sort();
    });
    expect(refused).toEqual(["connect-src", "img-src"]);
  });

  test("has room on a phone, in dark and light", async () => {
    for (const colorScheme of ["dark", "light"] as const) {
      const options = { viewport: { width: 360, height: 740 }, colorScheme, deviceScaleFactor: 1, hasTouch: true };
      const { page, context } = await visit(browser, site.url, options);
      const [wide, colour] = await page.evaluate(() => [
        document.documentElement.scrollWidth,
        getComputedStyle(document.body).backgroundColor,
      ]);
      expect(wide).toBe(360);
      expect(colour).toBe(colorScheme === "dark" ? "rgb(23, 24, 27)" : "rgb(251, 250, 248)");
      await context.close();
    }
  });

  test("says that a file is damaged, that there is no WebAssembly, no camera", async () => {
    const context = await browser.newContext();
    const damaged = await context.newPage();
    await damaged.route("**/hand_right.npz", (route) => route.fulfill({ body: "damaged" }));
    await damaged.goto(site.url);
    await damaged.waitForSelector("#problem:not([hidden])");
    expect(await damaged.textContent("#problem")).toMatch(/^hand_right\.npz: sha256 .+ the file is damaged: .+\.$/);

    const old = await context.newPage();
    await old.addInitScript(() => {
      Reflect.deleteProperty(globalThis, "WebAssembly");
    });
    await old.goto(site.url);
    await old.waitForSelector("#problem:not([hidden])");
    expect(await old.textContent("#problem")).toMatch(/has no WebAssembly/);
    await context.close();

    const { page } = first;
    await page.evaluate(() => {
      navigator.mediaDevices.getUserMedia = async () => {
        throw new DOMException("none", "NotFoundError");
      };
    });
    await page.click("#camera");
    await page.waitForFunction(() =>
      document.querySelector("#problem")!.textContent!.startsWith("No camera was found"),
    );
  });
});
