#pragma once

#include <optional>
#include <string>

#include "core/cache/decode_attention.h"
#include "core/model/transformer.h"

namespace wkvq {

/// Throws ConfigError where a packed cache cannot serve the view: modes past, all and kivi; keys
/// grouped along time under kivi only, with windows of whole groups.
void check_packable(const KvViewOptions& view, const KvTensorOptions& key);

/// The cache of one block with its past packed: KvCache for views `past`, `all` and `kivi`, step by
/// step, where codes are all that is kept of what has left the window. Tokens are packed as soon as
/// no later query sees them in full precision: under kivi keys a window at a time, values one by
/// one. Float32, bfloat16 and float16. Throws c10::Error where keys or values are not finite,
/// naming the position.
class PackedCache {
 public:
  /// `name` begins every message; `device` as for PackedKv. Throws ConfigError where the codec
  /// cannot be packed (see check_packable; the shape is checked at the first step), or the
  /// view is another one.
  PackedCache(const KvCodec& codec, const KvViewOptions& view, std::string name = "packed cache",
              const DeviceKernels* device = nullptr);

  /// As KvCache::step: one token, or first the prompt of view.prefill tokens, attended in full
  /// precision.
  at::Tensor step(const AttentionInputs& in);
  /// The same of the one sequence there is, bit for bit; on the CPU.
  void step(const TokenStep& in, Team& team);
  /// The prompt of sequences of unequal lengths, padded on the right; `lengths` [batch] takes the
  /// place of view.prefill. What is returned for padding has no meaning. Under kivi, which knows no
  /// prefill, it is stored as single tokens would be.
  at::Tensor prompt(const AttentionInputs& in, const std::vector<int64_t>& lengths);

  /// Tokens of a sequence.
  int64_t tokens(int64_t row = 0) const { return tokens_.empty() ? 0 : tokens_[index(row)]; }
  /// Those of them that are codes.
  int64_t encoded_keys(int64_t row = 0) const { return packed_ ? packed_->tokens(row, true) : 0; }
  int64_t encoded_values(int64_t row = 0) const {
    return packed_ ? packed_->tokens(row, false) : 0;
  }
  /// Undefined before the first step.
  const PackedKv& packed() const { return *packed_; }
  /// Bytes of sinks, window and newest token.
  int64_t exact_bytes() const;
  /// Bytes of all memory that keys and values take, room for more tokens included.
  int64_t held_bytes() const;

 private:
  /// Exact tokens that come at the end and leave at the beginning.
  struct Recent : ExactTokens {
    void reserve(int64_t count);
    void push(int64_t row, const at::Tensor& new_key, const at::Tensor& new_value);
    void push(const TokenStep& in);
    int64_t size(int64_t row) const { return end[index(row)] - begin[index(row)]; }
  };
  static size_t index(int64_t row) { return static_cast<size_t>(row); }
  void begin_with(const AttentionInputs& in);
  void begin_with(const PackedKv::Shape& shape);
  /// Takes the first `length` tokens of a sequence in; only the newest one, or the window of a
  /// prompt, stays in full precision.
  void take(const AttentionInputs& in, int64_t row, int64_t length);
  void take(const TokenStep& in);
  /// How many of the first `tokens` tokens behind the sinks are codes after the newest one's step.
  int64_t due(int64_t tokens, bool is_key) const;
  /// Packs what is due.
  void settle(int64_t row);
  /// Recent tokens whose key is packed and whose value is not.
  int64_t values_only(int64_t row) const { return encoded_keys(row) - encoded_values(row); }
  at::Tensor attend(const AttentionInputs& in) const;
  /// What queries with a window of so many tokens see; 0: no window.
  DecodeContext context(int64_t sliding_window) const;

  KvCodec codec_;
  KvViewOptions view_;
  std::string name_;
  const DeviceKernels* device_;
  std::optional<PackedKv> packed_;
  Recent sinks_, recent_;                  // recent_ begins with the oldest exact value
  std::vector<int64_t> tokens_, prefill_;  // [batch]
};

}  // namespace wkvq
