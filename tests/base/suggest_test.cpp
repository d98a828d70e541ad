#include "core/base/text/suggest.h"

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

TEST_CASE("nearest takes two letters that changed places for one mistake") {
  // Both are two letters away where only single ones count.
  CHECK(nearest("rnt", {"ran", "rtn"}) == "rtn");
  CHECK(nearest("rnt", {"awq", "rtn", "kivi"}) == "rtn");
  CHECK(nearest("hsow", {"list", "run", "show"}) == "show");
  CHECK(nearest("RTN", {"awq", "rtn"}) == "rtn");
}

TEST_CASE("nearest knows what other programs call a dtype, and beginnings of names") {
  const std::vector<std::string> dtypes = {"float32", "float64", "bfloat16", "float16", "auto"};
  CHECK(nearest("bf16", dtypes) == "bfloat16");
  CHECK(nearest("fp16", dtypes) == "float16");
  CHECK(nearest("half", dtypes) == "float16");
  CHECK(nearest("float", dtypes) == "float32");
  CHECK(nearest("double", dtypes) == "float64");
  CHECK(nearest("bf16", {"bits"}).empty());
  CHECK(nearest("lambada", {"hellaswag", "lambada_openai"}) == "lambada_openai");
  CHECK(nearest("arc", {"acc", "arc_challenge", "arc_easy"}) == "acc");  // one letter
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

TEST_CASE("a suggestion from many names lists none of the others") {
  std::vector<std::string> known = {"hellaswag"};
  for (int i = 0; i < 106; ++i) known.push_back("mmlu_" + std::to_string(i));
  CHECK(suggestion("helaswag", known) == "; did you mean 'hellaswag'?");
}

TEST_CASE("a hostile word is compared in no time") {
  CHECK(nearest(std::string(10'000'000, 'b'), {"bits"}).empty());
}
