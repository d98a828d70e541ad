#include "methods/rtn/rtn.h"

#include "core/base/error.h"
#include "core/statistics.h"
#include "core/torch_headers.h"

namespace wkvq {

void Rtn::visit(OptionVisitor& v) {
  v("weight", weight_, "the seven linears of every block");
  v("kv", kv_, "the key/value cache");
}

std::string Rtn::summary() const {
  return "round to nearest: weights on min-max grids, keys and values by the codec; no training";
}

void Rtn::check(const ModelConfig& model) const {
  if (weight_.identity()) return;
  for (const int64_t inputs :
       {model.hidden_size, model.heads * model.head_dim, model.intermediate_size})
    if (weight_.group_size > inputs)
      config_error(
          "method.weight: group_size {} does not fit the {} inputs of a linear; expected at most "
          "that, or -1",
          weight_.group_size, inputs);
}

void Rtn::calibrate(BlockContext& context, Recorder& recorder) {
  if (!weight_.identity()) {
    context.block.weights.visit_linears([&](const char* name, Linear& linear) {
      const at::Tensor quantized = fake_quantize(linear.weight, weight_);
      record_weight_error(recorder, context.layer, name, linear.weight, quantized);
      linear.weight = quantized;
    });
  }
  KvRanges ranges;
  if (kv_.needs_statistics()) ranges = collect_kv_ranges(context);
  context.block.codec = {{kv_.key, ranges.key}, {kv_.value, ranges.value}};
}

double Rtn::weight_bits(int64_t inputs, int64_t compute_bits) const {
  return weight_.bits_per_value(inputs, compute_bits);
}

}  // namespace wkvq
