/**
 * Frames of a video file or a webcam, one after the other, as fast as they are asked for; those between are left out.
 */

export interface Shot {
  canvas: OffscreenCanvas;
  /** Seconds. */
  time: number;
}

/** Why a camera cannot be used, in one sentence. */
export function cameraProblem(problem: unknown): string {
  const name = problem instanceof DOMException ? problem.name : "";
  if (name === "NotAllowedError") {
    return "The camera was refused: allow it for this page in the browser's settings, or open a picture.";
  }
  if (name === "NotFoundError" || name === "OverconstrainedError") {
    return "No camera was found: connect one, or open a picture or a video.";
  }
  if (name === "NotReadableError") return "The camera is used by another program: close that one, or open a picture.";
  return "This browser gives the camera only to pages opened by https or from localhost; open a picture instead.";
}

/** Open a webcam in `video`; the function that comes back lets it go. */
export async function openCamera(video: HTMLVideoElement): Promise<() => void> {
  if (!("mediaDevices" in navigator)) throw new DOMException("no media devices", "SecurityError");
  const wanted = { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" };
  const stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
  video.srcObject = stream;
  await video.play();
  return () => {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  };
}

/** Open a video's file in `video`; the function that comes back lets it go. */
export async function openVideo(video: HTMLVideoElement, file: File): Promise<() => void> {
  const url = URL.createObjectURL(file);
  const close = (): void => {
    video.removeAttribute("src");
    video.load();
    URL.revokeObjectURL(url);
  };
  video.src = url;
  try {
    await video.play();
    if (!video.videoWidth) throw new Error("no pictures");
  } catch {
    close();
    throw new Error(`${file.name} is no video that this browser can play; try MP4 (H.264) or WebM.`);
  }
  return close;
}

/** The newest frame whenever one is asked for, until the video ends or `signal` says so. */
export async function* shots(video: HTMLVideoElement, live: boolean, signal: AbortSignal): AsyncGenerator<Shot> {
  let coming = newFrame(video, signal);
  while (!signal.aborted) {
    const time = await coming;
    if (time === undefined) return;
    const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
    canvas.getContext("2d")!.drawImage(video, 0, 0);
    // a camera's next frame comes while this one is read; a file's is taken as it is shown, so that its time is right
    if (live) coming = newFrame(video, signal);
    yield { canvas, time: live ? performance.now() / 1000 : time };
    if (!live) coming = newFrame(video, signal);
  }
}

/** The time of the next frame that is shown; undefined once there is none. */
async function newFrame(video: HTMLVideoElement, signal: AbortSignal): Promise<number | undefined> {
  return new Promise((resolve) => {
    const end = (): void => resolve(undefined);
    if (video.ended || signal.aborted) {
      end();
      return;
    }
    video.addEventListener("ended", end, { once: true });
    signal.addEventListener("abort", end, { once: true });
    const told = (time: number): void => {
      video.removeEventListener("ended", end);
      signal.removeEventListener("abort", end);
      resolve(time);
    };
    if ("requestVideoFrameCallback" in video) video.requestVideoFrameCallback((_, { mediaTime }) => told(mediaTime));
    else requestAnimationFrame(() => told((video as HTMLVideoElement).currentTime));
  });
}
