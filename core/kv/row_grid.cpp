#include "core/kv/row_grid.h"

#include "core/device/torch_headers.h"
#include "core/number/elements.h"

namespace wkvq {

namespace {

// Its square is a normal float32.
constexpr double kSmallest = 1e-18;

}  // namespace

at::Tensor as_stored(const at::Tensor& x, ScaleDtype dtype) {
  switch (dtype) {
    case ScaleDtype::kFloat32:
      return x.to(at::kFloat).to(x.scalar_type());
    case ScaleDtype::kFloat16:
      return x.to(at::kHalf).to(x.scalar_type());
    case ScaleDtype::kBfloat16:
      return x.to(at::kBFloat16).to(x.scalar_type());
    case ScaleDtype::kCompute:
      break;
  }
  return x;
}

RowGrid::RowGrid(const KvTensorOptions& options, const GridConstants& constants)
    : options_(options) {
  plan_.element = number_format(options.format).element;
  const at::Tensor& codebook = constants.codebook;
  if (!codebook.defined()) return;
  TORCH_CHECK(codebook.numel() == int64_t{1} << options.bits, "kv codec: codebook of ",
              codebook.numel(), " values for ", options.bits, " bits");
  codebook_ = constants.read_codebook.defined() ? constants.read_codebook : codebook;
  boundaries_ =
      (codebook.narrow(0, 1, codebook.numel() - 1) + codebook.narrow(0, 0, codebook.numel() - 1)) /
      2;
}

GridFrame RowGrid::frame(const at::Tensor& low, const at::Tensor& high) const {
  if (!plan_.integers()) {
    const at::Tensor step =
        as_stored(at::maximum(high, -low) / plan_.element.largest, options_.scale_dtype);
    return {at::zeros_like(step), at::where(step > 0, step, 1)};
  }
  const bool uniform = options_.grid == KvGrid::kUniform;
  const double parts = uniform ? static_cast<double>((int64_t{1} << options_.bits) - 1) : 2.0;
  const at::Tensor offset = as_stored(uniform ? low : (low + high) / 2, options_.scale_dtype);
  const at::Tensor step = as_stored((high - low) / parts, options_.scale_dtype);
  // A group without range decodes to its one value, whatever codebook value lies nearest to 0.
  const at::Tensor none = offset.abs().clamp_min(kSmallest) * kSmallest;
  return {offset, at::where(step > 0, step, none)};
}

at::Tensor RowGrid::codes(const at::Tensor& x, const GridFrame& frame) const {
  TORCH_CHECK(codebook_.defined() == (options_.grid == KvGrid::kNuq),
              "kv codec: grid: nuq without a codebook");
  const at::Tensor levels = (x - frame.offset) / frame.step;
  if (codebook_.defined())
    return at::bucketize(levels, boundaries_.to(levels.options()), /*out_int32=*/true)
        .to(at::kByte);
  if (!plan_.integers()) return element_codes(nearest_elements(levels, plan_), plan_);
  const auto top = static_cast<double>((int64_t{1} << options_.bits) - 1);
  return levels.round().clamp(0, top).to(at::kByte);
}

at::Tensor RowGrid::values(const at::Tensor& codes, const GridFrame& frame) const {
  const at::TensorOptions like = frame.step.options();
  if (!plan_.integers())
    return elements_of(codes, plan_, frame.step.scalar_type()) * frame.step + frame.offset;
  const at::Tensor levels =
      codebook_.defined()
          ? codebook_.to(like).index_select(0, codes.flatten().to(at::kInt)).view(codes.sizes())
          : codes.to(like.dtype());
  return levels * frame.step + frame.offset;
}

}  // namespace wkvq
