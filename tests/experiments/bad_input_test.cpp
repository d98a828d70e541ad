#include <unistd.h>

#include "tests/support/program.h"

using namespace wkvq;

namespace {

using test::Outcome;
using test::program;

/// A sweep that is right; `change` replaces one part of it by another.
std::string sweep(const std::string& from, const std::string& to) {
  std::string text = fmt::format(
      "name: bad\n"
      "model: {{path: {}}}\n"
      "method:\n"
      "  name: rtn\n"
      "  weight: {{bits: 4, group_size: 64}}\n"
      "  kv: {{bits: 4, group_size: -1}}\n"
      "evaluate:\n"
      "  - {{task: perplexity, dataset: {{name: self, samples: 1, length: 16}}}}\n"
      "sweep:\n"
      "  method.kv.bits: [4, 3]\n",
      test::source("datasets/mini").string());
  const size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

struct Bad {
  const char *from, *to;
  std::vector<std::string> parts;  ///< that the message must hold
};

}  // namespace

TEST_CASE("bad input: one clear message with its place, exit code 2, nothing written") {
  const std::vector<Bad> cases{
      {"group_size: 64",
       "group_sise: 64",
       {"bad.yaml:5:", "unknown key 'group_sise'", "'group_size'"}},
      {"weight: {bits: 4,",
       "weight: {bits: 4, bits: 3,",
       {"bad.yaml:5:21", "'bits' is given twice", "bad.yaml:5:12"}},
      {"weight: {bits: 4",
       "weight: {bits: four",
       {"bad.yaml:5:18", "method.weight.bits", "'four'", "whole number"}},
      {"weight: {bits: 4", "weight: {bits: 4.0", {"bad.yaml:5:18", "4.0"}},
      {"weight: {bits: 4", "weight: {bits: 1", {"bad.yaml:5:18", "1 bits", "2 to 8"}},
      {"weight: {bits: 4", "weight: {bits: 17", {"17 bits", "2 to 8, or 16"}},
      {"[4, 3]", "[4, 17]", {"bad.yaml:10:", "17 bits"}},
      {"[4, 3]", "[]", {"bad.yaml:10:", "method.kv.bits", "empty"}},
      {"group_size: 64", "group_size: 4096", {"group_size 4096", "256 inputs"}},
      {"group_size: -1", "group_size: 128", {"group_size 128", "64 channels"}},
      {"group_size: -1", "group_size: 32, axis: time", {"future", "kivi"}},
      {"group_size: -1", "rope: before", {"rope: before of the values", "only keys"}},
      {"group_size: -1", "outliers: 0.6", {"bad.yaml:6:", "0.6", "0 to 0.5"}},
      {"group_size: -1", "grid: nuq", {"calibration"}},
      {"group_size: -1", "range: static", {"calibration"}},
      {"task: perplexity, dataset: {name: self, samples: 1, length: 16}",
       "task: piqa",
       {"piqa.jsonl", "fetch_data.py piqa", "--data DIR or WKVQ_DATA"}},
      {"task: perplexity,", "task: piqa,", {"bad.yaml:8:", "unknown key 'dataset'"}},
      {"name: rtn", "name: rnt", {"bad.yaml:4:9", "'rnt'", "rtn"}},
      {"task: perplexity", "task: perplexty", {"bad.yaml:8:", "'perplexty'", "perplexity"}},
      {"name: self, samples: 1, length: 16",
       "name: text, path: /no/such/file",
       {"/no/such/file", "no such file"}},
      {"datasets/mini", "datasets/none", {"datasets/none", "no such folder"}},
      {"length: 16}", "length: 16}, context: 17", {"17", "16"}},
      {"samples: 1", "samples: 0", {"bad.yaml:8:", "samples"}},
      {"bits: 4, group_size: -1", "channel: {shift: static}, bits: 4", {"calibration"}},
      {"name: rtn",
       "name: mixed\n  rules: [{match: 'block_09/*', bits: 3}]",
       {"'block_09/*' matches no place", "block_00/q_proj ... block_05/down_proj"}},
      {"name: rtn",
       "name: mixed\n  budget: {from: /no/run.h5, average_kv_bits: 3}",
       {"bad.yaml:5:18", "no file '/no/run.h5'"}},
      {"name: bad\n", "name: bad\nsensitivity: {}\n", {"bad.yaml:2:1", "`wkvq sensitivity`"}},
      {"model: {", "model: {device: cuda:99, ", {"cuda:99", "CUDA device"}},
      {"model: {", "model: {device: gpu, ", {"'gpu'", "cpu, cuda"}},
      {"model: {", "model: {device: 'cuda:', ", {"device 'cuda:' is not known"}},
      {"model: {", "model: {device: 'cuda:x', ", {"device 'cuda:x' is not known"}},
      {"model: {", "model: {device: 'cuda:0001', ", {"device 'cuda:0001' is not known"}},
      {"model: {", "model: {device: 'cuda:-1', ", {"device 'cuda:-1' is not known"}},
      {"model: {", "model: {device: 'cuda0', ", {"device 'cuda0' is not known"}},
      {"model: {", "model: {device: 'CUDA', ", {"device 'CUDA' is not known"}},
  };
  for (const Bad& bad : cases) {
    const test::TemporaryFolder folder;
    test::write_file(folder / "bad.yaml", sweep(bad.from, bad.to));
    const Outcome outcome = program(fmt::format(
        "run {} --results {}", (folder / "bad.yaml").string(), (folder / "results").string()));
    INFO(bad.to << "\n" << outcome.text);
    CHECK(outcome.code == 2);
    for (const std::string& part : bad.parts) CHECK(outcome.text.find(part) != std::string::npos);
    // One line, and no run file.
    CHECK(std::count(outcome.text.begin(), outcome.text.end(), '\n') == 1);
    CHECK(!std::filesystem::exists(folder / "results/bad"));
  }
}

TEST_CASE("bad input: command line") {
  CHECK(program("run /no/such/file.yaml").code == 2);
  CHECK(program("run").code == 2);
  CHECK(program("fly").code == 2);
  CHECK(program("report /no/such/folder").code == 2);
  CHECK(program("show /no/such/file.h5").code == 2);
  CHECK(program("inspect /no/such/model").code == 2);
  CHECK(program("list animals").code == 2);
  for (const char* command :
       {"", "run", "sensitivity", "plan", "report", "show", "list", "inspect"})
    CHECK(program(std::string(command) + " --help").code == 0);
}

TEST_CASE("bad input: a sensitivity of several runs, or of an unknown option") {
  const test::TemporaryFolder folder;
  const auto message = [&](const std::string& text) {
    test::write_file(folder / "bad.yaml", text);
    const Outcome outcome =
        program(fmt::format("sensitivity {} --results {}", (folder / "bad.yaml").string(),
                            (folder / "results").string()));
    CHECK(outcome.code == 2);
    CHECK(!std::filesystem::exists(folder / "results/bad"));
    return outcome.text;
  };
  CHECK(message(sweep("[4, 3]", "[4, 3]")).find("2 runs; expected one for a sensitivity") !=
        std::string::npos);
  const std::string unknown =
      message(sweep("sweep:\n  method.kv.bits: [4, 3]\n", "sensitivity: {bit: [4]}\n"));
  INFO(unknown);
  CHECK(unknown.find("bad.yaml:9:15: sensitivity: unknown key 'bit'") != std::string::npos);
}

TEST_CASE("bad input: a text shorter than one window, a result folder that cannot be written") {
  const test::TemporaryFolder folder;
  test::write_file(folder / "short.txt", "A short text.");
  test::write_file(folder / "bad.yaml",
                   sweep("{name: self, samples: 1, length: 16}",
                         fmt::format("{{name: text, path: {}}}", (folder / "short.txt").string())));
  Outcome outcome = program(fmt::format("run {} --results {}", (folder / "bad.yaml").string(),
                                        (folder / "results").string()));
  INFO(outcome.text);
  CHECK(outcome.code == 2);
  CHECK(outcome.text.find("512") != std::string::npos);
  test::write_file(folder / "good.yaml", sweep("[4, 3]", "[4]"));
  test::write_file(folder / "file", "");
  outcome = program(fmt::format("run {} --results {}", (folder / "good.yaml").string(),
                                (folder / "file/results").string()));
  INFO(outcome.text);
  CHECK(outcome.code == 2);
  CHECK(outcome.text.find("file/results") != std::string::npos);
}

TEST_CASE("bad input: a checkpoint that is damaged fails before any run starts") {
  const test::TemporaryFolder folder;
  std::filesystem::copy(test::source("datasets/mini"), folder / "model");
  std::filesystem::resize_file(folder / "model/model.safetensors", 1000);
  test::write_file(folder / "bad.yaml",
                   sweep(test::source("datasets/mini").string(), (folder / "model").string()));
  const Outcome outcome = program(fmt::format("run {} --results {}", (folder / "bad.yaml").string(),
                                              (folder / "results").string()));
  INFO(outcome.text);
  CHECK(outcome.code == 2);
  CHECK(outcome.text.find("model.safetensors") != std::string::npos);
  CHECK(!std::filesystem::exists(folder / "results/bad"));
}
