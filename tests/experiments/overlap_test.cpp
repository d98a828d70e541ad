#include <sys/wait.h>

#include <array>
#include <cstdio>

#include "core/base/hdf5/hdf5.h"
#include "experiments/run/calibration_text.h"
#include "tests/support/catch.h"
#include "tests/support/npy.h"

using namespace wkvq;

namespace {

const char* const kSelf = "{name: self, samples: 2, length: 40, seed: 0}";

std::string config_text(const std::string& calibration, const std::string& test,
                        const std::string& shift = "static") {
  return fmt::format(
      "model: {{path: {}}}\n"
      "method: {{name: rtn, weight: {{bits: 4}}, kv: {{bits: 4, channel: {{shift: {}}}}}}}\n"
      "calibration: {{dataset: {}, samples: 2, length: 40}}\n"
      "evaluate:\n  - {{task: perplexity, dataset: {}, name: ppl}}\n",
      test::source("datasets/mini").string(), shift, calibration, test);
}

std::vector<std::string> warnings(const std::string& text) {
  const test::TemporaryFolder folder;
  Session session(folder.path());
  return overlap_warnings(read_run_config(parse_yaml(text, "test")), session);
}

}  // namespace

TEST_CASE("overlap: the same text for calibration and test is warned about, other text is not") {
  const auto same = warnings(config_text(kSelf, kSelf));
  REQUIRE(same.size() == 1);
  CHECK(same[0].starts_with("evaluate.0 (perplexity on self): 100 % of its tokens, in 2 of 2 "));
  CHECK(warnings(config_text(kSelf, "{name: self, samples: 2, length: 40, seed: 1}")).empty());
  // Without channels of the cache nothing looks at the calibration text.
  CHECK(warnings(config_text(kSelf, kSelf, "none")).empty());
}

TEST_CASE("overlap: the same file, of which calibration reads only the beginning") {
  const test::TemporaryFolder folder;
  std::vector<std::vector<int32_t>> windows(4, std::vector<int32_t>(40));
  int32_t i = 0;
  for (auto& window : windows)
    for (int32_t& id : window) id = ++i * 7 % 4093;
  test::write_npy(folder / "text.npy", windows);
  const std::string file =
      fmt::format("{{name: tokens, path: {}}}", (folder / "text.npy").string());
  const auto half = warnings(config_text(file, file));
  REQUIRE(half.size() == 1);
  CHECK(half[0].find(": 50 % of its tokens, in 2 of 4 sequences") != std::string::npos);
}

TEST_CASE("overlap: told once a sweep on standard error, recorded in every run") {
  const test::TemporaryFolder folder;
  test::write_file(folder / "both.yaml",
                   config_text(kSelf, kSelf) + "sweep: {method.kv.bits: [4, 3]}\n");
  const std::string command =
      fmt::format("{} run {} --results {} 2>&1 >/dev/null", test::wkvq_binary(),
                  (folder / "both.yaml").string(), (folder / "results").string());
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe);
  std::string told;
  std::array<char, 4096> buffer;
  while (const size_t n = fread(buffer.data(), 1, buffer.size(), pipe))
    told.append(buffer.data(), n);
  CHECK(WEXITSTATUS(pclose(pipe)) == 0);
  const size_t first = told.find("wkvq: warning: evaluate.0");
  CHECK(first != std::string::npos);
  CHECK(told.find("wkvq: warning: evaluate.0", first + 1) == std::string::npos);
  int64_t runs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "results/both")) {
    const hdf5::Reader file(entry.path());
    CHECK(std::get<int64_t>(*file.attribute("/evaluation/perplexity.ppl", "calibration_tokens")) ==
          80);
    CHECK(std::get<double>(*file.attribute("/evaluation/perplexity.ppl", "calibration_share")) ==
          1);
    ++runs;
  }
  CHECK(runs == 2);
}
