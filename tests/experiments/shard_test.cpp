#include "experiments/config/shard.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <set>

#include "tests/support/catch.h"
#include "tests/support/program.h"

using namespace wkvq;

namespace {

double sum_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

}  // namespace

TEST_CASE("shard: i/n is read, all else is refused") {
  CHECK(parse_shard("0/1").count == 1);
  CHECK(parse_shard("3/12").index == 3);
  CHECK(parse_shard("3/12").count == 12);
  for (const char* text : {"", "1", "/", "1/", "/2", "2/2", "0/0", "-1/2", "+0/2", "0/2 ", "a/b",
                           "0/10001", "0/2/3", "0.5/2", "99999999999999999999/2"})
    REQUIRE_CONFIG_ERROR(parse_shard(text), "expected i/n with i from 0 to n - 1");
}

TEST_CASE("shard: groups stay together, by hand") {
  // Work 6 in two: a and c, b and d; then in three pieces of 2.
  const std::vector<ShardItem> items{{2, "x"}, {1, "y"}, {1, "x"}, {2, "y"}};
  CHECK(divide(items, 1) == std::vector<size_t>{0, 0, 0, 0});
  CHECK(divide(items, 2) == std::vector<size_t>{0, 1, 0, 1});
  CHECK(divide(items, 3) == std::vector<size_t>{0, 1, 1, 2});
}

TEST_CASE("shard: whole, balanced, groups divided at most count - 1 times") {
  std::mt19937 random(7);
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<ShardItem> items(1 + random() % 60);
    std::vector<double> work;
    for (ShardItem& item : items) {
      item = {1 + static_cast<double>(random() % 1000), std::to_string(random() % 7)};
      work.push_back(item.work);
    }
    const size_t count = 1 + random() % 12;
    const std::vector<size_t> shards = divide(items, count);
    REQUIRE(shards == divide(items, count));
    std::vector<double> load(count);
    std::set<std::pair<std::string, size_t>> parts;
    std::set<std::string> groups;
    for (size_t i = 0; i < items.size(); ++i) {
      REQUIRE(shards[i] < count);
      load[shards[i]] += items[i].work;
      parts.emplace(items[i].shared, shards[i]);
      groups.insert(items[i].shared);
    }
    const double share = sum_of(work) / static_cast<double>(count);
    const double largest = *std::max_element(work.begin(), work.end());
    for (const double one : load) CHECK(one <= share + largest);
    CHECK(parts.size() <= groups.size() + count - 1);
  }
}

TEST_CASE("shard: the parts of a sweep are the sweep, no run is in two") {
  const test::TemporaryFolder folder;
  test::write_file(
      folder / "s.yaml",
      fmt::format("name: s\nmodel: {{path: {}}}\nmethod: {{name: gptq, weight: {{bits: 4, "
                  "group_size: 64}}}}\ncalibration: {{dataset: {{name: self, samples: 4, length: "
                  "64}}, samples: 2, length: 16}}\nevaluate: [{{task: perplexity, dataset: {{name: "
                  "self, samples: 2, length: 48}}}}]\n"
                  "sweep: {{calibration.seed: [0, 1], method.kv.bits: [16, 4, 3]}}\n",
                  test::source("datasets/mini").string()));
  const auto ids = [&](const std::string& more) {
    const test::Outcome plan = test::program(fmt::format(
        "plan {} --results {} {}", (folder / "s.yaml").string(), (folder / "r").string(), more));
    INFO(plan.text);
    REQUIRE(plan.code == 0);
    std::multiset<std::string> found;
    std::istringstream lines(plan.text);
    for (std::string line; std::getline(lines, line);)
      if (line.starts_with("to do")) found.insert(line.substr(line.rfind(' ') + 1));
    return found;
  };
  const std::multiset<std::string> all = ids("");
  REQUIRE(all.size() == 6);
  for (const size_t count : {2, 4}) {
    std::multiset<std::string> together;
    for (size_t i = 0; i < count; ++i) together.merge(ids(fmt::format("--shard {}/{}", i, count)));
    CHECK(together == all);
  }
  // Equal work in two: those of one calibration text are together.
  for (const std::string& id : ids("--shard 1/2")) CHECK(id.find("seed-1") != std::string::npos);
  test::refuses("plan " + (folder / "s.yaml").string() + " --shard 4/4",
                {"--shard '4/4': expected i/n with i from 0 to n - 1"});
  test::refuses("run " + (folder / "s.yaml").string() + " --shard x",
                {"--shard 'x': expected i/n"});
}
