#pragma once

#include <string>

#include "datasets/tokenizers/bpe.h"
#include "datasets/tokenizers/json_node.h"

namespace wkvq {

/// The `model` of tokenizer.json, which must be BPE. `byte_level` comes from the pre-tokenizer.
BpeData read_bpe(const JsonNode& model, bool byte_level);

/// GPT-2's pair of files. `vocabulary`: an object of ids by token; `merges`: the text of
/// merges.txt.
BpeData read_bpe_files(const JsonNode& vocabulary, const std::string& merges,
                       const std::string& merges_name);

}  // namespace wkvq
