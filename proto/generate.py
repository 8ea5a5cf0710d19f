"""Make the message modules from the .proto files; a test runs it into an empty folder and compares."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def generate(target: Path) -> None:
    """Write the generated modules below `target`, in the places that their imports expect."""
    protos = sorted(path.relative_to(HERE) for path in (HERE / "wand_proto" / "v1").glob("*.proto"))
    kinds = ("python", "grpc_python", "mypy", "mypy_grpc")
    outs = [f"--{kind}_out={target}" for kind in kinds]
    protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{HERE}", *outs, *map(str, protos)]
    subprocess.run(protoc, check=True, cwd=HERE)


if __name__ == "__main__":
    generate(HERE)
