# SPDX-License-Identifier: Apache-2.0
"""Collects the suites: methods marked with @func_test, smoke first, each with a deadline."""

import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import pytest

from api.test import TestSuite
from framework.lab import remove_stale
from framework.settings import settings

ROOT = Path(__file__).resolve().parent.parent
FIGURES: list[str] = []  # what the cases have measured


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("wicket")
    group.addoption("--build", type=Path, default=ROOT / "build",
                    help="the build folder whose binaries are tested")
    group.addoption("--results", type=Path, default=None,
                    help="where failures leave their evidence (default: <build>/dts-results)")
    group.addoption("--configuration", type=Path, default=None,
                    help="a file as configurations/virtual.example.yaml")
    group.addoption("--keep-files", action="store_true",
                    help="keep the files of cases that passed, too")
    group.addoption("--workers", type=int, default=0,
                    help="workers of every firewall that does not say how many")
    group.addoption("--queues", choices=("apart", "any"), default="",
                    help="which queues packets arrive on, if not by their ports")
    group.addoption("--long", action="store_true",
                    help="every combination where a suite has chosen some")
    group.addoption("--seed", type=int, default=0,
                    help="of what a suite leaves to chance, as a failure has shown it")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "deadline(seconds): how long a case may take")
    if config.option.configuration:
        settings.load(config.option.configuration)
    settings.workers = config.option.workers or settings.workers
    settings.queues = config.option.queues or settings.queues
    settings.long = settings.long or config.option.long
    settings.seed = config.option.seed or settings.seed
    if os.geteuid() != 0:
        raise pytest.UsageError("dts makes network namespaces and taps: run it as root")
    if not Path("/dev/net/tun").exists():
        raise pytest.UsageError("dts needs /dev/net/tun")
    if not config.option.collectonly:
        remove_stale()


def pytest_pycollect_makeitem(collector, name, obj):
    if not isinstance(collector, pytest.Class) or name.startswith("_"):
        return None
    if getattr(obj, "dts_kind", None) == "func":
        return list(collector._genfunctions(name, obj))
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Where nothing works at all, the other suites have nothing to tell.
    items.sort(key=lambda item: "TestSuite_smoke" not in str(item.path))


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    setattr(item, f"report_{report.when}", report)
    if report.when == "call" and report.failed and "TestSuite_smoke" in str(item.path):
        item.session.shouldstop = "smoke failed"


def pytest_terminal_summary(terminalreporter) -> None:
    if FIGURES:
        terminalreporter.section("figures")
        for line in FIGURES:
            terminalreporter.line(line)


@pytest.fixture(autouse=True)
def dts_case(request: pytest.FixtureRequest):
    """The life of a case: a folder, a deadline, the lab's end, evidence of a failure."""
    suite = request.instance
    if not isinstance(suite, TestSuite):
        yield
        return
    marker = request.node.get_closest_marker("deadline")
    seconds = marker.args[0] if marker else settings.case_seconds
    seconds = round(seconds * settings.patience)
    folder = Path(tempfile.mkdtemp(prefix="wicket-dts-"))
    folder.chmod(0o755)
    build = request.config.option.build.resolve()
    suite.set_up_case(folder, build)

    def late(*_):
        raise TimeoutError(f"the case took longer than {seconds} s")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    good = False
    try:
        yield
        report = getattr(request.node, "report_call", None)
        good = report is not None and report.passed
        signal.alarm(60)
        good, finished = False, good
        suite.tear_down_case(failed=not finished)
        good = finished
    finally:
        signal.alarm(0)
        FIGURES.extend(suite.figures)
        for lab in suite.labs:
            lab.close()
        _file_results(request, folder, build, good)


def _file_results(request: pytest.FixtureRequest, folder: Path, build: Path, good: bool) -> None:
    """Keeps the files of a failure, and takes those of an earlier one away."""
    results = request.config.option.results or build / "dts-results"
    name = f"{request.node.path.stem[len('TestSuite_'):]}.{request.node.name}"
    place = results / "".join(c if c.isalnum() or c in "._-" else "_" for c in name)
    shutil.rmtree(place, ignore_errors=True)
    if not good or request.config.option.keep_files:
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(folder, place, ignore=shutil.ignore_patterns("*.notify"))
        print(f"evidence: {place}  ({time.strftime('%H:%M:%S')})")
    shutil.rmtree(folder, ignore_errors=True)
