#include "experiments/config/shard.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>

#include "core/base/error.h"
#include "core/base/text/visible_text.h"

namespace wkvq {
namespace {

constexpr size_t kMostShards = 10'000;  // a sweep has no more runs

bool read_count(std::string_view text, size_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

Shard parse_shard(const std::string& text) {
  Shard shard;
  const size_t slash = text.find('/');
  const bool sound = slash != std::string::npos &&
                     read_count(std::string_view(text).substr(0, slash), shard.index) &&
                     read_count(std::string_view(text).substr(slash + 1), shard.count) &&
                     shard.index < shard.count && shard.count <= kMostShards;
  if (!sound)
    config_error("--shard '{}': expected i/n with i from 0 to n - 1 and n at most {}, such as 0/4",
                 shown(text), kMostShards);
  return shard;
}

std::vector<size_t> divide(const std::vector<ShardItem>& items, size_t count) {
  std::map<std::string, size_t> first;
  double all = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    first.emplace(items[i].shared, i);
    all += items[i].work;
  }
  std::vector<size_t> line(items.size());
  std::iota(line.begin(), line.end(), size_t{0});
  std::ranges::stable_sort(line, {}, [&](size_t i) { return first.at(items[i].shared); });
  std::vector<size_t> shards(items.size());
  double before = 0;
  for (const size_t i : line) {
    // An item belongs where its middle lies.
    const double middle = (before + items[i].work / 2) / all;
    shards[i] = std::min(count - 1, static_cast<size_t>(middle * static_cast<double>(count)));
    before += items[i].work;
  }
  return shards;
}

}  // namespace wkvq
