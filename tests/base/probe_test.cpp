#include "core/base/hdf5/probe.h"

#include <unistd.h>

#include <csignal>

#include "tests/support/catch.h"

using namespace wkvq;

TEST_CASE("probe: a crash is told, what comes after it is still tried") {
  const auto endings = probe(5, [](size_t i) {
    if (i == 1) throw std::runtime_error("an exception is no crash");
    if (i == 2) raise(SIGSEGV);
    if (i == 4) _exit(7);
  });
  REQUIRE(endings.size() == 5);
  CHECK(endings[0].empty());
  CHECK(endings[1].empty());
  CHECK(endings[2].find("signal 11") == 0);
  CHECK(endings[3].empty());
  CHECK(endings[4] == "exit code 7");
  CHECK(probe(0, [](size_t) {}).empty());
}
