#pragma once

#include "core/calibrate/pipeline.h"
#include "core/device/torch_headers.h"
#include "core/generate/decoder.h"
#include "tests/support/block_fixture.h"

namespace wkvq::test {

struct Run {
  std::vector<QuantizedBlock> blocks;
  at::Tensor one_pass, decoded, full;
};

/// A batch through the blocks that `method` quantizes, in one pass, token by token, and in full
/// precision.
inline Run run(BlockFixture& fixture, const std::string& text, const at::Tensor& tokens) {
  const at::NoGradGuard no_grad;
  const std::unique_ptr<Method> method = method_of(text);
  method->check(fixture.model().config());
  check_kv_options(method->kv(), method->kv().view, fixture.model().config());
  const at::Tensor hidden = fixture.model().embed(tokens);
  BlockPass pass{.streams = {{.batches = {{hidden, method->kv().view}}},
                             {.full_precision = true, .batches = {{hidden, {}}}}},
                 .calibration = &fixture.chain(),
                 .keep_blocks = true};
  run_blocks(fixture.model(), *method, pass, fixture.recorder());
  Decoder decoder(fixture.model(), pass.blocks, method->kv().view);
  std::vector<at::Tensor> steps;
  for (int64_t t = 0; t < tokens.size(1); ++t)
    steps.push_back(decoder.step(tokens.narrow(1, t, 1)));
  return {pass.blocks, pass.streams[0].batches[0].hidden, at::cat(steps, 1),
          pass.streams[1].batches[0].hidden};
}

inline Run run(BlockFixture& fixture, const std::string& text, int64_t length) {
  return run(fixture, text,
             (at::arange(2 * length, at::kLong) * 11 + 3).fmod(64).view({2, length}));
}

inline double largest(const at::Tensor& x) {
  return x.abs().max().item<double>();
}

}  // namespace wkvq::test
