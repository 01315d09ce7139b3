"""Bakes the plugin template.

    bake(kind, name, summary, folder, write) -> the plugin's folder, then its files

The template is an ordinary cookiecutter template, `cookiecutter-plugin/<kind>/`, kept to a subset that
needs no cookiecutter: `{{ cookiecutter.key }}` for the keys of `variables`, in file names and texts.
A test bakes it both ways and compares.  An existing folder is never written over.

May not know: what a plugin does.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path

import multikernel
from multikernel.errors import FileError, UsageError

_KEY = re.compile(r"\{\{ ?cookiecutter\.(\w+) ?\}\}")
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def template_folder() -> Path:
    """The template: beside the package in a wheel, at the root of a checkout."""
    package = Path(multikernel.__file__).parent
    packaged = package / "cookiecutter-plugin"
    return packaged if packaged.is_dir() else package.parents[1] / "cookiecutter-plugin"


def variables(name: str, summary: str) -> dict[str, str]:
    """What the template may say, from the plugin's name."""
    return {
        "name": name,
        "summary": summary,
        "package": "mk_" + name.replace("-", "_"),
        "distribution": "mk-" + name,
        "class_name": "".join(word.capitalize() for word in name.split("-")),
    }


def bake(kind: str, name: str, summary: str, folder: Path, write: bool = True) -> list[Path]:
    """Make plugin `name` of `kind` in `folder`.  Raises UsageError for a kind without template or a
    name no board could say, FileError for a folder that exists or cannot be written."""
    kinds = sorted(path.parent.name for path in template_folder().glob("*/cookiecutter.json"))
    if kind not in kinds:
        near = difflib.get_close_matches(kind, kinds)
        hint = f" (did you mean {near[0]}?)" if near else f"; there are: {', '.join(kinds)}"
        raise UsageError(f"there is no template for a {kind!r}{hint}", code="template-kind")
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot name a plugin; use lower-case words joined by '-'", code="plugin-name")
    values = variables(name, " ".join(summary.split()).replace('"', "'").replace("\\", "/"))
    root = next((template_folder() / kind).glob("{{*"))
    home = folder / _fill(root.name, values)
    files = {home / _fill(p.relative_to(root).as_posix(), values): p for p in sorted(root.rglob("*")) if p.is_file()}
    try:
        if home.exists():
            raise FileError(f"{home} exists; give another name, or another --folder", code="exists")
        if write:
            for target, source in files.items():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(_fill(source.read_text(encoding="utf-8"), values), encoding="utf-8")
    except OSError as error:
        raise FileError(f"cannot write {error.filename}: {error.strerror}", code="not-writable") from error
    return [home, *files]


def _fill(text: str, values: dict[str, str]) -> str:
    return _KEY.sub(lambda match: values[match[1]], text)
