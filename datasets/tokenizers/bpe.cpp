#include "datasets/tokenizers/bpe.h"

#include <algorithm>
#include <optional>
#include <queue>

#include "core/base/error.h"
#include "core/base/text/visible_text.h"
#include "datasets/tokenizers/unicode.h"

namespace wkvq {
namespace {

uint64_t pair_key(int32_t left, int32_t right) {
  return (static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32) | static_cast<uint32_t>(right);
}

}  // namespace

/// The symbols of one word as a linked list; merging takes the best pair from a heap.
class Bpe::Word {
 public:
  void add(int32_t id) {
    const auto at = static_cast<int32_t>(symbols_.size());
    symbols_.push_back({id, at - 1, at + 1});
  }

  void merge_all(const Bpe& bpe) {
    if (symbols_.empty()) return;
    symbols_.back().next = -1;
    for (int32_t at = 0; symbols_[index(at)].next >= 0; ++at) push(bpe, at);
    while (!heap_.empty()) {
      const Candidate best = heap_.top();
      heap_.pop();
      merge(bpe, best);
    }
  }

  void append_to(std::vector<int32_t>& ids) const {
    for (int32_t at = symbols_.empty() ? -1 : 0; at >= 0; at = symbols_[index(at)].next) {
      ids.push_back(symbols_[index(at)].id);
    }
  }

 private:
  static constexpr int32_t kGone = -1;
  struct Symbol {
    int32_t id, previous, next;
  };
  struct Candidate {
    int32_t rank, at, result;
    bool operator<(const Candidate& other) const {
      return std::pair(rank, at) > std::pair(other.rank, other.at);
    }
  };
  static size_t index(int32_t at) { return static_cast<size_t>(at); }

  void push(const Bpe& bpe, int32_t at) {
    const Symbol& left = symbols_[index(at)];
    const Merge* merge = bpe.merge_of(left.id, symbols_[index(left.next)].id);
    if (merge) heap_.push({merge->rank, at, merge->result});
  }

  void merge(const Bpe& bpe, const Candidate& best) {
    Symbol& left = symbols_[index(best.at)];
    if (left.id == kGone || left.next < 0) return;
    Symbol& right = symbols_[index(left.next)];
    // Either side may have changed since the candidate was found.
    const Merge* current = bpe.merge_of(left.id, right.id);
    if (!current || current->result != best.result) return;
    left.id = best.result;
    left.next = right.next;
    right.id = kGone;
    if (left.next >= 0) {
      symbols_[index(left.next)].previous = best.at;
      push(bpe, best.at);
    }
    if (left.previous >= 0) push(bpe, left.previous);
  }

