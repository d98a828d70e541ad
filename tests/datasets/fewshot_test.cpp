#include <algorithm>
#include <set>

#include "datasets/random/python_random.h"
#include "datasets/tasks/choice/items.h"
#include "tests/support/catch.h"

namespace wkvq {
namespace {

/// Question and answer, shots from `fewshot`.
TaskDeclaration declared(const std::string& fewshot) {
  return read_declaration(
      parse_yaml("name: quiz\nversion: '1'\ncontext: 'Q {q}:'\nchoices: ['no', 'yes']\n"
                 "label: '{a}'\nmetrics: [acc]\n" +
                     fewshot,
                 "quiz.yaml"));
}

/// Records 0..n-1 with answer yes where the number is odd.
void write_records(const std::filesystem::path& path, int from, int to) {
  std::string text;
  for (int i = from; i < to; ++i) text += fmt::format("{{\"q\": \"{}\", \"a\": {}}}\n", i, i % 2);
  test::write_file(path, text);
}

std::vector<std::string> contexts(const TaskDeclaration& task, const std::filesystem::path& file,
                                  const ItemOptions& options) {
  std::vector<std::string> texts;
  for (const TaskItem& item : read_items(task, {"", "", file}, options).items) {
    CHECK(item.contexts[0] == item.contexts[1]);
    texts.push_back(item.contexts[0]);
  }
  return texts;
}

TEST_CASE("few-shot: the first ones of the other file, in order") {
  const test::TemporaryFolder folder;
  write_records(folder / "quiz.jsonl", 0, 2);
  write_records(folder / "quiz.dev.jsonl", 10, 14);
  const TaskDeclaration task = declared("fewshot: {split: dev, order: first}\n");
  CHECK(contexts(task, folder / "quiz.jsonl", {.num_fewshot = 3}) ==
        std::vector<std::string>{"Q 10: no\n\nQ 11: yes\n\nQ 12: no\n\nQ 0:",
                                 "Q 10: no\n\nQ 11: yes\n\nQ 12: no\n\nQ 1:"});
  CHECK(contexts(task, folder / "quiz.jsonl", {})[1] == "Q 1:");
  REQUIRE_CONFIG_ERROR(contexts(task, folder / "quiz.jsonl", {.num_fewshot = 5}),
                       "quiz.dev.jsonl:1: too few records for 5 solved examples");
}

// random.Random(1234): sample(range(100), 3) three times, then sample(range(8), 3), Python 3.11.
TEST_CASE("few-shot: drawn as CPython draws") {
  PythonRandom random(1234);
  using Drawn = std::vector<size_t>;
  CHECK(random.sample(100, 3) == Drawn{99, 56, 14});
  CHECK(random.sample(100, 3) == Drawn{0, 11, 74});
  CHECK(random.sample(100, 3) == Drawn{4, 85, 88});
  CHECK(random.sample(8, 3) == Drawn{1, 0, 2});
  CHECK(random.sample(60, 10) == Drawn{15, 1, 58, 50, 57, 22, 41, 39, 30, 52});
  CHECK(random.sample(3, 3).size() == 3);
  CHECK(random.sample(3, 0).empty());
}

TEST_CASE("few-shot: drawn anew for every item, by the seed alone") {
  const test::TemporaryFolder folder;
  write_records(folder / "quiz.jsonl", 0, 3);
  write_records(folder / "quiz.dev.jsonl", 100, 200);
  const TaskDeclaration task = declared("fewshot: {split: train}\n");
  const auto texts = contexts(task, folder / "quiz.jsonl", {.num_fewshot = 3});
  CHECK(texts[0] == "Q 199: yes\n\nQ 156: no\n\nQ 114: no\n\nQ 0:");
  CHECK(texts[1] == "Q 100: no\n\nQ 111: yes\n\nQ 174: no\n\nQ 1:");
  const auto again = contexts(task, folder / "quiz.jsonl", {.limit = 2, .num_fewshot = 3});
  CHECK(again == std::vector<std::string>{texts[0], texts[1]});
  CHECK(contexts(task, folder / "quiz.jsonl", {.num_fewshot = 3, .fewshot_seed = 1}) != texts);
}

TEST_CASE("few-shot: from the test items, never the item itself nor its double") {
  const test::TemporaryFolder folder;
  const auto file = folder / "quiz.jsonl";
  write_records(file, 0, 6);
  for (const char* order : {"", "fewshot: {order: first}\n"}) {
    const TaskDeclaration task = declared(order);
    const auto texts = contexts(task, file, {.num_fewshot = 5});
    for (size_t i = 0; i < texts.size(); ++i) {
      const std::string own = fmt::format("Q {}:", i);
      CHECK(texts[i].find(own) == texts[i].size() - own.size());
      CHECK(std::count(texts[i].begin(), texts[i].end(), 'Q') == 6);
    }
    REQUIRE_CONFIG_ERROR(contexts(task, file, {.num_fewshot = 6}), "too few records for 6");
  }
  std::string doubles;
  for (int i = 0; i < 4; ++i) doubles += "{\"q\": \"same\", \"a\": 1}\n";
  test::write_file(file, doubles + "{\"q\": \"x\", \"a\": 0}\n{\"q\": \"y\", \"a\": 1}\n");
  const auto texts = contexts(declared(""), file, {.limit = 4, .num_fewshot = 2});
  for (const std::string& text : texts)
    CHECK((text == "Q x: no\n\nQ y: yes\n\nQ same:" || text == "Q y: yes\n\nQ x: no\n\nQ same:"));
}

// As in lm-evaluation-harness: the delimiter stands in solved examples in front of a continuation
// that already has its space.
TEST_CASE("few-shot: solved examples of the other forms") {
  const test::TemporaryFolder folder;
  const auto file = folder / "items.jsonl";
  const auto known = [](const std::string& name) {
    return *std::find_if(known_declarations().begin(), known_declarations().end(),
                         [&](const auto& task) { return task.name == name; });
  };
  test::write_file(file, "{\"text\": \"a b c\"}\n{\"text\": \"d e f\"}\n");
  const TaskItems words =
      read_items(known("lambada_openai"), {"", "", file}, {.limit = 1, .num_fewshot = 1});
  CHECK(words.items[0].contexts[0] == "d e  f\n\na b");
  const std::string record =
      R"({"sentence": "A met B as _ left.", "option1": "A", "option2": "B", "answer": "2"})";
  test::write_file(file, record);
  test::write_file(folder / "items.dev.jsonl", record);
  const TaskItems names = read_items(known("winogrande"), {"", "", file}, {.num_fewshot = 1});
  CHECK(names.items[0].contexts[0] == "A met B as B left.\n\nA met B as A");
  CHECK(names.items[0].contexts[1] == "A met B as B left.\n\nA met B as B");
}

}  // namespace
}  // namespace wkvq
