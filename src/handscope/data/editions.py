"""How many pictures (FreiHAND: hands) the published editions of the datasets have, by which another one is told.

The numbers are those of the data cards (docs/data). InterHand2.6M, Dexter+Object and HIU-Data have none: their papers
count otherwise than their files do, or what is public changes.
"""

from __future__ import annotations

COUNTS: dict[tuple[str, str], dict[int, str]] = {
    ("freihand", "training"): {32_560: "FreiHAND_pub_v2"},
    ("freihand", "evaluation"): {3_960: "FreiHAND_pub_v2"},
    ("rhd", "training"): {41_258: "RHD_published_v2"},
    ("rhd", "evaluation"): {2_728: "RHD_published_v2"},
    ("stb", "a sequence"): {1_500: "STB"},
    ("cmu", "manual_train"): {1_912: "hand_labels"},
    ("cmu", "manual_test"): {846: "hand_labels"},
    ("cmu", "synth"): {14_261: "hand_labels_synth"},
    ("cmu", "panopticdb"): {14_817: "hand143_panopticdb"},
    ("ho3d", "train"): {66_034: "HO-3D v2", 83_325: "HO-3D v3"},
    ("ho3d", "evaluation"): {11_524: "HO-3D v2", 20_137: "HO-3D v3"},
}
"""By dataset and part: how many, in which edition."""


def other_count(dataset: str, part: str, found: int, where: object) -> list[str]:
    """A sentence if no published edition has `found` labels in this part, read from `where`; else nothing."""
    published = COUNTS.get((dataset, part), {})
    if not published or found in published:
        return []
    expected = " or ".join(f"{count} ({edition})" for count, edition in published.items())
    return [f"{where}: labels of {found}, expected {expected}"]
