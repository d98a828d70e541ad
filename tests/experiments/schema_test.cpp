#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "core/base/hdf5/hdf5.h"
#include "core/base/run/run_file.h"
#include "experiments/commands/commands.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

/// One row of the table in results/README.md.
struct Documented {
  std::string place;
  std::regex pattern;
  bool attributes = false;
  std::set<std::string> names;  ///< may hold <placeholders>
};

std::regex pattern_of(const std::string& place) {
  std::string text = std::regex_replace(place, std::regex("[.]"), "[.]");
  text = std::regex_replace(text, std::regex("block_NN"), "block_\\d+");
  return std::regex(std::regex_replace(text, std::regex("<[a-z]+>"), "[^/]+"));
}

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream stream(line);
  for (std::string cell; std::getline(stream, cell, '|');) cells.push_back(cell);
  return cells;
}

/// Texts between backticks, but for those in parentheses: values and examples.
std::vector<std::string> quoted(const std::string& text) {
  const std::string plain = std::regex_replace(text, std::regex("\\([^)]*\\)"), "");
  const std::regex tick("`([^`]+)`");
  std::vector<std::string> found;
  for (std::sregex_iterator it(plain.begin(), plain.end(), tick), end; it != end; ++it)
    found.push_back((*it)[1]);
  return found;
}

std::vector<Documented> documentation() {
  std::ifstream file(test::source("results/README.md"));
  std::vector<Documented> rows;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("| place | kind |")) inside = true;
    if (!inside || !line.starts_with("| `/") && !line.starts_with("| |")) {
      inside = inside && line.starts_with("|");
      continue;
    }
    const auto cells = cells_of(line);
    const auto places = quoted(cells.at(1));
    Documented row;
    row.place = places.empty() ? rows.back().place : places.front();
    row.pattern = pattern_of(row.place);
    row.attributes = cells.at(2) == " attributes ";
    for (const std::string& name : quoted(cells.at(3)))
      // Other places, and the two fronts, are named too.
      if (name[0] != '/' && name != "wkvq sensitivity" && name != "weights" && name != "kv")
        row.names.insert(name);
    rows.push_back(row);
  }
  return rows;
}

/// "/cost block_00 seconds" of every group, attribute and dataset below `group`.
struct Found {
  std::string group, name;
  bool attribute = false;
};

void collect(const hdf5::Reader& file, const std::string& group, std::vector<Found>& found) {
  for (const auto& [name, value] : file.attributes(group)) found.push_back({group, name, true});
  for (const std::string& name : file.datasets(group)) found.push_back({group, name, false});
  for (const std::string& name : file.groups(group))
    collect(file, (group == "/" ? "" : group) + "/" + name, found);
}

