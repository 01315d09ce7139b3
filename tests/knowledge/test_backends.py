"""Every installed backend passes the conformance suite."""

from __future__ import annotations

from multikernel.registry import Registry
from multikernel.testing.backends import SkbBackendConformance

INSTALLED = Registry.load().skb_backends


class TestPyDatalog(SkbBackendConformance):
    factory = INSTALLED.get("pydatalog").factory


class TestSQLite(SkbBackendConformance):
    factory = INSTALLED.get("sqlite").factory
    least, most = -(2**63), 2**63 - 1


class TestClingo(SkbBackendConformance):
    factory = INSTALLED.get("clingo").factory


def test_each_installed_backend_is_tested() -> None:
    tested = {suite.factory for suite in (TestPyDatalog, TestSQLite, TestClingo)}
    assert tested == {spec.factory for spec in INSTALLED}
