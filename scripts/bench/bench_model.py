#!/usr/bin/env python3
"""Decoding and one evaluation pass of a GGUF model, in turn with llama.cpp: float32, and 4 bits of weights and cache (llama.cpp:
Q4_0 with a cache of q4_0, which rounds inputs to 8 bits), ours with inputs in float32 (W4KV4) and in q8_0 (W4A8KV4). See scripts/bench/bench_model.sh. Prints the processor, medians over rounds and ratios of a round."""
import argparse
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
METHOD = """name: packed
model: {path: %s}
method:
  name: rtn
  weight: {bits: 4, group_size: %d, scale_dtype: float16}
  kv: {bits: 4, group_size: %d, scale_dtype: float16}
  activation: {format: %s}
evaluate:
  - {task: passkey}
"""
PASS = """name: pass
model: {path: %s, dtype: float32}
method: {name: rtn}
evaluate:
  - {task: perplexity, dataset: {name: text, path: %s}, windows: 8, context: 512, view: {mode: none}}
"""
WORDS = "Once upon a time a little girl lived in a house by the sea and every morning she walked along the beach . ".split()


def processor():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


class Wkvq:
    def __init__(self, binary, threads):
        self.command = [binary, "--threads", str(threads)]

    def speed(self, arguments, prompt, tokens):
        """Tokens a second behind the first one."""
        report = subprocess.run([*self.command, "generate", "--prompt", prompt, "--max-tokens", str(tokens), *arguments],
                                check=True, capture_output=True, text=True).stderr
        return float(re.search(r"written: \d+ tokens, ([\d.e+]+) tokens/s", report)[1])

    def evaluation(self, sweep, folder, tokens):
        subprocess.run([*self.command, "run", sweep, "--results", folder / "results", "--force"], check=True, capture_output=True)
        report = subprocess.run([*self.command, "report", folder / "results", "--format", "json"], check=True,
                                capture_output=True).stdout
        cost = json.loads(report)[0]["cost"]
        return tokens / (cost["seconds_blocks"] + cost["seconds_evaluation"])


class Llama:
    def __init__(self, folder, threads):
        self.folder, self.threads = folder, threads

    def quantized(self, model, kind, to):
        subprocess.run([self.folder / "llama-quantize", "--allow-requantize", model, to, kind, str(self.threads)], check=True,
                       capture_output=True)
        return to

    def bench(self, model, arguments):
        out = subprocess.run([self.folder / "llama-bench", "-m", model, "-t", str(self.threads), "-r", "1", "-o", "json", *arguments],
                             check=True, capture_output=True, text=True).stdout
        return json.loads(out)[0]["avg_ts"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--llama", type=pathlib.Path, help="folder with llama-bench and llama-quantize; without: ours alone")
    parser.add_argument("--wkvq", type=pathlib.Path, nargs="+", default=[ROOT / "build/wkvq"], help="programs, e.g. before and after")
    parser.add_argument("--text", type=pathlib.Path, help="text of the evaluation pass; without: no pass")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--group", type=int, default=64, help="of weights and of the cache")
    options = parser.parse_args()
    model = options.model.resolve()
    short, long = "Once upon a time", " ".join((WORDS * 30)[:512])
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        ways = {}
        for index, binary in enumerate(options.wkvq):
            ours, name = Wkvq(binary.resolve(), options.threads), f"wkvq {index}" if len(options.wkvq) > 1 else "wkvq"
            cases = {"float32": ["--model", model]}
            for case, inputs in (("W4KV4", "none"), ("W4A8KV4", "q8_0")):
                config, packed = folder / f"{index}-{case}.yaml", folder / f"{index}-{case}.packed"
                config.write_text(METHOD % (model, options.group, options.group, inputs))
                subprocess.run([*ours.command, "pack", "--config", config, "--out", packed], check=True, capture_output=True)
                cases[case] = ["--packed", packed]
            for case, arguments in cases.items():
                for length, prompt in (("4", short), ("512", long)):
                    ways.setdefault(f"decode {case}, from {length} tokens", {})[name] = (
                        lambda a=arguments, p=prompt, o=ours: o.speed(a, p, options.tokens))
            if options.text:
                sweep = folder / f"pass{index}.yaml"
                sweep.write_text(PASS % (model, options.text.resolve()))
                ways.setdefault("float32, 8 x 512 in one pass", {})[name] = (
                    lambda s=sweep, o=ours: o.evaluation(s, folder, 8 * 512))
        if options.llama:
            llama = Llama(options.llama.resolve(), options.threads)
            four = llama.quantized(model, "Q4_0", folder / "q4_0.gguf")
            files = {"W4KV4": four, "W4A8KV4": four, "float32": llama.quantized(model, "F32", folder / "f32.gguf")}
            packed_cache = ["-ctk", "q4_0", "-ctv", "q4_0", "-fa", "1"]
            # llama-bench takes no cache in float32; its own is float16.
            cache = {"W4KV4": packed_cache, "W4A8KV4": packed_cache, "float32": []}
            for case, file in files.items():
                for length in ("4", "512"):
                    ways[f"decode {case}, from {length} tokens"]["llama.cpp"] = (
                        lambda f=file, c=cache[case], d=length: llama.bench(f, ["-p", "0", "-n", str(options.tokens), "-d", d, *c]))
            if options.text:
                ways["float32, 8 x 512 in one pass"]["llama.cpp"] = (
                    lambda: llama.bench(files["float32"], ["-p", "512", "-n", "0", *cache["float32"]]))
        print(f"{processor()}, {os.cpu_count()} processors, {options.threads} threads; load {os.getloadavg()[0]:.1f}; "
              f"{options.rounds} rounds in turn, tokens/s: median (least to most); ratio of the first to each in the same round")
        for case, sides in ways.items():
            rounds = {name: [] for name in sides}
            for _ in range(options.rounds):
                for name, run in sides.items():
                    rounds[name].append(run())
            first = next(iter(rounds.values()))
            for name, speeds in rounds.items():
                ratio = statistics.median(a / b for a, b in zip(first, speeds))
                print(f"{case:34} {name:10} {statistics.median(speeds):8.1f} ({min(speeds):.1f} to {max(speeds):.1f})   {ratio:.2f}",
                      flush=True)


if __name__ == "__main__":
    main()
