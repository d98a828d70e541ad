#define CATCH_CONFIG_RUNNER
#include <vector>

#include "tests/support/catch.h"

namespace wkvq::test {

std::filesystem::path project_folder() {
  return WKVQ_SOURCE_DIR;
}

std::string wkvq_binary() {
  return WKVQ_BINARY;
}

}  // namespace wkvq::test

// A test name that selects nothing is an error: a run without tests must not look like a passed
// one.
int main(int argc, char** argv) {
  std::vector<char*> arguments(argv, argv + argc);
#ifdef CATCH_VERSION_MAJOR
#if CATCH_VERSION_MAJOR == 2
  char warn[] = "-w", no_tests[] = "NoTests";
  arguments.insert(arguments.begin() + 1, {warn, no_tests});
#endif
#endif
  return Catch::Session().run(static_cast<int>(arguments.size()), arguments.data());
}
