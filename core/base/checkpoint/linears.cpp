#include "core/base/checkpoint/linears.h"

#include <algorithm>
#include <stdexcept>

namespace wkvq {

const LinearSpec& linear_named(std::string_view name) {
  const auto found =
      std::ranges::find_if(kLinears, [&](const LinearSpec& linear) { return linear.name == name; });
  if (found == kLinears.end()) throw std::out_of_range("no linear '" + std::string(name) + "'");
  return *found;
}

const char* reader_of(LinearInput input) {
  return std::ranges::find(kLinears, input, &LinearSpec::input)->name;
}

std::vector<std::string> readers() {
  std::vector<std::string> names;
  for (const LinearSpec& linear : kLinears)
    if (linear.name == std::string_view(reader_of(linear.input))) names.emplace_back(linear.name);
  return names;
}

int64_t output_size(const ModelConfig& model, Role linear) {
  switch (linear) {
    case Role::kQuery:
      return model.heads * model.head_dim;
    case Role::kKey:
    case Role::kValue:
      return model.kv_heads * model.head_dim;
    case Role::kGate:
    case Role::kUp:
      return model.intermediate_size;
    default:
      return model.hidden_size;
  }
}

int64_t input_size(const ModelConfig& model, LinearInput input) {
  switch (input) {
    case LinearInput::kHeads:
      return model.heads * model.head_dim;
    case LinearInput::kInner:
      return model.intermediate_size;
    case LinearInput::kAttention:
    case LinearInput::kMlp:
      break;
  }
  return model.hidden_size;
}

}  // namespace wkvq
