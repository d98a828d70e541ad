#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "core/base/error.h"
#include "core/base/files/heap.h"
#include "core/base/text/visible_text.h"
#include "experiments/commands/command_line.h"
#include "experiments/run/failure.h"

using namespace wkvq;

namespace {

/// The exit code of a command that ends with `code`: 1 where its output could not be written.
int after_output(int code) {
  errno = 0;
  std::cout.flush();
  if (std::cout && std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  std::cerr << "wkvq: standard output cannot be written: "
            << (errno == 0 ? "an earlier part was refused" : std::strerror(errno)) << '\n';
  return 1;
}

/// Names out of files end up in messages: what they hold must not steer the terminal.
int fail(const std::string& message, int code) {
  constexpr size_t kMost = 4000;
  std::cerr << "wkvq: " << visible_text(std::string_view(message).substr(0, kMost))
            << (message.size() > kMost ? "...\n" : "\n");
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  configure_heap();
  throw_where_memory_is_out();
  // A file beyond the limit of its size is an error of write(), told like a full disk.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    return after_output(run_command_line(argc, argv));
  } catch (const ConfigError& error) {
    return fail(error.what(), 2);
  } catch (const std::exception& error) {
    return fail(failure_text(error), 1);
  }
}
