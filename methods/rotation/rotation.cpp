#include "methods/rotation/rotation.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/calibrate/statistics.h"
#include "core/device/tensors.h"
#include "core/device/torch_headers.h"
#include "methods/gptq/gptq.h"
#include "methods/gptq/hessians.h"

namespace wkvq {

namespace {

/// R^T W and back, for rotations of output channels.
at::Tensor apply_rows(const Orthonormal& rotation, const at::Tensor& weight) {
  return rotation.identity() ? weight : rotation.apply(weight.t()).t();
}
at::Tensor undo_rows(const Orthonormal& rotation, const at::Tensor& weight) {
  return rotation.identity() ? weight : rotation.undo(weight.t()).t();
}

/// Moves the gain of a norm into the linears behind it.
void fold_gain(at::Tensor& gain, std::initializer_list<Linear*> readers) {
  for (Linear* linear : readers)
    linear->weight = (widened(linear->weight) * widened(gain)).to(linear->weight.scalar_type());
  gain = at::ones_like(gain);
}

}  // namespace

std::string Rotation::summary() const {
  return "QuaRot style rotation: weights and inputs quantized in a basis without outliers";
}

CalibrationNeeds Rotation::calibration_needs() const {
  return weight_.identity() || rounding_.kind == Rounding::kNearest
             ? WeightMethod::calibration_needs()
             : CalibrationNeeds::kQuantizedChain;
}

std::optional<ActivationOptions> Rotation::token_activation() const {
  if (!activation_.identity()) return std::nullopt;  // quantized in another basis
  return activation_;
}

void Rotation::visit_own(OptionVisitor& v) {
  v("seed", seed_, "of the random signs, and of orthonormal parts of sizes that are no power of 2");
  v("residual", residual_, "rotate the residual stream");
  v("values", values_, "rotate every head between v and o");
  v("down", down_, "rotate the input of down_proj");
  rounding_.visit(v);
}

void Rotation::check_packable(const ModelConfig& model) const {
  if (weight_.identity()) return;
  WeightMethod::check_packable(model);
  if (residual_ || values_ || (down_ && activation_.identity()))
    config_error(
        "packed weight: rotation writes weights in the model's own basis, where they lie on no "
        "grid; expected residual: false, values: false and, unless inputs are quantized, down: "
        "false");
  if (rounding_.kind == Rounding::kGptq) check_group_order(rounding_.solver, weight_);
}

MethodMemory Rotation::calibration_memory(const ModelConfig& model,
                                          const CalibrationSize& size) const {
  // A weight as it was, rotated, rounded and turned back.
  constexpr double kWeightCopies = 5;
  const double wide = std::max(4.0, size.element_bytes);
  const auto square = [](int64_t width) {
    return static_cast<double>(width) * static_cast<double>(width);
  };
  double bytes = kWeightCopies * wide * static_cast<double>(largest_block_tensor(model));
  // A Hessian on its way to the rotated basis, and there.
  if (rounding_.kind == Rounding::kGptq)
    bytes += gptq_bytes(model, size, {rounding_.true_sequential}) +
             2 * wide * square(std::max(model.hidden_size, model.intermediate_size));
  // Dense matrices in front of linears whose inputs are quantized.
  if (!activation_.identity() && residual_) bytes += size.element_bytes * square(model.hidden_size);
  if (!activation_.identity() && down_)
    bytes += size.element_bytes * square(model.intermediate_size);
  MethodMemory memory = WeightMethod::calibration_memory(model, size);
  memory.bytes = std::max(memory.bytes, bytes);
  return memory;
}

void Rotation::make_rotations(const ModelConfig& model) {
  if (made_) return;
  // Those inside a block are QuaRot's Hadamard matrices without signs.
  if (residual_) of_residual_ = Orthonormal(model.hidden_size, seed_, Orthonormal::Signs::kRandom);
  if (values_) of_heads_ = Orthonormal(model.head_dim, seed_, Orthonormal::Signs::kNone);
  if (down_) of_down_ = Orthonormal(model.intermediate_size, seed_, Orthonormal::Signs::kNone);
  made_ = true;
}

Rotation::Sides Rotation::sides_of(const std::string& linear) const {
  switch (linear_named(linear).role) {
    case Role::kValue:
      return {&of_residual_, &of_heads_};
    case Role::kOutput:
      return {&of_heads_, &of_residual_};
    case Role::kDown:
      return {&of_down_, &of_residual_};
    default:
      return {&of_residual_, &identity_};
  }
}

const at::Tensor& Rotation::basis(const Orthonormal* rotation, int64_t width, const at::Tensor& x) {
  at::Tensor& matrix = bases_[rotation];
  if (!matrix.defined())
    matrix = rotation->apply(at::eye(width, widened(x).options())).to(x.scalar_type());
  return matrix;
}

void Rotation::transform(BlockContext& context, Recorder&) {
  make_rotations(context.model);
  BlockWeights& weights = context.block.weights;
  fold_gain(weights.input_norm, {&weights.query, &weights.key, &weights.value});
  fold_gain(weights.post_norm, {&weights.gate, &weights.up});
  if (activation_.identity()) return;
  weights.visit_linears([&](const char* name, Linear& linear) {
    const Orthonormal* input = sides_of(name).input;
    if (input->identity()) return;
    linear.basis = basis(input, linear.weight.size(1), linear.weight);
    linear.weight = input->apply(widened(linear.weight)).to(linear.weight.scalar_type());
  });
}

int64_t Rotation::wanted_tokens(const ModelConfig& model) const {
  const bool gptq = rounding_.kind == Rounding::kGptq && !weight_.identity();
  return std::max(WeightMethod::wanted_tokens(model), gptq ? gptq_tokens(model) : 0);
}

void Rotation::round(BlockContext& context, Recorder& recorder) {
  const auto replace = [&](const char* name, Linear& linear, const auto& rounded_in_basis) {
    const Sides sides = sides_of(name);
    // With a basis the columns are rotated already, and stay so.
    const Orthonormal& input = linear.basis.defined() ? identity_ : *sides.input;
    const at::Tensor exact = widened(linear.weight);
    const at::Tensor rotated = apply_rows(*sides.output, input.apply(exact)).contiguous();
    const RoundedWeight rounded = rounded_in_basis(rotated, input);
    const at::Tensor back = undo_rows(*sides.output, input.undo(rounded.weight)).contiguous();
    record_weight_error(recorder, context.layer, name, exact, back);
    linear.weight = back.to(linear.weight.scalar_type());
    // What is turned back lies on no grid any more.
    if (!rounded.codes || !input.identity() || !sides.output->identity()) return;
    WeightCodes codes = *rounded.codes;
    codes.encoded.dtype = linear.weight.scalar_type();
    linear.codes = std::make_shared<const WeightCodes>(codes);
  };
  if (rounding_.kind == Rounding::kNearest) {
    context.block.weights.visit_linears([&](const char* name, Linear& linear) {
      replace(name, linear, [&](const at::Tensor& rotated, const Orthonormal&) {
        return round_weight(rotated, weight_, context.keep_codes);
      });
    });
    return;
  }
  visit_with_hessians(
      context, {rounding_.true_sequential},
      [&](const char* name, Linear& linear, const InputMoments& moments) {
        replace(name, linear, [&](const at::Tensor& rotated, const Orthonormal& input) {
          // Of x R: R^T H R.
          const at::Tensor turned = apply_rows(input, input.apply(moments.hessian)).contiguous();
          const GptqResult result =
              gptq_solve(rotated, turned, weight_, rounding_.solver, context.keep_codes);
          record_gptq(recorder, context.layer, name, result);
          return RoundedWeight{result.weight, result.codes};
        });
      });
}

}  // namespace wkvq
