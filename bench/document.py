"""docs/benchmarks.md: each bench writes its tables between markers of its own."""

from pathlib import Path

DOCUMENT = Path(__file__).parent.parent / "docs/benchmarks.md"


def write(mark: str, text: str) -> None:
    """Put `text` between `<!-- mark -->` and `<!-- /mark -->`."""
    begin, end = f"<!-- {mark} -->\n", f"<!-- /{mark} -->"
    before, _, rest = DOCUMENT.read_text().partition(begin)
    DOCUMENT.write_text(f"{before}{begin}\n{text}\n\n{end}{rest.partition(end)[2]}")
