#pragma once

#include "core/model/model_source.h"
#include "tests/support/naive_attention.h"

namespace wkvq::test {

/// Logits [batch, seq, vocab] of a model in full precision, block by block.
inline at::Tensor logits(ModelSource& source, const at::Tensor& tokens) {
  at::Tensor hidden = source.embed(tokens);
  for (int64_t layer = 0; layer < source.config().layers; ++layer) {
    hidden = forward_block(source.config(), layer, source.block(layer), source.rope(), hidden, 0,
                           naive_attention);
  }
  return source.head().logits(hidden);
}

}  // namespace wkvq::test
