/** The page as a host serves it, and a browser that looks at it; undefined where one of both is missing. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Python with the package's runtime; `make test` says which. */
const PYTHON = process.env["HANDSCOPE_PYTHON"] ?? "python3";
const CHROMIUM = process.env["HANDSCOPE_CHROMIUM"] ?? "/usr/bin/chromium";
export const hasChromium = existsSync(CHROMIUM);

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".json": "application/json",
  ".webmanifest": "application/manifest+json",
  ".jpg": "image/jpeg",
};

export interface Site {
  url: string;
  folder: string;
  /** Bytes served so far. */
  served: () => number;
  /** Paths asked for so far. */
  asked: () => readonly string[];
  /** Whether it answers at all. */
  answers: (does: boolean) => void;
  close: () => void;
}

/** The page that `handscope web --static` writes, from a host that knows nothing but files. */
export async function openSite(): Promise<Site> {
  const folder = mkdtempSync(join(tmpdir(), "handscope-page-"));
  const environment = { ...process.env, PYTHONPATH: join(root, "src") };
  const command =
    "from handscope.apps.static_page import write_page; import sys, pathlib; write_page(pathlib.Path(sys.argv[1]))";
  const run = spawnSync(PYTHON, ["-c", command, folder], { env: environment, encoding: "utf8" });
  if (run.status !== 0) throw new Error(`${PYTHON} could not write the page: ${run.stderr || String(run.error)}`);
  let [served, answering] = [0, true];
  const asked: string[] = [];
  // the page's own policy, which binds a worker only if it comes with the worker's file
  const policy = /content="(default-src [^"]+)"/.exec(readFileSync(join(folder, "index.html"), "utf8"))![1]!;
  const server: Server = createServer((request, response) => {
    if (!answering) {
      request.destroy();
      return;
    }
    const path = normalize(decodeURIComponent(new URL(request.url!, "http://localhost").pathname));
    asked.push(path);
    const file = join(folder, path.endsWith("/") ? `${path}index.html` : path);
    if (!file.startsWith(folder) || !existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    const content = readFileSync(file);
    served += content.length;
    response.setHeader("content-type", TYPES[extname(file)] ?? "application/octet-stream");
    if (extname(file) === ".js") response.setHeader("content-security-policy", policy);
    response.end(content);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = (): void => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  };
  const { port } = server.address() as AddressInfo;
  const answers = (does: boolean): void => void (answering = does);
  return { url: `http://127.0.0.1:${port}/`, folder, served: () => served, asked: () => asked, answers, close };
}

/** Chromium, with a webcam that shows a video's file if one is given. */
export async function openBrowser(camera?: string): Promise<Browser> {
  const fake = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"];
  return launch(["--disable-gpu", ...(camera ? [...fake, `--use-file-for-fake-video-capture=${camera}`] : [])]);
}

/** Chromium with WebGPU on the processor, by SwiftShader. */
export async function openBrowserWithGpu(): Promise<Browser> {
  return launch(["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]);
}

async function launch(args: string[]): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", ...args] });
}

export interface Visit {
  page: Page;
  context: BrowserContext;
  /** Addresses asked for that are not the page's own. */
  elsewhere: string[];
  /** What the console complained of. */
  complaints: string[];
}

/** A first visit of somebody; what it asks for elsewhere and complains of is noted. */
export async function visit(
  browser: Browser,
  url: string,
  options: Parameters<Browser["newContext"]>[0] = {},
): Promise<Visit> {
  const context = await browser.newContext({ acceptDownloads: true, ...options });
  context.setDefaultTimeout(120_000); // a busy machine is slow, not broken
  const page = await context.newPage();
  const elsewhere: string[] = [];
  const complaints: string[] = [];
  context.on("request", (request) => {
    if (!request.url().startsWith(url) && !/^(blob|data):/.test(request.url())) elsewhere.push(request.url());
  });
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(url);
  return { page, context, elsewhere, complaints };
}

/** Wait until the networks are there. */
export async function ready(page: Page): Promise<void> {
  await page.waitForSelector("body[data-ready]", { timeout: 120_000 });
}
