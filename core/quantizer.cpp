#include "core/quantizer.h"

#include "core/torch_headers.h"

namespace wkvq {

namespace {

struct FakeQuantize : torch::autograd::Function<FakeQuantize> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const QuantSpec& spec) {
    const QuantPlan plan = make_plan(x, spec);
    context->save_for_backward({x});
    context->saved_data["plan"] = std::vector<int64_t>{plan.rows,
                                                       plan.width,
                                                       plan.group,
                                                       plan.max_code,
                                                       static_cast<int64_t>(plan.form),
                                                       static_cast<int64_t>(plan.stored),
                                                       plan.include_zero};
    return fake_quant_forward(x, plan);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    const at::Tensor x = context->get_saved_variables()[0];
    const std::vector<int64_t> saved = context->saved_data["plan"].toIntVector();
    const QuantPlan plan{.rows = saved[0],
                         .width = saved[1],
                         .group = saved[2],
                         .max_code = saved[3],
                         .form = static_cast<PlanForm>(saved[4]),
                         .stored = static_cast<StoredScale>(saved[5]),
                         .include_zero = saved[6] != 0};
    return {fake_quant_backward(grads[0], x, plan), at::Tensor()};
  }
};

}  // namespace

at::Tensor fake_quantize(const at::Tensor& x, const QuantSpec& spec) {
  if (spec.identity()) return x;
  if (x.requires_grad() && at::GradMode::is_enabled()) return FakeQuantize::apply(x, spec);
  return fake_quant_forward(x, make_plan(x, spec));
}

Encoded encode(const at::Tensor& x, const QuantSpec& spec) {
  const QuantPlan plan = make_plan(x, spec);
  return {encode_groups(x, plan), plan, x.scalar_type()};
}

at::Tensor decode(const Encoded& encoded) {
  return decode_groups(encoded.groups, encoded.plan, encoded.dtype);
}

}  // namespace wkvq
