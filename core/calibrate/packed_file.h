#pragma once

#include <filesystem>
#include <functional>

#include "core/base/checkpoint/safetensors.h"
#include "core/calibrate/method.h"

namespace wkvq {

/// What the file of a packed model says of itself.
struct PackedFileFacts {
  std::string model_fingerprint;  ///< of the checkpoint, which keeps embedding and head
  std::string configuration;      ///< YAML: model, method, calibration
};

/// Writes blocks with packed weights to a safetensors file: of every linear its codes and their
/// format, or its weight; bias, norms, channels of the codec; in the metadata a version, the facts
/// and a hash of all. ConfigError where a block quantizes inputs by calibrated ranges or in another
/// basis, which the file does not keep, or where the file cannot be written.
void write_packed_file(const std::filesystem::path& path, const std::vector<QuantizedBlock>& blocks,
                       const PackedFileFacts& facts);

/// Reads such a file, which may come from anywhere: whatever is wrong (another format or version,
/// missing, truncated or changed bytes) is a ConfigError.
class PackedFile {
 public:
  explicit PackedFile(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return file_.path(); }
  const PackedFileFacts& facts() const { return facts_; }
  /// What the configuration says of blocks beside their tensors.
  struct Quantization {
    ActivationOptions activation;
    std::function<KvOptions(int64_t layer)> kv_of;
  };
  /// The blocks of a model of `config` on the device of `options` and in its dtype. ConfigError
  /// where the file holds another number of them, other shapes or dtypes, or anything else beside
  /// them.
  std::vector<QuantizedBlock> blocks(const ModelConfig& config, const Quantization& quantization,
                                     const at::TensorOptions& options) const;

 private:
  SafetensorsFile file_;
  PackedFileFacts facts_;
};

}  // namespace wkvq
