#pragma once

#include "analysis/tables/table.h"
#include "core/base/hdf5/hdf5.h"
#include "core/base/run/run_summary.h"

namespace wkvq {

/// The heads whose attention the quantized cache changes most, worst first: relative errors of
/// logits and outputs, and the latter in multiples of the median over all heads. Without rows where
/// the file has none.
Table worst_heads_table(const hdf5::Reader& file);

/// What llama.cpp's `perplexity --kl-divergence` prints of the same tokens, one column an
/// evaluation that has a KL divergence; errors are llama.cpp's, which takes tokens for independent.
/// Without rows where there is none.
Table llama_cpp_table(const RunSummary& run, const hdf5::Reader& file);

}  // namespace wkvq
