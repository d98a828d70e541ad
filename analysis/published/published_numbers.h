#pragma once

#include <string>
#include <vector>

#include "core/base/yaml/yaml_node.h"

namespace wkvq {

/// The setting that a number belongs to. 0 and empty texts: not stated. Bits 16: full precision;
/// groups -1: the whole row of a weight, a head of the cache. Method `none`: nothing is quantized.
struct NumberSetting {
  std::string model;  ///< canonical_model()
  std::string method;
  int64_t weight_bits = 0, weight_group = 0;
  int64_t activation_bits = 0;
  int64_t kv_bits = 0, kv_group = 0;
  std::string kv_mode;
  std::string metric, dataset;
  int64_t context = 0;

  bool operator==(const NumberSetting&) const = default;
};

struct PublishedNumber {
  NumberSetting setting;
  double value = 0;
  std::string source;
  std::string tag;  ///< R repository of the authors, P paper, 2 secondary notes, ? weak
  std::string note;

  /// Only what was read at its origin is something to aim at.
  bool is_target() const { return tag == "R" || tag == "P"; }
};

/// Reads tables in the form of published_numbers.yaml. ConfigError with its place for anything
/// else.
std::vector<PublishedNumber> read_published(const YamlNode& document);

/// Those of published_numbers.yaml, which is part of the program.
const std::vector<PublishedNumber>& published_numbers();

/// "Llama-2-7b-hf", "LLaMA-2-7B" and "Meta-Llama-2-7B" are "llama-2-7b": lower case without a
/// leading "meta-" and a trailing "-hf".
std::string canonical_model(const std::string& name);

}  // namespace wkvq
