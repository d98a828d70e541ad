#include "core/calibrate/packed_block.h"

#include "core/device/torch_headers.h"
#include "core/number/packed_weight.h"
#include "core/number/weight_codes.h"

namespace wkvq {

QuantizedBlock packed_block(QuantizedBlock block) {
  block.weights.visit_linears([](const char*, Linear& linear) {
    if (!linear.codes) return;
    linear.packed = std::make_shared<const PackedWeight>(linear.codes->encoded, linear.codes->spec);
    linear.weight = at::Tensor();
    linear.codes = nullptr;
  });
  return block;
}

void drop_codes(BlockWeights& weights) {
  weights.visit_linears([](const char*, Linear& linear) { linear.codes = nullptr; });
}

int64_t held_bytes(const BlockWeights& weights) {
  int64_t bytes = 0;
  const auto add = [&](const at::Tensor& x) {
    if (x.defined()) bytes += static_cast<int64_t>(x.nbytes());
  };
  BlockWeights block = weights;
  for (const at::Tensor& norm :
       {block.input_norm, block.post_norm, block.query_norm, block.key_norm})
    add(norm);
  block.visit_linears([&](const char*, Linear& linear) {
    for (const at::Tensor& x : {linear.weight, linear.bias, linear.basis}) add(x);
    if (linear.packed) bytes += linear.packed->stored_bytes();
  });
  return bytes;
}

}  // namespace wkvq
