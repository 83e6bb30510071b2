"""Networks in 8 bits (scripts/quantise_networks.py): each step keeps the answers, and all together nearly do."""

import sys
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
torch = pytest.importorskip("torch")
sys.path.append(str(Path(__file__).parents[1] / "scripts"))
quantise = pytest.importorskip("quantise_networks", reason="scripts/ is not in an installed package")

SIZE = 32


def network(seed=0):
    """A trunk as the shipped ones have it, 24 channels first, a layer across and a sum, then a mean and a regression;
    one channel is faint, and what reads it is loud.
    """
    rng = np.random.default_rng(seed)
    constants, nodes = {"floor": np.float32(0), "ceiling": np.float32(6), "whole": np.float32(255)}, []

    def add(kind, inputs, out, **attributes):
        nodes.append(onnx.helper.make_node(kind, inputs, [out], **attributes))
        return out

    def layer(source, out, shape, relu=True, **attributes):
        constants[f"{out}.w"] = rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape).astype(np.float32)
        constants[f"{out}.b"] = rng.normal(0, 0.2, shape[0]).astype(np.float32)
        found = add("Conv", [source, f"{out}.w", f"{out}.b"], f"{out}.line" if relu else out, **attributes)
        return add("Clip", [found, "floor", "ceiling"], out) if relu else found

    add("Transpose", ["crop"], "first", perm=[0, 3, 1, 2])
    add("Cast", ["first"], "floats", to=onnx.TensorProto.FLOAT)
    add("Div", ["floats", "whole"], "image")
    plain = {"kernel_shape": [1, 1], "strides": [1, 1], "pads": [0, 0, 0, 0], "group": 1}
    three = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    layer("image", "stem", (24, 3, 3, 3), kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1], group=1)
    layer("stem", "filter", (24, 1, 3, 3), strides=[1, 1], group=24, **three)
    layer("filter", "mix", (16, 24, 1, 1), relu=False, **plain)
    layer("mix", "wide", (64, 16, 1, 1), **plain)
    layer("wide", "across", (64, 1, 3, 3), strides=[1, 1], group=64, **three)
    layer("across", "narrow", (16, 64, 1, 1), relu=False, **plain)
    add("Add", ["mix", "narrow"], "sum")
    layer("sum", "last", (32, 16, 1, 1), **plain)
    constants["stem.w"][3] *= 0.1
    constants["stem.b"][3] *= 0.1
    constants["filter.w"][3] *= 10
    constants["axes"] = np.array([2, 3])
    constants["weight"], constants["bias"] = rng.normal(0, 0.3, (1, 32)).astype(np.float32), np.zeros(1, np.float32)
    add("ReduceMean", ["last", "axes"], "mean", keepdims=0)
    add("Gemm", ["mean", "weight", "bias"], "present_logit", transB=1)
    add("Sigmoid", ["present_logit"], "presence")
    told = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in ("mean", "presence")]
    given = [onnx.helper.make_tensor_value_info("crop", onnx.TensorProto.UINT8, ["n", SIZE, SIZE, 3])]
    arrays = [onnx.numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()]
    graph = onnx.helper.make_graph(nodes, "toy", given, told, arrays)
    return quantise.Graph(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=9))


@pytest.fixture(scope="module")
def crops():
    rng = np.random.default_rng(1)
    coarse = rng.uniform(0, 255, (40, 8, 8, 3))
    return np.repeat(np.repeat(coarse, 4, 1), 4, 2).astype(np.uint8)


def errors(one, two, crops, names=("mean", "presence")):
    """Mean differences in standard deviations."""
    pairs = zip(one.run(crops, names), two.run(crops, names), strict=True)
    return [float(np.abs(a - b).mean() / a.std()) for a, b in pairs]


@pytest.mark.parametrize(
    "change", [lambda graph, crops: quantise.stretched(graph, crops), lambda graph, _: quantise.widened(graph)]
)
def test_channels_may_be_wider_or_more(change, crops):
    graph = network()
    changed = change(graph, crops)
    assert max(errors(graph, changed, crops)) < 1e-4
    assert any(
        (changed.constants[n].shape, changed.constants[n].sum()) != (a.shape, a.sum())
        for n, a in graph.constants.items()
    )


def test_a_faint_channel_becomes_as_wide_as_the_others(crops):
    graph = quantise.stretched(network(), crops)
    (stem,) = graph.run(crops, ["stem"])
    assert stem[:, 3].max() > 5


def test_the_first_layer_of_four_pixels_at_once_says_the_same():
    rng = np.random.default_rng(2)
    levels = rng.integers(-63, 64, (5, 3, 3, 3)).astype(np.int8)
    picture = rng.integers(0, 256, (1, 3, 16, 16)).astype(np.float32)
    node = onnx.helper.make_node("Conv", ["x"], ["y"], strides=[2, 2], pads=[0, 0, 1, 1])
    plain = quantise.convolved(torch.from_numpy(picture), levels.astype(np.float32), np.zeros(5, np.float32), node)
    fours = picture.transpose(0, 2, 3, 1).reshape(1, 16, 4, 12).transpose(0, 3, 1, 2)
    node = onnx.helper.make_node("Conv", ["x"], ["y"], strides=[2, 1], pads=[0, 0, 1, 1])
    weight = quantise.quads(levels).astype(np.float32)
    found = quantise.convolved(torch.from_numpy(fours.copy()), weight, np.zeros(10, np.float32), node)
    found = found.reshape(1, 2, 5, 8, 4).permute(0, 2, 3, 4, 1).reshape(1, 5, 8, 8)
    np.testing.assert_array_equal(found.numpy(), plain.numpy())


def test_in_8_bits_it_says_nearly_the_same(crops, monkeypatch):
    """On crops that it was not solved on; and solving is what makes it so."""
    graph, (solving, unseen) = network(), (crops[:32], crops[32:])
    wide = quantise.widened(quantise.stretched(graph, solving))
    told = quantise.quantised(wide, quantise.planned(wide, solving))
    kinds = [node.op_type for node in told.nodes]
    assert kinds.count("QLinearConv") == 7 and kinds.count("QLinearAdd") == 1 and "Conv" not in kinds
    found = errors(graph, told, unseen)
    assert found[0] < 0.06
    monkeypatch.setattr(quantise, "solved", lambda node, values, wanted, weight, bias: (weight, bias))
    plain = errors(graph, quantise.quantised(wide, quantise.planned(wide, solving)), unseen)
    assert found[0] < plain[0]


def test_a_channel_that_is_always_the_same_stays_it(crops):
    """Weights of nothing and a bias: no step is so fine that the bias overflows."""
    graph = network()
    weight, bias = (graph.constants[name].copy() for name in ("last.w", "last.b"))
    weight[5], bias[5] = 0, 1.5
    graph = graph.rebuilt(graph.nodes, graph.constants | {"last.w": weight, "last.b": bias})
    told = quantise.quantised(graph, quantise.planned(graph, crops))
    np.testing.assert_allclose(told.run(crops, ["mean"])[0][:, 5], 1.5, atol=0.02)


def test_presence_is_fitted_to_the_float_ones(crops):
    graph = network()
    wrong = graph.rebuilt(graph.nodes, graph.constants | {"weight": graph.constants["weight"] * 0})
    assert errors(graph, quantise.with_presence(wrong, graph, crops), crops, ("presence",))[0] < 0.1
