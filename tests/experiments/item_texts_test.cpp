#include "experiments/commands/item_texts.h"

#include <sstream>

#include "analysis/read/load_runs.h"
#include "experiments/commands/commands.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

const Evaluation& evaluation(const RunSummary& run, const std::string& metric,
                             const std::string& task) {
  for (const Evaluation& one : run.evaluations)
    if (one.metric == metric && one.task == task) return one;
  throw std::runtime_error("no evaluation " + metric);
}

void write_items(const test::TemporaryFolder& folder, const std::string& second) {
  test::write_file(folder / "colours.jsonl",
                   R"({"what": "grass", "colours": ["red", "green"], "right": 1})"
                   "\n"
                   R"({"what": ")" +
                       second +
                       R"(", "colours": ["blue", "black"], "right": 0})"
                       "\n");
}

}  // namespace

TEST_CASE("texts of items: made again from the run's configuration, not where data have changed") {
  const test::TemporaryFolder folder;
  write_items(folder, "the sky");
  const std::string task = (folder / "colours.yaml").string();
  test::write_file(folder / "colours.yaml",
                   "name: colours\nversion: \"1\"\ncontext: \"The colour of {what} is\"\n"
                   "choices: \"{colours}\"\nlabel: \"{right}\"\nmetrics: [acc]\n");
  test::write_file(
      folder / "one.yaml",
      fmt::format("name: one\nmodel: {{path: mini}}\nmethod: {{name: rtn}}\nevaluate:\n"
                  "  - {{task: {}, bos: none, acc_mutual_info: true}}\n"
                  "  - {{task: cloze, dataset: {{name: self, samples: 2}}, items: 3}}\n",
                  task));
  std::ostringstream out;
  REQUIRE(run_command({.file = folder / "one.yaml", .results = folder / "results"}, out) == 0);
  const RunSummary run = load_runs({folder / "results"}).front();
  const ItemTextSource source = item_text_source({});

  const ItemTexts texts = source(run, evaluation(run, "acc", task), {1, 0}, 2);
  CHECK(texts.absent == "");
  REQUIRE(texts.items.size() == 2);
  CHECK(texts.items[0].context == "The colour of the sky is");
  CHECK(texts.items[0].choices == std::vector<std::string>{" blue", " black"});
  CHECK(texts.items[1].choices == std::vector<std::string>{" red", " green"});

  const ItemTexts cloze = source(run, evaluation(run, "acc", "cloze"), {2}, 3);
  CHECK(cloze.absent == "");
  REQUIRE(cloze.items.size() == 1);
  CHECK(cloze.items[0].choices.size() == 4);

  CHECK(source(run, evaluation(run, "acc", task), {0}, 3).absent ==
        "Texts of items are not at hand: the evaluation is of a part of its task's items.");
  write_items(folder, "the night");
  CHECK(source(run, evaluation(run, "acc", task), {0}, 2).absent ==
        "Texts of items are not at hand: the data have changed since the run.");
  std::filesystem::remove(folder / "colours.jsonl");
  const ItemTexts none = source(run, evaluation(run, "acc", task), {0}, 2);
  CHECK(none.items.empty());
  CHECK(none.absent.find("colours.jsonl") != std::string::npos);
}
