#include "datasets/tokenizers/tokenizer_config.h"

#include <charconv>

#include "core/base/error.h"
#include "core/base/json/json.h"
#include "core/base/text/visible_text.h"
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

/// added_tokens.json: ids by token. Searched for in the text as it stands.
void read_added_tokens(const std::filesystem::path& path, TokenizerConfig& config) {
  const std::string bytes = read_file(path);
  const auto json = parse_json(bytes, path.string());
  for (const auto& [content, id] : JsonNode(json, path.string()).object().items()) {
    const JsonNode::Json token = {{"content", content}, {"normalized", false}};
    const std::string where = fmt::format("{}['{}']", path.string(), content);
    config.added_tokens.push_back(
        read_added_token(JsonNode(token, where), JsonNode(id, where).integer()));
  }
  config.more_bytes += bytes;
}

/// special_tokens_map.json: the roles that `config` does not give yet.
void read_roles(const std::filesystem::path& path, TokenizerConfig& config) {
  const std::string bytes = read_file(path);
  const auto json = parse_json(bytes, path.string());
  const JsonNode root(json, path.string());
  if (!config.bos_token) config.bos_token = read_token(root, "bos_token");
  if (!config.eos_token) config.eos_token = read_token(root, "eos_token");
  if (!config.unk_token) config.unk_token = read_token(root, "unk_token");
  config.more_bytes += bytes;
}

void fill_in(const std::filesystem::path& folder, TokenizerConfig& config) {
  const auto added = folder / "added_tokens.json", roles = folder / "special_tokens_map.json";
  if (std::filesystem::exists(added)) read_added_tokens(added, config);
  if (std::filesystem::exists(roles)) read_roles(roles, config);
  const auto is_role = [&](const AddedToken& token) {
    return token.content == config.bos_token || token.content == config.eos_token ||
           token.content == config.unk_token;
  };
  for (AddedToken& token : config.added_tokens) token.special = is_role(token);
}

void read_added_decoder(const JsonNode& added, TokenizerConfig& config) {
  for (const auto& [key, value] : added.object().items()) {
    const JsonNode token(value, fmt::format("{}['{}']", added.where(), shown(key)));
    config.added_tokens.push_back(read_added_token(token, read_id(key, added.where())));
  }
}

}  // namespace

TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder) {
  TokenizerConfig config;
  const std::filesystem::path path = folder / "tokenizer_config.json";
  config.where = path.string();
  if (!std::filesystem::exists(path)) {
    fill_in(folder, config);
    return config;
  }
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
  if (root.has("added_tokens_decoder"))
    read_added_decoder(root.at("added_tokens_decoder"), config);
  else
    fill_in(folder, config);
  return config;
}

}  // namespace wkvq
