#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace wkvq {

/// One of `count` parts of a sweep.
struct Shard {
  size_t index = 0;
  size_t count = 1;
};

/// "i/n", i from 0. ConfigError for all else.
Shard parse_shard(const std::string& text);

/// What matters of a run where a sweep is divided.
struct ShardItem {
  double work = 0;     ///< estimated, in any unit; positive
  std::string shared;  ///< equal for runs that have work in common
};

/// The shard of each item. Items that share work stand side by side in one line, which is cut into
/// `count` pieces of equal work: so no shard has more than its share by more than the largest item,
/// and at most count - 1 groups are divided. Depends on nothing but its arguments.
std::vector<size_t> divide(const std::vector<ShardItem>& items, size_t count);

}  // namespace wkvq
