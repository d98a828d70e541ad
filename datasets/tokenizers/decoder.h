#pragma once

#include <functional>
#include <string>
#include <vector>

#include "datasets/tokenizers/json_node.h"

namespace wkvq {

/// Turns the texts of tokens into text: the `decoder` of tokenizer.json. Known: ByteFallback,
/// ByteLevel, Fuse, Metaspace, Replace, Sequence, Strip.
class Decoder {
 public:
  /// Tokens with a space between them.
  Decoder() = default;
  explicit Decoder(const JsonNode& node);

  std::string apply(std::vector<std::string> tokens) const;

 private:
  using Tokens = std::vector<std::string>;
  void add(const JsonNode& node, int depth);

  bool given_ = false;
  std::vector<std::function<void(Tokens& tokens)>> steps_;
};

}  // namespace wkvq
