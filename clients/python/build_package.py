"""Makes the package's wheel (PEP 517, PEP 660) with the standard library alone, so that
`pip install` of this folder needs no network."""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
FACTS = dict(re.findall(r'^(name|version|description|requires-python) = "(.*)"$', (HERE / "pyproject.toml").read_text(), re.M))
NAME = FACTS["name"].replace("-", "_")
INFO = f"{NAME}-{FACTS['version']}.dist-info"


def _metadata() -> dict[str, bytes]:
    return {
        f"{INFO}/METADATA": (f"Metadata-Version: 2.1\nName: {FACTS['name']}\nVersion: {FACTS['version']}\n"
                             f"Summary: {FACTS['description']}\nRequires-Python: {FACTS['requires-python']}\n").encode(),
        f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nGenerator: build_package\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{INFO}/entry_points.txt": f"[console_scripts]\n{FACTS['name']} = {NAME}.__main__:main\n".encode(),
    }


def _wheel(directory: str, files: dict[str, bytes]) -> str:
    files = {**files, **_metadata()}
    name = f"{NAME}-{FACTS['version']}-py3-none-any.whl"
    rows = [f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}"
            for path, data in files.items()]
    files[f"{INFO}/RECORD"] = ("\n".join([*rows, f"{INFO}/RECORD,,"]) + "\n").encode()
    with zipfile.ZipFile(Path(directory) / name, "w", zipfile.ZIP_DEFLATED) as z:
        for path, data in files.items():
            z.writestr(path, data)
    return name


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    return _wheel(wheel_directory, {f"{NAME}/{f.name}": f.read_bytes() for f in sorted((HERE / NAME).glob("*.py"))})


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    return _wheel(wheel_directory, {f"{NAME}.pth": f"{HERE}\n".encode()})
