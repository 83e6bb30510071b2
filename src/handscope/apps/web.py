"""`handscope web`: a page on this machine to drop pictures and videos on, with overlay, mask, mesh to turn, joints and
files.

Gradio serves its scripts itself; fonts are the system's, its telemetry is off, and the browser is told by a content
security policy to talk to nobody else. Pictures are kept until the page's next ones push them out, or it ends.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import tempfile
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from handscope.apps.access import Access, Guard, add_allow_host
from handscope.apps.analyse import write_results
from handscope.apps.options import add_compute
from handscope.apps.recording import Recording
from handscope.apps.serve import check_free
from handscope.apps.slow_clients import SteadyBodies, http_protocol
from handscope.apps.static_page import EXAMPLE_NAMES, EXAMPLES, write_page
from handscope.apps.video import Interrupt, run
from handscope.errors import HandscopeError, missing_extra
from handscope.hand.conventions import CONVENTIONS
from handscope.infer.cameras import CameraLike, parse_camera
from handscope.infer.decoding import Picture
from handscope.infer.decoding_pool import DecodingPool
from handscope.infer.detector import sizes_for
from handscope.infer.formats.meshes import labels
from handscope.infer.inputs import prepare
from handscope.infer.limits import DecodingLimits
from handscope.infer.outputs import FORMATS, LEGIBLE_PX, video_formats
from handscope.infer.pipeline import Pipeline
from handscope.infer.results import Hands
from handscope.infer.video import VideoFrame, VideoReader
from handscope.paths import as_path
from handscope.skeleton import JOINT_NAMES
from handscope.types import JointConvention
from handscope.viz import draw

if TYPE_CHECKING:
    import gradio
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

ALL = "all hands"
COLUMNS = ("hand", "joint", "x px", "y px", "score", "X mm", "Y mm", "Z mm")
TALL = 400
PAPER = (0.96, 0.96, 0.97, 1.0)
GRADIO_FOLDER = "GRADIO_TEMP_DIR"
"""The environment's variable that Gradio reads when it is imported."""
WAITING = 64
"""Pictures that wait for their turn; more are told to come again."""
LARGEST_UPLOAD = "200mb"
"""Of a video; pictures have a limit of their own."""
KEPT = 32
"""Answers whose files are kept for download."""
LIMITS = DecodingLimits(max_pixels=40_000_000, max_bytes=20 * 2**20, seconds=5, memory=2**30)
"""Of the process that decodes pictures."""
POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; connect-src 'self' data: blob:; form-action 'self'"
)
"""What the page may load and where it may write to: this machine."""
STYLE = """
.gradio-container { max-width: 1240px !important; width: 100% !important; margin: auto; }
#title h1 { margin: 0.4em 0 0; } #title p { margin: 0; opacity: 0.75; }
"""


def main(arguments: Sequence[str]) -> int:
    """Serve the page until Ctrl-C or SIGTERM."""
    options = parser().parse_args(arguments)
    if options.static is not None:
        return write_static(options)
    with uploads_that_vanish():
        require_gradio()
        from handscope.infer.pipeline import load

        access = Access(options.host, options.allow_host)
        model = load(
            options.weights,
            options.hand_model,
            options.threads,
            joint_convention=options.joint_convention,
            device=options.compute,
        )
        check_free(options.host, options.port, "web")
        launch(model, access, host=options.host, port=options.port, open_browser=options.open)
    return 0


def write_static(options: argparse.Namespace) -> int:
    """Write the page that needs no server part, and tell how to look at it."""
    if options.hand_model is not None or options.joint_convention is not None:
        raise HandscopeError("--static: the page in the browser knows the shipped hand model and joints alone")
    folder = as_path(options.static)
    written = write_page(folder, options.weights)
    print(
        f"{folder}: {written.files} files, {written.bytes / 1e6:.1f} MB; a visitor's browser fetches "
        f"{(written.networks + written.page) / 1e6:.1f} MB of them once, {written.networks / 1e6:.1f} MB of it networks"
    )
    print(f"to look at it here: python3 -m http.server --bind 127.0.0.1 --directory {shlex.quote(str(folder))}")
    return 0


