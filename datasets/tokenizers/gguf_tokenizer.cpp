#include "datasets/tokenizers/gguf_tokenizer.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/base/error.h"
#include "core/base/gguf/gguf.h"
#include "core/base/gguf/gguf_fields.h"
#include "datasets/tokenizers/bpe_tokenizer.h"
#include "datasets/tokenizers/files.h"
#include "datasets/tokenizers/gguf_pre_tokenizer.h"
#include "datasets/tokenizers/sentencepiece_tokenizer.h"
#include "datasets/tokenizers/sentencepiece_writer.h"
#include "datasets/tokenizers/unicode.h"

namespace wkvq {
namespace {

const std::string kPrefix = "tokenizer.ggml.";
constexpr int kNormal = 1, kControl = 3, kUserDefined = 4, kByte = 6;

/// The vocabulary of a GGUF file and what its metadata say about it.
class Vocabulary {
 public:
  explicit Vocabulary(const GgufFile& file)
      : fields_(file.metadata(), file.path().string()), tokens_(fields_.texts(key("tokens"))) {
    if (tokens_.empty() || tokens_.size() >= static_cast<size_t>(kTokenIdLimit)) {
      fields_.refuse(key("tokens"), fmt::format("expected 1 to {}", kTokenIdLimit - 1));
    }
    for (size_t i = 0; i < tokens_.size(); ++i) {
      if (is_valid_utf8(tokens_[i])) continue;
      config_error("{}: token {} of '{}' is not valid UTF-8", where(), i, key("tokens"));
    }
    read_types();
  }

  static std::string key(const char* name) { return kPrefix + name; }
  const GgufFields& fields() const { return fields_; }
  const std::string& where() const { return fields_.where(); }
  const std::vector<std::string_view>& tokens() const { return tokens_; }
  const std::vector<int>& types() const { return types_; }

  /// The token with the id that `name` gives, or `if_absent` (-1: none).
  std::optional<std::string> special(const char* name, int64_t if_absent) const {
    const auto last = static_cast<int64_t>(tokens_.size()) - 1;
    // 2^32 - 1 is how some writers say that there is none.
    int64_t id = fields_.integer_or(key(name), if_absent, -1, UINT32_MAX);
    if (id == UINT32_MAX) id = -1;
    if (id > last) {
      config_error("{}: '{}' is {}, expected a token id up to {}", where(), key(name), id, last);
    }
    if (id < 0) return std::nullopt;
    return std::string(tokens_[static_cast<size_t>(id)]);
  }

  /// BOS, EOS and the tokens that are found in the text before anything else.
  TokenizerConfig config(int64_t default_bos, int64_t default_eos, bool add_bos) const {
    TokenizerConfig config;
    config.where = where();
    config.bos_token = special("bos_token_id", default_bos);
    config.eos_token = special("eos_token_id", default_eos);
    config.add_bos_token = fields_.flag_or(key("add_bos_token"), add_bos);
    config.add_eos_token = fields_.flag_or(key("add_eos_token"), false);
    for (size_t id = 0; id < tokens_.size(); ++id) {
      const bool found = types_[id] == kControl || types_[id] == kUserDefined;
      if (!found || tokens_[id].empty()) continue;
      config.added_tokens.push_back({.id = static_cast<int32_t>(id),
                                     .content = std::string(tokens_[id]),
                                     .special = types_[id] == kControl,
                                     .normalized = false});
    }
    config.bytes =
        fmt::format("{} {} {} {}", config.bos_token.value_or("-"), config.eos_token.value_or("-"),
                    *config.add_bos_token, *config.add_eos_token);
    const auto check = [&](const char* flag, bool asked, const std::optional<std::string>& token) {
      if (asked && !token) config_error("{}: '{}' without a token id for it", where(), key(flag));
    };
    check("add_bos_token", *config.add_bos_token, config.bos_token);
    check("add_eos_token", *config.add_eos_token, config.eos_token);
    return config;
  }

 private:
  void read_types() {
    types_.assign(tokens_.size(), kNormal);
    if (!fields_.find(key("token_type"))) return;
    const std::vector<double> given = fields_.numbers(key("token_type"));
    if (given.size() != tokens_.size()) {
      fields_.refuse(key("token_type"), fmt::format("expected {}, one a token", tokens_.size()));
    }
    for (size_t i = 0; i < given.size(); ++i) {
      if (!(given[i] >= 0 && given[i] <= kByte)) {
        config_error("{}: '{}' of token {} is {}, expected 0 to {}", where(), key("token_type"), i,
                     given[i], kByte);
      }
      types_[i] = std::max(kNormal, static_cast<int>(given[i]));
    }
  }

