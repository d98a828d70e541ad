#!/usr/bin/env python3
"""Writes tests/golden/tokenizers: small tokenizers and what Hugging Face makes of hard strings.

Development only: needs tokenizers, transformers, sentencepiece and protobuf (`pip install`). With WKVQ_SHARED
set (default ../shared) it also writes shared_text.json: count and FNV-1a hash of the ids of whole
texts that are too large to keep here.
"""
import io
import json
import os
import re
import sys
from pathlib import Path

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, GPT2TokenizerFast, LlamaTokenizer

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests/golden/tokenizers"
SHARED = Path(os.environ.get("WKVQ_SHARED", ROOT / "../shared"))

TRAINING = """The quick brown fox jumps over the lazy dog. It's been said that they're not what we'd
expected; I'll say you've been there, and I'm sure he's gone. In 1984 and 2023, about 1234567 people
said "hello" to the world: (one, two, three). Don't worry, the other brothers gathered together!
\tdef main(argument):\n        return argument + 1  # the rest of the thing\n\n\nfor (int i = 0; i < 10; ++i) {
  sum += values[i];\n}\r\nÜber den Wölken, naïve café, Ångström, señor, Россия и мир, こんにちは世界,
你好，世界, مرحبا بالعالم, 안녕하세요. the the the and and of of to to in in is is that that was was
The rain in Spain stays mainly in the plain. She sells sea shells by the sea shore. """ * 4

HARD = [
    "", " ", "  ", "   a", "a   ", " leading", "trailing ", "\n", "\n\n", "\r\n", "\t", " \n \n  x",
    "Hello, world!", "hello world hello world", "the theory of the other",
    "I'm you're he'll they'd we've it's DON'T WE'LL I'M 'S 'sun 'ſ 'K",
    "it\u2019s they\u2019re", "0 12 345 6789 12345678901234567890", "1,234.56e-7 ½ ² Ⅷ ١٢٣ १२३",
    "a1b2c3 x_y_z snake_case CamelCase", "tabs\t\tand\n\n\n\nnewlines \n\n mixed\r\n\r\n end",
    "spaces" + " " * 40 + "end", " " * 17, "\n" * 9 + " " * 5 + "\t\t x",
    "!!!???...---***", "a.b,c;d:e/f\\g|h", "\"quoted\" 'single' (paren) [brack] {brace} <angle>",
    "😀 😃👍🏽 ❤️ 🇩🇪🇫🇷", "👨‍👩‍👧‍👦 🏳️‍🌈 👩🏿‍🚀", "e\u0301 vs \u00e9, n\u0303, A\u030a, o\u0308\u0323",
    "\u1e9b\u0323 \uac00\u11a8 \u1100\u1161\u11a8 \u212b \u2126", "Zalgo: Z\u0351\u036b\u0343a\u034a\u0328l",
    "你好，世界！今天天气很好。", "日本語のテキスト、カタカナ、ひらがな", "한국어 텍스트", "ภาษาไทยไม่มีช่องว่าง",
    "مرحبا بالعالم، كيف حالك؟", "שָׁלוֹם עולם", "हिन्दी में पाठ", "Ελληνικά Кириллица Ñandú ß ẞ ﬁ ﬀ",
    "\u00a0nbsp\u00a0\u00a0x \u2003em\u2009thin\u3000wide\u1680ogham", "mvs\u180ex zwsp\u200bx zwj\u200dx bom\ufeffx",
    "line\u2028sep\u2029para\u0085nel\x0b\x0cvt", "nul\x00byte \x01\x02\x1f\x7f", "\ufffd \uffff \U0010ffff \ue000",
    "𝒳𝓎𝔷 𐍈 𠜎𠜱", "▁ literal ▁▁metaspace▁", "<0x0A> <0xFF> <unk>", "Ġ Ċ Ā byte ĠĠ",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "thethethethethethethethe" * 5,
    "supercalifragilisticexpialidocious" * 6, "http://example.com/a?b=c&d=%20#x user@mail.org",
    "def f(x):\n    if x > 0:\n        return x ** 2\n\n\n# end\n", "x\n  y\n    z\n\ty",
    "<s>", "</s>", "<s>a</s>", "a <s> b </s> c", " <s> ", "<s><s>", "text<s>\nmore", "<s", "s>", "<<s>>",
    "<|begin|>", "x<|end|>y", " <|end|> ", "<|endoftext|>", "a<|endoftext|>b <|endoftext|> c",
    "<|begin_of_text|>hi<|eot_id|>", "<|im_start|>user\nhi<|im_end|>\n", "<|im_start|><|im_end|>",
    "a [LS] b [RS] c", "a[LS]b[RS]c", "one WORD two WORDs aWORD WORD, _WORD WORDé WORD", "é-cafe\u0301-é",
    "xNORMx x NORM x", "caf\u00e9TOK cafe\u0301TOK",
]
INVALID = [  # replaced as Python's errors="replace" does
    b"\xff", b"a\xffb", b"\xc3", b"\xc3(", b"\xe2\x82", b"\xe2\x82x", b"\xf0\x9f\x98", b"\xf0\x9f\x98\xf0\x9f\x98\x80",
    b"\xed\xa0\x80\xed\xb0\x80", b"\xc0\xaf", b"\xe0\x80\x80", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80",
    b"ok \x80\x80\x80 end\xf1", b"\xfe\xfe\xff\xff", b"\xe4\xbd\xa0\xe5\xa5", b"<s>\xff</s>\xe2",
]

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def split_and_bytes(pattern):
    return pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def special(text, **options):
    return AddedToken(text, special=True, normalized=False, **options)


