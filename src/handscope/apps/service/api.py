"""The service's endpoints: `POST /v1/hands`, `GET /v1/health`, `GET /v1/version`, `GET /metrics`, `GET /openapi.json`;
and `pages` for people, `GET /` and `GET /docs`.

Errors are JSON: {"error": {"code", "message"}}. FastAPI's own page of documentation would load from elsewhere.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import FastAPI, File, Query, Request, Response, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, PlainTextResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from handscope import __version__
from handscope.apps.access import Access, Guard, error_content
from handscope.apps.service.admission import RETRY_AFTER_S, Admission
from handscope.apps.service.batching import Batcher, BusyError
from handscope.apps.service.metrics import Metrics
from handscope.apps.service.pages import POLICY, docs_page, start_page
from handscope.apps.service.work import MasksTooLargeError, Work
from handscope.errors import HandscopeError, ImageError
from handscope.infer import formats
from handscope.infer.cameras import CameraLike, parse_camera
from handscope.infer.decoding import Header, NotAPictureError, TooCostlyError, TooManyPixelsError
from handscope.infer.decoding_pool import DecodingPool, ProcessError
from handscope.infer.limits import DecodingLimits
from handscope.infer.outputs import FORMATS
from handscope.infer.pipeline import Pipeline
from handscope.infer.results import Hands
from handscope.types import JointConvention

HANDS = "/v1/hands"
log = logging.getLogger("uvicorn.error")
SERVED = {
    row.served_as: (row.media_type, row.encode)
    for row in FORMATS.values()
    if row.served_as is not None and row.encode is not None
}
"""Media type and encoder of the formats of answers, by the names that requests call them."""
WITH_MASKS = {"npz"}
"""Of these, those that hold every hand's mask."""
ServedName = Literal["json", "csv", "coco", "glb", "npz"]
"""The keys of `SERVED`, written out for the OpenAPI document."""
MEDIA_TYPES = {
    "JPEG": {"image/jpeg", "image/jpg", "image/pjpeg"},
    "MPO": {"image/jpeg", "image/jpg", "image/mpo"},
    "PNG": {"image/png", "image/x-png", "image/apng"},
    "GIF": {"image/gif"},
    "WEBP": {"image/webp"},
    "BMP": {"image/bmp", "image/x-ms-bmp", "image/x-bmp"},
    "TIFF": {"image/tiff", "image/tif"},
    "PPM": {
        "image/x-portable-pixmap",
        "image/x-portable-graymap",
        "image/x-portable-bitmap",
        "image/x-portable-anymap",
    },
    "AVIF": {"image/avif"},
    "JPEG2000": {"image/jp2", "image/jpx", "image/j2k"},
    "TGA": {"image/x-tga", "image/tga", "image/x-targa"},
    "QOI": {"image/qoi", "image/x-qoi"},
}
UNTOLD = {"", "application/octet-stream", "image/*"}
"""Media types that say nothing of the format."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the service takes: bytes and pixels of a picture, seconds for a request, requests at once, seconds that they
    would have to wait, pictures that go through the networks together; processes that decode, and CPU seconds and
    memory in bytes of each.
    """

    max_bytes: int = 20 * 2**20
    max_pixels: int = 40_000_000
    timeout_s: float = 30.0
    capacity: int = 64
    wait_s: float = 5.0
    batch: int = 8
    decoders: int = 2
    decoding_s: float = 5.0
    decoding_bytes: int = 2**30

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise HandscopeError(f"the service's limit {name} must be positive, got {value}")

    @property
    def decoding(self) -> DecodingLimits:
        """Of the processes that decode."""
        return DecodingLimits(
            max_pixels=self.max_pixels, max_bytes=self.max_bytes, seconds=self.decoding_s, memory=self.decoding_bytes
        )


