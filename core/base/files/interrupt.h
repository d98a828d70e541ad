#pragma once

#include <filesystem>
#include <string>

namespace wkvq {

/// While it lives, SIGINT, SIGTERM and SIGHUP (unless ignored before) remove the files of all
/// RemovedOnInterrupt, write `farewell` to standard error and end the process with 128 + signal.
/// Everything the handler does is safe in a signal handler. One at a time.
class InterruptHandler {
 public:
  explicit InterruptHandler(const std::string& farewell);
  ~InterruptHandler();
  InterruptHandler(const InterruptHandler&) = delete;
  InterruptHandler& operator=(const InterruptHandler&) = delete;
};

/// A file that must not outlive an interrupted process.
class RemovedOnInterrupt {
 public:
  /// Where `content` is given, the file is removed only if it begins with it.
  explicit RemovedOnInterrupt(const std::filesystem::path& path, std::string content = {});
  ~RemovedOnInterrupt();
  RemovedOnInterrupt(const RemovedOnInterrupt&) = delete;
  RemovedOnInterrupt& operator=(const RemovedOnInterrupt&) = delete;

 private:
  size_t slot_;
};

}  // namespace wkvq
