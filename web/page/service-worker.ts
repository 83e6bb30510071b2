/** The page without a connection: what it consists of is kept, and used where the host does not answer. */
const worker = self as unknown as ServiceWorkerGlobalScope;

const KEPT = "handscope-page";
/** All but the networks and what runs them, which the library keeps by itself. */
const PARTS = [
  "./",
  "page.css",
  "page.js",
  "handscope.js",
  "worker.js",
  "icon.svg",
  "manifest.webmanifest",
  "licences.txt",
  "models/models.json",
  "examples/typing.jpg",
  "examples/thinking.jpg",
  "examples/writing.jpg",
];

worker.addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(KEPT)
      .then((store) => store.addAll(PARTS))
      .then(() => worker.skipWaiting()),
  );
});

worker.addEventListener("activate", (event) => {
  event.waitUntil(worker.clients.claim());
});

worker.addEventListener("fetch", (event) => {
  const { origin, pathname } = new URL(event.request.url);
  const url = origin + pathname;
  const inScope = url.startsWith(worker.registration.scope);
  const name = url.slice(worker.registration.scope.length).replace(/^$|^index\.html$/, "./");
  if (event.request.method === "GET" && inScope && PARTS.includes(name)) event.respondWith(newest(event.request, name));
});

/** From the host, or as it was at the last visit. */
async function newest(request: Request, name: string): Promise<Response> {
  const store = await caches.open(KEPT);
  try {
    const answer = await fetch(request);
    if (answer.ok) await store.put(name, answer.clone());
    return answer;
  } catch (problem) {
    const kept = await store.match(name);
    if (kept) return kept;
    throw problem;
  }
}
