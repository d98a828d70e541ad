#pragma once

#include <filesystem>
#include <vector>

#include "core/base/run/run_summary.h"

namespace wkvq {

/// The run files named by `paths`: files as they are, folders with every *.h5 below them, each
/// once. A merged file that is named stands for all runs in it (core/base/hdf5/inner_path.h); one
/// that is found in a folder is passed over. A file that cannot be read becomes a summary with status "unreadable" and the reason in
/// `error`. In order of sweep, then of configuration values (setting_less), then of path;
/// unreadable ones last. ConfigError where a path does not exist or there is no run file at all.
std::vector<RunSummary> load_runs(const std::vector<std::filesystem::path>& paths);

/// Numbers by size, then text; nothing comes first.
bool value_less(const AttributeValue* a, const AttributeValue* b);

/// The order of values of configuration `key`: as value_less, but bits from many to few, so that
/// full precision comes first.
bool setting_less(const std::string& key, const AttributeValue* a, const AttributeValue* b);

/// The value of configuration `key`; null where the run has none.
const AttributeValue* config_value(const RunSummary& run, const std::string& key);

/// Configuration keys of all readable runs whose values are not the same everywhere, in the order
/// of the configurations.
std::vector<std::string> differing_keys(const std::vector<RunSummary>& runs);

}  // namespace wkvq
