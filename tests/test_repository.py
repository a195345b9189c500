"""Claims about the repository as a whole: what every clone must be able to rely on."""

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
IGNORED = [*(ROOT / ".gitignore").read_text().split(), ".git/"]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def tracked_files() -> list[Path]:
    """What git tracks; where there is no git, as in an unpacked archive, everything but what is made here."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        command = ["git", "ls-files", "-z"]
        names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
            "\0"
        )
        return [path for name in names if name and (path := ROOT / name).is_file()]
    return [path for path in ROOT.rglob("*") if path.is_file() and not is_made_here(path)]


def is_made_here(path: Path) -> bool:
    return any(fnmatch(f"/{path.relative_to(ROOT)}", f"*/{folder}*") for folder in IGNORED)


def lines_that_match(pattern: str) -> list[str]:
    """`file:line` of every match in a tracked text file."""
    compiled = re.compile(pattern)
    found = []
    for path in tracked_files():
        try:
            text = path.read_text()
        except UnicodeDecodeError:  # a picture or a font
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number}"
            for number, line in enumerate(text.splitlines(), start=1)
            if compiled.search(line)
        ]
    return found


def locked_versions(lock: Path) -> dict[str, str]:
    pins = re.findall(r"^([a-z0-9.-]+)(?:\[[^]]*\])?==([^ ;]+)", lock.read_text(), re.MULTILINE)
    return dict(pins)


# Python's, JavaScript's and Debian's, as the patterns that do not match themselves.
REGISTRIES = (
    r"pypi[.]org|pythonhosted[.]|registry[.](npmjs|yarnpkg)|deb[.]debian|/simple/?[\"' ]|index[-_]url ?="
)


def test_no_file_names_a_registry():
    assert lines_that_match(REGISTRIES) == []


def test_no_file_names_a_place_on_the_machine_it_was_written_on():
    assert lines_that_match(r"(?<![\w.~-])/(?:work|root|tmp|home|Users)/") == []


def test_every_locked_package_has_a_hash():
    assert len(LOCKS) == 4
    for lock in LOCKS:
        blocks = re.split(r"\n(?=\S)", lock.read_text().strip())
        assert [block for block in blocks if "==" not in block or "--hash=sha256:" not in block] == [], (
            lock.name
        )


@pytest.mark.parametrize(
    ("lock", "extras"), [("run", ["build"]), ("dev", ["build", "dev"]), ("bench", ["build", "bench"])]
)
def test_lock_satisfies_pyproject(lock, extras):
    project = PYPROJECT["project"]
    wanted = project["dependencies"] + [
        name for extra in extras for name in project["optional-dependencies"][extra]
    ]
    locked = locked_versions(ROOT / "requirements" / f"{lock}.txt")
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(locked[requirement.name]), requirement


@pytest.mark.parametrize("other", ["dev", "bench"])
def test_locks_agree(other):
    run, more = (locked_versions(ROOT / "requirements" / f"{name}.txt") for name in ("run", other))
    assert {name: more.get(name) for name in run} == run


def test_web_lock_has_hashes_and_no_addresses():
    packages = json.loads((ROOT / "web/package-lock.json").read_text())["packages"]
    packages.pop("")  # ourselves
    assert [name for name, entry in packages.items() if "resolved" in entry] == []
    # Optional ones may be binaries for other platforms, unseen by npm (web/scripts/complete-lock.mjs).
    assert [
        name for name, entry in packages.items() if "integrity" not in entry and "optional" not in entry
    ] == []


def test_one_version_everywhere():
    version = subprocess.run(
        [sys.executable, "-c", "import recado; print(recado.__version__)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert json.loads((ROOT / "web/package.json").read_text())["version"] == version
    assert re.search(rf"^## \[?{re.escape(version)}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_every_init_only_reexports_what_all_names():
    for init in (ROOT / "src/recado").rglob("__init__.py"):
        offered, names = set(), None
        for node in ast.parse(init.read_text()).body:
            match node:
                case ast.ImportFrom(names=aliases):
                    offered |= {alias.asname or alias.name for alias in aliases}
                case (
                    ast.Assign(targets=[ast.Name(id="__all__")], value=ast.List() as value)
                    | ast.AnnAssign(target=ast.Name(id="__all__"), value=ast.List() as value)
                ):
                    names = ast.literal_eval(value)
                case ast.Assign(targets=[ast.Name(id="__version__")]):
                    offered.add("__version__")
                case ast.Expr(value=ast.Constant(value=str())):
                    pass
                case other:
                    pytest.fail(f"{init.relative_to(ROOT)}:{other.lineno} does more than re-export")
        assert set(names or ()) == offered, init.relative_to(ROOT)
        assert sorted(set(names or ())) == sorted(names or ()), init.relative_to(ROOT)


def test_every_noqa_names_its_rule_and_its_reason():
    bare = lines_that_match(r"#\s*noqa(?!: [A-Z]+\d+(, ?[A-Z]+\d+)*\s+[-–(#]+\s*\w)")
    assert [place for place in bare if place.endswith(".py") or ".py:" in place] == []


def test_every_word_of_make_is_documented():
    makefile = (ROOT / "Makefile").read_text()
    words = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())
    inner = {"python", "app", "tools", "browser", "peers"}  # what the words stand on
    documented = set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE))
    assert documented == words - inner


def test_every_link_in_the_documentation_leads_somewhere():
    for page in (path for path in tracked_files() if path.suffix == ".md"):
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
            if not re.match(r"https?:|mailto:", target):
                assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"


def test_every_document_that_the_code_names_exists():
    named = re.compile(r"(?:docs/)?[\w/-]+\.md\b")
    for source in (path for path in tracked_files() if path.suffix in {".py", ".ts", ".tsx", ".sh", ".mjs"}):
        for page in named.findall(source.read_text()):
            assert (ROOT / page).exists(), f"{source.relative_to(ROOT)} names {page}"


def test_every_section_of_the_documentation_that_is_named_exists():
    gap = r"\s+(?:[#*/]+\s+)?"  # in a comment, too, a line ends where it is full
    named = re.compile(rf'([\w-]+\.md)\)?,{gap}"([^"]+)"')
    for source in (path for path in tracked_files() if path.suffix in {".md", ".py", ".ts", ".tsx"}):
        for page, section in named.findall(source.read_text()):
            [path] = [each for folder in ("", "docs") if (each := ROOT / folder / page).exists()]
            begins = rf"^(?:#+ |\*\*)?{re.escape(re.sub(gap, ' ', section))}"
            assert re.search(begins, path.read_text(), re.MULTILINE), f"{source.name}: {page}, {section}"


def test_ci_runs_what_a_person_runs():
    script = ROOT / ".ci/run"
    assert script.stat().st_mode & 0o111
    assert script.read_text().rstrip().endswith("exec make test")