@contextmanager
def uploads_that_vanish() -> Iterator[None]:
    """A folder for what Gradio keeps, pictures included, that is gone when the page ends, by SIGTERM too. To be entered
    before Gradio is imported.
    """
    place = os.environ.get(GRADIO_FOLDER)
    former = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory(prefix="handscope-", dir=place, ignore_cleanup_errors=True) as folder:
            os.environ[GRADIO_FOLDER] = folder
            yield
    finally:
        signal.signal(signal.SIGTERM, former)
        os.environ.pop(GRADIO_FOLDER) if place is None else os.environ.update({GRADIO_FOLDER: place})


def parser() -> argparse.ArgumentParser:
    """The options of `handscope web`."""
    result = argparse.ArgumentParser(
        prog="handscope web", description="A page for pictures and webcam; Ctrl-C ends it."
    )
    add = result.add_argument
    add("--host", default="127.0.0.1", help="address to listen at (default: this machine only)")
    add("--port", type=int, default=7860)
    add_allow_host(result)
    add("--open", action="store_true", help="open it in the browser")
    add("--static", metavar="DIR", help="write a page that runs in browsers alone to DIR, for any host, and end")
    add("--weights", metavar="DIR", help="folder with estimator.onnx and the like")
    add("--hand-model", metavar="FILE", help="MANO_RIGHT.pkl: tell hands in MANO's vertices and parameters")
    add("--joint-convention", metavar="NAME", help="whose joints the page tells first (default: anatomical)")
    add("--threads", type=int, metavar="N", help="CPU threads of a network (default: 1)")
    add_compute(result)
    return result


def require_gradio() -> None:
    """Import Gradio with its telemetry off, or say what to install."""
    for name, value in (("GRADIO_ANALYTICS_ENABLED", "False"), ("HF_HUB_OFFLINE", "1"), ("GRADIO_SSR_MODE", "False")):
        os.environ[name] = value
    try:
        import gradio  # noqa: F401
    except ModuleNotFoundError as error:
        raise HandscopeError(missing_extra("`handscope web`", error.name, "web")) from error


