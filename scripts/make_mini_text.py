#!/usr/bin/env python3
"""Samples the text that figures about the embedded model stand on: datasets/mini/sampled.safetensors.

Sampling follows the last bits of a processor, so a figure on text that is sampled anew differs from machine to machine.
The file is committed; this script shows where it came from. Run from the project's root, after scripts/test.sh:
  python3 scripts/make_mini_text.py
Tensors, int16 [windows, 512], sampled at temperature 1 in float32: test (seed 0), calibration (seed 1), second (seed 2).
"""
import array
import json
import pathlib
import struct
import subprocess
import tempfile

LENGTH = 512
TEXTS = {"test": (32, 0), "calibration": (48, 1), "second": (64, 2)}
OUT = pathlib.Path("datasets/mini/sampled.safetensors")


def sweep() -> str:
    entries = "\n".join(
        f"  - {{task: perplexity, name: {name}, windows: 1, "
        f"dataset: {{name: self, samples: {samples}, length: {LENGTH}, seed: {seed}}}}}"
        for name, (samples, seed) in TEXTS.items())
    return (f"name: text\nmodel: {{path: datasets/mini, dtype: float32}}\nmethod: {{name: rtn}}\n"
            f"evaluate:\n{entries}\n")


def read_tokens(path: pathlib.Path) -> tuple[list[int], array.array]:
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    entry = json.loads(data[8:8 + length])["tokens"]
    begin, end = entry["data_offsets"]
    tokens = array.array("i")
    tokens.frombytes(data[8 + length + begin:8 + length + end])
    return entry["shape"], tokens


def sample(folder: pathlib.Path) -> dict[int, array.array]:
    """Tokens by number of windows."""
    config = folder / "text.yaml"
    config.write_text(sweep())
    subprocess.run(["build/wkvq", "run", config, "--results", folder / "results"], check=True)
    found = {}
    for path in (folder / "results").rglob("self-*.safetensors"):
        (windows, length), tokens = read_tokens(path)
        assert length == LENGTH
        found[windows] = tokens
    return found


def write(tokens: dict[str, array.array]) -> None:
    header, data = {}, b""
    for name, values in tokens.items():
        part = array.array("h", values).tobytes()
        header[name] = {"dtype": "I16", "shape": [len(values) // LENGTH, LENGTH],
                        "data_offsets": [len(data), len(data) + len(part)]}
        data += part
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    OUT.write_bytes(struct.pack("<Q", len(text)) + text + data)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = sample(pathlib.Path(folder))
    write({name: found[samples] for name, (samples, _) in TEXTS.items()})
    print(f"{OUT}: {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
