"""`python -m tests.measure`: one line for each measure, with its limit; exit code 1 when one is not kept."""

import sys
from collections import Counter
from pathlib import PurePath
from statistics import median

from tests.measure.source import length, product_files, test_files
from tests.measure.vocabulary import offences

Measure = tuple[str, float, str, bool]


def main() -> int:
    measures = [*_names(), *_sizes(), *_folders(), *_types(), *_tests()]
    for name, value, limit, holds in measures:
        print(f"{'  ' if holds else '! '}{name:<58}{value:>9,.4g}   {limit}")
    return 0 if all(holds for *_, holds in measures) else 1


def at_most(name: str, value: float, limit: float) -> Measure:
    return name, value, f"at most {limit:g}", value <= limit


def at_least(name: str, value: float, limit: float) -> Measure:
    return name, value, f"at least {limit:g}", value >= limit


def _names() -> list[Measure]:
    return [
        at_most(
            "names that are participles, clauses or pictures", sum(len(list(offences(f))) for f in product_files()), 0
        )
    ]


def _sizes() -> list[Measure]:
    files = [file for file in product_files() if file.lines > 1]
    functions = [length(function) for file in files for function in file.functions()]
    classes = [length(cls) for file in files for cls in file.classes()]
    return [
        at_most("lines of the median file", median(file.lines for file in files), 90),
        at_most("lines of the longest file", max(file.lines for file in files), 350),
        at_most("lines of the median function", median(functions), 8),
        at_most("lines of the longest function", max(functions), 45),
        at_most("lines of the longest class", max(classes), 200),
    ]


def _folders() -> list[Measure]:
    modules = Counter(
        str(PurePath(file.path).parent) for file in product_files() if not file.path.endswith("__init__.py")
    )
    return [at_most(f"modules side by side ({modules.most_common(1)[0][0]})", max(modules.values()), 14)]


def _types() -> list[Measure]:
    return [at_most("dict[str, Any]", sum(file.text.count("dict[str, Any]") for file in product_files()), 327)]


def _tests() -> list[Measure]:
    tests = [length(f) for file in test_files() for f in file.functions() if f.name.startswith("test_")]
    ratio = sum(file.lines for file in test_files()) / sum(file.lines for file in product_files())
    return [
        at_least("lines of tests for each line of source", ratio, 0.7),
        at_most("lines of the median test", median(tests), 11),
    ]


if __name__ == "__main__":
    sys.exit(main())
