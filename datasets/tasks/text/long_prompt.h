#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/corpora/dataset.h"
#include "datasets/tasks/text/text_items.h"

namespace wkvq {

/// Text around the prompts of chat models, e.g. "[INST]" and "[/INST]".
struct ChatText {
  std::string before, after;
};

/// How long prompts may be.
struct PromptLimits {
  int64_t cut_to = 0;  ///< tokens of a prompt that is cut, chat text not counted
  int64_t most = 0;    ///< that the model may read, all counted
};

struct LongPrompt {
  std::vector<int32_t> tokens;
  bool cut = false;
};

/// The tokens of an item's prompt, cut as the suite's publishers do where it is longer than
/// limits.cut_to. LongBench: its first and last cut_to / 2 tokens, turned back into text, joined
/// and tokenized again. L-Eval: words (at spaces) are taken from the document's end until it fits.
/// Where this leaves more than limits.most, it is cut to less in the same way. ConfigError where
/// nothing that fits is left.
LongPrompt long_prompt(const DatasetContext& context, const TextTaskDeclaration& declaration,
                       const TextItem& item, const ChatText& chat, const PromptLimits& limits);

}  // namespace wkvq
