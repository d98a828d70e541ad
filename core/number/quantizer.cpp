#include "core/number/quantizer.h"

#include "core/device/autograd_operands.h"
#include "core/device/torch_headers.h"
#include "core/number/elements.h"

namespace wkvq {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

void save_plan(AutogradContext* context, const QuantPlan& plan) {
  context->saved_data["plan"] = std::vector<int64_t>{plan.rows,
                                                     plan.width,
                                                     plan.group,
                                                     plan.max_code,
                                                     static_cast<int64_t>(plan.form),
                                                     static_cast<int64_t>(plan.stored),
                                                     plan.include_zero,
                                                     plan.half_step,
                                                     static_cast<int64_t>(plan.element.kind),
                                                     plan.element.mantissa_bits,
                                                     plan.element.lowest_exponent,
                                                     static_cast<int64_t>(plan.rule)};
  context->saved_data["reals"] = std::vector<double>{plan.element.largest, plan.tensor_factor};
}

QuantPlan saved_plan(AutogradContext* context) {
  const std::vector<int64_t> saved = context->saved_data["plan"].toIntVector();
  const std::vector<double> reals = context->saved_data["reals"].toDoubleVector();
  return {.rows = saved[0],
          .width = saved[1],
          .group = saved[2],
          .max_code = saved[3],
          .form = static_cast<PlanForm>(saved[4]),
          .stored = static_cast<StoredScale>(saved[5]),
          .include_zero = saved[6] != 0,
          .half_step = saved[7] != 0,
          .element = {static_cast<ElementKind>(saved[8]), static_cast<int>(saved[9]),
                      static_cast<int>(saved[10]), reals[0]},
          .rule = static_cast<ScaleRule>(saved[11]),
          .tensor_factor = reals[1]};
}

struct FakeQuantize : torch::autograd::Function<FakeQuantize> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& high,
                            const at::Tensor& low, const QuantSpec& spec) {
    const QuantPlan plan = make_plan(x, spec);
    context->save_for_backward({x, high, low});
    save_plan(context, plan);
    return fake_quant_forward(x, plan, {or_undefined(high), or_undefined(low)});
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const FakeQuantGradients g = fake_quant_backward(
        grads[0], saved[0], saved_plan(context), {or_undefined(saved[1]), or_undefined(saved[2])});
    return {g.x, g.clip.high, g.clip.low, at::Tensor()};
  }
};

}  // namespace

at::Tensor fake_quantize(const at::Tensor& x, const QuantSpec& spec) {
  if (spec.identity()) return x;
  if (x.requires_grad() && at::GradMode::is_enabled())
    return FakeQuantize::apply(x, or_empty({}, x), or_empty({}, x), spec);
  return fake_quant_forward(x, make_plan(x, spec));
}

at::Tensor fake_quantize_clipped(const at::Tensor& x, const ClipRatios& clip,
                                 const QuantSpec& spec) {
  if (spec.identity()) return x;
  return FakeQuantize::apply(x, clip.high, clip.low, spec);
}

Encoded encode(const at::Tensor& x, const QuantSpec& spec, const ClipRatios& clip) {
  const QuantPlan plan = make_plan(x, spec);
  return {encode_groups(x, plan, clip), plan, x.scalar_type()};
}

at::Tensor decode(const Encoded& encoded) {
  return decode_groups(encoded.groups, encoded.plan, encoded.dtype);
}

GroupGrid group_grid(const at::Tensor& x, QuantSpec spec) {
  spec.group_size = -1;
  const Encoded encoded = encode(x, spec);
  return {encoded.groups.scale.flatten(), encoded.groups.offset.flatten(), encoded.plan};
}

// The operations of group_math.h one by one, so that each rounds as it does there.
at::Tensor GroupGrid::codes(const at::Tensor& x) const {
  const auto top = static_cast<double>(plan.max_code);
  const at::Tensor wide = x.to(scale.scalar_type());
  if (!plan.integers()) return nearest_elements(wide / scale, plan);
  if (plan.form == PlanForm::kMinimum) return ((wide - offset) / scale).round_().clamp_(0, top);
  if (plan.form == PlanForm::kSymmetric) return (wide / scale).round_().clamp_(-top - 1, top);
  return (wide / scale).round_().add_(offset).clamp_(0, top);
}

at::Tensor GroupGrid::stored(const at::Tensor& codes) const {
  if (!plan.integers()) return element_codes(codes, plan);
  const bool symmetric = plan.form == PlanForm::kSymmetric;
  return (symmetric ? codes + static_cast<double>(plan.max_code + 1) : codes).to(at::kByte);
}

at::Tensor GroupGrid::values(const at::Tensor& codes) const {
  if (plan.form == PlanForm::kMinimum) return codes * scale + offset;
  if (plan.form == PlanForm::kSymmetric) return codes * scale;
  return (codes - offset) * scale;
}

}  // namespace wkvq
