#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/base/run/run_summary.h"

namespace wkvq {

/// What one item asked.
struct ItemText {
  std::string context;
  std::vector<std::string> choices;  ///< one where a single continuation was asked for
};

/// Texts of items, or a sentence that says why there are none.
struct ItemTexts {
  std::vector<ItemText> items;
  std::string absent;
};

/// Makes the texts of those `rows` of an evaluation that are asked for, in their order, from the
/// data that the run stood on; `count` is the number of all rows. Never throws for a run whose data
/// are not at hand. An empty function: nobody knows texts here.
using ItemTextSource = std::function<ItemTexts(const RunSummary& run, const Evaluation& evaluation,
                                               const std::vector<size_t>& rows, size_t count)>;

}  // namespace wkvq
