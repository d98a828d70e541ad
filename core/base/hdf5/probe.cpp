#include "core/base/hdf5/probe.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>

#include "core/base/error.h"

namespace wkvq {
namespace {

constexpr unsigned kSeconds = 60;  // of a file system that does not answer
constexpr time_t kCpuSeconds = 5;  // of a library that goes round in circles

[[noreturn]] void run_child(size_t begin, size_t end, const std::function<void(size_t)>& action,
                            int report) {
  for (int signal : {SIGALRM, SIGPROF, SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGINT, SIGTERM, SIGHUP})
    ::signal(signal, SIG_DFL);
  // What a crashing library prints is of no use to the reader of a report.
  if (const int null = ::open("/dev/null", O_WRONLY); null >= 0) ::dup2(null, STDERR_FILENO);
  for (size_t i = begin; i < end; ++i) {
    ::alarm(kSeconds);
    const itimerval computing{{0, 0}, {kCpuSeconds, 0}};
    ::setitimer(ITIMER_PROF, &computing, nullptr);
    try {
      action(i);
    } catch (const std::exception&) {
    }
    const char done = 1;
    if (::write(report, &done, 1) != 1) break;
  }
  ::_exit(0);
}

std::string ending_of(int status) {
  if (!WIFSIGNALED(status)) return fmt::format("exit code {}", WEXITSTATUS(status));
  const int signal = WTERMSIG(status);
  if (signal == SIGPROF) return fmt::format("no end after {} s of computing", kCpuSeconds);
  if (signal == SIGALRM) return fmt::format("no end after {} s", kSeconds);
  return fmt::format("signal {} ({})", signal, ::strsignal(signal));
}

}  // namespace

std::vector<std::string> probe(size_t count, const std::function<void(size_t)>& action) {
  std::vector<std::string> endings(count);
  for (size_t begin = 0; begin < count; ++begin) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) config_error("pipe: {}", std::strerror(errno));
    const pid_t child = ::fork();
    if (child < 0) config_error("fork: {}", std::strerror(errno));
    if (child == 0) run_child(begin, count, action, ends[1]);
    ::close(ends[1]);
    char byte = 0;
    for (ssize_t got = 1; got == 1 || (got < 0 && errno == EINTR);)
      if (got = ::read(ends[0], &byte, 1); got == 1) ++begin;
    ::close(ends[0]);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (begin < count) endings[begin] = ending_of(status);
  }
  return endings;
}

}  // namespace wkvq
