#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/tokenizers/json_node.h"

namespace wkvq {

/// What happens to text before it is cut: the `normalizer` of tokenizer.json. Known: NFC, Prepend,
/// Replace, Sequence.
class Normalizer {
 public:
  /// Leaves text as it is.
  Normalizer() = default;
  explicit Normalizer(const JsonNode& node);

  std::string apply(std::string_view text) const;

 private:
  void add(const JsonNode& node, int depth);

  std::vector<std::function<std::string(std::string)>> steps_;
};

/// The `pattern` member of `node`: {"String": ...} or {"Regex": ...}.
class Pattern;
Pattern read_pattern(const JsonNode& node);

/// The text at `key` that a step puts in; ConfigError where it is longer than kMaxInserted.
std::string read_inserted(const JsonNode& node, const char* key);

/// ConfigError where text grew from `before` to `after` bytes as no published tokenizer lets it.
void require_growth(size_t before, size_t after);

/// `text` with all matches of `pattern` replaced by `content`. ConfigError as require_growth().
std::string replace_all(std::string_view text, const Pattern& pattern, const std::string& content);

}  // namespace wkvq
