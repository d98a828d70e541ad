#include "core/base/checkpoint/special_tokens.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/json/json.h"

namespace wkvq {
namespace {

/// A token id or a list of them; -1, null and an empty list are none.
std::vector<int64_t> read_tokens(const JsonFields& fields, const char* name, int64_t vocab_size) {
  std::vector<int64_t> tokens;
  const nlohmann::json* value = fields.find(name);
  if (!value) return tokens;
  const auto read = [&](const nlohmann::json& token) {
    // 2^64 - 1 would become -1.
    const bool fits = token.is_number_integer() &&
                      (!token.is_number_unsigned() || token.get<uint64_t>() <= INT64_MAX);
    if (!fits || token.get<int64_t>() < -1 || token.get<int64_t>() >= vocab_size) {
      fields.refuse(name, fmt::format("expected a token id below vocab_size {}", vocab_size));
    }
    if (token.get<int64_t>() >= 0) tokens.push_back(token.get<int64_t>());
  };
  if (!value->is_array()) read(*value);
  if (value->is_array())
    for (const nlohmann::json& token : *value) read(token);
  return tokens;
}

int64_t first_of(const std::vector<int64_t>& tokens) {
  return tokens.empty() ? -1 : tokens.front();
}

}  // namespace

void read_special_tokens(const JsonFields& fields, ModelConfig& config) {
  config.bos_token = first_of(read_tokens(fields, "bos_token_id", config.vocab_size));
  config.end_tokens = read_tokens(fields, "eos_token_id", config.vocab_size);
  config.eos_token = first_of(config.end_tokens);
}

void add_end_tokens(const std::filesystem::path& folder, ModelConfig& config) {
  const std::filesystem::path path = folder / "generation_config.json";
  if (!std::filesystem::exists(path)) return;
  const nlohmann::json json = read_json_file(path);
  for (const int64_t token :
       read_tokens(JsonFields(json, path.string()), "eos_token_id", config.vocab_size)) {
    if (std::find(config.end_tokens.begin(), config.end_tokens.end(), token) ==
        config.end_tokens.end()) {
      config.end_tokens.push_back(token);
      config.further_end_tokens.push_back(token);
    }
  }
}

}  // namespace wkvq
