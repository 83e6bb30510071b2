"""`handscope serve`: the HTTP service (`apps.service`) on this machine's own address, unless another is named."""

from __future__ import annotations

import argparse
import os
import socket
from collections.abc import Sequence

from handscope.apps.access import Access, add_allow_host
from handscope.apps.options import add_compute
from handscope.errors import HandscopeError, missing_extra

TOKEN_VARIABLE = "HANDSCOPE_TOKEN"
"""The environment's variable with the bearer token; others on the machine cannot read it as they can read options."""
SHUTDOWN_S = 5
"""When it is told to end, requests that it has may take so long."""


def main(arguments: Sequence[str]) -> int:
    """Serve until Ctrl-C."""
    options = parser().parse_args(arguments)
    try:
        import multipart  # noqa: F401  (python-multipart: FastAPI asks for it only at the first form)
        import uvicorn

        from handscope.apps.service.api import Limits, create_app
        from handscope.apps.slow_clients import http_protocol
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "handscope":
            raise
        raise HandscopeError(missing_extra("`handscope serve`", error.name, "serve")) from error
    from handscope.infer.devices import device_of
    from handscope.infer.pipeline import load

    device = device_of(options.compute)
    limits = Limits(
        max_bytes=round(options.max_mib * 2**20),
        max_pixels=round(options.max_megapixels * 1e6),
        timeout_s=options.timeout,
        capacity=options.queue,
        wait_s=options.wait,
        batch=device.pictures if options.batch is None else options.batch,
        decoders=options.decoders,
        decoding_s=options.decode_seconds,
        decoding_bytes=round(options.decode_mib * 2**20),
    )
    token = os.environ.get(TOKEN_VARIABLE) or None if options.token is None else options.token
    access = Access(options.host, options.allow_host, token=token)
    check_free(options.host, options.port, "serve")
    model = load(
        options.weights,
        options.hand_model,
        options.threads,
        joint_convention=options.joint_convention,
        device=options.compute,
    )
    app = create_app(model, limits, access)
    uvicorn.run(
        app,
        host=options.host,
        port=options.port,
        log_level="warning" if options.quiet else "info",
        http=http_protocol(),
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    return 0


def check_free(host: str, port: int, command: str) -> None:
    """One sentence if nobody can listen at this address."""
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            pass
    except (OSError, OverflowError) as error:
        raise HandscopeError(
            f"cannot listen at {host}:{port} ({getattr(error, 'strerror', None) or error}); "
            f"name another: handscope {command} --port N"
        ) from error


def parser() -> argparse.ArgumentParser:
    """The options of `handscope serve`."""
    result = argparse.ArgumentParser(
        prog="handscope serve",
        description="An HTTP service: POST /v1/hands with a multipart field `image`; /openapi.json has the rest.",
    )
    add = result.add_argument
    add("--host", default="127.0.0.1", help="address to listen at (default: this machine only)")
    add("--port", type=int, default=8000)
    add_allow_host(result)
    add(
        "--token",
        metavar="TOKEN",
        help=f"answer only to Authorization: Bearer TOKEN (default: {TOKEN_VARIABLE}, if set)",
    )
    add("--weights", metavar="DIR", help="folder with estimator.onnx and the like")
    add("--hand-model", metavar="FILE", help="MANO_RIGHT.pkl: tell hands in MANO's parameters")
    add("--joint-convention", metavar="NAME", help="whose joints, unless a request says (default: anatomical)")
    add("--threads", type=int, metavar="N", help="CPU threads of a network (default: 1)")
    add_compute(result)
    add("--max-mib", type=float, default=20, metavar="N", help="largest file, MiB (default: 20)")
    add("--max-megapixels", type=float, default=40, metavar="N", help="largest picture (default: 40)")
    add("--timeout", type=float, default=30, metavar="S", help="seconds for a request (default: 30)")
    add("--queue", type=int, default=64, metavar="N", help="requests at once; more get 429 (default: 64)")
    add("--wait", type=float, default=5, metavar="S", help="who has or would have to wait longer gets 429 (default: 5)")
    add("--batch", type=int, metavar="N", help="pictures that share the networks' batches (default: 8 on the CPU)")
    add("--decoders", type=int, default=2, metavar="N", help="processes that decode pictures (default: 2)")
    add("--decode-seconds", type=float, default=5, metavar="S", help="CPU seconds to decode a picture (default: 5)")
    add("--decode-mib", type=float, default=1024, metavar="N", help="memory to decode a picture, MiB (default: 1024)")
    add("--quiet", action="store_true", help="no line for each request")
    return result