  std::vector<Symbol> symbols_;
  std::priority_queue<Candidate> heap_;
};

Bpe::Bpe(const BpeData& data)
    : fuse_unk_(data.fuse_unk),
      byte_fallback_(data.byte_fallback),
      ignore_merges_(data.ignore_merges),
      byte_level_(data.byte_level) {
  read_vocabulary(data);
  read_merges(data);
  for (size_t byte = 0; byte < 256; ++byte) {
    byte_tokens_[byte] = find(fmt::format("<0x{:02X}>", byte));
  }
  const bool all_bytes =
      byte_fallback_ && std::ranges::find(byte_tokens_, -1) == byte_tokens_.end();
  // Without pre-tokenizer the whole text is one word. Where no merge crosses the beginning of a
  // word, and no run of unknown characters can, words may be encoded (and remembered) one by one.
  cut_at_marks_ = !byte_level_ && !ignore_merges_ && (!fuse_unk_ || all_bytes) &&
                  std::ranges::none_of(data.merges, [](const auto& merge) {
                    return mark_behind_text(merge.first + merge.second, 0) != std::string::npos;
                  });
}

void Bpe::read_vocabulary(const BpeData& data) {
  ids_.reserve(data.vocabulary.size());
  for (const auto& [token, id] : data.vocabulary) {
    if (id < 0 || id >= kTokenIdLimit) {
      config_error("{}: token '{}' has id {}, expected 0 to {}", data.where, shown(token), id,
                   kTokenIdLimit - 1);
    }
    const auto index = static_cast<size_t>(id);
    if (index >= tokens_.size()) tokens_.resize(index + 1);
    if (!ids_.emplace(token, id).second) {
      config_error("{}: token '{}' is given twice", data.where, shown(token));
    }
    if (!tokens_[index].empty()) {
      config_error("{}: id {} is given to '{}' and to '{}'", data.where, id, shown(tokens_[index]),
                   shown(token));
    }
    tokens_[index] = token;
  }
  if (data.unk_token.empty()) return;
  unk_ = find(data.unk_token);
  // Byte-level files often name an unk_token that they neither have nor need.
  if (unk_ < 0 && !byte_level_) {
    config_error("{}: unk_token '{}' is not in the vocabulary", data.where, shown(data.unk_token));
  }
}

void Bpe::read_merges(const BpeData& data) {
  merges_.reserve(data.merges.size());
  for (size_t rank = 0; rank < data.merges.size(); ++rank) {
    const auto& [left, right] = data.merges[rank];
    const int32_t result = find(left + right);
    if (find(left) < 0 || find(right) < 0 || result < 0) {
      config_error("{}: merge {} ('{}' '{}') names a token that is not in the vocabulary",
                   data.where, rank, shown(left), shown(right));
    }
    merges_[pair_key(find(left), find(right))] = {static_cast<int32_t>(rank), result};
  }
}

int32_t Bpe::find(std::string_view token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? -1 : found->second;
}

const Bpe::Merge* Bpe::merge_of(int32_t left, int32_t right) const {
  const auto found = merges_.find(pair_key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void Bpe::encode(std::string_view word, WordCache& cache, std::vector<int32_t>& ids) const {
  for (size_t begin = 0; begin < word.size();) {
    const size_t end = cut_at_marks_ ? mark_behind_text(word, begin + 1) : word.npos;
    cache.append(
        word.substr(begin, end - begin), ids,
        [this](std::string_view part, std::vector<int32_t>& out) { encode_word(part, out); });
    begin = std::min(end, word.size());
  }
}

void Bpe::encode_word(std::string_view word, std::vector<int32_t>& ids) const {
  if (!byte_level_) return merge_word(word, ids);
  std::string written;
  for (const char byte : word) written += byte_level_alphabet()[static_cast<uint8_t>(byte)];
  merge_word(written, ids);
}

void Bpe::merge_word(std::string_view word, std::vector<int32_t>& ids) const {
  if (const int32_t whole = ignore_merges_ ? find(word) : -1; whole >= 0) {
    ids.push_back(whole);
    return;
  }
  Word symbols;
  bool pending_unk = false;
  for (size_t at = 0; at < word.size();) {
    const std::string_view character = word.substr(at, character_length(word[at]));
    at += character.size();
    if (const int32_t id = find(character); id >= 0) {
      if (std::exchange(pending_unk, false)) symbols.add(unk_);
      symbols.add(id);
    } else if (!(byte_fallback_ && add_bytes(character, symbols)) && unk_ >= 0) {
      // A pending unknown goes behind the bytes that follow it: Hugging Face's order.
      if (pending_unk && !fuse_unk_) symbols.add(unk_);
      pending_unk = true;
    }
  }
  if (pending_unk) symbols.add(unk_);
  symbols.merge_all(*this);
  symbols.append_to(ids);
}

bool Bpe::add_bytes(std::string_view character, Word& symbols) const {
  const auto token = [&](char byte) { return byte_tokens_[static_cast<uint8_t>(byte)]; };
  if (std::ranges::any_of(character, [&](char byte) { return token(byte) < 0; })) return false;
  for (const char byte : character) symbols.add(token(byte));
  return true;
}

}  // namespace wkvq
