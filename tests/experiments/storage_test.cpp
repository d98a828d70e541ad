#include <sstream>

#include "core/base/hdf5/hdf5.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/generate_command.h"
#include "experiments/config/run_config.h"
#include "tests/support/catch.h"

using namespace wkvq;
using Catch::Matchers::Contains;

namespace {

const std::string kFour =
    "{name: rtn, weight: {bits: 4, group_size: 64}, kv: {bits: 4, group_size: 64}}";

/// A sweep file of one run of the embedded model.
std::filesystem::path sweep(const test::TemporaryFolder& folder, const std::string& method,
                            const std::string& entries, const std::string& model = "") {
  test::write_file(folder / "one.yaml",
                   fmt::format("name: one\nmodel: {{path: {}{}}}\nmethod: {}\nevaluate:\n{}",
                               test::source("datasets/mini").string(), model, method, entries));
  return folder / "one.yaml";
}

hdf5::Reader run(const test::TemporaryFolder& folder, const std::filesystem::path& file) {
  std::ostringstream out;
  const int code = run_command({.file = file, .results = folder / "results"}, out);
  INFO(out.str());
  REQUIRE(code == 0);
  for (const auto& entry : std::filesystem::directory_iterator(folder / "results/one"))
    if (entry.path().extension() == ".h5") return hdf5::Reader(entry.path());
  throw std::runtime_error("no run file");
}

std::string message(const test::TemporaryFolder& folder, const std::filesystem::path& file) {
  std::ostringstream out;
  const std::string text =
      test::error_of([&] { run_command({.file = file, .results = folder / "results"}, out); });
  CHECK(!std::filesystem::exists(folder / "results/one"));
  return text;
}

}  // namespace

TEST_CASE("storage: packed tasks answer what simulated ones do, under the same metrics") {
  const test::TemporaryFolder folder;
  const auto file =
      sweep(folder, kFour,
            "  - {task: passkey, length: 150, items: 4, depths: [10, 90]}\n"
            "  - {task: passkey, length: 150, items: 4, depths: [10, 90], name: codes, "
            "storage: packed}\n"
            "  - {task: kv_recall, length: 120, items: 3, depths: [50], storage: packed, "
            "view: {mode: past, window: 8, sinks: 2}}\n"
            "  - {task: kv_recall, length: 120, items: 3, depths: [50], name: same, "
            "view: {mode: past, window: 8, sinks: 2}}\n");
  const hdf5::Reader reader = run(folder, file);
  const auto same = [&](const std::string& a, const std::string& b) {
    INFO(a << " and " << b);
    const auto written = [&](const std::string& group) {
      return std::get<std::vector<std::string>>(reader.column("/evaluation/" + group, "answer"));
    };
    CHECK(!written(a).empty());
    CHECK(written(a) == written(b));
    for (const char* name : {"value", "kv_mode", "convention"})
      CHECK(reader.attribute("/evaluation/" + a, name) ==
            reader.attribute("/evaluation/" + b, name));
  };
  // Storage does not enter a metric's name.
  same("acc.passkey.past-context-cache", "acc.codes");
  same("acc.kv_recall.past-w8-s2-context-cache", "acc.same");
  const auto yaml = std::get<std::string>(*reader.attribute("/config", "yaml"));
  CHECK_THAT(yaml, Contains("storage: packed") && Contains("storage: simulated"));
}

TEST_CASE("storage: KIVI's cache as codes answers and writes what the simulated one does") {
  const test::TemporaryFolder folder;
  const std::string method = "{name: kivi, kv: {bits: 4, view: {window: 32}}}";
  const std::string entry = "  - {task: passkey, length: 150, items: 3, depths: [50]";
  const auto file =
      sweep(folder, method, entry + "}\n" + entry + ", storage: packed, name: codes}\n");
  const hdf5::Reader reader = run(folder, file);
  const auto answers = [&](const std::string& group) {
    return std::get<std::vector<std::string>>(reader.column("/evaluation/" + group, "answer"));
  };
  CHECK(!answers("acc.codes").empty());
  CHECK(answers("acc.codes") == answers("acc.passkey.kivi-w32-cache"));
  const auto generate = [&](Storage storage) {
    std::ostringstream out, report;
    REQUIRE(generate_command({.config = file,
                              .prompt = "Once upon a time there was",
                              .max_tokens = 90,
                              .storage = storage},
                             out, report) == 0);
    return out.str();
  };
  CHECK(generate(Storage::kSimulated) == generate(Storage::kPacked));
}

