"""Nothing in the kit imports a plugin, and no plugin another: they talk through `multikernel` only.

What else may not know whom is in pyproject.toml, for import-linter.
"""

from __future__ import annotations

import re
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(file.parent.name for file in ROOT.glob("plugins/mk_*/__init__.py"))
BY_NAME = re.compile(r"""(?:import_module|__import__)\(\s*f?["']mk_""")


def test_no_plugin_imports_another() -> None:
    assert PLUGINS
    graph = grimp.build_graph(*PLUGINS, cache_dir=None)
    crossings = [
        f"{detail['importer']} imports {detail['imported']} (line {detail['line_number']})"
        for importer in sorted(graph.modules)
        for imported in sorted(graph.find_modules_directly_imported_by(importer))
        if importer.partition(".")[0] != imported.partition(".")[0]
        for detail in graph.get_import_details(importer=importer, imported=imported)
    ]
    assert crossings == []


def test_the_kit_imports_no_plugin() -> None:
    graph = grimp.build_graph("multikernel", include_external_packages=True, cache_dir=None)
    assert [module for module in sorted(graph.modules) if module.startswith("mk_")] == []
    assert "pluggy" in graph.modules


def test_nobody_imports_a_plugin_by_its_name_in_a_string() -> None:
    sources = [*sorted(ROOT.glob("kit/**/*.py")), *sorted(ROOT.glob("plugins/**/*.py"))]
    assert [str(file) for file in sources if BY_NAME.search(file.read_text())] == []
