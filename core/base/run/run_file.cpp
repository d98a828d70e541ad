#include "core/base/run/run_file.h"

#include <fmt/chrono.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "core/base/error.h"
#include "core/base/files/temporary_file.h"
#include "core/base/yaml/yaml_json.h"

namespace wkvq {
namespace {

namespace fs = std::filesystem;

std::string utc_now() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

void prepare_folder(const fs::path& path) {
  const fs::path folder = folder_of(path);
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) config_error("result folder {}: cannot be made: {}", folder.string(), error.message());
  if (::access(folder.c_str(), W_OK | X_OK) != 0)
    config_error("result folder {}: cannot be written: {}", folder.string(), std::strerror(errno));
  if (fs::is_directory(path, error)) config_error("{}: is a folder", path.string());
}

}  // namespace

RunFileWriter::RunFileWriter(fs::path path, const RunIdentity& identity) : path_(std::move(path)) {
  const auto config = flatten(yaml_to_json(identity.config_yaml));
  prepare_folder(path_);
  remove_leftovers(folder_of(path_), path_.filename().string() + ".");
  file_.emplace(path_);
  attribute("/", "schema", kRunSchema);
  attribute("/", "run_id", identity.run_id);
  attribute("/", "sweep", identity.sweep);
  attribute("/", "status", "running");
  attribute("/", "started", utc_now());
  attribute("/config", "yaml", identity.config_yaml);
  for (const auto& [key, value] : config) attribute("/config", key, value);
}

void RunFileWriter::attribute(const std::string& group, const std::string& name,
                              const AttributeValue& value) {
  file_.value().attribute(group, name, value);
}

void RunFileWriter::column(const std::string& group, const std::string& name,
                           const Column& values) {
  const size_t rows = std::visit([](const auto& v) { return v.size(); }, values);
  const size_t expected = rows_.try_emplace(group, rows).first->second;
  if (rows != expected)
    config_error("{}: column '{}' of {} has {} rows; its other columns have {}", path_.string(),
                 name, group, rows, expected);
  file_.value().column(group, name, values);
}

void RunFileWriter::array(const std::string& group, const std::string& name, const Array& values) {
  file_.value().array(group, name, values);
}

void RunFileWriter::finish() {
  publish("done");
}

void RunFileWriter::fail(const std::string& error) {
  attribute("/", "error", error);
  publish("failed");
}

void RunFileWriter::publish(const std::string& status) {
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
  attribute("/", "seconds", elapsed.count());
  attribute("/", "finished", utc_now());
  attribute("/", "status", status);
  file_.value().close();
  file_.reset();
}

}  // namespace wkvq
