#include "core/generate/linear_set.h"

#include <algorithm>

#include "core/device/torch_headers.h"
#include "core/kernels/dense_products.h"

namespace wkvq {

namespace {

/// Weights in float32 of a task: a few microseconds of memory.
constexpr int64_t kTaskElements = 16384;
constexpr int64_t kOutputsTogether = 8;

bool plain(const at::Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat && x.is_contiguous();
}

std::string why_not(const Linear& linear) {
  if (linear.basis.defined()) return "a linear in another basis";
  if (!linear.input.identity() && !linear.input.of_token())
    return "inputs quantized by a calibrated range";
  if (linear.observer) return "an observed linear";
  if (linear.bias.defined() && !plain(linear.bias)) return "a bias that is not float32 on the CPU";
  if (linear.packed) return linear.packed->data().is_cpu() ? "" : "packed weights on a device";
  return plain(linear.weight) ? "" : "a weight that is not float32 on the CPU";
}

}  // namespace

std::string LinearSet::unsupported(const std::vector<const Linear*>& linears) {
  for (const Linear* linear : linears) {
    if (std::string why = why_not(*linear); !why.empty()) return why;
    if (linear->input.of_token() != linears.front()->input.of_token())
      return "an input that linears quantize in different ways";
  }
  return {};
}

LinearSet::LinearSet(const std::vector<const Linear*>& linears) {
  for (const Linear* linear : linears) {
    Part part{.linear = *linear};
    if (linear->packed) {
      const WeightFormat& format = linear->packed->format();
      part.out = format.out;
      part.in = format.in;
      part.step = PackedWeight::kPanelsTogether * kPanelLanes;
      part.sums_at = sums_;
      part.sums_of = parts_.size();
      for (size_t i = 0; i < parts_.size(); ++i)
        if (parts_[i].linear.packed && parts_[i].linear.packed->format().group == format.group)
          part.sums_of = std::min(part.sums_of, parts_[i].sums_of);
      if (part.sums_of == parts_.size())
        sums_ += format.groups();
      else
        part.sums_at = parts_[part.sums_of].sums_at;
    } else {
      part.out = linear->weight.size(0);
      part.in = linear->weight.size(1);
      const int64_t least = (part.out + Team::kMost / 8 - 1) / (Team::kMost / 8);
      part.step = round_up_to(std::max(kTaskElements / part.in, least), kOutputsTogether);
    }
    part.tasks = (part.out + part.step - 1) / part.step;
    tasks_ += part.tasks;
    parts_.push_back(part);
  }
  if (const auto spec = linears.front()->input.of_token()) input_.emplace(*spec, parts_.front().in);
}

int64_t LinearSet::input_stride() const {
  return round_up_to(parts_.front().in, kPanelStep);
}

int64_t LinearSet::output_stride(size_t i) const {
  return round_up_to(parts_[i].out, kPanelLanes);
}

int64_t LinearSet::scratch(int64_t rows) const {
  return rows * sums_;
}

void LinearSet::run(Team& team, const float* x, int64_t rows, const std::vector<PlainRows>& outputs,
                    float* sums) {
  if (input_) {
    input_->quantize(x, rows);
    x = input_->values();
  }
  for (size_t i = 0; i < parts_.size(); ++i) {
    Part& part = parts_[i];
    if (!part.linear.packed) continue;
    float* const own = sums + rows * part.sums_at;
    if (part.sums_of == i) PackedWeight::sum_groups(part.linear.packed->format(), x, rows, own);
    part.product = part.linear.packed->product();
    part.product.x = x;
    part.product.sums = own;
    part.product.rows = rows;
    part.product.y = outputs[i].data;
    if (!input_ || !part.product.format.integers()) continue;
    part.product.whole = input_->whole(part.product.format.bits);
    part.product.whole_scales = input_->whole_scales();
  }
  team.run(tasks_, [&](int64_t task) {
    size_t i = 0;
    while (task >= parts_[i].tasks) task -= parts_[i++].tasks;
    run_task(parts_[i], task, x, outputs[i], rows);
  });
}

void LinearSet::run_task(const Part& part, int64_t task, const float* x, const PlainRows& y,
                         int64_t rows) const {
  static const DenseKernel dense = dense_kernel();
  const int64_t begin = task * part.step, end = std::min(begin + part.step, part.out);
  if (part.linear.packed) {
    part.linear.packed->kernels().multiply(
        part.product, begin / kPanelLanes,
        std::min((begin + part.step) / kPanelLanes, part.product.format.panels()));
  } else {
    dense({.weight = part.linear.weight.const_data_ptr<float>(),
           .in = part.in,
           .x = x,
           .x_stride = input_stride(),
           .rows = rows,
           .y = y.data,
           .y_stride = y.stride},
          begin, end);
  }
  if (!part.linear.bias.defined()) return;
  const float* bias = part.linear.bias.const_data_ptr<float>();
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t o = begin; o < end; ++o) y.row(r)[o] += bias[o];
}

}  // namespace wkvq
