#pragma once

#include <filesystem>

#include "analysis/compare/item_text.h"

namespace wkvq {

/// Makes texts of items again from a run's configuration: its tokenizer, its task, its data set,
/// and `data`, the folder of published sets. What was scored and what is made must have one
/// fingerprint. Text that the model would have to sample is only there where the model ships it;
/// no weights are read.
ItemTextSource item_text_source(std::filesystem::path data);

}  // namespace wkvq
