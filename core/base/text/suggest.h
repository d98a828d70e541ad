#pragma once

#include <string>
#include <vector>

namespace wkvq {

/// The entry of `known` that `given` was most likely meant to be, by edit distance; empty where
/// none is near (more than a third of the letters differ, at least two are always forgiven).
std::string nearest(const std::string& given, const std::vector<std::string>& known);

/// "; did you mean 'bits'? (known: bits, group_size)": the tail of an error about `given`.
/// `what` names the list: known, choices.
std::string suggestion(const std::string& given, const std::vector<std::string>& known,
                       const std::string& what = "known");

}  // namespace wkvq