class RefusedError(Exception):
    """An error with its HTTP status and a code for programs."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def create_app(model: Pipeline, limits: Limits | None = None, access: Access | None = None) -> FastAPI:
    """The ASGI application around a loaded model, which it alone may call; `access` is loopback's if not told."""
    limits = limits or Limits()
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        batcher = Batcher(model.answer, size=limits.batch, max_pixels=limits.max_pixels, told=metrics.count_batch)
        with DecodingPool(limits.decoders, limits.decoding) as decoders:
            await asyncio.to_thread(decoders.start)
            if decoders.unlimited:
                log.warning("decoding: this system has no limit on %s of a process", " and ".join(decoders.unlimited))
            app.state.work = Work(decoders, batcher, limits.max_pixels, limits.wait_s)
            yield
        await asyncio.to_thread(batcher.close)

    app = FastAPI(
        title="Handscope",
        version=__version__,
        description="Hands in pictures: 2D joints, mask, 3D joints, mesh, camera, side and confidence.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.add_middleware(
        Admission,
        path=HANDS,
        capacity=limits.capacity,
        wait_s=limits.wait_s,
        max_bytes=limits.max_bytes,
        timeout_s=limits.timeout_s,
        metrics=metrics,
    )
    app.add_middleware(Guard, access=access or Access())
    _add_hands(app, limits)
    _add_the_rest(app, model, metrics)
    _add_errors(app)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _add_hands(app: FastAPI, limits: Limits) -> None:
    @app.post(HANDS, responses=_answers(), response_class=Response, summary="Hands in a picture, best first")
    async def find_hands(
        request: Request,
        image: Annotated[UploadFile, File(description="JPEG, PNG, WebP, TIFF, GIF, BMP, AVIF, ...")],
        min_score: Annotated[float, Query(ge=0, le=1, description="leave out hands with a lower score")] = 0.0,
        focal: Annotated[float | None, Query(ge=1, le=1e6, description="the camera's focal length, px")] = None,
        K: Annotated[str | None, Query(description="its intrinsics: FX,FY,CX,CY[@WxH] in px, or exif")] = None,
        distortion: Annotated[str | None, Query(description="of its lens: OpenCV's 4, 5 or 8 numbers")] = None,
        joint_convention: Annotated[
            JointConvention | None, Query(description="whose joints (default: as the service was started)")
        ] = None,
        format: Annotated[ServedName, Query(description="what to answer; glb is one scene of all hands")] = "json",
    ) -> Response:
        name, label = plain_name(image.filename), image.content_type
        camera = requested_camera(focal, K, distortion)
        work: Work = request.app.state.work
        media_type, encode = SERVED[format]
        try:
            async with asyncio.timeout(limits.timeout_s):
                found = await work.hands_of(image, name, camera, lambda header: check_label(header, name, label))
                hands = found.subset(number for number, hand in enumerate(found) if hand.score >= min_score)
                if joint_convention is not None:
                    hands = in_joints_of(hands, joint_convention)
                return Response(await work.written(hands, encode, format in WITH_MASKS), media_type=media_type)
        except TimeoutError:
            message = f"no answer within {limits.timeout_s:g} s; try again in {RETRY_AFTER_S} s"
            raise RefusedError(503, "timeout", message) from None
        except BusyError:
            message = f"others would keep it waiting too long; try again in {RETRY_AFTER_S} s"
            raise RefusedError(429, "busy", message) from None
        except MasksTooLargeError:
            message = f"{len(hands)} masks of {hands.width} x {hands.height} px are too much for one answer"
            raise RefusedError(413, "too_many_masks", f"{message}; ask for another format") from None
        except ImageError as error:
            raise refusal(error) from error
        except ProcessError as error:
            log.error("%s", error)
            raise RefusedError(503, "unavailable", "no picture can be decoded at present") from error
        except HandscopeError as error:  # the camera is not this picture's
            raise RefusedError(422, "invalid", str(error)) from error


def _add_the_rest(app: FastAPI, model: Pipeline, metrics: Metrics) -> None:
    @app.get("/v1/health", summary="Whether the service is up")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/v1/version", summary="Versions of package and weights")
    async def version() -> dict[str, str]:
        return {"handscope": __version__, **{name: str(card.get("version")) for name, card in model.cards.items()}}

    @app.get("/", include_in_schema=False)
    async def start() -> HTMLResponse:
        return HTMLResponse(start_page(app.title, __version__, SERVED), headers={"Content-Security-Policy": POLICY})

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(docs_page(app.openapi()), headers={"Content-Security-Policy": POLICY})

    @app.get("/metrics", summary="Prometheus' text format", response_class=PlainTextResponse)
    async def tell_metrics() -> PlainTextResponse:
        return PlainTextResponse(metrics.text(), media_type="text/plain; version=0.0.4")


