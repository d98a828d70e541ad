#include "analysis/read/dotted_key.h"

#include <algorithm>

namespace wkvq {

int64_t depth(const std::string& key) {
  return std::count(key.begin(), key.end(), '.');
}

/// The last `parts` parts of a dotted key.
std::string ending(const std::string& key, int64_t parts) {
  size_t at = key.size();
  for (; parts > 0 && at != std::string::npos; --parts)
    at = at == 0 ? std::string::npos : key.rfind('.', at - 1);
  return at == std::string::npos ? key : key.substr(at + 1);
}

bool ends_with_part(const std::string& key, const std::string& name) {
  return key == name || key.ends_with("." + name);
}

}  // namespace wkvq
