"""The message modules are what the .proto files say."""

import importlib.util
import sys
from pathlib import Path

from support import tree


def test_generated_modules_equal_a_fresh_generation(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("wand_generate", tree.ROOT / "proto" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    generator.generate(tmp_path)
    assert _texts(tmp_path) == _texts(tree.ROOT / "proto"), "run ./dev gen"
    assert sys.modules.get("wand_generate") is None


def _texts(root: Path) -> dict[str, str]:
    found = (root / "wand_proto" / "v1").glob("*_pb2*")
    return {path.name: path.read_text() for path in found if path.suffix in {".py", ".pyi"}}
