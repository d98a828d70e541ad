#include "experiments/run/learned_files.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/base/checkpoint/hashed_tensors.h"
#include "core/base/error.h"
#include "core/base/files/hash.h"
#include "core/base/files/temporary_file.h"
#include "core/base/hdf5/hdf5.h"
#include "core/base/run/run_state.h"
#include "core/calibrate/statistics.h"
#include "core/device/finite.h"
#include "core/device/torch_headers.h"

namespace wkvq {

namespace {

std::string parameters_group(int64_t layer) {
  return calibration_group(layer) + "/parameters";
}

std::filesystem::path block_file(const std::filesystem::path& folder, int64_t layer) {
  return folder / fmt::format("block_{:02}.safetensors", layer);
}

at::Tensor to_tensor(const Array& array) {
  return at::tensor(at::ArrayRef<double>(array.values), at::kDouble).view(array.shape);
}

LearnedParameters read_block(const std::filesystem::path& path, int64_t layer) {
  const SafetensorsFile file(path);
  check_hash(file);
  LearnedParameters parameters;
  for (const TensorEntry& entry : file.tensors()) {
    if (entry.dtype != "F64")
      config_error("{}: tensor '{}' is not float64", path.string(), entry.name);
    at::Tensor values = at::empty(entry.shape, at::kDouble);
    std::memcpy(values.data_ptr(), entry.data, entry.bytes);
    if (!all_finite(values))
      throw NotFiniteError(fmt::format("{}: '{}' of block {} is not finite; remove the folder",
                                       path.string(), entry.name, layer));
    parameters[entry.name] = values;
  }
  return parameters;
}

}  // namespace

LearnedFiles::LearnedFiles(std::filesystem::path partial, std::filesystem::path from)
    : partial_(std::move(partial)), from_(std::move(from)) {}

std::optional<LearnedParameters> LearnedFiles::load(int64_t layer) {
  LearnedParameters parameters;
  if (!from_.empty()) {
    const hdf5::Reader reader(from_);
    const std::string group = parameters_group(layer);
    for (const std::string& name : reader.datasets(group))
      parameters[name] = to_tensor(reader.array(group, name));
    return parameters;
  }
  const std::filesystem::path path = block_file(partial_, layer);
  if (!std::filesystem::exists(path)) return std::nullopt;
  try {
    return read_block(path, layer);
  } catch (const ConfigError& error) {
    fmt::print(stderr, "wkvq: warning: {}; the file is set aside, the block is trained again\n",
               error.what());
    set_aside(path);
    return std::nullopt;
  }
}

void LearnedFiles::save(int64_t layer, const LearnedParameters& parameters) {
  if (!from_.empty() || parameters.empty()) return;
  std::vector<at::Tensor> alive;
  std::vector<TensorEntry> tensors;
  for (const auto& [name, value] : parameters) {
    alive.push_back(value.detach().to(at::kCPU, at::kDouble).contiguous());
    tensors.push_back({.name = name,
                       .dtype = "F64",
                       .shape = alive.back().sizes().vec(),
                       .data = static_cast<const std::byte*>(alive.back().data_ptr()),
                       .bytes = alive.back().nbytes()});
  }
  try {
    std::filesystem::create_directories(partial_);
    write_hashed_tensors(block_file(partial_, layer), tensors);
  } catch (const std::runtime_error& error) {
    // filesystem_error, WriteError, ConfigError: the run itself does not need them.
    fmt::print(stderr, "wkvq: warning: {}; a killed run will train block {} again\n", error.what(),
               layer);
  }
}

void LearnedFiles::discard() const {
  std::error_code ignored;
  std::filesystem::remove_all(partial_, ignored);
}

std::string run_with_parameters(const std::filesystem::path& path,
                                const std::string& model_fingerprint, int64_t layers) {
  if (!std::filesystem::exists(path))
    config_error("calibration.from: no file '{}'; expected a run file", path.string());
  require_harmless(path);
  const hdf5::Reader reader(path);
  const auto is = [&](const char* name, const std::string& value) {
    return reader.attribute("/", name) == AttributeValue(value);
  };
  if (!reader.attribute("/", "run_id") || reader.datasets(parameters_group(0)).empty())
    config_error(
        "calibration.from: '{}' holds no trained parameters; expected the run file of a "
        "method that trains",
        path.string());
  if (!is("status", "done"))
    config_error("calibration.from: '{}' is of a run that is not done; expected a finished one",
                 path.string());
  if (!is("model_fingerprint", model_fingerprint))
    config_error("calibration.from: '{}' is of another model; expected a run of this one",
                 path.string());
  Hasher hasher;
  for (int64_t layer = 0; layer < layers; ++layer) {
    const std::string group = parameters_group(layer);
    const std::vector<std::string> names = reader.datasets(group);
    if (names.empty())
      config_error("calibration.from: '{}' holds no parameters of block {}; expected {} blocks",
                   path.string(), layer, layers);
    for (const std::string& name : names) {
      const Array array = reader.array(group, name);
      if (!std::ranges::all_of(array.values, [](double x) { return std::isfinite(x); }))
        config_error("calibration.from: '{}': {}/{} is not finite", path.string(), group, name);
      hasher.add_part(name);
      hasher.add_part(fmt::format("{}", fmt::join(array.shape, "x")));
      hasher.add_part({reinterpret_cast<const char*>(array.values.data()),
                       array.values.size() * sizeof(double)});
    }
  }
  return hasher.hex();
}

}  // namespace wkvq
