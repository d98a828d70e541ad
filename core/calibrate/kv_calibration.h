#pragma once

#include "core/base/recorder.h"
#include "core/calibrate/method.h"
#include "core/kv/kv_codec.h"

namespace wkvq {

/// Tokens that percentiles of a channel are read from: KVQuant's 16 windows of 2048, halved.
inline constexpr int64_t kRangeTokens = 16384;

/// Ranges of the keys (where options quantize them) and values that a block's weights produce on
/// the calibration inputs.
struct KvRanges {
  ChannelRange key, value;
};
KvRanges collect_kv_ranges(const BlockContext& context, const KvOptions& options);

/// Channel transformations of keys and values.
struct KvChannels {
  ChannelTransform key, value;
};

/// The fitted parts of both grids.
struct KvGrids {
  GridConstants key, value;
};
/// Static ranges and codebooks of what the block's weights make of an even sample of the
/// calibration text, without the first tokens that the view keeps exact. A static range spans all
/// but options.outliers of a channel's tokens. NotFiniteError where what was fitted is not finite.
KvGrids fit_kv_grids(const BlockContext& context, const KvOptions& options,
                     const KvChannels& channels);

/// Writes them to /calibration/block_NN/key and value: low, high and outlier_share; codebook.
void record_kv_grids(Recorder& recorder, int64_t layer, const KvGrids& grids);

}  // namespace wkvq
