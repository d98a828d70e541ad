#include "experiments/session/sampled_text.h"
#include "tests/support/catch.h"

using namespace wkvq;

TEST_CASE("self: mini ships its text, of which the first windows are taken") {
  const std::filesystem::path mini = test::source("datasets/mini");
  const auto all = shipped_text(mini, 0, {32, 512, 4096});
  REQUIRE(all);
  REQUIRE(all->size() == 32);
  const auto few = shipped_text(mini, 0, {2, 512, 4096});
  REQUIRE(few);
  CHECK((*few)[0] == (*all)[0]);
  CHECK((*few)[1] == (*all)[1]);
  CHECK((*shipped_text(mini, 1, {48, 512, 4096}))[0] != (*all)[0]);
}

TEST_CASE("self: other lengths, seeds and numbers of windows are sampled, foreign tokens refused") {
  const std::filesystem::path mini = test::source("datasets/mini");
  CHECK(!shipped_text(mini, 0, {32, 511, 4096}));
  CHECK(!shipped_text(mini, 0, {33, 512, 4096}));
  CHECK(!shipped_text(mini, 99, {1, 512, 4096}));
  CHECK(!shipped_text(test::source("tests/golden/models/llama_mqa"), 0, {1, 512, 64}));
  REQUIRE_CONFIG_ERROR(shipped_text(mini, 0, {32, 512, 64}), "is not in the vocabulary");
}
