/**
 * `node tests/measure.mjs URL REPEATS CAMERA PICTURE...`: hands and times of pictures under URL/pictures/, what a first
 * visit fetches, and frames a second of a webcam that plays the file CAMERA, as JSON for benchmarks/browser.py.
 */
import { chromium } from "playwright-core";

const [url, repeats, camera, ...pictures] = process.argv.slice(2);
const FRAMES = 60;

const browser = await chromium.launch({
  executablePath: process.env.HANDSCOPE_CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    `--use-file-for-fake-video-capture=${camera}`,
  ],
});
const page = await browser.newPage();
const fetched = { bytes: 0, requests: 0 };
page.context().on("response", async (response) => {
  fetched.requests++;
  fetched.bytes += Number(response.headers()["content-length"] ?? 0);
});
const begin = Date.now();
await page.goto(url);
await page.waitForSelector("body[data-ready]", { timeout: 120_000 });
const visit = { ...fetched, seconds: (Date.now() - begin) / 1000 };

const found = await page.evaluate(
  async ([names, count]) => {
    const { load } = await import("./handscope.js");
    const model = await load();
    const told = {};
    for (const name of names) {
      const content = await (await fetch(`pictures/${name}`)).blob();
      const times = [];
      let hands;
      for (let i = 0; i < count; i++) {
        hands = await model.detect(content);
        times.push(hands.took);
      }
      const each = [...hands].map(({ handedness, joints_2d, joints_3d }) => ({ handedness, joints_2d, joints_3d }));
      told[name] = { hands: each, ms: Math.min(...times) };
    }
    model.close();
    return told;
  },
  [pictures, Number(repeats)],
);

await page.click("#camera");
const frames = () => page.evaluate(() => Number(document.body.dataset.frames ?? 0));
const reach = (count) =>
  page.waitForFunction((most) => Number(document.body.dataset.frames ?? 0) >= most, count, { timeout: 300_000 });
await reach(10); // the networks have warmed up
const [from, start] = [await frames(), Date.now()];
await reach(10 + FRAMES);
const seconds = (Date.now() - start) / 1000;
const video = { frames: (await frames()) - from, seconds, rate: ((await frames()) - from) / seconds };
await browser.close();
process.stdout.write(JSON.stringify({ visit, pictures: found, video }));
