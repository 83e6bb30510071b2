"""`handscope synth`: labelled synthetic pictures into WebDataset shards."""

from __future__ import annotations

from collections.abc import Sequence

import jsonargparse

from handscope.errors import printable
from handscope.synth.generate import generate
from handscope.synth.scene import SynthConfig


def parser() -> jsonargparse.ArgumentParser:
    """How many, from which seed, where to; and every field of `SynthConfig`."""
    out = jsonargparse.ArgumentParser(
        prog="handscope synth",
        description="Render labelled pictures of hands into WebDataset shards: same seed, same bytes; "
        "started again, it goes on where it stopped.",
    )
    out.add_argument("--count", type=int, required=True, help="number of pictures")
    out.add_argument("--seed", type=int, default=0)
    out.add_argument("--out", type=str, required=True, help="folder of the shards")
    out.add_argument("--split", type=str, default="train", help="shards are called SPLIT-000000.tar and so on")
    out.add_argument("--workers", type=int, default=1, help="processes")
    out.add_argument("--scenes", action="store_true", help="whole pictures with 0 to 3 hands, for the detector")
    out.add_argument("--backgrounds", nargs="+", type=str, default=[], metavar="DIR", help="photographs without hands")
    out.add_class_arguments(SynthConfig, as_group=False, skip={"scenes", "backgrounds"})
    return out


def main(arguments: Sequence[str]) -> int:
    """Synthesise as the command line says."""
    options = vars(parser().parse_args(list(arguments)))
    job = {name: options.pop(name) for name in ("count", "seed", "out", "split", "workers")}
    backgrounds = tuple(options.pop("backgrounds"))
    shards = generate(SynthConfig(**options, backgrounds=backgrounds), **job)
    print(printable(f"{job['count']} pictures in {len(shards)} shard{'s' * (len(shards) > 1)}: {job['out']}"))
    return 0
