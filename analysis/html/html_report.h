#pragma once

#include <filesystem>
#include <ostream>

#include "analysis/compare/item_text.h"
#include "analysis/report/report.h"

namespace wkvq {

/// Writes one page that needs nothing else: what ran, the table of runs with paired differences to
/// a run that the reader picks, every figure, and what the configurations differ in. `options`
/// picks runs, columns and, as `baseline`, the run that is picked at first; its format does not
/// apply. `texts` makes those of items that flipped. Returns 0; ConfigError for paths or options
/// that cannot be used.
int html_command(const ReportOptions& options, const std::filesystem::path& page, std::ostream& out,
                 const ItemTextSource& texts = {});

}  // namespace wkvq
