#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/cache/storage.h"
#include "core/calibrate/packed_file.h"
#include "experiments/session/session.h"

namespace wkvq {

/// Which model is quantized how, as commands outside of a sweep say it.
struct QuantizationRequest {
  std::string model;  ///< folder; empty: that of the configuration
  /// A sweep file with one run, or a run file: its method, calibration, trained parameters; empty:
  /// full precision.
  std::filesystem::path config;
  std::string device;  ///< over the configuration's, where not empty
  Storage storage = Storage::kSimulated;
};

/// Model, method and calibration of the request; what it evaluates is not looked at. ConfigError.
RunConfig read_request(const QuantizationRequest& request);

/// The configuration that a packed file was made by, `model` in the place of its model where not
/// empty; and its blocks. ConfigError where it belongs to another model.
RunConfig read_packed_configuration(const PackedFile& file, const std::string& model);
std::vector<QuantizedBlock> packed_blocks(const PackedFile& file, const RunConfig& config,
                                          Session& session);

/// The quantized blocks of the model in the request's storage; trained parameters come from the run
/// file where it has them. ConfigError before any work.
std::vector<QuantizedBlock> quantize_model(const QuantizationRequest& request,
                                           const RunConfig& config, Session& session);

}  // namespace wkvq