def launch(
    model: Pipeline, access: Access, *, host: str, port: int, open_browser: bool = False, wait: bool = True
) -> gradio.Blocks:
    """Serve the page to whom `access` lets in; returns at once if not to `wait`."""
    import uvicorn.protocols.http.auto
    from gradio.themes import Soft
    from starlette.middleware import Middleware

    uvicorn.protocols.http.auto.AutoHTTPProtocol = http_protocol()  # Gradio leaves us no other say in it
    page = build(model).queue(max_size=WAITING)
    theme = Soft(primary_hue="orange", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
    page.launch(
        server_name=host,
        server_port=port,
        inbrowser=open_browser,
        prevent_thread_lock=not wait,
        quiet=not wait,
        share=False,
        show_error=True,
        theme=theme,
        css=STYLE,
        footer_links=[],
        max_file_size=LARGEST_UPLOAD,
        enable_monitoring=False,
        app_kwargs={
            "middleware": [Middleware(OwnMachineOnly), Middleware(Guard, access=access), Middleware(SteadyBodies)]
        },
    )
    return page


class OwnMachineOnly:
    """ASGI middleware: every answer carries the policy that keeps the browser from talking to others."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""

        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(b"content-security-policy", POLICY.encode()), (b"referrer-policy", b"no-referrer")]
                message = {**message, "headers": [*message.get("headers", []), *added]}
            await send(message)

        await self.app(scope, receive, with_policy)


class Desk:
    """Does the page's work: reads pictures and hands, writes the files; one picture at a time."""

    def __init__(self, model: Pipeline) -> None:
        self._model = model
        self._decoders = DecodingPool(1, LIMITS)
        self._lock = Lock()
        self._root = Path(tempfile.mkdtemp(prefix="handscope-"))
        self._folders: deque[Path] = deque()
        weakref.finalize(self, shutil.rmtree, self._root, ignore_errors=True)

    def conventions(self) -> tuple[JointConvention, ...]:
        """Whose joints the page can tell, the model's first; only those with a MANO file."""
        own = self._model.joint_convention
        return (own,) if own == "mano" else (own, *(name for name in CONVENTIONS if name not in (own, "mano")))

    def find(
        self,
        path: str,
        K: CameraLike,
        joint_convention: str | None = None,
        *,
        min_score: float | None = None,
        tiles: int = 1,
    ) -> tuple[Picture, Hands]:
        """The picture of a file and its hands."""
        picture = self._decoders.decode(Path(path).read_bytes(), Path(path).name).result()
        given = prepare(picture, K)
        with self._lock:
            (hands,) = self._looking(min_score, tiles).answer([given])
        return picture, hands if joint_convention is None else hands.in_convention(joint_convention)

    def _looking(self, min_score: float | None, tiles: int) -> Pipeline:
        """The model with another least score, or with more looks at large pictures."""
        models = self._model.models
        if min_score is None and tiles == 1:
            return self._model
        least = models.min_score if min_score is None else min_score
        detector = replace(
            models.detector,
            threshold=min(models.detector.threshold, least),
            sizes=sizes_for(tiles) if tiles > 1 else models.detector.sizes,
        )
        return Pipeline(replace(models, min_score=least, detector=detector))

    def film(
        self, path: str, K: CameraLike, told: Callable[[int, int | None], object] = lambda done, total: None
    ) -> tuple[str, list[str], str]:
        """A video's overlay, all its files, and a line on it; `told` how many frames of how many are done."""
        rows = [row for row in video_formats() if row.name != "parquet" or find_spec("pyarrow") is not None]
        folder = self._new_folder()
        with VideoReader(path, threads=1) as reader, self._lock:
            done = 0

            def count(frame: VideoFrame) -> None:
                nonlocal done
                done += 1
                told(done, reader.count or None)

            frames = self._model.video(reader, K=K)
            first = next(frames)  # a video without frames leaves no files
            seen = run(
                chain([first], frames),
                Recording(folder, rows, rate=reader.rate),
                Interrupt(),
                on_frame=count,
                lost=reader.lost,
            )
        tracks = [f"{sides.most_common(1)[0][0]} hand in {sum(sides.values())} frames" for sides in seen.sides.values()]
        said = f"{done} frames; {', '.join(tracks) or 'no hand found'}"
        files = sorted(str(file) for file in folder.iterdir())
        return str(folder / "overlay.mp4"), files, said

    def write(self, picture: Picture, hands: Hands) -> list[str]:
        """Every kind of file, in a folder that lives until `KEPT` newer ones have come."""
        folder = self._new_folder()
        mano = self._model.joint_convention == "mano"
        rows = [row for row in FORMATS.values() if row.of_pictures and row.is_installed and (mano or not row.of_mano)]
        write_results(picture, hands, rows, folder)
        return sorted(str(path) for path in folder.iterdir())

    def _new_folder(self) -> Path:
        folder = Path(tempfile.mkdtemp(dir=self._root))
        self._folders.append(folder)
        while len(self._folders) > KEPT:
            shutil.rmtree(self._folders.popleft(), ignore_errors=True)
        return folder


def chosen(hands: Hands, which: str) -> Hands:
    """All hands, or the one of that label."""
    return hands.subset(number for number, label in enumerate(labels(hands)) if which in (ALL, label))


def mask_of(hands: Hands) -> NDArray[np.uint8]:
    """Where the hands are: 255, elsewhere 0; (H, W)."""
    union = np.zeros((hands.height, hands.width), np.bool_)
    for hand in hands:
        union |= hand.mask
    return union.astype(np.uint8) * 255


def rows(hands: Hands, which: str) -> list[list[str | float]]:
    """The table of joints: pixels, and millimetres in the camera frame."""
    table: list[list[str | float]] = []
    for hand, label in zip(hands, labels(hands), strict=True):
        if which in (ALL, label):
            for joint, name in enumerate(JOINT_NAMES):
                pixels = [round(float(value), 1) for value in hand.joints_2d[joint]]
                metric = [round(float(value) * 1000, 1) for value in hand.joints_3d[joint]]
                table.append([label, name, *pixels, round(float(hand.joint_scores[joint]), 2), *metric])
    return table


def summary(hands: Hands) -> str:
    """One line on what was found."""
    if not hands:
        return "No hand found. Hands of a twelfth of the picture or less, in gloves or drawn are often missed."
    told = [
        f"**{label}** hand, score {hand.score:.2f}, {hand.T[2]:.2f} m away"
        for hand, label in zip(hands, labels(hands), strict=True)
    ]
    return "; ".join(told) + "".join(f"  \n{note}" for note in hands.notes)


def uploaded(payload: Any) -> str | None:
    """The file of a picture that came, unopened: `Image.preprocess` would open it and say what Pillow says of it."""
    return None if payload is None else payload.path


def refusal(error: HandscopeError, path: str) -> Exception:
    """What the page shows instead of an answer: our sentence, without the folder of uploads."""
    import gradio as gr

    return gr.Error(str(error).replace(str(Path(path).parent) + os.sep, ""), title="This does not work")


def build(model: Pipeline) -> gradio.Blocks:
    """The page."""
    import gradio as gr

    desk = Desk(model)

    def camera_of(focal: float | None, K: str | None) -> CameraLike:
        camera = parse_camera(K) if K and K.strip() else None
        return camera or (focal if focal and focal > 0 else None)

    def film(path: str | None, focal: float | None, K: str | None, progress=gr.Progress()) -> list[Any]:  # noqa: B008
        if path is None:
            return [None, [], ""]
        try:
            overlay, files, said = desk.film(
                path, camera_of(focal, K), lambda done, total: progress((done, total), unit="frames")
            )
        except HandscopeError as error:
            raise refusal(error, path) from error
        return [overlay, files, said]

    def find(
        path: str | None, focal: float | None, K: str | None, whose: str, min_score: float, tiles: int
    ) -> list[Any]:
        if path is None:
            return [None, None, None, [], [], "", gr.Radio(choices=[ALL], value=ALL), None]
        try:
            picture, hands = desk.find(path, camera_of(focal, K), whose, min_score=float(min_score), tiles=int(tiles))
        except HandscopeError as error:
            raise refusal(error, path) from error
        files = desk.write(picture, hands)
        overlay = draw(picture.image, hands, min_side=LEGIBLE_PX)
        scene = next((file for file in files if hands and file.endswith("hands.glb")), None)
        choices = gr.Radio(choices=[ALL, *labels(hands)], value=ALL)
        return [overlay, mask_of(hands), scene, rows(hands, ALL), files, summary(hands), choices, (hands, files)]

    def show(which: str, known: tuple[Hands, list[str]] | None) -> list[Any]:
        if known is None:
            return [None, None, []]
        hands, files = known
        number = labels(hands).index(which) if which in labels(hands) else None
        name = "hands.glb" if number is None else f"hand-{number}.glb"
        scene = next((file for file in files if Path(file).name == name and Path(file).exists()), None)
        return [mask_of(chosen(hands, which)), scene, rows(hands, which)]

    with gr.Blocks(title="Handscope", analytics_enabled=False, delete_cache=(3600, 3600)) as page:
        gr.Markdown("# Handscope\nWhat a picture says about hands. Nothing leaves this machine.", elem_id="title")
        known = gr.State(None)
        with gr.Row():
            with gr.Column(scale=5):
                image = gr.Image(
                    label="Picture",
                    type="filepath",
                    image_mode=None,
                    sources=["upload", "webcam", "clipboard"],
                    webcam_options=gr.WebcamOptions(mirror=False),  # a mirrored left hand would be a right one
                    height=TALL,
                    elem_id="picture",
                )
                # of this one alone: Gradio writes a stub beside the source of every class derived from its own
                image.preprocess = uploaded
                button = gr.Button("Find hands", variant="primary", elem_id="find")
                gr.Examples([str(EXAMPLES / name) for name in EXAMPLE_NAMES], [image], label="Photographs to try")
            with gr.Column(scale=6):
                overlay = gr.Image(
                    label="Overlay",
                    format="png",
                    height=TALL,
                    interactive=False,
                    buttons=["download", "fullscreen"],
                    elem_id="overlay",
                )
                said = gr.Markdown(elem_id="said")
        with gr.Row():
            with gr.Column(scale=5):
                # not in a tab: Gradio's Model3D stays empty if its value comes while its tab is hidden
                scene = gr.Model3D(label="Mesh: drag to turn", height=TALL, clear_color=PAPER, elem_id="mesh")
                which = gr.Radio([ALL], value=ALL, label="Show in mask, mesh and table", elem_id="which")
                with gr.Accordion("What you know of the camera", open=False):
                    focal = gr.Number(label="focal length, px (empty: 1.2 long sides)", value=None, minimum=0)
                    K = gr.Textbox(label="or its intrinsics, FX,FY,CX,CY or FX,FY,CX,CY@WxH, px; or exif")
                with gr.Accordion("How to look", open=False):
                    least = gr.Slider(
                        0.1, 0.95, value=model.models.min_score, step=0.05, label="least score", elem_id="least"
                    )
                    tiles = gr.Slider(
                        1, 4, value=1, step=1, label="tiles: also search at so many times the size (small hands)"
                    )
                whose = gr.Dropdown(
                    list(desk.conventions()), value=desk.conventions()[0], label="Whose joints", elem_id="whose"
                )
            with gr.Column(scale=6), gr.Tabs():
                with gr.Tab("Joints"):
                    table = gr.Dataframe(
                        headers=list(COLUMNS),
                        show_label=False,
                        interactive=False,
                        max_height=TALL,
                        elem_id="joints",
                    )
                with gr.Tab("Mask"):
                    mask = gr.Image(
                        label="Mask",
                        format="png",
                        height=TALL,
                        interactive=False,
                        buttons=["download", "fullscreen"],
                        elem_id="mask",
                    )
                with gr.Tab("Files"):
                    files = gr.Files(show_label=False, interactive=False, elem_id="files")
        with gr.Accordion("A video", open=False, elem_id="video"), gr.Row():
            with gr.Column(scale=5):
                clip = gr.File(label="Video", file_types=["video"], type="filepath", elem_id="clip")
                watch = gr.Button("Follow hands", variant="primary", elem_id="watch")
                told = gr.Markdown(elem_id="told")
            with gr.Column(scale=6):
                played = gr.Video(label="Overlay", interactive=False, elem_id="played")
                clip_files = gr.Files(show_label=False, interactive=False, elem_id="clip-files")
        watch.click(film, [clip, focal, K], [played, clip_files, told], concurrency_limit=1, api_visibility="private")
        outputs = [overlay, mask, scene, table, files, said, which, known]
        gr.on(
            [image.change, button.click, whose.input, least.release, tiles.release],
            find,
            [image, focal, K, whose, least, tiles],
            outputs,
            concurrency_limit=1,
            api_visibility="private",
        )
        which.input(show, [which, known], [mask, scene, table], api_visibility="private")
    return page
