#pragma once

#include <ATen/ATen.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/checkpoint/model_config.h"
#include "core/base/checkpoint/weight_files.h"

namespace wkvq {

/// A published model: a folder with config.json and its weights, or a GGUF file; memory-mapped. The
/// constructor checks that every tensor the configuration asks for is there with its shape; values
/// are checked when they are loaded.
class Checkpoint {
 public:
  /// ConfigError names file, field or tensor.
  explicit Checkpoint(const std::filesystem::path& path);

  /// The folder or the GGUF file.
  const std::filesystem::path& folder() const { return folder_; }
  const ModelConfig& config() const { return config_; }
  const WeightFiles& files() const { return files_; }

  /// Tensor `name` as a fresh contiguous tensor; its mapped pages are given back. ConfigError
  /// where the shape is another or a value is not finite in `dtype`.
  at::Tensor load(const std::string& name, const std::vector<int64_t>& expected_shape,
                  at::ScalarType dtype, at::Device device) const;

  /// Rows `ids` (int64, any shape, values below the row count) of the matrix `name`:
  /// [..., columns]. Reads those rows only.
  at::Tensor load_rows(const std::string& name, const at::Tensor& ids, at::ScalarType dtype,
                       at::Device device) const;

  /// See WeightFiles.
  std::string fingerprint() const { return files_.fingerprint(); }

 private:
  std::filesystem::path folder_;
  ModelConfig config_;
  WeightFiles files_;
};

}  // namespace wkvq
