#pragma once

#include <cstdint>
#include <vector>

#include "datasets/tokenizers/json_node.h"

namespace wkvq {

/// Tokens around the text: the `post_processor` of tokenizer.json. Known: ByteLevel (which changes
/// no ids), Sequence, TemplateProcessing.
struct PostProcessor {
  std::vector<int32_t> prefix;
  std::vector<int32_t> suffix;
};

PostProcessor read_post_processor(const JsonNode& node);

}  // namespace wkvq
