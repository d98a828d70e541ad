#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/base/checkpoint/model_config.h"
#include "core/model/transformer.h"
#include "core/number/packed_weight.h"

namespace wkvq {

/// The safetensors name of a dtype that packed files have.
const char* packed_type_name(at::ScalarType type);
/// The inverse; ConfigError for tensor `name` of `file` where there is none.
at::ScalarType packed_type(const std::string& dtype, const std::filesystem::path& file,
                           const std::string& name);

/// The name of a number format with the elements and scales of `format`.
std::string name_of_elements(const WeightFormat& format);

/// visitor(name, tensor) for every tensor of a block beside its codes; they may be undefined, and
/// may be set.
template <class Visitor>
void visit_packed_tensors(BlockWeights& weights, Visitor&& visitor) {
  visitor("input_norm", weights.input_norm);
  visitor("post_norm", weights.post_norm);
  visitor("query_norm", weights.query_norm);
  visitor("key_norm", weights.key_norm);
  weights.visit_linears([&](const std::string& name, Linear& linear) {
    visitor(name + "/weight", linear.weight);
    visitor(name + "/bias", linear.bias);
  });
}

/// What a packed file, which may come from anywhere, must hold for a model in a dtype. Whatever
/// differs is a ConfigError that names file and tensor.
class PackedFileChecks {
 public:
  PackedFileChecks(std::filesystem::path file, const ModelConfig& config, at::ScalarType dtype);

  /// What a file says of the codes of a linear.
  struct StoredFormat {
    at::Tensor numbers;
    at::Tensor elements, factor;  ///< undefined: whole numbers
  };
  /// The format of a weight [out, in] whose codes are exactly `data`.
  WeightFormat format(const std::string& name, const StoredFormat& stored,
                      const at::Tensor& data) const;
  /// The tensors of a block are those of the model, each in its shape and the dtype; every linear
  /// has either codes or a weight. `name` stands before theirs.
  void block(const std::string& name, BlockWeights& weights) const;
  /// `x` as [kv_heads, head_dim]: in the dtype or float32, finite, above zero where it is a scale.
  /// Undefined where it is.
  at::Tensor channels(const std::string& name, const at::Tensor& x) const;

 private:
  [[noreturn]] void refuse(const std::string& name, const std::string& what) const;
  /// The elements and scales that `stored` names, into `format`.
  void add_elements(const std::string& name, const StoredFormat& stored,
                    WeightFormat& format) const;
  /// Of the tensor of this name; empty where the model has none.
  std::vector<int64_t> shape_of(const std::string& name) const;

  std::filesystem::path file_;
  int64_t kv_heads_, head_dim_;
  at::ScalarType dtype_;
  std::map<std::string, std::vector<int64_t>> shapes_;  ///< by name in the file
};

}  // namespace wkvq
