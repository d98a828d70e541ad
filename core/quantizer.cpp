#include "core/quantizer.h"

#include "core/torch_headers.h"

namespace wkvq {

namespace {

struct FakeQuantize : torch::autograd::Function<FakeQuantize> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const QuantSpec& spec) {
    context->save_for_backward({x});
    context->saved_data["plan"] = c10::make_intrusive<PlanHolder>(make_plan(x, spec));
    return fake_quant_forward(x, make_plan(x, spec));
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    const at::Tensor x = context->get_saved_variables()[0];
    const auto holder = context->saved_data["plan"].toCapsule();
    const QuantPlan& plan = static_cast<const PlanHolder&>(*holder).plan;
    return {fake_quant_backward(grads[0], x, plan), at::Tensor()};
  }

  struct PlanHolder : torch::CustomClassHolder {
    explicit PlanHolder(const QuantPlan& p) : plan(p) {}
    QuantPlan plan;
  };
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