def requested_camera(focal: float | None, K: str | None, distortion: str | None) -> CameraLike:
    """The camera that a request tells of; RefusedError if it is none."""
    try:
        if K is not None and focal is not None:
            raise HandscopeError("give either K or focal, not both")
        if K is None and distortion is not None:
            raise HandscopeError("distortion belongs to a camera: give K too")
        return focal if K is None else parse_camera(K, distortion)
    except HandscopeError as error:
        raise RefusedError(422, "invalid", str(error)) from error


def in_joints_of(hands: Hands, convention: JointConvention) -> Hands:
    """The hands with another convention's joints; RefusedError if they cannot have them."""
    try:
        return hands.in_convention(convention)
    except HandscopeError as error:
        raise RefusedError(422, "invalid", str(error)) from error


def plain_name(filename: str | None) -> str:
    """What the client calls the file: its last part, printable, short; "image" if nothing is left."""
    last = (filename or "").replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in last if c.isprintable())[-100:] or "image"


def check_label(header: Header, name: str, media_type: str | None) -> None:
    """RefusedError for a picture that is labelled as what it is not."""
    told = (media_type or "").partition(";")[0].strip().lower()
    if told not in UNTOLD | MEDIA_TYPES.get(header.format, set()):
        message = f"{name}: labelled {told}, but it is a {header.format} file; label it as what it is"
        raise RefusedError(415, "mislabelled", message)


def refusal(error: ImageError) -> RefusedError:
    """The answer to a picture that cannot be read."""
    if isinstance(error, NotAPictureError):
        return RefusedError(415, "not_a_picture", str(error))
    if isinstance(error, TooManyPixelsError):
        return RefusedError(413, "too_many_pixels", str(error))
    if isinstance(error, TooCostlyError):
        return RefusedError(413, "too_costly", str(error))
    return RefusedError(422, "damaged", str(error))


def _add_errors(app: FastAPI) -> None:
    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)
        retry = {"Retry-After": str(RETRY_AFTER_S)} if error.status in (429, 503) else None
        return _error(error.status, error.code, str(error), retry)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query"))
        return _error(422, "invalid", f"{where or 'request'}: {first['msg']}")

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, StarletteHTTPException)
        return _error(error.status_code, "http", str(error.detail), error.headers)

    async def broken(request: Request, error: Exception) -> Response:
        return _error(500, "internal", "the service failed on this request; its log says why")

    app.add_exception_handler(RefusedError, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(StarletteHTTPException, http)
    app.add_exception_handler(Exception, broken)


def _error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    content = json.dumps(error_content(code, message))
    return Response(content, status, dict(headers or {}), "application/json")


def _answers() -> dict[int | str, dict[str, Any]]:
    """What `POST /v1/hands` may answer, for the OpenAPI document."""
    problem = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    words = {
        400: "not a multipart form",
        401: "without the token that the service was given",
        403: "asked by a page of another host or port",
        408: "the request came too slowly",
        413: "too many bytes or pixels",
        415: "not a picture, or not the kind of picture it is labelled as",
        421: "a Host that is none of the service's names",
        422: "a damaged picture, or wrong options",
        429: "too many requests at once; see Retry-After",
        503: "no answer in time; see Retry-After",
    }
    either = [{"$ref": "#/components/schemas/Hands"}, {"type": "object", "title": "COCO-WholeBody"}]
    content: dict[str, Any] = {"application/json": {"schema": {"anyOf": either}}}
    for media_type, _ in SERVED.values():
        content.setdefault(media_type.partition(";")[0], {"schema": {"type": "string", "format": "binary"}})
    answers: dict[int | str, dict[str, Any]] = {200: {"description": "the hands", "content": content}}
    for status, text in words.items():
        answers[status] = {"description": text, "content": problem}
    return answers


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document with the schema of the answer, which the package ships."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        text = json.dumps(formats.schema()).replace("#/$defs/", "#/components/schemas/")
        answer = json.loads(text)
        parts = answer.pop("$defs")
        for key in ("$schema", "$id"):
            del answer[key]
        message = {"type": "object", "required": ["code", "message"]}
        message["properties"] = {"code": {"type": "string"}, "message": {"type": "string"}}
        problem = {"type": "object", "required": ["error"], "properties": {"error": message}}
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(parts, Hands=answer, Error=problem)
        app.openapi_schema = document
    return app.openapi_schema
