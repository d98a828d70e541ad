#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "analysis/compare/item_text.h"

namespace wkvq {

/// Which items each finished run got right, for a page to tell which flipped between two of them:
///   {"groups": [{"title", "absent", "note", "items": [[name, label, context, [choice]]]}],
///    "entries": [[run, group, right, [prediction]]]}
/// Runs of one group answered the same items. Only items that some run got right and another wrong
/// are there, as many as fit a page; a note says where some were left out. `right` has "1" or "0" an
/// item, predictions and labels count from 0 and are -1 where there is none. Texts are cut.
nlohmann::ordered_json flipped_items(const std::vector<RunSummary>& runs,
                                     const ItemTextSource& texts);

}  // namespace wkvq
