#pragma once

// Debian 12 ships Catch2 2, Ubuntu 24.04 ships Catch2 3: one header serves both.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "core/base/error.h"

namespace wkvq::test {

/// The project's root and the program that was built. Compiled in once (main.cpp), so that the
/// objects of tests are the same in every clone and a compiler cache serves them all.
std::filesystem::path project_folder();
std::string wkvq_binary();

/// Folder of `relative` in the shared test data (WKVQ_SHARED, default ../shared beside the
/// project), or an empty path after saying that the test is skipped: `if (auto p =
/// shared("data/text"); p.empty()) return;`
inline std::filesystem::path shared(const std::string& relative) {
  const char* named = std::getenv("WKVQ_SHARED");
  std::filesystem::path path =
      named ? std::filesystem::path(named) : project_folder() / "../shared";
  path /= relative;
  if (std::filesystem::exists(path)) return path;
  std::cout << "skipped: no " << path.string() << " (set WKVQ_SHARED)\n";
  return {};
}

/// False, after saying that the test is skipped, where there is no NVIDIA device.
inline bool has_cuda() {
  if (std::filesystem::exists("/dev/nvidia0")) return true;
  std::cout << "skipped: no CUDA device\n";
  return false;
}

/// Path of a committed file, relative to the project's root.
inline std::filesystem::path source(const std::string& relative) {
  return project_folder() / relative;
}

/// A fresh folder, removed with its contents at the end of the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "wkvq-XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::runtime_error("mkdtemp failed");
    path_ = name;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline void write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

/// The message of the ConfigError that `action` throws; empty where it throws none.
template <class Action>
std::string error_of(Action&& action) {
  try {
    action();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return {};
}

}  // namespace wkvq::test

/// The action must throw ConfigError with `part` in its message.
#define REQUIRE_CONFIG_ERROR(action, part)                                \
  do {                                                                    \
    const std::string message_ = ::wkvq::test::error_of([&] { action; }); \
    INFO("message: " << message_);                                        \
    REQUIRE(message_.find(part) != std::string::npos);                    \
  } while (false)
