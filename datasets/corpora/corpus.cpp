#include "datasets/corpora/corpus.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/files/hash.h"
#include "datasets/random/random.h"

namespace wkvq {

namespace {

void check_ids(const std::vector<int32_t>& ids, int64_t vocab_size, const std::string& where) {
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] >= 0 && ids[i] < vocab_size) continue;
    config_error("{}, position {}: token id {}, expected 0..{} (the model's vocabulary)", where, i,
                 ids[i], vocab_size - 1);
  }
}

void hash_sequence(Hasher& hasher, const std::vector<int32_t>& ids) {
  const uint64_t count = ids.size();
  hasher.add(&count, sizeof count).add(ids.data(), ids.size() * sizeof(int32_t));
}

}  // namespace

const std::vector<std::string>& bos_rule_names() {
  static const std::vector<std::string> names = {"tokenizer", "none", "start"};
  return names;
}

std::vector<int32_t> encode_text(const DatasetContext& context, std::string_view text,
                                 BosRule rule) {
  if (!context.tokenizer) {
    config_error("model '{}' has no tokenizer: text cannot be read; use dataset tokens or self",
                 context.model_name);
  }
  const Tokenizer& tokenizer = *context.tokenizer;
  const int32_t bos = static_cast<int32_t>(tokenizer.bos_token());
  if (rule == BosRule::kStart && bos < 0) {
    config_error("bos: start, but the tokenizer of model '{}' has no BOS token",
                 context.model_name);
  }
  std::vector<int32_t> ids = tokenizer.encode(text, rule == BosRule::kTokenizer);
  const bool wants_bos =
      rule == BosRule::kStart || (rule == BosRule::kTokenizer && tokenizer.adds_bos());
  if (!wants_bos || bos < 0) return ids;
  // Text may spell BOS out itself; the rule still means exactly one.
  const auto first = std::find_if(ids.begin(), ids.end(), [&](int32_t id) { return id != bos; });
  ids.erase(ids.begin(), first);
  ids.insert(ids.begin(), bos);
  return ids;
}

std::string bos_words(const DatasetContext& context, BosRule rule) {
  if (rule == BosRule::kNone) return "no BOS";
  if (rule == BosRule::kStart) return "one BOS at the start";
  const bool adds = context.tokenizer && context.tokenizer->adds_bos();
  return adds ? "one BOS at the start (tokenizer default)" : "no BOS (tokenizer default)";
}

Corpus finish_corpus(Corpus corpus, const DatasetContext& context, const std::string& who) {
  check_ids(corpus.stream, context.vocab_size, who);
  for (size_t i = 0; i < corpus.windows.size(); ++i) {
    check_ids(corpus.windows[i], context.vocab_size, fmt::format("{}, row {}", who, i));
  }
  corpus.fingerprint = token_fingerprint(corpus);
  return corpus;
}

void require_no_more(const char* who, const char* name, int64_t asked, size_t given,
                     const std::string& convention) {
  if (asked > static_cast<int64_t>(given))
    config_error("{}: {} {}, but the data holds {} ({}); expected at most that, or 0: all", who,
                 name, asked, given, convention);
}

std::string token_fingerprint(const Corpus& corpus) {
  Hasher hasher;
  hash_sequence(hasher, corpus.stream);
  for (const auto& window : corpus.windows) hash_sequence(hasher, window);
  return hasher.hex();
}

std::vector<std::vector<int32_t>> cut_windows(const Corpus& corpus, int64_t length, int64_t limit) {
  std::vector<std::vector<int32_t>> windows;
  const auto full = [&] { return limit > 0 && static_cast<int64_t>(windows.size()) >= limit; };
  for (size_t i = 0; i < corpus.windows.size() && !full(); ++i) {
    const auto& window = corpus.windows[i];
    const int64_t given = static_cast<int64_t>(window.size());
    if (length > given) {
      config_error("window {} shorter than asked for: {} tokens given, {} needed ({})", i, given,
                   length, corpus.convention);
    }
    windows.emplace_back(window.begin(), length > 0 ? window.begin() + length : window.end());
  }
  if (!corpus.windows.empty()) return windows;

  const int64_t given = static_cast<int64_t>(corpus.stream.size());
  if (length <= 0) config_error("running text is cut to a positive length; got {}", length);
  if (given < length) {
    config_error("text shorter than one window: {} tokens given, {} needed ({})", given, length,
                 corpus.convention);
  }
  for (int64_t start = 0; length <= given - start && !full(); start += length) {
    windows.emplace_back(corpus.stream.begin() + start, corpus.stream.begin() + start + length);
  }
  return windows;
}

std::vector<std::vector<int32_t>> choose_windows(const Corpus& corpus, int64_t length,
                                                 int64_t count, int64_t seed) {
  auto windows = cut_windows(corpus, length, seed == 0 ? count : 0);
  const auto given = static_cast<int64_t>(windows.size());
  if (given < count)
    config_error("samples: {} windows of {} tokens asked for, but the data holds {} ({})", count,
                 length, given, corpus.convention);
  if (seed == 0) return windows;
  BoundedRandom random(seed);
  // The front of a Fisher-Yates shuffle.
  for (int64_t i = 0; i < count; ++i)
    std::swap(windows[static_cast<size_t>(i)],
              windows[static_cast<size_t>(i + random.below(given - i))]);
  windows.resize(static_cast<size_t>(count));
  return windows;
}

}  // namespace wkvq
