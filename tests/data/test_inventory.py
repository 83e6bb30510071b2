"""What is told of a dataset that is partly there."""

from handscope.data.inventory import damaged, refusal
from handscope.errors import ImageError


class Partly:
    """Ten pictures of which the odd ones are lost."""

    def __len__(self) -> int:
        return 10

    def __getitem__(self, i: int) -> int:
        if i % 2:
            raise ImageError(f"{i}.jpg: lost")
        return i


def test_damaged_pictures_are_counted_and_the_first_named() -> None:
    problems = damaged(Partly())  # pyright: ignore[reportArgumentType]
    assert problems == [f"{i}.jpg: lost" for i in (1, 3, 5, 7, 9)]
    assert damaged(Partly(), 4) == problems[:2]  # pyright: ignore[reportArgumentType]
    told = refusal(problems, 10)
    assert told.startswith("5 of 10 pictures") and "5.jpg" in told and "7.jpg" not in told and "2 more" in told
    assert "--skip-damaged" in told and "more" not in refusal(problems[:3], 10)
