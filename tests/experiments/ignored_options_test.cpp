#include <sys/wait.h>

#include <array>
#include <sstream>

#include "core/base/run/run_file.h"
#include "core/base/run/run_summary.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/generate_command.h"
#include "experiments/run/calibration_text.h"
#include "experiments/run/learned_files.h"
#include "tests/support/catch.h"
#include "tests/support/npy.h"

using namespace wkvq;

namespace {

const std::string kModel = test::source("tests/golden/models/llama_gqa_head_dim").string();

/// Six windows of 24 tokens.
std::filesystem::path tokens(const test::TemporaryFolder& folder) {
  std::vector<std::vector<int32_t>> windows(6, std::vector<int32_t>(24));
  for (size_t i = 0; i < windows.size(); ++i)
    for (size_t j = 0; j < windows[i].size(); ++j)
      windows[i][j] = static_cast<int32_t>((i * 31 + j * j * 7 + j) % 64);
  test::write_npy(folder / "tokens.npy", windows);
  return folder / "tokens.npy";
}

std::string one_run(const test::TemporaryFolder& folder, const std::string& method,
                    const std::string& task, const std::string& calibration = "") {
  const std::string data = tokens(folder).string();
  const std::string text =
      calibration.empty()
          ? ""
          : fmt::format("calibration: {{dataset: {{name: tokens, path: {}}}, {}}}\n", data,
                        calibration);
  return fmt::format(
      "name: one\nmodel: {{path: {}}}\nmethod: {}\n{}evaluate:\n  - {{task: {}, dataset: {{name: "
      "tokens, path: {}}}}}\n",
      kModel, method, text, task, data);
}

SweepOptions options_of(const test::TemporaryFolder& folder, const std::string& text) {
  test::write_file(folder / "one.yaml", text);
  return {.file = folder / "one.yaml", .results = folder / "results"};
}

void plan(const test::TemporaryFolder& folder, const std::string& text) {
  std::ostringstream out;
  plan_command(options_of(folder, text), out);
}

std::vector<std::string> warnings_of(const std::string& text) {
  Session session("unused");
  return run_warnings(read_run_config(parse_yaml(text.substr(text.find('\n') + 1), "one.yaml")),
                      session);
}

bool holds(const std::vector<std::string>& texts, const std::string& part) {
  return std::ranges::any_of(
      texts, [&](const std::string& text) { return text.find(part) != std::string::npos; });
}

std::filesystem::path run(const test::TemporaryFolder& folder, const std::string& text) {
  std::ostringstream out;
  std::filesystem::path path;
  SweepOptions options = options_of(folder, text);
  options.on_done = [&](const std::filesystem::path& done) { path = done; };
  REQUIRE(run_command(options, out) == 0);
  return path;
}

}  // namespace

TEST_CASE("ignored options: a view that quantizes nothing is refused") {
  const test::TemporaryFolder folder;
  const auto with_view = [&](const std::string& view) {
    return one_run(folder, "{name: rtn, kv: {bits: 4}}", "perplexity, view: " + view);
  };
  REQUIRE_NOTHROW(plan(folder, with_view("{mode: past, window: 23}")));
  REQUIRE_CONFIG_ERROR(plan(folder, with_view("{mode: past, window: 24}")),
                       "view.window 24 leaves nothing of its longest sequence, 24 tokens");
  REQUIRE_CONFIG_ERROR(plan(folder, with_view("{mode: past, sinks: 24}")), "view.sinks 24");
  REQUIRE_CONFIG_ERROR(plan(folder, with_view("{mode: past, prefill: 24}")), "view.prefill 24");
  REQUIRE_CONFIG_ERROR(plan(folder, with_view("{mode: kivi, window: 32}")), "view.window 32");
  REQUIRE_NOTHROW(plan(folder, with_view("{mode: kivi, window: 16}")));
  REQUIRE_CONFIG_ERROR(
      plan(folder, one_run(folder, "{name: rtn, kv: {bits: 4, view: {window: 24}}}", "perplexity")),
      "view.window 24");
  // A baseline of a sweep over bits, and a window that the method has by default.
  REQUIRE_NOTHROW(
      plan(folder, one_run(folder, "{name: rtn, kv: {view: {window: 24}}}", "perplexity")));
  const std::string kivi = one_run(folder, "{name: kivi}", "perplexity");
  REQUIRE_NOTHROW(plan(folder, kivi));
  CHECK(holds(warnings_of(kivi), "view.window 128 leaves nothing"));
}

TEST_CASE("ignored options: more windows than there are") {
  const test::TemporaryFolder folder;
  REQUIRE_NOTHROW(plan(folder, one_run(folder, "{name: rtn}", "perplexity, windows: 6")));
  REQUIRE_CONFIG_ERROR(plan(folder, one_run(folder, "{name: rtn}", "perplexity, windows: 7")),
                       "perplexity: windows 7, but the data holds 6");
  REQUIRE_CONFIG_ERROR(plan(folder, one_run(folder, "{name: rtn}", "context_curve, windows: 7")),
                       "context_curve: windows 7, but the data holds 6");
}

TEST_CASE("ignored options: draws at temperature 0, and no threads") {
  std::ostringstream out, report;
  const auto generate = [&](const SamplingOptions& sampling) {
    generate_command({.model = kModel, .prompt = "a", .sampling = sampling}, out, report);
  };
  REQUIRE_CONFIG_ERROR(generate({.top_p = 0.9}), "--top-p");
  REQUIRE_CONFIG_ERROR(generate({.top_k = 5}), "--top-k");
  REQUIRE_CONFIG_ERROR(generate({.seed = 1}), "--seed");
  const int status =
      std::system((test::wkvq_binary() + " --threads 0 list methods >/dev/null 2>&1").c_str());
  CHECK(WEXITSTATUS(status) == 2);
}

