#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/support/catch.h"

namespace wkvq::test {

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A shell command line in a process of its own; its outputs go to files of `folder`.
class Process {
 public:
  Process(const std::filesystem::path& folder, const std::string& name, const std::string& command)
      : out_(folder / (name + ".out")), err_(folder / (name + ".err")) {
    const std::string line =
        fmt::format("exec >{} 2>{}; {}", out_.string(), err_.string(), command);
    child_ = fork();
    if (child_ != 0) return;
    // Shells ignore interrupts for what they start in the background, and children inherit it.
    for (const int one : {SIGINT, SIGTERM, SIGHUP}) ::signal(one, SIG_DFL);
    execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
    _exit(127);
  }
  ~Process() {
    if (ended_) return;
    signal(SIGKILL);
    wait();
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void signal(int number) { ::kill(child_, number); }
  bool ended() {
    if (!ended_ && waitpid(child_, &status_, WNOHANG) == child_) ended_ = true;
    return ended_;
  }
  /// Its exit code; that of a signal plus 1000, so that a crash is none of ours.
  int wait() {
    if (!ended_) waitpid(child_, &status_, 0);
    ended_ = true;
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : 1000 + WTERMSIG(status_);
  }
  std::string out() const { return read_text(out_); }
  std::string err() const { return read_text(err_); }

 private:
  std::filesystem::path out_, err_;
  pid_t child_ = -1;
  int status_ = 0;
  bool ended_ = false;
};

}  // namespace wkvq::test
