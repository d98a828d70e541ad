#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "core/base/hdf5/hdf5.h"
#include "core/base/recorder.h"

namespace wkvq {

/// Value of the root attribute `schema`.
inline constexpr const char* kRunSchema = "wkvq-run-1";

/// What a run is, known before it starts.
struct RunIdentity {
  std::string run_id;
  std::string sweep;
  std::string config_yaml;  ///< canonical text of the resolved configuration
};

/// Writes one run file (results/README.md holds its schema). All stays in memory; only finish() or
/// fail() make `path` appear, whole or not at all. Whoever shares the folder holds a Claim to it.
class RunFileWriter final : public Recorder {
 public:
  /// Makes the folder, removes temporary files that dead writers of the same run left, and notes
  /// identity and configuration. ConfigError where the folder cannot be written.
  RunFileWriter(std::filesystem::path path, const RunIdentity& identity);

  void attribute(const std::string& group, const std::string& name,
                 const AttributeValue& value) override;
  /// ConfigError where the columns of `group` would differ in length.
  void column(const std::string& group, const std::string& name, const Column& values) override;
  void array(const std::string& group, const std::string& name, const Array& values) override;

  /// Status "done": written, synced, renamed; the folder synced. WriteError where the disk does not
  /// take it. Nothing can be written afterwards.
  void finish();
  /// The same with status "failed" and `error` as an attribute.
  void fail(const std::string& error);

 private:
  void publish(const std::string& status);

  std::filesystem::path path_;
  std::optional<hdf5::Writer> file_;
  std::map<std::string, size_t> rows_;  ///< column length by group
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace wkvq
