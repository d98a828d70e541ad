#include "analysis/read/number_column.h"

#include <algorithm>

#include "core/base/error.h"

namespace wkvq {
namespace {

bool has(const hdf5::Reader& file, const std::string& group, const std::string& name) {
  return std::ranges::count(file.datasets(group), name) > 0;
}

}  // namespace

std::vector<double> number_column(const hdf5::Reader& file, const std::string& group,
                                  const std::string& name) {
  if (!has(file, group, name)) return {};
  return std::visit(
      [&](const auto& values) -> std::vector<double> {
        if constexpr (std::is_same_v<std::decay_t<decltype(values)>, std::vector<std::string>>)
          config_error("{}/{} holds text; expected numbers", group, name);
        else
          return {values.begin(), values.end()};
      },
      file.column(group, name));
}

Array number_array(const hdf5::Reader& file, const std::string& group, const std::string& name) {
  return has(file, group, name) ? file.array(group, name) : Array{};
}

std::vector<std::string> block_groups(const hdf5::Reader& file, const std::string& group) {
  std::vector<std::string> blocks = file.groups(group);
  std::erase_if(blocks, [](const std::string& name) { return !name.starts_with("block_"); });
  std::ranges::sort(blocks, [](const std::string& a, const std::string& b) {
    return std::pair(a.size(), a) < std::pair(b.size(), b);
  });
  return blocks;
}

}  // namespace wkvq
