#include "core/calibrate/packed_file_checks.h"

#include <algorithm>
#include <cmath>

#include "core/base/checkpoint/model_tensors.h"
#include "core/base/error.h"
#include "core/device/torch_headers.h"
#include "core/number/packed_weight.h"

namespace wkvq {

namespace {

struct TypeName {
  at::ScalarType type;
  const char* name;
};
constexpr TypeName kTypes[]{{at::kFloat, "F32"},
                            {at::kHalf, "F16"},
                            {at::kBFloat16, "BF16"},
                            {at::kByte, "U8"},
                            {at::kLong, "I64"}};

/// What a block of a model holds, by the name in the file: that of a linear, of its "/bias", of a
/// norm.
std::map<std::string, std::vector<int64_t>> expected_shapes(const ModelConfig& config) {
  std::map<Role, const char*> names{{Role::kInputNorm, "input_norm"},
                                    {Role::kPostNorm, "post_norm"},
                                    {Role::kQueryNorm, "query_norm"},
                                    {Role::kKeyNorm, "key_norm"}};
  for (const LinearSpec& linear : kLinears) names[linear.role] = linear.name;
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const TensorSpec& spec : block_tensors(config, 0)) {
    const char* name = names.at(spec.role);
    shapes[spec.is_bias ? fmt::format("{}/bias", name) : name] = spec.shape;
  }
  return shapes;
}

}  // namespace

const char* packed_type_name(at::ScalarType type) {
  for (const TypeName& known : kTypes)
    if (known.type == type) return known.name;
  TORCH_CHECK(false, "packed file: ", toString(type), " is not stored");
}

at::ScalarType packed_type(const std::string& dtype, const std::filesystem::path& file,
                           const std::string& name) {
  for (const TypeName& known : kTypes)
    if (dtype == known.name) return known.type;
  config_error("{}: {}: dtype {}; expected one that packed models have", file.string(), name,
               dtype);
}

std::string name_of_elements(const WeightFormat& format) {
  const auto same = [&](const NumberFormat& row) {
    const Element &a = row.element, &b = format.element;
    return row.bits == format.bits && row.rule == format.rule && a.kind == b.kind &&
           (a.kind == ElementKind::kTable
                ? a.table == b.table
                : a.mantissa_bits == b.mantissa_bits && a.lowest_exponent == b.lowest_exponent &&
                      a.largest == b.largest);
  };
  const auto found = std::ranges::find_if(number_formats(), same);
  TORCH_CHECK(found != number_formats().end(), "packed file: elements of no number format");
  return found->name;
}

PackedFileChecks::PackedFileChecks(std::filesystem::path file, const ModelConfig& config,
                                   at::ScalarType dtype)
    : file_(std::move(file)),
      kv_heads_(config.kv_heads),
      head_dim_(config.head_dim),
      dtype_(dtype),
      shapes_(expected_shapes(config)) {}

void PackedFileChecks::refuse(const std::string& name, const std::string& what) const {
  config_error("{}: {}: {}", file_.string(), name, what);
}

std::vector<int64_t> PackedFileChecks::shape_of(const std::string& name) const {
  const auto found = shapes_.find(name);
  return found == shapes_.end() ? std::vector<int64_t>() : found->second;
}

void PackedFileChecks::add_elements(const std::string& name, const StoredFormat& stored,
                                    WeightFormat& format) const {
  constexpr int64_t kLongestName = 64;
  const auto expect = [&](bool sound) {
    if (!sound) refuse(name, "its elements are those of no number format");
  };
  const at::Tensor &bytes = stored.elements, &factor = stored.factor;
  expect(factor.defined() && factor.scalar_type() == at::kFloat && factor.numel() == 1);
  expect(bytes.scalar_type() == at::kByte && bytes.dim() == 1 && bytes.numel() <= kLongestName);
  const std::string text(reinterpret_cast<const char*>(bytes.const_data_ptr<uint8_t>()),
                         static_cast<size_t>(bytes.numel()));
  const auto row = std::ranges::find_if(number_formats(),
                                        [&](const NumberFormat& one) { return text == one.name; });
  expect(row != number_formats().end() && row->element.kind != ElementKind::kInteger);
  expect(row->bits == format.bits && (row->bits == 4 || row->bits == 8));
  expect(format.form == QuantForm::kSymmetric && (row->block == 0 || row->block == format.group));
  format.element = row->element;
  format.rule = row->rule;
  format.factor = factor.item<float>();
  expect(std::isfinite(format.factor) && format.factor > 0);
}

