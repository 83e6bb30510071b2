"""Where networks run: which provider is asked for, how large its batches are, and what is said where it is missing.

No device but the CPU is here: ONNX Runtime is doubled by sessions that compute on the CPU and say that they are
elsewhere (`python benchmarks/providers.py` is for machines that have one).
"""

import functools
from typing import ClassVar

import numpy as np
import onnxruntime
import pytest

import handscope
from handscope.apps import camera
from handscope.apps.cli import main
from handscope.errors import AssetError, HandscopeError
from handscope.geometry.crops import crop_around
from handscope.infer.devices import CPU, CPU_PROVIDER, DEVICES, device_of
from handscope.infer.weights import NAMES
from toy_networks import blobs, paint

OTHERS = [name for name in DEVICES if name != "cpu"]
Session = onnxruntime.InferenceSession


class Double(Session):
    """A session that computes on the CPU and says that it is where it was asked to be."""

    opened: ClassVar[list["Double"]] = []
    starts = True

    def __init__(self, data, options, providers):
        super().__init__(data, options, providers=[CPU_PROVIDER])
        self.asked, self.sizes = providers, []
        self.opened.append(self)

    def get_providers(self):
        asked = [one if isinstance(one, str) else one[0] for one in self.asked]
        return asked if self.starts else [CPU_PROVIDER]

    def run(self, names, given):
        self.sizes.append(len(next(iter(given.values()))))
        return super().run(names, given)


@pytest.fixture
def double(monkeypatch):
    every = [device.provider for device in DEVICES.values()]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: every)
    monkeypatch.setattr(onnxruntime, "InferenceSession", Double)
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None, raising=False)
    monkeypatch.setattr(Double, "opened", [])
    monkeypatch.setattr(Double, "starts", True)
    return Double


@functools.cache
def pictures():
    """Seven, of two sizes."""
    rng = np.random.default_rng(0)
    return [
        paint(240 - 60 * (i == 3), 180, [blobs(tuple(rng.uniform(50, 130, 2)), 40, 0.4, ("left", "right")[i % 2])])
        for i in range(7)
    ]


@pytest.mark.parametrize("name", OTHERS)
def test_a_device_is_asked_for_its_own_provider_and_says_what_the_cpu_says(toy_weights, double, name):
    expected = handscope.load(toy_weights)(pictures())
    double.opened.clear()
    model = handscope.load(toy_weights, device=name)
    assert len(double.opened) == len(NAMES)
    for session in double.opened:
        first, rest = session.asked[0], session.asked[1:]
        assert (first if isinstance(first, str) else first[0]) == DEVICES[name].provider
        assert rest == [CPU_PROVIDER]
    found = model(pictures())
    assert sum(map(len, found)) >= 7
    for ours, theirs in zip(found, expected, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one.joints_2d, other.joints_2d, atol=1e-2)
            np.testing.assert_allclose(one.joints_3d, other.joints_3d, atol=1e-4)
            assert one.handedness == other.handedness


@pytest.mark.parametrize("name", DEVICES)
def test_batches_are_as_large_as_suits_the_device(toy_weights, double, name):
    device, picture = DEVICES[name], pictures()[0]
    model = handscope.load(toy_weights, device=name)
    assert model.batch == device.pictures
    model([picture] * 20)
    estimator, detector, *_ = double.opened
    assert max(detector.sizes) == min(device.looks, device.pictures)
    crops = [crop_around(np.array([80.0, 80.0]), 60.0, np.array([0.0, -1.0]), size=model.models.estimator.size)] * 150
    estimator.sizes.clear()
    assert len(model.models.estimator(picture, crops)) == 150
    assert max(estimator.sizes) == device.crops
    if device.rounds:
        assert all(size.bit_count() == 1 for session in double.opened for size in session.sizes)


@pytest.mark.parametrize("name", OTHERS)
def test_a_provider_that_is_not_installed_is_one_sentence(toy_weights, monkeypatch, name):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["AzureExecutionProvider", CPU_PROVIDER])
    with pytest.raises(HandscopeError) as told:
        handscope.load(toy_weights, device=name)
    message = str(told.value)
    assert f"device {name}: this ONNX Runtime has AzureExecutionProvider, {CPU_PROVIDER}, not " in message
    assert DEVICES[name].provider in message and DEVICES[name].package in message and "\n" not in message


def test_a_device_that_does_not_start_is_no_cpu_in_disguise(toy_weights, double):
    double.starts = False
    with pytest.raises(HandscopeError, match=r"device cuda: .* did not start \(in use: CPU[a-zA-Z]*\); .*cuDNN"):
        handscope.load(toy_weights, device="cuda")


def test_a_device_that_breaks_is_named(toy_weights, double, monkeypatch):
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: 1 / 0, raising=False)
    with pytest.raises(AssetError, match=r"\.onnx: ONNX Runtime cannot open this file on device cuda, which needs"):
        handscope.load(toy_weights, device="cuda")


def test_one_of_several_devices_is_chosen_after_a_colon(double):
    assert device_of("cuda:1").options["device_id"] == "1"
    assert device_of("cuda:1").options["cudnn_conv_algo_search"] == "HEURISTIC"
    assert device_of("cpu") is CPU


@pytest.mark.parametrize(
    "given", ["gpu", "", "CPU", "cpu:1", "coreml:1", "cuda:x", "cuda:-1", "cuda:99999", 3, None, "cuda\n", ["cuda"]]
)
def test_a_device_that_there_is_not_is_one_sentence(double, given):
    with pytest.raises(HandscopeError, match="device") as told:
        device_of(given)
    assert "\n" not in str(told.value) and len(str(told.value)) < 200


COMMANDS = [["x.png", "--device"], ["serve", "--device"], ["gallery", "x.png", "--out", "y", "--compute"]]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_take_a_device(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.png").write_bytes(b"")
    assert main([*command, "migraphx"]) == 2
    assert "MIGraphXExecutionProvider" in capsys.readouterr().err


def test_the_camera_keeps_its_own_device():
    told = camera.parser().parse_args(["--device", "1", "--compute", "cuda"])
    assert (str(told.device), told.compute) == ("1", "cuda")
