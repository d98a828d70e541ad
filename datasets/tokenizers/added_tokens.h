#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "datasets/tokenizers/json_node.h"

namespace wkvq {

/// A token that is found in the text as it stands, before any model.
struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool special = false;
  bool normalized = true;    ///< searched for in normalized text
  bool lstrip = false;       ///< takes the white space in front along
  bool rstrip = false;       ///< takes the white space behind along
  bool single_word = false;  ///< only where no word character touches it
};

/// Reads the members of AddedToken other than `id`.
AddedToken read_added_token(const JsonNode& node, int64_t id);

/// Finds added tokens in text: leftmost first, of several the longest, as Hugging Face does.
class AddedTokens {
 public:
  using OnText = std::function<void(std::string_view text, size_t offset)>;
  using OnToken = std::function<void(int32_t id)>;

  AddedTokens() = default;
  /// All of `tokens` are searched for, as their `content`; of equal contents the first counts.
  explicit AddedTokens(std::vector<AddedToken> tokens);

  /// Calls `on_text` for the stretches of `text` (valid UTF-8) between added tokens, none of them
  /// empty, with their offset, and `on_token` for the tokens, in order.
  void split(std::string_view text, const OnText& on_text, const OnToken& on_token) const;

 private:
  const AddedToken* match(std::string_view text, size_t at) const;

  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  std::unordered_map<std::string, AddedToken, Hash, std::equal_to<>> by_content_;
  /// Lengths of the contents that begin with a byte, longest first, each once: a look-up a length,
  /// however many tokens a file has.
  std::array<std::vector<size_t>, 256> lengths_;
};

}  // namespace wkvq
