/**
 * `node tests/screenshots.mjs URL FOLDER`: the pictures of docs/browser.md: a photograph at a desktop's size, and a
 * webcam that shows another at a phone's.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const [url, folder] = process.argv.slice(2);
const samples = fileURLToPath(new URL("../../samples/", import.meta.url));
const place = mkdtempSync(join(tmpdir(), "handscope-shots-"));
const camera = join(place, "camera.mjpeg");
writeFileSync(camera, readFileSync(join(samples, "typing.jpg")));
const browser = await chromium.launch({
  executablePath: process.env.HANDSCOPE_CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    `--use-file-for-fake-video-capture=${camera}`,
  ],
});

async function open(options) {
  const page = await browser.newPage(options);
  await page.goto(url);
  await page.waitForSelector("body[data-ready]", { timeout: 120_000 });
  return page;
}

const desktop = await open({ viewport: { width: 1280, height: 860 }, colorScheme: "light" });
await desktop.setInputFiles("#file", join(samples, "five-hands.jpg"));
await desktop.waitForSelector("#tables tbody tr", { timeout: 60_000 });
await desktop.waitForTimeout(500);
await desktop.screenshot({ path: join(folder, "browser-desktop.jpg"), type: "jpeg", quality: 85, fullPage: true });

const phone = await open({ viewport: { width: 390, height: 844 }, colorScheme: "dark", hasTouch: true });
await phone.click("#camera");
await phone.waitForFunction(() => Number(document.body.dataset.frames ?? 0) >= 15, null, { timeout: 120_000 });
await phone.waitForSelector("#tables tbody tr", { timeout: 60_000 });
await phone.screenshot({ path: join(folder, "browser-phone.jpg"), type: "jpeg", quality: 85, fullPage: true });
await browser.close();
rmSync(place, { recursive: true });