TEST_CASE("storage: engine cache decodes from codes") {
  const test::TemporaryFolder folder;
  const std::string entry =
      "  - {task: perplexity, dataset: {name: self, samples: 2, length: 64}, context: 64, "
      "engine: cache";
  const hdf5::Reader reader = run(
      folder, sweep(folder, kFour, entry + "}\n" + entry + ", storage: packed, name: codes}\n"));
  const auto nll = [&](const std::string& group) {
    return std::get<std::vector<float>>(reader.column("/evaluation/" + group, "nll"));
  };
  const auto simulated = nll("perplexity.self.past-cache"), packed = nll("perplexity.codes");
  REQUIRE(simulated.size() == packed.size());
  REQUIRE(!packed.empty());
  double largest = 0;
  for (size_t i = 0; i < packed.size(); ++i)
    largest = std::max(largest, std::abs(static_cast<double>(packed[i] - simulated[i])));
  INFO("largest difference " << largest);
  // As of generated text: sums in another order, codes of values on an edge.
  CHECK(largest < 2e-3);
}

TEST_CASE("storage: what cannot be packed is refused before any work") {
  const test::TemporaryFolder folder;
  const std::string passkey =
      "  - {task: passkey, length: 150, items: 2, depths: [50], storage: packed";
  const auto says = [&](const std::filesystem::path& file, const std::string& part) {
    CHECK_THAT(message(folder, file), Contains(part));
  };
  says(sweep(folder, kFour, "  - {task: perplexity, dataset: {name: self}, storage: packed}\n"),
       "one.yaml:5:56: evaluate.0.storage: expected simulated: one pass reads no cache");
  says(sweep(folder, kFour, passkey + "}\n", ", dtype: float64"),
       "packed storage: dtype float64 is not supported");
  says(sweep(folder, "{name: kivi, kv: {key: {group_size: 8}}}", passkey + "}\n"),
       "group_size 8 of the keys along time is not supported; expected 16, 32 or 64 tokens");
  says(sweep(folder, "{name: rtn, weight: {bits: 6}}", passkey + "}\n"),
       "packed weight: 6 bits are not supported");
  says(sweep(folder, "{name: rtn, kv: {bits: 4, form: zero_point}}", passkey + "}\n"),
       "packed cache: form: zero_point of the keys");
  says(sweep(folder, "{name: rotation, weight: {bits: 4}}", passkey + "}\n"),
       "packed weight: rotation writes weights in the model's own basis");
  says(sweep(folder, kFour, "  - {task: passkey, storage: pcked}\n"), "'pcked' is not a choice");
}

TEST_CASE("storage: generate --storage packed writes the same text and says what it holds") {
  const test::TemporaryFolder folder;
  const auto file = sweep(folder,
                          "{name: rtn, weight: {bits: 4, group_size: 64, scale_dtype: float16}, "
                          "kv: {bits: 4, group_size: 64, scale_dtype: float16}}",
                          "  - {task: passkey}\n");
  const auto generate = [&](Storage storage) {
    std::ostringstream out, report;
    REQUIRE(generate_command({.config = file,
                              .prompt = "Once upon a time there was",
                              .max_tokens = 60,
                              .storage = storage},
                             out, report) == 0);
    return std::pair(out.str(), report.str());
  };
  const auto [text, simulated] = generate(Storage::kSimulated);
  const auto [same, packed] = generate(Storage::kPacked);
  CHECK(text == same);
  INFO(simulated << packed);
  const auto held = [](const std::string& report) {
    int64_t weights = 0, formula = 0, cache = 0;
    REQUIRE(sscanf(report.substr(report.find("held: ")).c_str(),
                   "held: %ld bytes of weights, %ld by the formula; %ld bytes of the cache",
                   &weights, &formula, &cache) == 3);
    return std::array<int64_t, 3>{weights, formula, cache};
  };
  // 6 blocks of 737280 weights in 4 bits; a group of 64 has a float16 scale and a 4-bit zero point;
  // 13 norms of 256 and the tied head of 4096 x 256 in float32.
  const int64_t elements = 6 * 737280, exact = (13 * 256 + 4096 * 256) * 4;
  const int64_t formula = elements / 2 + elements / 64 * 5 / 2 + exact;
  CHECK(held(packed)[0] == formula);
  CHECK(held(packed)[1] == formula);
  CHECK(held(simulated)[0] == elements * 4 + exact);
  CHECK(held(simulated)[1] == formula);
  // 65 tokens or so take two pages of 64 a block; the simulated cache also holds them decoded.
  CHECK(held(packed)[2] < held(simulated)[2]);
}