WeightFormat PackedFileChecks::format(const std::string& name, const StoredFormat& stored,
                                      const at::Tensor& data) const {
  const at::Tensor& numbers = stored.numbers;
  const bool integers = !stored.elements.defined();
  constexpr int64_t kMost = 1 << 30;  // of outputs, inputs and a group: no product overflows
  const auto expect = [&](bool sound) {
    if (!sound) refuse(name, "its format or size is not that of packed codes");
  };
  expect(numbers.defined() && numbers.scalar_type() == at::kLong && numbers.dim() == 1 &&
         numbers.numel() == 7);
  expect(!integers || !stored.factor.defined());
  const int64_t* n = numbers.const_data_ptr<int64_t>();
  expect(packable_bits(n[0]) && n[1] > 0 && n[2] > 0 && n[1] < kMost && n[2] < kMost);
  expect(n[3] > 0 && n[3] < kMost &&
         (n[3] >= n[2] || n[3] % kPanelStep == 0 || (!integers && n[3] == kPanelStep / 2)));
  expect(n[4] > 0 && n[4] <= static_cast<int64_t>(ScaleDtype::kBfloat16));
  expect(n[5] >= 0 && n[5] <= static_cast<int64_t>(QuantForm::kSymmetric));
  expect(n[6] == 0 || (n[6] == 1 && n[5] == static_cast<int64_t>(QuantForm::kZeroPoint)));
  WeightFormat format{.bits = n[0],
                      .out = n[1],
                      .in = n[2],
                      .group = n[3],
                      .stored = static_cast<ScaleDtype>(n[4]),
                      .form = static_cast<QuantForm>(n[5]),
                      .wide_zero = n[6] == 1};
  if (!integers) add_elements(name, stored, format);
  expect(data.scalar_type() == at::kByte && data.dim() == 1 && data.numel() == format.bytes());
  return format;
}

void PackedFileChecks::block(const std::string& block, BlockWeights& weights) const {
  visit_packed_tensors(weights, [&](const std::string& name, const at::Tensor& x) {
    const bool is_weight = name.ends_with("/weight");
    const std::vector<int64_t> shape = shape_of(is_weight ? name.substr(0, name.rfind('/')) : name);
    // The linears below say which of them need a weight.
    if (!x.defined() && (is_weight || shape.empty())) return;
    if (shape.empty()) refuse(block + name, "the model has no such tensor");
    if (!x.defined() || x.sizes() != shape)
      refuse(block + name, "no tensor of the shape that the model has");
    if (x.scalar_type() != dtype_)
      refuse(block + name, fmt::format("dtype {}; expected {}", packed_type_name(x.scalar_type()),
                                       packed_type_name(dtype_)));
  });
  weights.visit_linears([&](const std::string& name, const Linear& linear) {
    if (linear.packed ? linear.weight.defined() : !linear.weight.defined())
      refuse(block + name, "expected either codes or a weight");
    if (!linear.packed) return;
    const WeightFormat& format = linear.packed->format();
    if (std::vector{format.out, format.in} != shape_of(name))
      refuse(block + name, "no codes of the shape that the model has");
  });
}

at::Tensor PackedFileChecks::channels(const std::string& name, const at::Tensor& x) const {
  if (!x.defined()) return x;
  if (x.numel() != kv_heads_ * head_dim_)
    refuse(name, "no channels of the size that the model has");
  if (x.scalar_type() != dtype_ && x.scalar_type() != at::kFloat)
    refuse(name, fmt::format("dtype {}; expected {} or F32", packed_type_name(x.scalar_type()),
                             packed_type_name(dtype_)));
  const at::Tensor values = x.to(at::kDouble);
  if (!at::isfinite(values).all().item<bool>() ||
      (name.ends_with("/scale") && values.min().item<double>() <= 0))
    refuse(name, "values that are not finite, or scales not above zero");
  return x.view({kv_heads_, head_dim_});
}

}  // namespace wkvq
