#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/corpora/dataset.h"

namespace wkvq {

/// Where text gets its BOS: as the tokenizer's files ask, nowhere, or once at the very start.
enum class BosRule { kTokenizer, kNone, kStart };

/// The names of BosRule's values, in order.
const std::vector<std::string>& bos_rule_names();

/// Token ids of `text` under `rule`, never with two BOS in front. ConfigError where the model
/// folder has no tokenizer, or `rule` asks for a BOS that the tokenizer does not have.
std::vector<int32_t> encode_text(const DatasetContext& context, std::string_view text,
                                 BosRule rule);

/// `rule` in words, e.g. "one BOS at the start (tokenizer default)".
std::string bos_words(const DatasetContext& context, BosRule rule);

/// Checks every id against the vocabulary and sets `fingerprint`; `who` opens the message of the
/// ConfigError, which names place and value.
Corpus finish_corpus(Corpus corpus, const DatasetContext& context, const std::string& who);

/// ConfigError where an option `name` of task `who` asks for more than the `given` ones of a corpus
/// of `convention`; 0 asks for all.
void require_no_more(const char* who, const char* name, int64_t asked, size_t given,
                     const std::string& convention);

/// XXH3-128 of the token ids and of how they are cut, 32 hexadecimal digits.
std::string token_fingerprint(const Corpus& corpus);

}  // namespace wkvq
