"""Detection terms: zero at the truth, silent where nothing is known, blind to scale."""

import torch

from handscope.losses.detection import HandTable, detection_terms, gaussians, score_term, weighted_mean


def cells(size: int = 128) -> torch.Tensor:
    axis = torch.arange(4.0, size, 8)
    return torch.stack([axis.repeat(len(axis)), axis.repeat_interleave(len(axis))], -1)


def table(scale: float = 1.0, **known: bool) -> HandTable:
    def flag(name: str) -> torch.Tensor:
        return torch.tensor([[known.get(name, True)]])

    return HandTable(
        present=flag("present"),
        ignored=torch.tensor([[known.get("ignored", False)]]),
        boxes=scale * torch.tensor([[[30.0, 30, 90, 100]]]),
        up=torch.tensor([[[0.0, -1.0]]]),
        crops=scale * torch.tensor([[[60.0, 60, 100]]]),
        right=torch.ones(1, 1),
        box_known=flag("box_known"),
        frame_known=flag("frame_known"),
        right_known=flag("right_known"),
    )


def predict(hands: HandTable, grid: torch.Tensor, **changes: torch.Tensor) -> dict[str, torch.Tensor]:
    count = len(grid)
    answers = {
        "score": torch.full((1, count), -20.0),
        "boxes": hands.boxes[:, :1].expand(1, count, 4),
        "up": hands.up[:, :1].expand(1, count, 2),
        "crops": hands.crops[:, :1].expand(1, count, 3),
        "right": torch.full((1, count), 30.0),
    }
    return detection_terms(**(answers | changes), cells=grid, hands=hands)


def test_the_truth_costs_nothing() -> None:
    terms = predict(table(), cells())
    assert all(float(terms[name]) < 1e-6 for name in ("box", "crop", "up", "right"))


def test_unknown_labels_cost_nothing() -> None:
    hands = table(box_known=False, frame_known=False, right_known=False)
    grid = cells()
    wrong = predict(
        hands,
        grid,
        boxes=torch.zeros(1, len(grid), 4),
        up=torch.ones(1, len(grid), 2),
        right=-torch.ones(1, len(grid)),
    )
    assert all(float(wrong[name]) == 0 for name in ("box", "up", "right"))


def test_a_picture_without_hands_trains_the_score_only() -> None:
    hands = table(present=False)
    grid = cells()
    terms = predict(hands, grid, score=torch.zeros(1, len(grid)))
    assert float(terms["score"]) > 1
    assert all(float(terms[name]) == 0 for name in ("box", "crop", "up", "right"))


def test_nothing_is_asked_inside_an_ignored_box() -> None:
    """Its cells may say what they like; those outside may not, and a labelled hand inside is asked for."""
    grid = cells()
    inside = ((grid >= 30) & (grid <= torch.tensor([90.0, 100.0]))).all(-1)
    eager = torch.where(inside, 5.0, -20.0)[None]
    assert float(predict(table(present=False, ignored=True), grid, score=eager)["score"]) < 1e-6
    assert float(predict(table(present=False), grid, score=eager)["score"]) > 1
    outside = torch.where(inside, -20.0, 5.0)[None]
    assert float(predict(table(present=False, ignored=True), grid, score=outside)["score"]) > 1
    both = HandTable(*[torch.cat(pair, 1) for pair in zip(table(), table(present=False, ignored=True), strict=True)])
    missed = predict(both, grid)["score"]
    assert float(missed) > 0.1


def test_errors_are_shares_of_the_side() -> None:
    small, large = table(1.0), table(4.0)
    off = torch.tensor([5.0, 0, 0, 0])
    one = predict(small, cells(), boxes=(small.boxes + off).expand(1, len(cells()), 4))
    many = predict(large, cells(512), boxes=(large.boxes + 4 * off).expand(1, len(cells(512)), 4))
    torch.testing.assert_close(one["box"], many["box"])


def test_score_term_is_zero_only_at_its_target() -> None:
    heat = torch.tensor([[0.2, 0.9]])
    assert float(score_term(torch.logit(heat), heat, torch.ones(1, 2), torch.ones(1))) == 0
    assert float(score_term(torch.logit(heat) + 1, heat, torch.ones(1, 2), torch.ones(1))) > 0


def test_heat_is_one_at_the_centre_and_smooth_around() -> None:
    heat = gaussians(torch.tensor([[60.0, 60.0], [69.0, 60.0], [120.0, 60.0]]), table())[0, 0]
    torch.testing.assert_close(heat[:2], torch.tensor([1.0, 0.6065]), rtol=1e-3, atol=0)
    assert heat[2] < 1e-6


def test_no_weight_gives_zero_and_a_gradient() -> None:
    values = torch.ones(1, 3, requires_grad=True)
    weighted_mean(values, torch.zeros(1, 3)).sum().backward()
    assert values.grad is not None and float(values.grad.abs().sum()) == 0
