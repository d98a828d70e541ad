#include "core/attention/packed_row.h"

#include "core/attention/masked_attention.h"
#include "core/device/torch_headers.h"
#include "tests/support/block_fixture.h"

using namespace wkvq;

namespace {

struct Case {
  std::string name;
  KvViewOptions view;
  KvTensorOptions key, value;
};

std::vector<Case> cases() {
  const KvTensorOptions four{.bits = 4, .group_size = 4}, three{.bits = 3, .group_size = 4};
  const KvTensorOptions time{.bits = 2, .group_size = 4, .axis = KvAxis::kTime};
  KvTensorOptions before = four;
  before.rope = KeyPoint::kBeforeRope;
  return {{"none", {.mode = ViewMode::kNone}, four, four},
          {"all", {.mode = ViewMode::kAll}, four, three},
          {"past", {.mode = ViewMode::kPast}, four, three},
          {"past, prefill of each", {.mode = ViewMode::kPast, .prefill = 1}, four, three},
          {"window and sinks", {.mode = ViewMode::kPast, .window = 3, .sinks = 2}, four, three},
          {"keys before RoPE", {.mode = ViewMode::kPast}, before, three},
          {"kivi", {.mode = ViewMode::kKivi, .window = 4}, time, three}};
}

/// Sequences of 5, 9 and 6 tokens that share 4, and two of them one more; one of 7 alone; one of 3.
struct Layout {
  std::vector<PackedRow::Segment> segments{
      {.length = 4}, {.length = 1, .trunk = 0}, {.length = 4, .trunk = 1}, {.length = 7},
      {.length = 3}, {.length = 2, .trunk = 0}};
  std::vector<std::vector<int64_t>> paths{{0, 1}, {0, 1, 2}, {0, 5}, {3}, {4}};
};

}  // namespace

TEST_CASE("packed row: places and positions of the segments") {
  const auto row = pack_row(Layout().segments, at::kCPU);
  std::vector<int64_t> begins;
  for (const auto& segment : row->segments) begins.push_back(segment.begin);
  CHECK(begins == std::vector<int64_t>{0, 4, 5, 9, 16, 19});
  const at::Tensor expected =
      at::tensor({0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 4, 5}, at::kLong);
  CHECK(at::equal(row->positions, expected));
  CHECK_THROWS(pack_row({{.length = 0}}, at::kCPU));
  CHECK_THROWS(pack_row({{.length = 1, .trunk = 0}}, at::kCPU));
}

TEST_CASE("packed row: a block gives every sequence what it gives it alone, every mode") {
  // GQA; dimensions of the tiny model.
  test::BlockFixture fixture("tests/golden/models/llama_gqa_head_dim");
  const ModelConfig& config = fixture.model().config();
  const Layout layout;
  const int64_t prefills[]{4, 4, 4, 2, 0, 4};
  for (const Case& c : cases()) {
    INFO(c.name);
    auto segments = layout.segments;
    const bool own_prefill = c.view.prefill > 0;
    for (size_t i = 0; own_prefill && i < segments.size(); ++i) segments[i].prefill = prefills[i];
    const auto row = pack_row(segments, at::kCPU);
    const KvCodec codec{{c.key, ChannelRange()}, {c.value, ChannelRange()}};
    const auto forward = [&](const at::Tensor& hidden, const Positions& positions,
                             const AttentionFunction& attention) {
      return forward_block(config, 0, fixture.model().block(0), fixture.model().rope(), hidden,
                           positions, attention);
    };
    at::Tensor hidden = test::random_tensor({1, row->positions.size(0), config.hidden_size}, 3);
    const at::Tensor packed =
        forward(hidden, Positions(row->positions), packed_attention(row, codec, c.view));
    for (const std::vector<int64_t>& path : layout.paths) {
      const auto whole = [&](const at::Tensor& x) {
        std::vector<at::Tensor> parts;
        for (const int64_t i : path) {
          const auto& segment = row->segments[static_cast<size_t>(i)];
          parts.push_back(x.narrow(1, segment.begin, segment.length));
        }
        return at::cat(parts, 1);
      };
      KvViewOptions view = c.view;
      if (own_prefill) view.prefill = segments[static_cast<size_t>(path.back())].prefill;
      const at::Tensor alone = forward(whole(hidden), {}, [&](const AttentionInputs& in) {
        return quantized_attention(in, codec, view);
      });
      // Sums of a few dozen terms of order one in float64.
      CHECK((whole(packed) - alone).abs().max().item<double>() < 1e-12);
    }
  }
}
