#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>

#include "core/base/files/interrupt.h"

namespace wkvq {

/// What was computed cannot be written: a full disk, a quota, an I/O error. Nobody's input is
/// wrong: exit code 1.
class WriteError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Without a sign of life for so long, a process elsewhere that owns a file is taken for dead.
inline constexpr std::chrono::seconds kSilence{180};

/// A file under the name "<target>.<owner token>.tmp", which no other process uses; removed unless
/// commit() is reached. Each failure names the target: ConfigError where its folder cannot be
/// written at all, else WriteError.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::filesystem::path target);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  void write(const void* data, size_t bytes);
  /// All on disk, renamed to the target in place of an older file, the folder on disk.
  void commit();

 private:
  [[noreturn]] void fail(const char* what) const;

  std::filesystem::path target_, path_;
  int descriptor_ = -1;
  bool committed_ = false;
  std::optional<RemovedOnInterrupt> interrupt_;
};

/// Throws for errno `error` as TemporaryFile does.
[[noreturn]] void write_failed(const std::filesystem::path& path, const char* what, int error);

/// Removes temporary files in `folder` whose names begin with `prefix` and whose owners are dead,
/// or silent for kSilence where nothing is known of them. Never throws.
void remove_leftovers(const std::filesystem::path& folder, const std::string& prefix) noexcept;

/// Renames a damaged file to "<path>.damaged", in place of an older one. Never throws.
void set_aside(const std::filesystem::path& path) noexcept;

}  // namespace wkvq