def train_bytes(pre_tokenizer, size, specials, normalizer=None, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator([TRAINING], trainer)
    tokenizer.add_special_tokens(specials)
    return tokenizer


def llama3():
    tokenizer = train_bytes(split_and_bytes(LLAMA3), 420, [
        special("<|begin_of_text|>"), special("<|end_of_text|>"), special("<|eot_id|>")], ignore_merges=True)
    begin = tokenizer.token_to_id("<|begin_of_text|>")
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing("<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", begin)])])
    return tokenizer, {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|begin_of_text|>",
                       "eos_token": "<|end_of_text|>"}


def ignore_merges():
    """A word in the vocabulary that no merge reaches."""
    tokenizer, config = llama3()
    data = json.loads(tokenizer.to_str())
    data["model"]["merges"] = data["model"]["merges"][:60]
    return Tokenizer.from_str(json.dumps(data)), config


def qwen2():
    tokenizer = train_bytes(split_and_bytes(QWEN2), 400, [
        special("<|endoftext|>"), special("<|im_start|>"), special("<|im_end|>")], normalizers.NFC())
    tokenizer.add_tokens([AddedToken("cafe\u0301TOK", normalized=True), AddedToken("NORM", normalized=False)])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer, {"tokenizer_class": "Qwen2Tokenizer", "bos_token": None, "eos_token": "<|endoftext|>",
                       "add_bos_token": False}


def gpt2():
    tokenizer = train_bytes(pre_tokenizers.ByteLevel(add_prefix_space=False), 400, [special("<|endoftext|>")])
    tokenizer.add_tokens([AddedToken("[LS]", lstrip=True, normalized=False),
                          AddedToken("[RS]", rstrip=True, normalized=False),
                          AddedToken("WORD", single_word=True, normalized=False)])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer, {"tokenizer_class": "GPT2Tokenizer", "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}


def prefix_space():
    tokenizer, _ = gpt2()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    return tokenizer, {}


def smollm():
    digits = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                      pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer = train_bytes(digits, 400, [special("<|endoftext|>"), special("<|im_start|>"), special("<|im_end|>")])
    return tokenizer, {"tokenizer_class": "GPT2Tokenizer", "bos_token": "<|endoftext|>", "eos_token": "<|im_end|>"}


def train_pieces(size, byte_fallback):
    """Vocabulary and merges of a SentencePiece-style BPE over words that begin with U+2581."""
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    ascii_only = re.sub(r"[^\x20-\x7e]", " ", TRAINING)
    trained.train_from_iterator([ascii_only], trainers.BpeTrainer(vocab_size=size, show_progress=False))
    model = json.loads(trained.to_str())["model"]
    first = ["<unk>", "<s>", "</s>"] + ([f"<0x{i:02X}>" for i in range(256)] if byte_fallback else [])
    vocabulary = {token: i for i, token in enumerate(first + sorted(model["vocab"], key=model["vocab"].get)
                                                     + ["\u00e9", "\u4e16", "\u754c"])}
    runs = ["\u2581" * 2, "\u2581" * 4, "\u2581" * 8]
    merges = [tuple(m) for m in model["merges"]] + [(r[len(r) // 2:], r[len(r) // 2:]) for r in runs]
    for run in runs:
        vocabulary.setdefault(run, len(vocabulary))
    return vocabulary, merges


def pieces(byte_fallback=True, fuse_unk=True):
    vocabulary, merges = train_pieces(300, byte_fallback)
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=fuse_unk,
                                     byte_fallback=byte_fallback))
    tokenizer.add_special_tokens([special("<unk>"), special("<s>"), special("</s>")])
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


LLAMA_CONFIG = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}


def llama2():
    tokenizer = pieces()
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    return tokenizer, {**LLAMA_CONFIG, "add_bos_token": True}


def mistral(scheme="first", split=False):
    tokenizer = pieces()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split)
    tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    return tokenizer, LLAMA_CONFIG


