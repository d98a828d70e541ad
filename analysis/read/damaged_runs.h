#pragma once

#include <vector>

#include "core/base/run/run_summary.h"

namespace wkvq {

/// Files without a seal may be damaged so that HDF5 crashes on some of their rows: each is read
/// whole in a process of its own, and one that ends it becomes "unreadable" with the reason.
void note_damaged(std::vector<RunSummary>& runs);

}  // namespace wkvq
