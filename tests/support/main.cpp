#define CATCH_CONFIG_RUNNER
#include "tests/support/catch.h"

#include <cstring>
#include <vector>

// Without a device the tests tagged [cuda] are excluded, so ctest shows them as skipped ("No tests
// ran").
int main(int argc, char** argv) {
  const bool has_device = std::filesystem::exists("/dev/nvidia0");
  bool listing = false;
  for (int i = 1; i < argc; ++i) listing |= std::strncmp(argv[i], "--list", 6) == 0;
  std::vector<char*> arguments(argv, argv + argc);
  std::string exclude = "~[cuda]";
  // Prepended: appended to a test name with other specs it would select nothing.
  if (!has_device && !listing) arguments.insert(arguments.begin() + 1, exclude.data());
  return Catch::Session().run(static_cast<int>(arguments.size()), arguments.data());
}
