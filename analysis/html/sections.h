#pragma once

#include <string>
#include <vector>

#include "analysis/report/report_table.h"

namespace wkvq {

// Parts of the page, as HTML; all text of runs is escaped.

/// Models, machines, commits, times, and the conventions of the numbers in words.
std::string what_ran(const Report& report);

/// Runs that failed or cannot be read, and what runs were warned of; empty where all went well.
std::string problems(const Report& report);

/// The table of runs with its controls.
std::string runs_table(const Report& report);

/// Every figure of the registry, or why there is none.
std::string figure_sections(const std::vector<RunSummary>& runs);

/// Any text table.
std::string plain_table(const TextTable& table, const std::string& caption);

}  // namespace wkvq