/// Runs that together write nearly all there is, on little text.
std::vector<Found> fresh_files(const std::filesystem::path& folder) {
  const std::string base = fmt::format(
      "model: {{path: {}}}\n"
      "calibration: {{dataset: {{name: self, samples: 2, length: 48, seed: 1}}, samples: 2, "
      "length: 48}}\n",
      test::source("datasets/mini").string());
  test::write_file(folder / "text.txt", " = A page = \n\n Words of a page, and some more. \n");
  const std::string self = "dataset: {name: self, samples: 2, length: 48}";
  test::write_file(
      folder / "methods.yaml",
      base +
          fmt::format(
              "method: {{name: rtn, weight: {{bits: 4, group_size: 64}}, kv: {{bits: 4}}}}\n"
              "evaluate:\n"
              "  - {{task: perplexity, {0}, kl: true}}\n"
              "  - {{task: cloze, {0}, items: 5, context: 8, continuation: 4}}\n"
              "  - {{task: context_curve, {0}, buckets: 2, name: curve}}\n"
              "  - {{task: {1}, bos: start, limit: 3}}\n"
              "  - {{task: trajectory, {0}, prompts: 2, prompt_tokens: 8, max_tokens: 4, name: "
              "text}}\n"
              "  - {{task: passkey, length: 96, items: 1, depths: [50], max_tokens: 2}}\n"
              "  - {{task: rolling_perplexity, dataset: {{name: text, path: {2}}}, documents: 1}}\n"
              "sweep:\n  runs:\n"
              "    - {{method: {{name: gptq}}}}\n"
              "    - {{method: {{name: awq}}}}\n"
              "    - {{method: {{name: wkvquant, kv: {{channel: {{shift: learned, scale: "
              "learned}}}}, training: {{epochs: 1}}}}}}\n"
              "    - {{method: {{name: omniquant, learn_transform: true, training: {{epochs: "
              "1}}}}}}\n"
              "    - {{method: {{name: kvquant, kv: {{q_norm: true}}}}}}\n",
              self, test::source("experiments/configs/tasks/syllables.yaml").string(),
              (folder / "text.txt").string()));
  test::write_file(folder / "probes.yaml",
                   fmt::format("model: {{path: {}}}\nmethod: {{name: rtn, weight: {{group_size: "
                               "64}}}}\nevaluate: [{{task: perplexity, {}, kl: true}}]\n"
                               "sensitivity: {{bits: [4, 2], formats: [{{format: q4_0}}]}}\n",
                               test::source("datasets/mini").string(), self));
  std::ostringstream out;
  const auto options = [&](const char* file) {
    return SweepOptions{.file = folder / file, .results = folder / "results"};
  };
  INFO(out.str());
  REQUIRE(run_command(options("methods.yaml"), out) == 0);
  REQUIRE(sensitivity_command(options("probes.yaml"), out) == 0);
  std::filesystem::path probes;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "results/probes"))
    probes = entry.path();
  test::write_file(
      folder / "mixed.yaml",
      fmt::format(
          "model: {{path: {}}}\nmethod: {{name: mixed, weight: {{bits: 4, group_size: 64}}, "
          "kv: {{bits: 4}}, rules: [{{match: block_00/key, format: mxfp4}}], budget: {{from: {}, "
          "measure: kl, average_weight_bits: 3, "
          "average_kv_bits: 3}}}}\nevaluate: [{{task: perplexity, {}}}]\n",
          test::source("datasets/mini").string(), probes.string(), self));
  REQUIRE(run_command(options("mixed.yaml"), out) == 0);
  RunFileWriter failed(folder / "results/failed.h5", {"failed", "demo", "method: {name: rtn}"});
  failed.fail("why");
  std::vector<Found> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder / "results"))
    if (entry.path().extension() == ".h5") collect(hdf5::Reader(entry.path()), "/", found);
  return found;
}

bool names(const Documented& row, const Found& one, const std::string& name) {
  return row.attributes == one.attribute && std::regex_match(one.group, row.pattern) &&
         std::regex_match(one.name, pattern_of(name));
}

// Written by tasks on published sets and by training that went wrong.
const std::set<std::string> kNotHere = {
    "part",          "unconditional_<c>", "ll",    "tokens", "greedy", "id", "score", "cut",
    "prompt_tokens", "answer_tokens",     "events"};

}  // namespace

TEST_CASE("schema: results/README.md names what a run file holds, and nothing else") {
  const test::TemporaryFolder folder;
  const std::vector<Documented> rows = documentation();
  REQUIRE(rows.size() > 20);
  const std::vector<Found> found = fresh_files(folder.path());
  REQUIRE(found.size() > 1000);
  std::set<std::string> missing, undocumented;
  for (const Documented& row : rows)
    for (const std::string& name : row.names)
      if (!kNotHere.contains(name) &&
          std::ranges::none_of(found, [&](const Found& one) { return names(row, one, name); }))
        missing.insert(row.place + ": " + name);
  for (const Found& one : found) {
    if (one.group == "/config" && one.name != "yaml") continue;
    const bool known = std::ranges::any_of(rows, [&](const Documented& row) {
      return std::ranges::any_of(row.names,
                                 [&](const std::string& name) { return names(row, one, name); });
    });
    if (!known) undocumented.insert(one.group + ": " + one.name);
  }
  CHECK(missing == std::set<std::string>());
  CHECK(undocumented == std::set<std::string>());
}
