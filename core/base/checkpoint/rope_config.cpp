#include "core/base/checkpoint/rope_config.h"

#include <optional>

#include "core/base/error.h"

namespace wkvq {
namespace {

/// Where neither spelling is there, it is the default (transformers 5), unless a factor asks for
/// more.
RopeScaling scaling_kind(const JsonFields& rope) {
  const char* key = rope.find("rope_type") ? "rope_type" : "type";
  if (!rope.find(key) && !rope.find("factor")) return RopeScaling::kNone;
  const std::string kind = rope.text(key);
  if (kind == "default") return RopeScaling::kNone;
  if (kind == "linear") return RopeScaling::kLinear;
  if (kind == "dynamic") return RopeScaling::kDynamic;
  if (kind == "llama3") return RopeScaling::kLlama3;
  rope.refuse(key, "known: default, linear, dynamic, llama3");
}

void read_scaling(const JsonFields& rope, const ModelConfig& config, RopeConfig& result) {
  // `finetuned` of older files says something about the model, not about the computation.
  rope.only({"type", "rope_type", "rope_theta", "factor", "low_freq_factor", "high_freq_factor",
             "original_max_position_embeddings", "partial_rotary_factor", "finetuned"});
  if (rope.find("partial_rotary_factor")) rope.number("partial_rotary_factor", 1.0, 1.0);
  result.scaling = scaling_kind(rope);
  if (result.scaling == RopeScaling::kNone) return;
  result.factor = rope.number("factor", 1.0, 1e6);
  result.original_max_positions = config.max_positions;
  if (rope.find("original_max_position_embeddings")) {
    result.original_max_positions =
        rope.integer("original_max_position_embeddings", 1, kMaxPositions);
  }
  if (result.scaling == RopeScaling::kDynamic) {
    if (result.original_max_positions != config.max_positions) {
      rope.refuse(
          "original_max_position_embeddings",
          fmt::format("dynamic scaling expects max_position_embeddings {}", config.max_positions));
    }
    if (config.head_dim <= 2) rope.refuse("rope_type", "expected a head_dim above 2");
  }
  if (result.scaling == RopeScaling::kLlama3) {
    rope.integer("original_max_position_embeddings", 1, kMaxPositions);
    result.low_freq_factor = rope.number("low_freq_factor", 1e-6, 1e6);
    result.high_freq_factor = rope.number("high_freq_factor", 1e-6, 1e6);
    if (result.high_freq_factor <= result.low_freq_factor) {
      rope.refuse("high_freq_factor", "expected more than low_freq_factor");
    }
  }
}

}  // namespace

RopeConfig read_rope_config(const JsonFields& fields, const ModelConfig& config) {
  RopeConfig result;
  if (fields.find("rope_theta")) result.theta = fields.number("rope_theta", 1.0, 1e15);
  const std::optional<JsonFields> scaling = fields.object("rope_scaling");
  const std::optional<JsonFields> parameters = fields.object("rope_parameters");
  const bool twice = scaling && parameters;
  if (twice && *fields.find("rope_scaling") != *fields.find("rope_parameters"))
    fields.refuse("rope_parameters", "rope_scaling is given too, and says otherwise");
  if (scaling && !twice) read_scaling(*scaling, config, result);
  if (parameters) {
    if (parameters->find("rope_theta")) {
      result.theta = parameters->number("rope_theta", 1.0, 1e15);
    }
    read_scaling(*parameters, config, result);
  }
  return result;
}

}  // namespace wkvq