def metaspace():
    """Unknown characters without bytes, words cut at the mark, decoder Metaspace."""
    tokenizer = pieces(byte_fallback=False, fuse_unk=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer, {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>"}


def fused_unknown():
    tokenizer = pieces(byte_fallback=False, fuse_unk=True)
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    tokenizer.pre_tokenizer = pre_tokenizers.Split("\u2581", "merged_with_previous")
    return tokenizer, {}


def no_bos():
    """add_bos_token counts for the Llama classes."""
    tokenizer, _ = llama2()
    return tokenizer, {**LLAMA_CONFIG, "add_bos_token": False, "add_eos_token": True}


def splits():
    """The less common behaviours of Split."""
    tokenizer = train_bytes(pre_tokenizers.Sequence([
        pre_tokenizers.Split(" ", "merged_with_next"), pre_tokenizers.Split(Regex(r"\d"), "contiguous"),
        pre_tokenizers.Split(Regex(r"[\r\n]+"), "removed"),
        pre_tokenizers.Split(Regex(r"\p{L}+"), "isolated", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]), 360, [special("<|endoftext|>")])
    return tokenizer, {}


TOKENIZERS = {f.__name__: f for f in (llama3, ignore_merges, qwen2, gpt2, prefix_space, smollm, llama2, mistral,
                                      metaspace, fused_unknown, no_bos, splits)}


def case(encode, decode, data):
    text = data.decode("utf-8", errors="replace")
    plain, added = encode(text, False), encode(text, True)
    return {"hex": data.hex(), "ids": plain, "special": added, "decoded": decode(plain)}


def cases(encode, decode):
    inputs = [s.encode() for s in HARD] + INVALID
    return [case(encode, decode, data) for data in inputs]


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")


def write_tokenizers():
    for name, make in TOKENIZERS.items():
        tokenizer, config = make()
        folder = GOLDEN / name
        write(folder / "tokenizer.json", json.loads(tokenizer.to_str()))
        if config:
            write(folder / "tokenizer_config.json", config)
        reference = tokenizer
        # transformers' own class decides about BOS there; elsewhere the file itself speaks.
        if config.get("tokenizer_class", "").startswith("Llama"):
            reference = AutoTokenizer.from_pretrained(folder).backend_tokenizer
        write(folder / "expected.json", cases(
            lambda text, add: reference.encode(text, add_special_tokens=add).ids,
            lambda ids: reference.decode(ids, skip_special_tokens=False)))


def write_mini():
    reference = AutoTokenizer.from_pretrained(ROOT / "datasets/mini")
    write(GOLDEN / "mini/expected.json", cases(
        lambda text, add: reference.encode(text, add_special_tokens=add),
        lambda ids: reference.backend_tokenizer.decode(ids, skip_special_tokens=False)))


def write_sentencepiece():
    """Trained models; decoding is our own (it gives back the text), so it has no reference."""
    for kind, spaces in (("bpe", False), ("unigram", False), ("bpe", True), ("unigram", True)):
        folder = GOLDEN / f"sentencepiece_{kind}{'_squeeze' if spaces else ''}"
        folder.mkdir(parents=True, exist_ok=True)
        lines = re.sub(r"[^\x20-\x7e\n]", " ", TRAINING).split("\n")
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines), model_writer=model, model_type=kind, vocab_size=400,
            byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=spaces,
            hard_vocab_limit=False, minloglevel=2)
        (folder / "tokenizer.model").write_bytes(model.getvalue())
        expected = {}
        for legacy in (True, False):
            reference = LlamaTokenizer(str(folder / "tokenizer.model"), legacy=legacy)
            expected["legacy" if legacy else "modern"] = cases(
                lambda text, add: reference.encode(text, add_special_tokens=add), lambda ids: "")
        write(folder / "expected.json", expected)


def fnv1a(ids):
    value = 0xCBF29CE484222325
    for byte in b"".join(i.to_bytes(4, "little") for i in ids):
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def write_shared_text():
    folder = SHARED / "data/tokenizers"
    gpt2_files = GPT2TokenizerFast(str(folder / "gpt2/vocab.json"), str(folder / "gpt2/merges.txt"))
    references = {"datasets/mini": AutoTokenizer.from_pretrained(ROOT / "datasets/mini"),
                  "data/tokenizers/gpt2": gpt2_files,
                  "data/tokenizers/llama2": LlamaTokenizer(str(folder / "llama2/tokenizer.model"), legacy=True),
                  "data/models/stories260K": LlamaTokenizer(str(SHARED / "data/models/stories260K/tokenizer.model"),
                                                            legacy=True)}
    rows = []
    for text in sorted((SHARED / "data/text").iterdir()):
        content = text.read_bytes().decode("utf-8", errors="replace")
        for name, reference in references.items():
            ids = reference.encode(content, add_special_tokens=False)
            rows.append({"tokenizer": name, "text": f"data/text/{text.name}", "count": len(ids), "fnv1a": fnv1a(ids)})
    write(GOLDEN / "shared_text.json", rows)


if __name__ == "__main__":
    write_tokenizers()
    write_mini()
    write_sentencepiece()
    if SHARED.exists():
        write_shared_text()
    else:
        print(f"no {SHARED}: shared_text.json left as it is", file=sys.stderr)
