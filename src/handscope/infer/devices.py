"""Where networks run: a device's name, ONNX Runtime's execution provider for it, and how large its batches are.

A provider is compiled into the package of ONNX Runtime that is installed; plain `onnxruntime` has the CPU's alone. What
a provider cannot compute of a network ONNX Runtime computes on the CPU, but a device that does not start at all is an
error here, as nobody who asks for a GPU wants the CPU's speed without a word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import onnxruntime

from handscope.errors import HandscopeError, shown

CPU_PROVIDER = "CPUExecutionProvider"


@dataclass(frozen=True, kw_only=True)
class Device:
    """`provider` is ONNX Runtime's name of it, `package` the one that brings it, in place of `onnxruntime`.

    `pictures` go through the pipeline together, `looks` of the detector (pictures of one size) and `crops` through a
    network at once. Where `rounds` is set, every new number of these is a graph to compile, and batches are filled up
    to powers of two. `options` are the provider's; of a device that is `numbered` there may be several (`cuda:1`).
    `needs` names what must be installed beside the package.
    """

    name: str
    provider: str
    package: str
    pictures: int = 32
    looks: int = 16
    crops: int = 128
    rounds: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    numbered: bool = False
    needs: str = "its driver"

    @property
    def providers(self) -> list[Any]:
        """What an ONNX Runtime session is opened with."""
        own = (self.provider, dict(self.options)) if self.options else self.provider
        return [own] if self.provider == CPU_PROVIDER else [own, CPU_PROVIDER]

    def filled(self, count: int) -> int:
        """How long a batch for `count` items is."""
        return 1 << (count - 1).bit_length() if self.rounds and count else count


CPU = Device(name="cpu", provider=CPU_PROVIDER, package="onnxruntime", pictures=8, looks=1, crops=4)
"""Few at a time: eight looks together took 26.7 ms of a core each, one 20.3; 32 crops took the estimator 8.4 ms each,
four 6.3 (the presence network 6.7 and 4.6), and ONNX Runtime keeps for good what the largest run wanted.
"""
DEVICES = {
    device.name: device
    for device in (
        CPU,
        Device(
            name="cuda",
            provider="CUDAExecutionProvider",
            package="onnxruntime-gpu[cuda,cudnn]",
            options={"cudnn_conv_algo_search": "HEURISTIC"},  # by default every new size of a batch is tuned for
            numbered=True,
            needs="NVIDIA's driver, CUDA and cuDNN",
        ),
        Device(
            name="coreml",
            provider="CoreMLExecutionProvider",
            package="onnxruntime",
            pictures=16,
            looks=1,
            crops=32,
            rounds=True,
            options={"ModelFormat": "MLProgram"},
            needs="macOS 12 or newer",
        ),
        Device(
            name="directml",
            provider="DmlExecutionProvider",
            package="onnxruntime-directml",
            looks=8,
            crops=64,
            rounds=True,
            numbered=True,
            needs="Windows with DirectX 12",
        ),
        Device(
            name="migraphx",
            provider="MIGraphXExecutionProvider",
            package="onnxruntime-migraphx",
            rounds=True,
            numbered=True,
            needs="AMD's driver and ROCm",
        ),
    )
}
"""Sizes of batches but the CPU's are set, not measured: benchmarks/providers.py measures them where there is one."""


def device_of(name: object) -> Device:
    """The device of this name (`cuda`, or `cuda:1` where there are several); HandscopeError for one that there is not,
    or whose provider is not installed.
    """
    kind, colon, number = name.partition(":") if isinstance(name, str) else ("", "", "")
    if kind not in DEVICES:
        raise HandscopeError(f"device must be one of {', '.join(DEVICES)}, got {shown(name)}")
    device = DEVICES[kind]
    if colon:
        if not device.numbered or not (number.isascii() and number.isdigit() and len(number) < 4):
            expected = f"{kind} or {kind}:NUMBER" if device.numbered else kind
            raise HandscopeError(f"device: expected {expected}, got {shown(name)}")
        device = replace(device, options={**device.options, "device_id": number})
    available = onnxruntime.get_available_providers()
    if device.provider not in available:
        raise HandscopeError(f"device {kind}: {_not_installed(device, available)}")
    return device


def _not_installed(device: Device, available: Sequence[str]) -> str:
    """What is there, and which package brings what is not."""
    found = f"this ONNX Runtime has {', '.join(available)}, not {device.provider}"
    if device.package == CPU.package:
        return f"{found}, which {device.package} has on machines that have {device.needs}"
    return f'{found}: pip uninstall onnxruntime, then pip install "{device.package}"'


def prepare_options(device: Device, options: onnxruntime.SessionOptions) -> None:
    """What a device wants of a session beside its provider's options; loads CUDA's libraries where pip installed
    them.
    """
    if device.name == "directml":
        options.enable_mem_pattern = False
    if device.name == "cuda" and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()


def check_started(device: Device, session: onnxruntime.InferenceSession) -> None:
    """HandscopeError if ONNX Runtime has gone on without the device, as it does where a library is missing."""
    used = session.get_providers()
    if device.provider not in used:
        raise HandscopeError(
            f"device {device.name}: {device.provider} is installed but did not start (in use: {', '.join(used)}); "
            f"it needs {device.needs}"
        )
