#include "core/base/suggest.h"

#include "tests/support/catch.h"

using namespace wkvq;

TEST_CASE("nearest finds the word that was meant") {
  const std::vector<std::string> known = {"bits", "group_size", "symmetric", "window"};
  CHECK(nearest("bit", known) == "bits");
  CHECK(nearest("bist", known) == "bits");
  CHECK(nearest("groupsize", known) == "group_size");
  CHECK(nearest("simetric", known) == "symmetric");
  CHECK(nearest("bits", known) == "bits");
}

TEST_CASE("nearest does not guess wildly") {
  const std::vector<std::string> known = {"bits", "group_size", "a"};
  CHECK(nearest("temperature", known).empty());
  CHECK(nearest("", known).empty());
  CHECK(nearest("zz", known).empty());  // "a" is two changes away: all of its letters
  CHECK(nearest("bits", {}).empty());
}

TEST_CASE("suggestion lists what is known") {
  CHECK(suggestion("bit", {"bits", "sinks"}) == "; did you mean 'bits'? (known: bits, sinks)");
  CHECK(suggestion("nothing", {"all", "past"}, "choices") == " (choices: all, past)");
  CHECK(suggestion("x", {}) == " (known: none)");
  const std::string many = suggestion("x", std::vector<std::string>(1000, "long_name"));
  CHECK(many.size() < 500);
  CHECK(many.find(", ...)") != std::string::npos);
}

TEST_CASE("a hostile word is compared in no time") {
  CHECK(nearest(std::string(10'000'000, 'b'), {"bits"}).empty());
}
