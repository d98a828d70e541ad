#include "core/base/run_file.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>

#include "core/base/error.h"
#include "core/base/yaml_json.h"

namespace wkvq {
namespace {

namespace fs = std::filesystem;

std::string utc_now() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  operator int() const { return fd_; }

 private:
  int fd_;
};

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

void sync_to_disk(const fs::path& path) {
  const Descriptor file(path, O_RDONLY);
  // EINVAL: a file system without sync of folders.
  if (file < 0 || (::fsync(file) != 0 && errno != EINVAL))
    config_error("{}: cannot sync to disk: {}", path.string(), std::strerror(errno));
}

/// True for "<name of path>.<process>.tmp" whose process is gone (or was an earlier one with our
/// number) and which nobody has locked, here or on another machine that shares the folder.
bool is_leftover(const fs::path& candidate, const fs::path& path) {
  const std::string name = candidate.filename().string();
  const std::string prefix = path.filename().string() + ".";
  if (!name.starts_with(prefix) || candidate.extension() != ".tmp") return false;
  const char* begin = name.data() + prefix.size();
  const char* end = name.data() + name.size() - 4;
  int process = 0;
  const auto [stop, error] = begin < end
                                 ? std::from_chars(begin, end, process)
                                 : std::from_chars_result{begin, std::errc::invalid_argument};
  if (error != std::errc() || stop != end || process <= 0) return false;
  if (process != ::getpid() && (::kill(process, 0) == 0 || errno != ESRCH)) return false;
  const Descriptor file(candidate, O_RDONLY | O_NONBLOCK);
  return file >= 0 && ::flock(file, LOCK_EX | LOCK_NB) == 0;
}

void remove_leftovers(const fs::path& path) {
  std::error_code ignored;
  for (fs::directory_iterator it(folder_of(path), ignored), end; !ignored && it != end;
       it.increment(ignored))
    if (std::error_code failed; is_leftover(it->path(), path)) fs::remove(it->path(), failed);
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

RunFileWriter::RunFileWriter(fs::path path, const RunIdentity& identity)
    : path_(std::move(path)),
      temporary_(path_.string() + "." + std::to_string(::getpid()) + ".tmp") {
  const auto config = flatten(yaml_to_json(identity.config_yaml));
  prepare_folder(path_);
  remove_leftovers(path_);
  file_.emplace(temporary_);
  attribute("/", "schema", kRunSchema);
  attribute("/", "run_id", identity.run_id);
  attribute("/", "sweep", identity.sweep);
  attribute("/", "status", "running");
  attribute("/", "started", utc_now());
  attribute("/config", "yaml", identity.config_yaml);
  for (const auto& [key, value] : config) attribute("/config", key, value);
  heartbeat();
}

RunFileWriter::~RunFileWriter() {
  if (!file_) return;
  file_.reset();
  std::error_code ignored;
  fs::remove(temporary_, ignored);
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

void RunFileWriter::heartbeat() {
  attribute("/", "heartbeat", utc_now());
  file_.value().flush();
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
  heartbeat();
  file_.value().close();
  sync_to_disk(temporary_);
  std::error_code error;
  fs::rename(temporary_, path_, error);
  if (error) config_error("{}: cannot be put in place: {}", path_.string(), error.message());
  file_.reset();
  sync_to_disk(folder_of(path_));
}

}  // namespace wkvq
