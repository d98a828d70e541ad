#include "core/attention/packed_row.h"

#include "core/attention/masked_attention.h"
#include "core/device/torch_headers.h"

namespace wkvq {

namespace {

/// The tokens of a segment and those of the segments that it continues.
class Path {
 public:
  Path(const PackedRow& row, const PackedRow::Segment& segment) {
    for (const PackedRow::Segment* at = &segment;; at = &row.segments[index(at->trunk)]) {
      parts_.push_back(at);
      if (at->trunk < 0) break;
    }
  }

  at::Tensor own(const at::Tensor& x) const { return part(x, *parts_.front()); }
  /// From the beginning of the sequence to the end of the segment.
  at::Tensor whole(const at::Tensor& x) const {
    if (!x.defined() || parts_.size() == 1) return x.defined() ? own(x) : x;
    std::vector<at::Tensor> parts;
    for (auto at = parts_.rbegin(); at != parts_.rend(); ++at) parts.push_back(part(x, **at));
    return at::cat(parts, 2);
  }

 private:
  static size_t index(int64_t i) { return static_cast<size_t>(i); }
  static at::Tensor part(const at::Tensor& x, const PackedRow::Segment& segment) {
    return x.narrow(2, segment.begin, segment.length);
  }

  std::vector<const PackedRow::Segment*> parts_;  // own first
};

bool token_wise(const KvCodec& codec) {
  return codec.key.tokens_per_group() == 1 && codec.value.tokens_per_group() == 1;
}

/// The copies of a whole row, where every token is encoded on its own; else undefined.
KvPair pair_of(const AttentionInputs& inputs, const KvCodec& codec) {
  return {inputs.key, inputs.value, quantized_key(inputs, codec.key),
          codec.value.fake(inputs.value)};
}

/// Attention of one segment whose row `all` is quantized already.
at::Tensor attend(const AttentionInputs& inputs, const KvPair& all, const Path& path,
                  const KvViewOptions& view) {
  const KvPair kv{path.whole(all.key), path.whole(all.value), path.whole(all.key_hat),
                  path.whole(all.value_hat)};
  return masked_attention(path.own(inputs.query), kv, view, inputs.sliding_window);
}

/// Attention of one segment, its sequence quantized here: groups of tokens must not cross it.
at::Tensor attend_alone(const AttentionInputs& inputs, const Path& path, const KvCodec& codec,
                        const KvViewOptions& view) {
  return quantized_attention({.query = path.own(inputs.query),
                              .key = path.whole(inputs.key),
                              .value = path.whole(inputs.value),
                              .key_before_rope = path.whole(inputs.key_before_rope),
                              .rope = inputs.rope,
                              .sliding_window = inputs.sliding_window},
                             codec, view);
}

}  // namespace

std::shared_ptr<const PackedRow> pack_row(std::vector<PackedRow::Segment> segments,
                                          at::Device device) {
  int64_t tokens = 0;
  std::vector<at::Tensor> positions;
  std::vector<int64_t> ends;  // in their sequences
  for (PackedRow::Segment& segment : segments) {
    TORCH_CHECK(segment.length > 0 && segment.trunk < static_cast<int64_t>(ends.size()),
                "packed row: a segment of ", segment.length, " tokens that continues segment ",
                segment.trunk, "; expected tokens and an earlier one");
    const int64_t first = segment.trunk < 0 ? 0 : ends[static_cast<size_t>(segment.trunk)];
    segment.begin = tokens;
    tokens += segment.length;
    ends.push_back(first + segment.length);
    positions.push_back(at::arange(first, first + segment.length, at::kLong));
  }
  return std::make_shared<const PackedRow>(std::move(segments), at::cat(positions).to(device));
}

AttentionFunction packed_attention(std::shared_ptr<const PackedRow> row, const KvCodec& codec,
                                   const KvViewOptions& view) {
  const bool exact = codec.identity() || view.mode == ViewMode::kNone;
  return [row = std::move(row), codec, view, exact](const AttentionInputs& inputs) {
    const bool together = exact || token_wise(codec);
    const KvPair all = exact      ? KvPair{inputs.key, inputs.value, {}, {}}
                       : together ? pair_of(inputs, codec)
                                  : KvPair{};
    std::vector<at::Tensor> outs;
    for (const PackedRow::Segment& segment : row->segments) {
      const Path path(*row, segment);
      KvViewOptions own = exact ? KvViewOptions{.mode = ViewMode::kNone} : view;
      if (own.mode == ViewMode::kPast) own.prefill = segment.prefill;
      outs.push_back(together ? attend(inputs, all, path, own)
                              : attend_alone(inputs, path, codec, own));
    }
    return at::cat(outs, 2);
  };
}

}  // namespace wkvq
