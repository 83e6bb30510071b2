/** WebGPU on Chromium's software adapter: what it answers, and what happens when the graphics process dies. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Browser, JSHandle, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Device, Model } from "../src/index";
import { apart, type Told } from "./parity";
import { hasChromium, openBrowserWithGpu, openSite, visit, type Site } from "./site";

const PICTURE = fileURLToPath(new URL("../../samples/rendered/pinch.jpg", import.meta.url));
/** Px that it is shown wide: so small that the detector looks once, since this adapter is slow. */
const WIDTH = 280;
const SECOND_BUILD = "/models/runtime-webgpu.wasm.gz";

interface Answer {
  hands: Told[];
  device: Device;
  note: string;
}

describe.skipIf(!hasChromium)("WebGPU", () => {
  let site: Site;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    site = await openSite();
    browser = await openBrowserWithGpu();
    ({ page } = await visit(browser, `${site.url}icon.svg`));
  });

  afterAll(async () => {
    await browser?.close();
    site?.close();
  });

  async function loadOn(device: Device): Promise<JSHandle<Model>> {
    // in words, since vitest would take the import for its own
    const library = await page.evaluateHandle<typeof import("../src/index")>("import('./handscope.js')");
    return page.evaluateHandle(async ({ library, device }) => library.load({ device }), { library, device });
  }

  /** Paths of what the browser keeps for visits without a connection. */
  async function kept(): Promise<string[]> {
    return page.evaluate(async () => {
      const requests = await (await caches.open("handscope-models")).keys();
      return requests.map(({ url }) => new URL(url).pathname);
    });
  }

  async function look(model: JSHandle<Model>): Promise<Answer> {
    const data = readFileSync(PICTURE).toString("base64");
    return page.evaluate(
      async ({ model, data, width }) => {
        const image = new Image();
        image.src = `data:image/jpeg;base64,${data}`;
        await image.decode();
        const height = Math.round((image.naturalHeight * width) / image.naturalWidth);
        const canvas = new OffscreenCanvas(width, height);
        canvas.getContext("2d")!.drawImage(image, 0, 0, width, height);
        const found = await model.detect(canvas);
        const hands = [...found].map(({ handedness, score, joints_2d, joints_3d }) => {
          return { handedness, score, joints_2d, joints_3d };
        });
        return { hands, device: model.device, note: model.deviceNote };
      },
      { model, data, width: WIDTH },
    );
  }

  test(
    "answers what WebAssembly answers, and goes on with it when the graphics process dies",
    { timeout: 300_000 },
    async (context) => {
      const adapter = await page.evaluate(async () => Boolean(await navigator.gpu?.requestAdapter()));
      context.skip(!adapter, "Chromium gives no software adapter for WebGPU: it is not compared with WebAssembly");
      const plain = await look(await loadOn("wasm"));
      expect([plain.device, plain.note, plain.hands.length]).toEqual(["wasm", "", 1]);
      expect(site.asked()).not.toContain(SECOND_BUILD);

      const model = await loadOn("webgpu");
      const found = await look(model);
      expect([found.device, found.note]).toEqual(["webgpu", ""]);
      expect(site.asked()).toContain(SECOND_BUILD);
      expect(await kept()).toContain(SECOND_BUILD);
      const off = apart(found.hands, plain.hands)!;
      expect(off.worstPx).toBeLessThan(0.5);
      expect(off.worstMm).toBeLessThan(0.5);

      const session = await browser.newBrowserCDPSession();
      const { processInfo } = await session.send("SystemInfo.getProcessInfo");
      process.kill(processInfo.find(({ type }) => type === "GPU")!.id, "SIGKILL");
      const later = await look(model);
      expect(later.device).toBe("wasm");
      expect(later.note).toMatch(/^WebGPU failed \(.+\): the networks run on WebAssembly$/);
      expect(apart(later.hands, plain.hands)!.worstPx).toBe(0);
    },
  );
});
