#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/checkpoint/model_config.h"

namespace wkvq {

/// What a weight is for. Linears come in the order in which a block applies them.
enum class Role {
  kQuery,
  kKey,
  kValue,
  kOutput,
  kGate,
  kUp,
  kDown,
  kInputNorm,
  kPostNorm,
  kQueryNorm,
  kKeyNorm,
  kEmbedding,
  kFinalNorm,
  kHead,
};

/// What a linear of a block reads. Linears of one input share its moments, scales and basis.
enum class LinearInput {
  kAttention,  ///< the hidden state behind the first norm
  kHeads,      ///< what attention returns
  kMlp,        ///< the hidden state behind the second norm
  kInner       ///< the product of gate and up
};

struct LinearSpec {
  const char* name;  ///< as in run files and packed files
  Role role;
  LinearInput input;
};

/// The linears of a block in the order in which it applies them; nothing else spells their names.
inline constexpr std::array<LinearSpec, 7> kLinears{{
    {"q_proj", Role::kQuery, LinearInput::kAttention},
    {"k_proj", Role::kKey, LinearInput::kAttention},
    {"v_proj", Role::kValue, LinearInput::kAttention},
    {"o_proj", Role::kOutput, LinearInput::kHeads},
    {"gate_proj", Role::kGate, LinearInput::kMlp},
    {"up_proj", Role::kUp, LinearInput::kMlp},
    {"down_proj", Role::kDown, LinearInput::kInner},
}};

/// The linear of that name. Throws std::out_of_range where there is none.
const LinearSpec& linear_named(std::string_view name);
/// The first linear that reads `input`: what is observed there holds for all that read it.
const char* reader_of(LinearInput input);
/// reader_of() every input, in the order of the block.
std::vector<std::string> readers();

/// Rows and columns of a weight [out, in].
int64_t output_size(const ModelConfig& model, Role linear);
int64_t input_size(const ModelConfig& model, LinearInput input);

}  // namespace wkvq
