#include <utility>

#include "core/base/error.h"
#include "core/base/json/json.h"
#include "datasets/tokenizers/bpe_reader.h"
#include "datasets/tokenizers/bpe_tokenizer.h"
#include "datasets/tokenizers/files.h"

namespace wkvq {
namespace {

// transformers' Qwen2Tokenizer.
constexpr const char* kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr const char* kEnd = "<|endoftext|>";

/// The class that decides: named in tokenizer_config.json or config.json, else that of the family.
std::string tokenizer_class(const std::filesystem::path& folder, const TokenizerConfig& config) {
  std::string name = config.tokenizer_class;
  const std::filesystem::path path = folder / "config.json";
  if (name.empty() && std::filesystem::exists(path)) {
    const auto json = parse_json(read_file(path), path.string());
    const JsonNode root(json, path.string());
    name = root.text_or("tokenizer_class", "");
    const std::string family = root.text_or("model_type", "");
    if (name.empty() && (family == "qwen2" || family == "qwen3")) name = "Qwen2Tokenizer";
  }
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  return name.empty() ? "GPT2Tokenizer" : name;
}

void make_gpt2(BpeStages& stages, TokenizerConfig& config) {
  const JsonNode::Json byte_level = {{"type", "ByteLevel"},
                                     {"add_prefix_space", config.add_prefix_space.value_or(false)}};
  stages.pre_tokenizer = PreTokenizer(JsonNode(byte_level, "GPT2Tokenizer"));
  config.eos_token = config.eos_token.value_or(kEnd);
  if (!config.bos_token) config.bos_token = config.eos_token;
}

void make_qwen2(BpeStages& stages, TokenizerConfig& config) {
  const JsonNode::Json nfc = {{"type", "NFC"}};
  const JsonNode::Json split = {
      {"type", "Split"}, {"pattern", {{"Regex", kQwen2Pattern}}}, {"behavior", "Isolated"}};
  const JsonNode::Json bytes = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  const JsonNode::Json both = {{"type", "Sequence"},
                               {"pretokenizers", JsonNode::Json::array({split, bytes})}};
  stages.normalizer = Normalizer(JsonNode(nfc, "Qwen2Tokenizer"));
  stages.pre_tokenizer = PreTokenizer(JsonNode(both, "Qwen2Tokenizer"));
  config.eos_token = config.eos_token.value_or(kEnd);
}

/// Special tokens that the vocabulary holds are found in text too; add_bos_token puts BOS in front.
void add_roles(BpeStages& stages, const TokenizerConfig& config) {
  for (const auto& [token, id] : stages.bpe.vocabulary) {
    if (token == config.eos_token || token == config.bos_token)
      stages.added_tokens.push_back({.id = id, .content = token, .special = true});
  }
  if (!config.add_bos_token.value_or(false)) return;
  const auto look = [&](const std::vector<AddedToken>& tokens) {
    for (const AddedToken& token : tokens)
      if (token.content == config.bos_token) stages.post_processor.prefix = {token.id};
  };
  look(stages.added_tokens);
  look(config.added_tokens);
}

}  // namespace

std::unique_ptr<Tokenizer> load_bpe_files(const std::filesystem::path& folder,
                                          const TokenizerConfig& config) {
  const std::string vocabulary_name = (folder / "vocab.json").string();
  const std::string merges_name = (folder / "merges.txt").string();
  const std::string name = tokenizer_class(folder, config);
  if (name != "GPT2Tokenizer" && name != "Qwen2Tokenizer") {
    config_error(
        "{}: with merges.txt for a '{}', which is not supported; known: GPT2Tokenizer, "
        "Qwen2Tokenizer. Expected a tokenizer.json beside it: transformers' AutoTokenizer writes "
        "one by save_pretrained",
        vocabulary_name, name);
  }
  const std::string vocabulary = read_file(vocabulary_name);
  const std::string merges = read_file(merges_name);
  const auto json = parse_json(vocabulary, vocabulary_name);
  const JsonNode::Json byte_level = {{"type", "ByteLevel"}};
  TokenizerConfig completed = config;
  BpeStages stages;
  stages.where = vocabulary_name;
  stages.fingerprint = hash_of({vocabulary, merges, config.bytes + config.more_bytes,
                                name == "GPT2Tokenizer" ? std::string() : name});
  stages.bpe = read_bpe_files(JsonNode(json, vocabulary_name), merges, merges_name);
  name == "GPT2Tokenizer" ? make_gpt2(stages, completed) : make_qwen2(stages, completed);
  stages.decoder = Decoder(JsonNode(byte_level, name));
  add_roles(stages, completed);
  return std::make_unique<BpeTokenizer>(std::move(stages), completed);
}

}  // namespace wkvq
