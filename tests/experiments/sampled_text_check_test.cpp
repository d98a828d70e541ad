#include "experiments/session/sampled_text_check.h"

#include <sstream>

#include "experiments/commands/commands.h"
#include "experiments/run/results_folder.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

/// A sweep on the embedded model, which reads 512 tokens at most.
std::string sweep_text(const std::string& evaluate, const std::string& more = "") {
  return fmt::format("name: small\nmodel: {{path: {}}}\nmethod: {{name: rtn}}\nevaluate: [{}]\n{}",
                     test::source("datasets/mini").string(), evaluate, more);
}

void plan(const test::TemporaryFolder& folder, const std::string& text) {
  test::write_file(folder / "small.yaml", text);
  std::ostringstream out;
  plan_command({.file = folder / "small.yaml", .results = folder / "results"}, out);
}

/// Whether any text was sampled.
bool sampled(const test::TemporaryFolder& folder) {
  const std::filesystem::path cache = cache_folder(folder / "results");
  return std::filesystem::exists(cache) && !std::filesystem::is_empty(cache);
}

}  // namespace

TEST_CASE("sampled text: what does not fit is said before any is sampled") {
  struct Case {
    std::string evaluate, more, error;
  };
  const std::string good = "{task: perplexity, dataset: {name: self, samples: 2, length: 48}}";
  for (const Case& one : {
           Case{"{task: perplexity, dataset: {name: self, samples: 2, length: 48}, context: 64}",
                "", "48 tokens given, 64 needed"},
           Case{"{task: perplexity, dataset: {name: self, samples: 2, length: 513}}", "",
                "length 513, but the model reads at most 512"},
           Case{"{task: cloze, dataset: {name: self, samples: 2, length: 48}, items: 100}", "",
                "text too short"},
           Case{good,
                "calibration: {dataset: {name: self, samples: 2, length: 48}, samples: 3, length: "
                "48}",
                "3 windows of 48 tokens asked for, but the data holds 2"},
           Case{good,
                "calibration: {dataset: {name: self, samples: 2, length: 48}, samples: 2, length: "
                "64}",
                "48 tokens given, 64 needed"},
           // In the last run of a sweep, whose first ones are fine.
           Case{good, "sweep: {evaluate.0.context: [16, 48, 64]}", "48 tokens given, 64 needed"},
       }) {
    const test::TemporaryFolder folder;
    INFO(one.error);
    REQUIRE_CONFIG_ERROR(plan(folder, sweep_text(one.evaluate, one.more)), one.error);
    CHECK_FALSE(sampled(folder));
  }
}

TEST_CASE("sampled text: sampling says how far it is, where it is asked to") {
  const test::TemporaryFolder folder;
  const YamlNode node = parse_yaml(
      sweep_text("{task: perplexity, dataset: {name: self, samples: 2, length: 8}}"), "run.yaml");
  YamlNode run = node;
  std::erase_if(run.entries, [](const YamlEntry& entry) { return entry.key.text == "name"; });
  const RunConfig config = read_run_config(run);
  std::ostringstream out;
  Session session(folder.path());
  session.show_progress({.out = &out, .seconds = [] { return 0.0; }});
  session.corpus(config.model, config.evaluations.front().data);
  CHECK(out.str() ==
        "sampling text from mini: 2 windows of 8 tokens 0/14 0:00\n"
        "sampling text from mini: 2 windows of 8 tokens 14/14 0:00\n");
  // From the cache there is nothing to wait for.
  Session again(folder.path());
  again.show_progress({.out = &out, .seconds = [] { return 0.0; }});
  out.str("");
  again.corpus(config.model, config.evaluations.front().data);
  CHECK(out.str().empty());
}
