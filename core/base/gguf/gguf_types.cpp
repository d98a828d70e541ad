#include "core/base/gguf/gguf_types.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "core/base/gguf/gguf_blocks.h"

namespace wkvq {
namespace {

using namespace gguf;

constexpr std::array<GgufType, 14> kTypes = {{
    {0, "F32", 1, 4, nullptr},
    {1, "F16", 1, 2, nullptr},
    {30, "BF16", 1, 2, nullptr},
    {2, "Q4_0", 32, 18, decode_q4_0},
    {3, "Q4_1", 32, 20, decode_q4_1},
    {6, "Q5_0", 32, 22, decode_q5_0},
    {7, "Q5_1", 32, 24, decode_q5_1},
    {8, "Q8_0", 32, 34, decode_q8_0},
    {10, "Q2_K", 256, 84, decode_q2_k},
    {11, "Q3_K", 256, 110, decode_q3_k},
    {12, "Q4_K", 256, 144, decode_q4_k},
    {13, "Q5_K", 256, 176, decode_q5_k},
    {14, "Q6_K", 256, 210, decode_q6_k},
    {20, "IQ4_NL", 32, 18, decode_iq4_nl},
}};

// Types that published files hold and nothing here decodes.
constexpr std::array<std::pair<uint32_t, std::string_view>, 15> kOthers = {{
    {16, "IQ2_XXS"},
    {17, "IQ2_XS"},
    {18, "IQ3_XXS"},
    {19, "IQ1_S"},
    {21, "IQ3_S"},
    {22, "IQ2_S"},
    {23, "IQ4_XS"},
    {26, "I32"},
    {28, "F64"},
    {29, "IQ1_M"},
    {34, "TQ1_0"},
    {35, "TQ2_0"},
    {39, "MXFP4"},
    {40, "NVFP4"},
    {41, "Q1_0"},
}};

}  // namespace

const GgufType* find_gguf_type(uint32_t id) {
  const auto* found = std::ranges::find(kTypes, id, &GgufType::id);
  return found == kTypes.end() ? nullptr : found;
}

const GgufType* find_gguf_type(std::string_view name) {
  const auto* found = std::ranges::find(kTypes, name, &GgufType::name);
  return found == kTypes.end() ? nullptr : found;
}

std::string gguf_type_text(uint32_t id) {
  if (const GgufType* type = find_gguf_type(id)) return fmt::format("{} ({})", type->name, id);
  for (const auto& [other, name] : kOthers) {
    if (other == id) return fmt::format("{} ({})", name, id);
  }
  return fmt::format("{}", id);
}

std::string gguf_type_names() {
  std::vector<std::string_view> names;
  for (const GgufType& type : kTypes) names.push_back(type.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace wkvq
