#include "datasets/tokenizers/tokenizer_config.h"

#include <charconv>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/visible_text.h"
#include "datasets/tokenizers/files.h"

namespace wkvq {
namespace {

/// A token is given as its text or as an object with `content`.
std::optional<std::string> read_token(const JsonNode& node, const char* key) {
  if (!node.has(key)) return std::nullopt;
  const JsonNode token = node.at(key);
  return token.value().is_object() ? token.text("content") : token.text();
}

int64_t read_id(const std::string& key, const std::string& where) {
  int64_t id = -1;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
  if (error != std::errc() || end != key.data() + key.size()) {
    config_error("{}: given key '{}', expected a token id", where, shown(key));
  }
  return id;
}

}  // namespace

TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder) {
  TokenizerConfig config;
  const std::filesystem::path path = folder / "tokenizer_config.json";
  config.where = path.string();
  if (!std::filesystem::exists(path)) return config;
  config.bytes = read_file(path);
  const auto json = parse_json(config.bytes, config.where);
  const JsonNode root(json, config.where);
  config.tokenizer_class = root.text_or("tokenizer_class", "");
  config.bos_token = read_token(root, "bos_token");
  config.eos_token = read_token(root, "eos_token");
  config.unk_token = read_token(root, "unk_token");
  config.add_bos_token = root.optional_flag("add_bos_token");
  config.add_eos_token = root.optional_flag("add_eos_token");
  config.legacy = root.optional_flag("legacy");
  config.add_prefix_space = root.optional_flag("add_prefix_space");
  if (!root.has("added_tokens_decoder")) return config;
  const JsonNode added = root.at("added_tokens_decoder");
  for (const auto& [key, value] : added.object().items()) {
    const JsonNode token(value, fmt::format("{}['{}']", added.where(), shown(key)));
    config.added_tokens.push_back(read_added_token(token, read_id(key, added.where())));
  }
  return config;
}

}  // namespace wkvq
