"""The one table of formats: the command line, videos, the page and the service read it and nothing else."""

from __future__ import annotations

import subprocess
import sys
from typing import get_args

import pytest

from handscope.apps.cli import parser
from handscope.apps.options import option_of
from handscope.apps.service import api
from handscope.infer.outputs import FORMATS, picture_formats, video_formats


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_an_option_with_its_help(name: str) -> None:
    text = " ".join(parser().format_help().split())
    assert option_of(name) in text and " ".join(FORMATS[name].help.split()[:4]) in text
    assert getattr(parser().parse_args([option_of(name)]), name) is True


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_of_pictures_or_of_videos(name: str) -> None:
    row = FORMATS[name]
    assert row.of_pictures or row.of_videos
    assert bool(row.stem and row.suffix) == row.of_pictures


def test_no_two_formats_write_the_same_file() -> None:
    places = [(row.stem, row.suffix, row.encode_hand is None) for row in FORMATS.values() if row.of_pictures]
    assert len(set(places)) == len(places)


def test_without_a_choice_the_default_is_written() -> None:
    assert [row.name for row in picture_formats()] == ["overlay", "json", "glb"]
    assert {row.name for row in video_formats()} == {"overlay", "json", "parquet"}
    assert [row.name for row in picture_formats(["parquet"])] == ["overlay", "json", "glb"]  # of videos alone
    assert [row.name for row in picture_formats(["npz", "parquet"])] == ["npz"]


def test_the_service_answers_what_its_document_says() -> None:
    assert set(get_args(api.ServedName)) == set(api.SERVED)


def test_the_table_costs_no_numpy() -> None:
    program = "import sys; from handscope.infer.outputs import FORMATS; assert 'numpy' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0
