#include "datasets/tokenizers/gguf_tokenizer.h"

#include "datasets/tokenizers/gguf_pre_tokenizer.h"
#include "datasets/tokenizers/unicode.h"
#include "tests/datasets/tokenizer_golden.h"
#include "tests/support/gguf_bytes.h"

using namespace wkvq;
using namespace wkvq::test;

namespace {

std::filesystem::path golden(const std::string& name) {
  return source("tests/golden/gguf/tokenizer_" + name + ".gguf");
}

/// Byte-level tokens of all letters of "abc1 .'", two merges and three special tokens.
GgufBytes small_tokenizer(const std::string& pre) {
  GgufBytes file;
  file.word("tokenizer.ggml.model", "gpt2")
      .word("tokenizer.ggml.pre", pre)
      .words("tokenizer.ggml.tokens",
             {"a", "b", "c", "1", "\u0120", ".", "ab", "11", "<end>", "USER", "."})
      .words("tokenizer.ggml.merges", {"a b", "1 1"});
  return file;
}

std::string refusal(const GgufBytes& file) {
  const TemporaryFolder folder;
  write_file(folder / "x.gguf", file.bytes());
  return error_of([&] { load_gguf_tokenizer(folder / "x.gguf"); });
}

bool contains(const std::string& text, const std::string& part) {
  UNSCOPED_INFO("message: " << text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("GGUF byte-level tokenizers: hard strings as Hugging Face with the published files") {
  const std::string name =
      GENERATE(values<std::string>({"smollm", "llama3", "ignore_merges", "qwen2", "gpt2"}));
  INFO(name);
  const auto tokenizer = load_gguf_tokenizer(golden(name));
  const auto published = load_tokenizer(source("tests/golden/tokenizers/" + name));
  CHECK(tokenizer->vocab_size() == published->vocab_size());
  CHECK(tokenizer->bos_token() == published->bos_token());
  CHECK(tokenizer->eos_token() == published->eos_token());
  CHECK(tokenizer->adds_bos() == published->adds_bos());
  size_t compared = 0;
  for (const TokenizerCase& one : tokenizer_cases(read_golden(name + "/expected.json"))) {
    // GGUF cannot say that an added token takes spaces along, stands alone or is searched for in
    // normalized text.
    const bool beyond = one.text.find("S]") != std::string::npos ||
                        one.text.find("WORD") != std::string::npos ||
                        one.text.find("TOK") != std::string::npos;
    if (beyond && (name == "gpt2" || name == "qwen2")) continue;
    INFO("text: " << repair_utf8(one.text));
    CHECK(tokenizer->encode(one.text, false) == one.ids);
    CHECK(tokenizer->encode(one.text, true) == one.special);
    CHECK(tokenizer->decode(one.ids) == one.decoded);
    ++compared;
  }
  CHECK(compared > 80);
}

TEST_CASE("GGUF SentencePiece tokenizer: hard strings as LlamaTokenizer") {
  const auto tokenizer = load_gguf_tokenizer(golden("sentencepiece_bpe"));
  const auto expected = read_golden("sentencepiece_bpe/expected.json");
  CHECK(tokenizer->adds_bos());
  for (const TokenizerCase& one : tokenizer_cases(expected.at("legacy"))) {
    INFO("text: " << repair_utf8(one.text));
    CHECK(tokenizer->encode(one.text, false) == one.ids);
    CHECK(tokenizer->encode(one.text, true) == one.special);
  }
}

TEST_CASE("GGUF pre-tokenizers cut digits and punctuation as they are named") {
  const auto tokens = [](const std::string& pre, const std::string& text) {
    const TemporaryFolder folder;
    GgufBytes file;
    file.word("tokenizer.ggml.model", "gpt2")
        .word("tokenizer.ggml.pre", pre)
        .flag("tokenizer.ggml.add_bos_token", false)
        .words("tokenizer.ggml.tokens", {"1", "11", "111", "1111", ".", "..", "\u0120", "\u01201",
                                         "a", "A", "aA", "\u0120."})
        .words("tokenizer.ggml.merges",
               {"1 1", "11 1", "11 11", ". .", "\u0120 1", "a A", "\u0120 ."});
    write_file(folder / "x.gguf", file.bytes());
    return load_gguf_tokenizer(folder / "x.gguf")->encode(text, false);
  };
  using Ids = std::vector<int32_t>;
  CHECK(tokens("gpt-2", "1111") == Ids{3});
  CHECK(tokens("smollm", "1111") == Ids{0, 0, 0, 0});
  CHECK(tokens("qwen2", "1111") == Ids{0, 0, 0, 0});
  CHECK(tokens("llama-bpe", "1111") == Ids{2, 0});
  // Three digits at a time, as in the pattern of llama.cpp; and a space stays behind.
  CHECK(tokens("default", "1111") == Ids{2, 0});
  CHECK(tokens("gpt-2", " 1") == Ids{7});
  CHECK(tokens("smollm", " 1") == Ids{6, 0});
  CHECK(tokens("gpt-2", " .") == Ids{11});
  CHECK(tokens("default", " .") == Ids{6, 4});
  // Capitals begin a new word in tekken alone.
  CHECK(tokens("qwen2", "aA") == Ids{10});
  CHECK(tokens("tekken", "aA") == Ids{8, 9});
}

TEST_CASE("GGUF tokenizers: BOS and EOS by flag and default") {
  const auto load = [](const GgufBytes& file) {
    const TemporaryFolder folder;
    write_file(folder / "x.gguf", file.bytes());
    return load_gguf_tokenizer(folder / "x.gguf");
  };
  GgufBytes file;
  const auto with = [&](const std::string& pre) -> GgufBytes& {
    file = GgufBytes();
    return file.word("tokenizer.ggml.model", "gpt2")
        .word("tokenizer.ggml.pre", pre)
        .words("tokenizer.ggml.tokens", {"a", "<b>", "<e>", "USER"})
        .list("tokenizer.ggml.token_type", GgufKind::kInt32, 4, raw(1) + raw(3) + raw(3) + raw(4))
        .words("tokenizer.ggml.merges", {})
        .integer("tokenizer.ggml.bos_token_id", 1)
        .integer("tokenizer.ggml.eos_token_id", 2);
  };
  using Ids = std::vector<int32_t>;
  const auto plain = load(with("gpt-2"));
  CHECK(plain->encode("a", true) == Ids{0});
  CHECK_FALSE(plain->adds_bos());
  CHECK(plain->bos_token() == 1);
  CHECK(plain->eos_token() == 2);
  CHECK(plain->encode("a<e>aUSERa", false) == Ids{0, 2, 0, 3, 0});
  CHECK(plain->decode({0, 2, 3}) == "a<e>USER");
  CHECK(load(with("llama-bpe"))->encode("a", true) == Ids{1, 0});
  CHECK(load(with("llama-bpe").flag("tokenizer.ggml.add_bos_token", false))->encode("a", true) ==
        Ids{0});
  const auto both = load(with("gpt-2")
                             .flag("tokenizer.ggml.add_bos_token", true)
                             .flag("tokenizer.ggml.add_eos_token", true));
  CHECK(both->encode("a", true) == Ids{1, 0, 2});
  CHECK(both->adds_bos());
  CHECK(both->fingerprint() != plain->fingerprint());
}

TEST_CASE("GGUF tokenizers: what is not supported or malformed is refused by name") {
  CHECK(contains(refusal(small_tokenizer("viking")),
                 "pre-tokenizer 'viking' is not supported; known: default, gpt-2, smollm"));
  CHECK(contains(refusal(small_tokenizer("gpt-2")), "token '.' is given twice"));
  CHECK(contains(refusal(GgufBytes().word("tokenizer.ggml.model", "bert")),
                 "is 'bert'; known: llama, gpt2"));
  GgufBytes file;
  const auto fresh = [&]() -> GgufBytes& {
    file = GgufBytes();
    return file.word("tokenizer.ggml.model", "gpt2").words("tokenizer.ggml.tokens", {"a", "b"});
  };
  CHECK(contains(refusal(fresh()), "no metadata 'tokenizer.ggml.merges'"));
  CHECK(contains(refusal(fresh().words("tokenizer.ggml.merges", {"ab"})), "merge 0 of"));
  CHECK(
      contains(refusal(fresh().words("tokenizer.ggml.merges", {"a b"})), "not in the vocabulary"));
  CHECK(contains(refusal(fresh().integer("tokenizer.ggml.eos_token_id", 2)),
                 "is 2, expected a token id up to 1"));
  CHECK(contains(refusal(fresh().flag("tokenizer.ggml.add_bos_token", true)),
                 "'tokenizer.ggml.add_bos_token' without a token id"));
  CHECK(contains(refusal(fresh().list("tokenizer.ggml.token_type", GgufKind::kInt32, 1, raw(1))),
                 "is a list of 1; expected 2"));
  CHECK(contains(
      refusal(fresh().list("tokenizer.ggml.token_type", GgufKind::kInt32, 2, raw(1) + raw(7))),
      "of token 1 is 7, expected 0 to 6"));
  file = GgufBytes();
  file.word("tokenizer.ggml.model", "gpt2").words("tokenizer.ggml.tokens", {"a", "\xff"});
  CHECK(contains(refusal(file), "token 1 of 'tokenizer.ggml.tokens' is not valid UTF-8"));
  file = GgufBytes();
  file.word("tokenizer.ggml.model", "llama")
      .words("tokenizer.ggml.tokens", {"<unk>", "<s>", "</s>"})
      .list("tokenizer.ggml.scores", GgufKind::kFloat32, 2, raw(0.F) + raw(0.F));
  CHECK(contains(refusal(file), "is a list of 2; expected 3"));
}

TEST_CASE("a GGUF file without a tokenizer is known as such") {
  CHECK(has_tokenizer(golden("smollm")));
  CHECK_FALSE(has_tokenizer(source("tests/golden/gguf/qwen3.gguf")));
  CHECK_FALSE(has_tokenizer(source("tests/golden/models/qwen3")));
  CHECK(has_tokenizer(source("datasets/mini")));
}

TEST_CASE("SmolLM2's tokenizer: 120000 characters of WikiText-2 as Hugging Face's library") {
  const std::filesystem::path path =
      shared("data/models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf");
  const std::filesystem::path file = shared("data/text/wikitext2.test.raw.txt");
  if (path.empty() || file.empty()) return;
  std::ifstream stream(source("tests/golden/gguf/smollm2_135m_tokens.json"));
  const auto expected = nlohmann::json::parse(stream);
  std::string text = read_text(file);
  size_t characters = 0, at = 0;
  for (; characters < expected.at("characters").get<size_t>(); ++characters) {
    at += character_length(text[at]);
  }
  text.resize(at);
  const auto tokenizer = load_tokenizer(path);
  const std::vector<int32_t> ids = tokenizer->encode(text, true);
  CHECK(ids.size() == expected.at("tokens").get<size_t>());
  CHECK(fnv1a(ids) == expected.at("fnv1a").get<std::string>());
  CHECK(tokenizer->decode(ids) == text);
  CHECK_FALSE(tokenizer->adds_bos());
  CHECK(tokenizer->vocab_size() == 49152);
}
