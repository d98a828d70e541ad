#pragma once

#include <cstdint>
#include <string>

namespace wkvq {

/// Number of dots in a dotted key.
int64_t depth(const std::string& key);

/// The last `parts` parts of a dotted key.
std::string ending(const std::string& key, int64_t parts);

/// True where `name` is `key` or its last parts.
bool ends_with_part(const std::string& key, const std::string& name);

}  // namespace wkvq
