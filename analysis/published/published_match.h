#pragma once

#include <vector>

#include "analysis/published/published_numbers.h"
#include "core/base/run/run_summary.h"

namespace wkvq {

/// What `evaluation` of `run` was done under; parts that no published number can have (formats
/// other than integers, a cache that is rotated, grouped along time or has channels, part of the
/// test text) stay unknown.
NumberSetting setting_of(const RunSummary& run, const Evaluation& evaluation);

/// The numbers of exactly this setting. Groups and KV mode are only looked at where something of
/// that bits is quantized; a part that either side does not state matches nothing.
std::vector<const PublishedNumber*> matching(const std::vector<PublishedNumber>& all,
                                             const NumberSetting& setting);

}  // namespace wkvq
