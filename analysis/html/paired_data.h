#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "analysis/report/report_table.h"

namespace wkvq {

/// Sums by cluster of all finished runs, from which a page computes the paired differences to any
/// of them:
///   {"groups": [{"unit", "clusters", "critical": [t of each star], "weight"}],
///    "entries": [[run, column, group, has a standard error, sums]], "notes": []}
/// Evaluations of one group stand on the same rows. `weight` is float64 in base64; `sums` is
/// float32 in base64: the sums less those of the group's first entry, so that what is rounded are
/// differences. Above `budget` bytes neighbouring clusters are joined, and a note says so.
nlohmann::ordered_json paired_data(const Report& report, int64_t budget);

/// Little-endian bytes in base64.
std::string base64(const void* bytes, size_t count);

}  // namespace wkvq