TEST_CASE("ignored options: a range or scope that its form does not have") {
  const test::TemporaryFolder folder;
  REQUIRE_CONFIG_ERROR(
      plan(folder, one_run(folder, "{name: rtn, weight: {bits: 4, form: symmetric, range: raw}}",
                           "perplexity")),
      "a symmetric range always holds 0");
  REQUIRE_CONFIG_ERROR(
      plan(folder, one_run(folder, "{name: kivi, kv: {group_scope: token, view: {window: 32}}}",
                           "perplexity")),
      "group_scope: token of the keys");
}

TEST_CASE("warnings: groups that do not divide, text that is short or says one thing") {
  const test::TemporaryFolder folder;
  const std::string gptq = one_run(
      folder, "{name: gptq, weight: {bits: 4, group_size: 20}, kv: {bits: 4, group_size: 5}}",
      "perplexity", "samples: 4, length: 24");
  const auto all = warnings_of(gptq);
  // Inputs of 32 and 48; heads of 12.
  CHECK(holds(all, "group_size 20 does not divide 32 inputs of a linear; the last group has 12"));
  CHECK(holds(all, "group_size 20 does not divide 48 inputs of a linear; the last group has 8"));
  CHECK(holds(all, "method.kv, keys: group_size 5 does not divide 12 channels"));
  // Eight tokens an input of the widest linear.
  CHECK(holds(all,
              "calibration: 96 tokens of text, the widest linear has 48 inputs; these options "
              "want 384 tokens or more"));
  CHECK(warnings_of(one_run(folder, "{name: rtn, weight: {bits: 4, group_size: 16}}", "perplexity"))
            .empty());
  test::write_npy(folder / "one_token.npy", {std::vector<int32_t>(600, 3)});
  std::string poor =
      one_run(folder, "{name: gptq, weight: {bits: 4}}", "perplexity", "samples: 1, length: 600");
  const std::string data = (folder / "tokens.npy").string();
  poor.replace(poor.find(data), data.size(), (folder / "one_token.npy").string());
  CHECK(holds(warnings_of(poor),
              "text without variety: 1 different tokens among 600, 99.8 % of its runs of 16"));
}

TEST_CASE("warnings are kept in the run file, with the calibration text's numbers") {
  const test::TemporaryFolder folder;
  const auto path = run(folder, one_run(folder, "{name: gptq, weight: {bits: 4, group_size: 16}}",
                                        "perplexity", "samples: 4, length: 24"));
  const hdf5::Reader file(path);
  const auto text = std::get<std::vector<std::string>>(file.column("/warnings", "text"));
  CHECK(holds(text, "calibration: 96 tokens of text"));
  CHECK(file.attribute("/calibration", "tokens") == AttributeValue(int64_t{96}));
  CHECK(file.attribute("/statistics/block_01/down_proj", "output_error").has_value());
  CHECK(file.attribute("/statistics/block_01/down_proj", "text_error_nearest").has_value());
}

TEST_CASE("calibration.from: a failed run, another model's and a method that trains nothing") {
  const test::TemporaryFolder folder;
  const std::string method =
      "{name: wkvquant, weight: {bits: 4, group_size: 16}, kv: {bits: 4}, "
      "training: {epochs: 1}}";
  const auto from = [&](const std::filesystem::path& path) {
    return one_run(folder, method, "perplexity", "samples: 2, length: 24, from: " + path.string());
  };
  const auto trained = run(folder, one_run(folder, method, "perplexity", "samples: 2, length: 24"));
  const std::string fingerprint =
      std::get<std::string>(*hdf5::Reader(trained).attribute("/", "model_fingerprint"));
  const auto written = [&](const std::string& name, const std::string& model, double value,
                           bool done) {
    const auto path = folder / name;
    RunFileWriter writer(path, {name, "demo", "name: demo\n"});
    writer.attribute("/", "model_fingerprint", model);
    for (const char* block : {"block_00", "block_01"})
      writer.array(std::string("/calibration/") + block + "/parameters", "key.shift",
                   {{1}, {value}});
    done ? writer.finish() : writer.fail("broken");
    return path;
  };
  REQUIRE_CONFIG_ERROR(plan(folder, from(written("failed.h5", fingerprint, 1, false))),
                       "failed.h5' is of a run that is not done");
  REQUIRE_CONFIG_ERROR(plan(folder, from(written("other.h5", "0123", 1, true))),
                       "other.h5' is of another model");
  REQUIRE_CONFIG_ERROR(plan(folder, from(written("nan.h5", fingerprint, NAN, true))),
                       "/calibration/block_00/parameters/key.shift is not finite");
  REQUIRE_CONFIG_ERROR(plan(folder, one_run(folder, "{name: rtn, kv: {bits: 4}}", "perplexity",
                                            "samples: 2, length: 24, from: " + trained.string())),
                       "method rtn trains nothing");

  // The parameters make the run, not the place they lie in.
  const auto copy = folder / "copy.h5";
  std::filesystem::copy(trained, copy);
  const auto first = run(folder, from(trained)), second = run(folder, from(copy));
  CHECK(first == second);
  CHECK(first != trained);
  CHECK(run_with_parameters(written("a.h5", fingerprint, 1, true), fingerprint, 2) !=
        run_with_parameters(written("b.h5", fingerprint, 2, true), fingerprint, 2));
}
