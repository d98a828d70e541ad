#include <iostream>

// __GLIBC__ is known once a header of the library was read.
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "core/base/error.h"
#include "core/base/visible_text.h"
#include "experiments/command_line.h"
#include "experiments/failure.h"

using namespace wkvq;

namespace {

/// Activations of megabytes come and go thousands of times: they stay on the heap, where fresh
/// pages for each would take a tenth of a training step. Larger blocks, weights above all, go back
/// to the system at once.
void keep_small_blocks() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
#endif
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
  keep_small_blocks();
  throw_where_memory_is_out();
  try {
    return run_command_line(argc, argv);
  } catch (const ConfigError& error) {
    return fail(error.what(), 2);
  } catch (const std::exception& error) {
    return fail(failure_text(error), 1);
  }
}
