#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "datasets/tokenizers/word_cache.h"

namespace wkvq {

/// Token ids are below this, so that no file can ask for tables of any size.
inline constexpr int64_t kTokenIdLimit = int64_t{1} << 22;

/// A BPE model as its file gives it.
struct BpeData {
  std::string where;  ///< begins the messages of ConfigErrors
  std::vector<std::pair<std::string, int32_t>> vocabulary;
  std::vector<std::pair<std::string, std::string>> merges;  ///< best first
  std::string unk_token;                                    ///< empty: unknown characters vanish
  bool fuse_unk = false;       ///< neighbouring unknown characters become one token
  bool byte_fallback = false;  ///< unknown characters become tokens like "<0x0A>"
  bool ignore_merges = false;  ///< a word in the vocabulary is one token whatever the merges say
  bool byte_level = false;     ///< bytes are written in the byte-level alphabet
};

/// Byte-pair encoding of words. Immutable.
class Bpe {
 public:
  /// ConfigError where ids are negative, huge or given twice, or a merge names unknown tokens.
  explicit Bpe(const BpeData& data);

  /// Appends the tokens of `word` (valid UTF-8) to `ids`. O(n log n) for a word of n characters.
  void encode(std::string_view word, WordCache& cache, std::vector<int32_t>& ids) const;

  /// -1 where `token` is not in the vocabulary.
  int32_t find(std::string_view token) const;
  /// The tokens by id; an id that is not used has an empty one.
  const std::vector<std::string>& tokens() const { return tokens_; }

 private:
  struct Merge {
    int32_t rank;
    int32_t result;
  };
  struct PairHash {
    size_t operator()(uint64_t pair) const { return (pair * 0x9E3779B97F4A7C15u) >> 20; }
  };
  class Word;

  void read_vocabulary(const BpeData& data);
  void read_merges(const BpeData& data);
  void encode_word(std::string_view word, std::vector<int32_t>& ids) const;
  void merge_word(std::string_view word, std::vector<int32_t>& ids) const;
  bool add_bytes(std::string_view character, Word& symbols) const;
  const Merge* merge_of(int32_t left, int32_t right) const;

  StringMap<int32_t> ids_;
  std::vector<std::string> tokens_;
  std::unordered_map<uint64_t, Merge, PairHash> merges_;
  std::array<int32_t, 256> byte_tokens_;
  int32_t unk_ = -1;
  bool fuse_unk_, byte_fallback_, ignore_merges_, byte_level_;
  bool cut_at_marks_ = false;
};

}  // namespace wkvq
