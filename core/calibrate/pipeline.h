#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "core/attention/packed_row.h"
#include "core/base/recorder.h"
#include "core/calibrate/calibration.h"
#include "core/calibrate/method.h"
#include "core/model/model_source.h"

namespace wkvq {

/// Sequences on their way through the blocks: hidden states [batch, seq, hidden], shorter sequences
/// padded on the right.
struct StreamBatch {
  at::Tensor hidden;
  KvViewOptions view;
  std::shared_ptr<const PackedRow> packed;  ///< the one row holds several sequences; else null
  at::Tensor tokens;                        ///< [batch, seq] ids of `hidden`; may be undefined
  std::vector<size_t> sequences;  ///< by row, for messages; packed: all of the row. May be empty
};

/// One evaluation on its way: through the model in full precision, or quantized under each batch's
/// view.
struct Stream {
  bool full_precision = false;
  std::vector<StreamBatch> batches;
  std::string name = {};  ///< for messages: of which evaluation
};

/// Everything that passes through the blocks together.
struct BlockPass {
  std::vector<Stream> streams;
  LearnedStore* learned = nullptr;             ///< of trained parameters; may be null
  CalibrationChain* calibration = nullptr;     ///< where the method needs one
  bool keep_blocks = false;                    ///< collect the quantized blocks
  std::vector<QuantizedBlock> blocks;          ///< filled where keep_blocks
  bool keep_packed = false;                    ///< collect them with their weights packed
  std::vector<QuantizedBlock> packed_blocks;   ///< filled where keep_packed
  std::function<void(int64_t done)> on_block;  ///< blocks done; may be empty
  std::function<void(double done)> on_share;   ///< within a block: those and a share; may be empty
};

/// The block-major pass: each block is loaded once, quantized by `method`, and carries every stream
/// on (docs/design.md). The streams' hidden states are replaced by those leaving the last block.
/// Statistics come from the first quantized batch. With keep_packed, ConfigError where codes of a
/// weight cannot be packed (Method::check_packable says so beforehand). NotFiniteError where a
/// quantized weight, or what leaves a block, is not finite.
void run_blocks(ModelSource& source, Method& method, BlockPass& pass, Recorder& recorder);

/// The attention of a quantized block under `view`.
AttentionFunction attention_of(const KvCodec& codec, const KvViewOptions& view);

}  // namespace wkvq
