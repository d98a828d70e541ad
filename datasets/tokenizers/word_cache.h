#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace wkvq {

struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

template <class Value>
using StringMap = std::unordered_map<std::string, Value, StringHash, std::equal_to<>>;

/// Words seen before with their tokens: most of a text is repetition. Bounded. Not to be shared
/// between threads.
class WordCache {
 public:
  /// Appends the tokens of `word` to `ids`; `compute` appends them where the word is new.
  template <class Compute>
  void append(std::string_view word, std::vector<int32_t>& ids, const Compute& compute) {
    if (const auto found = words_.find(word); found != words_.end()) {
      ids.insert(ids.end(), found->second.begin(), found->second.end());
      return;
    }
    const auto begin = static_cast<std::ptrdiff_t>(ids.size());
    compute(word, ids);
    if (word.size() <= kLongest && words_.size() < kMost) {
      words_.emplace(word, std::vector<int32_t>(ids.begin() + begin, ids.end()));
    }
  }

 private:
  static constexpr size_t kMost = 1 << 16;
  static constexpr size_t kLongest = 128;

  StringMap<std::vector<int32_t>> words_;
};

/// A lasting cache for one thread at a time; others get along with a fresh one meanwhile.
class LastingWordCache {
 public:
  template <class Use>
  void with(const Use& use) {
    if (const std::unique_lock lock(mutex_, std::try_to_lock); lock) {
      use(cache_);
    } else {
      WordCache own;
      use(own);
    }
  }

 private:
  std::mutex mutex_;
  WordCache cache_;
};

/// U+2581, SentencePiece's visible space.
inline constexpr std::string_view kMark = "\xE2\x96\x81";

/// Where in `text`, at or behind `from`, a mark follows another character; npos: nowhere. Where no
/// token has such a place, it is a border between words.
inline size_t mark_behind_text(std::string_view text, size_t from) {
  for (size_t at = text.find(kMark, from); at != text.npos; at = text.find(kMark, at + 1)) {
    if (at > 0 && !text.substr(0, at).ends_with(kMark)) return at;
  }
  return text.npos;
}

}  // namespace wkvq