  GgufFields fields_;
  std::vector<std::string_view> tokens_;
  std::vector<int> types_;
};

std::unique_ptr<Tokenizer> sentencepiece(const Vocabulary& vocabulary) {
  const std::string key = Vocabulary::key("scores");
  const std::vector<double> scores = vocabulary.fields().numbers(key);
  const size_t count = vocabulary.tokens().size();
  if (scores.size() != count) {
    vocabulary.fields().refuse(key, fmt::format("expected {}, one a token", count));
  }
  std::vector<SentencePiece> pieces;
  for (size_t i = 0; i < count; ++i) {
    if (!std::isfinite(scores[i])) {
      config_error("{}: '{}' of token {} is not finite", vocabulary.where(), key, i);
    }
    pieces.push_back(
        {vocabulary.tokens()[i], static_cast<float>(scores[i]), vocabulary.types()[i]});
  }
  // llama.cpp's defaults, which are LLaMA's.
  TokenizerConfig config = vocabulary.config(1, 2, true);
  config.unk_token = vocabulary.special("unknown_token_id", 0);
  const bool prefix = vocabulary.fields().flag_or(Vocabulary::key("add_space_prefix"), true);
  return std::make_unique<SentencePieceTokenizer>(write_sentencepiece_model(pieces, prefix),
                                                  vocabulary.where(), config);
}

/// Cuts by each expression in turn; words are looked up in the byte-level alphabet.
PreTokenizer pre_tokenizer(const GgufPreTokenizer& row, const std::string& where) {
  auto steps = JsonNode::Json::array();
  for (const std::string& expression : row.expressions) {
    steps.push_back(
        {{"type", "Split"}, {"pattern", {{"Regex", expression}}}, {"behavior", "Isolated"}});
  }
  steps.push_back({{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}});
  const JsonNode::Json sequence = {{"type", "Sequence"}, {"pretokenizers", steps}};
  return PreTokenizer(JsonNode(sequence, where));
}

BpeData bpe_data(const Vocabulary& vocabulary, bool ignore_merges) {
  BpeData data;
  data.where = vocabulary.where();
  data.byte_level = true;
  data.ignore_merges = ignore_merges;
  for (size_t id = 0; id < vocabulary.tokens().size(); ++id) {
    const std::string_view token = vocabulary.tokens()[id];
    if (!token.empty()) data.vocabulary.emplace_back(token, static_cast<int32_t>(id));
  }
  const std::string key = Vocabulary::key("merges");
  for (const std::string_view merge : vocabulary.fields().texts(key)) {
    const size_t space = merge.find(' ', 1);
    if (merge.empty() || space == merge.npos || space + 1 == merge.size()) {
      config_error("{}: merge {} of '{}' is not two tokens with a space between them",
                   vocabulary.where(), data.merges.size(), key);
    }
    data.merges.emplace_back(merge.substr(0, space), merge.substr(space + 1));
  }
  return data;
}

std::unique_ptr<Tokenizer> byte_level(const Vocabulary& vocabulary, const GgufFile& file) {
  const GgufFields& fields = vocabulary.fields();
  // llama.cpp takes files from before the key existed for "default".
  const std::string name = fields.text_or(Vocabulary::key("pre"), "default");
  const GgufPreTokenizer& row = find_gguf_pre_tokenizer(name, fields.where());
  const TokenizerConfig config = vocabulary.config(-1, -1, row.add_bos);
  const JsonNode::Json decoder = {{"type", "ByteLevel"}};
  const JsonNode::Json nfc = {{"type", "NFC"}};
  BpeStages stages;
  stages.where = fields.where();
  if (row.nfc) stages.normalizer = Normalizer(JsonNode(nfc, fields.where()));
  stages.pre_tokenizer = pre_tokenizer(row, fields.where());
  stages.decoder = Decoder(JsonNode(decoder, fields.where()));
  stages.bpe = bpe_data(vocabulary, row.ignore_merges);
  const auto id_of = [&](const std::optional<std::string>& token) {
    const auto found = std::ranges::find(vocabulary.tokens(), std::string_view(*token));
    return static_cast<int32_t>(found - vocabulary.tokens().begin());
  };
  if (*config.add_bos_token) stages.post_processor.prefix = {id_of(config.bos_token)};
  if (*config.add_eos_token) stages.post_processor.suffix = {id_of(config.eos_token)};
  std::vector<std::string> parts = {name, config.bytes};
  for (const char* key : {"tokens", "token_type", "merges"}) {
    const auto found = file.metadata().find(Vocabulary::key(key));
    parts.emplace_back(found == file.metadata().end() ? "" : found->second.bytes);
  }
  stages.fingerprint = hash_of(parts);
  return std::make_unique<BpeTokenizer>(std::move(stages), config);
}

}  // namespace

bool has_gguf_tokenizer(const std::filesystem::path& path) {
  const GgufFile file(path);
  const GgufFields fields(file.metadata(), path.string());
  const std::string model = fields.text_or(Vocabulary::key("model"), "none");
  return model != "none" && model != "no_vocab";
}

std::unique_ptr<Tokenizer> load_gguf_tokenizer(const std::filesystem::path& path) {
  const GgufFile file(path);
  const GgufFields fields(file.metadata(), path.string());
  const std::string key = Vocabulary::key("model");
  const std::string model = fields.text(key);
  if (model != "llama" && model != "gpt2") fields.refuse(key, "known: llama, gpt2");
  const Vocabulary vocabulary(file);
  return model == "llama" ? sentencepiece(vocabulary) : byte_level(vocabulary, file);
}

}  // namespace wkvq
