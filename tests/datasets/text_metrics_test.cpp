#include "datasets/tasks/text/text_metrics.h"

#include <cmath>
#include <functional>

#include "core/base/json/json.h"
#include "datasets/tasks/text/python_text.h"
#include "datasets/tasks/text/sequence_matcher.h"
#include "tests/support/catch.h"

namespace wkvq {
namespace {

const nlohmann::json& golden() {
  static const nlohmann::json table =
      read_json_file(test::source("tests/golden/text_metrics.json"));
  return table;
}

using Score = std::function<double(const std::string&, const std::string&)>;

TEST_CASE("text metrics: scores are those of the official functions") {
  std::vector<std::string> classes;
  for (const auto& name : golden()["classes"]) classes.push_back(name);
  const std::vector<std::pair<const char*, Score>> metrics{
      {"qa_f1", qa_f1},
      {"rouge_l", rouge_l},
      {"count", count_match},
      {"retrieval",
       [](const std::string& a, const std::string& r) { return retrieval(a, r, "Paragraph "); }},
      {"retrieval_zh",
       [](const std::string& a, const std::string& r) { return retrieval(a, r, "段落"); }},
      {"classification",
       [&](const std::string& a, const std::string& r) { return classification(a, r, classes); }},
      {"code_similarity", code_similarity},
      {"exact_match", exact_match}};
  for (const auto& [name, score] : metrics) {
    REQUIRE(golden()[name].size() >= 3);
    for (const auto& row : golden()[name]) {
      const std::string answer = row[0], reference = row[1];
      INFO(name << ": '" << answer << "' against '" << reference << "'");
      // The same operations in double; the order of one sum may differ.
      CHECK(std::abs(score(answer, reference) - row[2].get<double>()) < 1e-12);
    }
  }
}

TEST_CASE("text metrics: answers are read as the official functions read them") {
  const std::vector<std::pair<const char*, std::function<std::string(const std::string&)>>> readers{
      {"options", [](const std::string& x) { return options_of_answer(x, false); }},
      {"options_several", [](const std::string& x) { return options_of_answer(x, true); }},
      {"options_of_reference", options_of_reference},
      {"final_number", final_number}};
  for (const auto& [name, read] : readers) {
    REQUIRE(golden()[name].size() >= 7);
    for (const auto& row : golden()[name]) {
      INFO(name << ": '" << row[0].get<std::string>() << "'");
      CHECK(read(row[0]) == row[1].get<std::string>());
    }
  }
}

TEST_CASE("text metrics: by hand") {
  // cat sat on mat, of which three words are right: precision 3/4, recall 3/3.
  CHECK(qa_f1("The cat sat on a mat", "cat sat mat") == Approx(2 * 0.75 / 1.75));
  CHECK(answer_words("A B, the c", true) == std::vector<std::string>{"b", "c"});
  CHECK(answer_words("A B, the c", false) == std::vector<std::string>{"A", "B", "c"});
  // Longest common subsequence "a c" of 3 and 2 words.
  CHECK(rouge_l("a b c", "a c") == Approx(2 * (2.0 / 3) / (2.0 / 3 + 1 + 1e-8)).epsilon(1e-14));
  CHECK(retrieval("it is 4", "Paragraph 4", "Paragraph ") == 1);
  REQUIRE_CONFIG_ERROR(retrieval("4", "Page 4", "Paragraph "), "'Page 4'");
  CHECK(sequence_ratio(U"", U"") == 1);
  CHECK(sequence_ratio(U"abcd", U"bcde") == 0.75);
  CHECK(options_of_reference("") == "A");
}

TEST_CASE("python text: white space, digits and words beyond ASCII") {
  CHECK(python::split("\x1c\u2003"
                      "a\u00a0b\u200b") == std::vector<std::string>{"a", "b\u200b"});
  CHECK(python::split("a,,b,", ",") == std::vector<std::string>{"a", "", "b", ""});
  CHECK(python::numbers("x١٢ ² 7") == std::vector<std::string>{"١٢", "7"});
  CHECK(python::matches_word(U'½'));
  CHECK_FALSE(python::matches_word(U'\u0301'));
  CHECK(python::utf8(python::code_points("a\xFF"
                                         "b")) ==
        "a\uFFFD"
        "b");
  double value = 0;
  CHECK(python::to_float(" 1e400 ", value));
  CHECK(std::isinf(value));
  CHECK_FALSE(python::to_float("1 2", value));
  CHECK_FALSE(python::to_float("", value));
}

}  // namespace
}  // namespace wkvq
