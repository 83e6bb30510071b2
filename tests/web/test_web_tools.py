"""`make web-tools`: installs what is missing, says what it cannot, and never fails."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "web_tools.sh"


class Machine:
    """Programs that are there, as stand-ins which write down how they were called."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.log, self.chromium = folder / "bin", folder / "log", folder / "chromium"
        self.bin.mkdir()
        for name in ("bash", "tr", "cut"):
            (self.bin / name).symlink_to(shutil.which(name) or name)
        self.add("id", "echo 0")

    def add(self, name: str, body: str = "") -> None:
        """A program that does `body` and writes its arguments to the log."""
        path = self.bin / name
        path.write_text(f'#!{self.bin}/bash\n[ "$1" = --version ] || echo "{name} $*" >>{self.log}\n{body}\n')
        path.chmod(0o755)

    def prepare(self) -> str:
        """Run the script; what it said."""
        environment = {"PATH": str(self.bin), "HANDSCOPE_CHROMIUM": str(self.chromium)}
        run = subprocess.run([SCRIPT], env=environment, capture_output=True, text=True, timeout=30, check=True)
        assert run.stderr == ""
        return run.stdout

    def calls(self) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if line[:2] != "id"] if self.log.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_nothing_happens_where_all_is_there(machine: Machine) -> None:
    machine.add("node", "echo v20.1.0")
    machine.add("npm")
    machine.chromium.touch()
    assert (machine.prepare(), machine.calls()) == ("", [])


def test_what_is_missing_comes_from_the_system(machine: Machine) -> None:
    machine.add("node", "echo v22.0.0")
    machine.add("npm")
    machine.add("apt-get")
    said = machine.prepare()
    assert machine.calls() == ["apt-get update", "apt-get install -y --no-install-recommends chromium"]
    assert said == ""


def test_an_old_node_is_left_for_npms(machine: Machine) -> None:
    machine.add("npm", "exit 1")
    machine.add("node", "echo v18.20.4")
    machine.chromium.touch()
    assert (
        machine.prepare() == "web-tools: npm could not install node 20: the browser's tests that need it are skipped\n"
    )
    assert machine.calls() == ["npm install --global --no-audit --no-fund node@20"]


@pytest.mark.parametrize("root", [True, False])
def test_what_cannot_be_had_is_one_sentence(machine: Machine, root: bool) -> None:
    machine.add("apt-get", "exit 100")
    machine.add("id", f"echo {0 if root else 1000}")
    said = machine.prepare()
    assert said.count("\n") == 1 and "nodejs npm chromium" in said
    assert machine.calls() == (["apt-get update"] if root else [])
