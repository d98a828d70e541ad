#include "analysis/compare/draws.h"

#include <sstream>

#include "analysis/read/load_runs.h"
#include "analysis/report/report.h"
#include "tests/support/run_files.h"

using namespace wkvq;
using test::write_run;

namespace {

std::string drawn(int bits, int seed) {
  return test::config("gptq", bits) + fmt::format("calibration: {{seed: {}, samples: 4}}\n", seed);
}

const Evaluation& number(const RunSummary& run, const std::string& name) {
  for (const Evaluation& evaluation : run.evaluations)
    if (evaluation.name == name) return evaluation;
  FAIL("no " << name);
  return run.evaluations.front();
}

}  // namespace

TEST_CASE("draws: mean, standard error of the text and spread over draws, by hand") {
  const test::TemporaryFolder folder;
  write_run(folder.path(), "a", drawn(4, 1), {{"kl", "kl", 0.1, 0.03}});
  write_run(folder.path(), "b", drawn(4, 2), {{"kl", "kl", 0.3, 0.04}});
  write_run(folder.path(), "c", drawn(4, 3), {{"kl", "kl", 0.2, 0.05}});
  write_run(folder.path(), "d", drawn(3, 1), {{"kl", "kl", 0.7, 0.06}});
  const auto runs = joined_draws(load_runs({folder.path()}), "calibration.seed");
  REQUIRE(runs.size() == 2);
  const bool first_is_alone = config_value(runs[0], "calibration.seed") != nullptr;
  const RunSummary &alone = runs[first_is_alone ? 0 : 1], &mean = runs[first_is_alone ? 1 : 0];
  CHECK((number(alone, "kl").value == 0.7 && alone.evaluations.size() == 1));
  CHECK(config_value(mean, "calibration.seed") == nullptr);
  // Three draws of 0.1, 0.2, 0.3; roots of sums of a few decimals are not exact.
  CHECK(number(mean, "kl").value == Approx(0.2).epsilon(1e-12));
  CHECK(number(mean, "kl").stderr_ == Approx(std::sqrt(0.005 / 3)).epsilon(1e-12));
  CHECK(number(mean, "kl.spread").value == Approx(0.1).epsilon(1e-12));
  CHECK(std::isnan(number(mean, "kl.spread").stderr_));
  CHECK(number(mean, "kl").convention ==
        "windows of 512 tokens, BOS in front; mean over draws, calibration.seed");
}

TEST_CASE("draws: numbers of another convention or text are not averaged, nor runs not done") {
  const test::TemporaryFolder folder;
  write_run(folder.path(), "a", drawn(4, 1), {{"kl", "kl", 0.1, 0.03}, {"ppl", "perplexity", 5}});
  write_run(folder.path(), "b", drawn(4, 2),
            {{"kl", "kl", 0.3, 0.04}, {"ppl", "perplexity", 6, 0, "past", "other windows"}});
  {
    RunFileWriter unfinished(folder / "c.h5", {"c", "demo", drawn(4, 3)});
    test::record(unfinished, {"kl", "kl", 9});
  }
  const auto runs = joined_draws(load_runs({folder.path()}), "calibration.seed");
  for (const RunSummary& run : runs) {
    if (run.status != "done") continue;
    CHECK(number(run, "kl").value == Approx(0.2).epsilon(1e-12));
    CHECK(run.evaluations.size() == 2);  // kl and its spread
  }
  REQUIRE_CONFIG_ERROR(joined_draws(load_runs({folder.path()}), "calibration.seeds"),
                       "--draws 'calibration.seeds': no run has it");
}

TEST_CASE("draws: equal numbers have no spread, whatever their sum rounds to") {
  const test::TemporaryFolder folder;
  for (const int seed : {1, 2, 3})
    write_run(folder.path(), fmt::format("{}", seed), drawn(4, seed), {{"kl", "kl", 0.1, 0.03}});
  const auto runs = joined_draws(load_runs({folder.path()}), "calibration.seed");
  CHECK(number(runs.at(0), "kl").value == 0.1);
  CHECK(number(runs.at(0), "kl.spread").value == 0);
}

TEST_CASE("draws: a report of them") {
  const test::TemporaryFolder folder;
  for (const int bits : {3, 4})
    for (const int seed : {1, 2})
      write_run(folder.path(), fmt::format("{}-{}", bits, seed), drawn(bits, seed),
                {{"kl", "kl", 0.5 / bits + 0.25 * seed, 0.01}});
  std::ostringstream out;
  report_command({.paths = {folder.path()},
                  .format = "markdown",
                  .columns = {"kv.bits", "kl", "kl.spread", "draws"},
                  .draws = "calibration.seed"},
                 out);
  CHECK(out.str() == R"(| kv.bits | kl, self, kv past [1] | kl spread, self, kv past [1] | draws |
| ---: | ---: | ---: | ---: |
| 4 | 0.500 ± 0.010 | 0.176777 | 2 |
| 3 | 0.542 ± 0.010 | 0.176777 | 2 |

- [1] windows of 512 tokens, BOS in front; mean over draws, calibration.seed
)");
  REQUIRE_CONFIG_ERROR(
      report_command({.paths = {folder.path()}, .format = "json", .draws = "calibration.seed"},
                     out),
      "--draws and --baseline do not apply");
}
