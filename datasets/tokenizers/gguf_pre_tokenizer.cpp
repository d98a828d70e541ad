#include "datasets/tokenizers/gguf_pre_tokenizer.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "core/base/error.h"

namespace wkvq {
namespace {

constexpr const char* kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr const char* kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen2 = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)"
                               R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kTekken =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|)"
    R"(\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// The expressions are those of the published tokenizer.json files; that of `default`, which
// belongs to no published tokenizer, is llama.cpp's (src/llama-vocab.cpp).
const std::vector<GgufPreTokenizer>& table() {
  static const std::vector<GgufPreTokenizer> rows = {
      {.names = {"default"},
       .expressions = {R"([\p{P}\$\+<=>\^~\|]+)", kGpt2, R"(\p{N}+)", "[0-9][0-9][0-9]"}},
      {.names = {"gpt-2"}, .expressions = {kGpt2}},
      {.names = {"smollm", "starcoder"}, .expressions = {R"(\p{N})", kGpt2}},
      {.names = {"llama-bpe", "llama3", "llama-v3"},
       .expressions = {kLlama3},
       .ignore_merges = true,
       .add_bos = true},
      {.names = {"qwen2"}, .expressions = {kQwen2}, .nfc = true},
      {.names = {"deepseek-r1-qwen"}, .expressions = {kQwen2}},
      {.names = {"tekken"}, .expressions = {kTekken}, .ignore_merges = true, .add_bos = true},
  };
  return rows;
}

}  // namespace

const GgufPreTokenizer& find_gguf_pre_tokenizer(const std::string& name, const std::string& where) {
  std::vector<std::string> known;
  for (const GgufPreTokenizer& row : table()) {
    if (std::ranges::find(row.names, name) != row.names.end()) return row;
    known.insert(known.end(), row.names.begin(), row.names.end());
  }
  config_error("{}: pre-tokenizer '{}' is not supported; known: {}", where, name,
               fmt::join(known, ", "));
}

}  // namespace wkvq
